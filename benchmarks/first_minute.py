"""How soon the first model of a new user is worth talking to: python -m benchmarks.first_minute

What the first launch has set is trained for several seeds, on two threads, by the engine as the window runs
it. Seconds count from pressing Train, with everything that goes on besides: validation, exams, samples. The
small world has been read by then, as it is when the window opens; how long that takes is shown too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from typing import Any

Facts = dict[str, list[tuple[float, Any]]]  # what was known, and how many seconds after Train
MARKS = (30, 60, 90, 120, 150, 180, 210, 240, 270, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    import torch

    print(f"{platform.platform()}, Python {platform.python_version()}, torch {torch.__version__}")
    runs = [run(seed, chosen.threads) for seed in chosen.seeds]
    print_curve(runs)


def run(seed: int, threads: int) -> Facts:
    """The facts of one run and when each was known, in seconds after Train."""
    import torch

    from gpt_studio.core.presets import first_config
    from gpt_studio.core.requests import Prepare, Train
    from gpt_studio.core.run_events import Evaluated, Examined, Sampled, Step
    from gpt_studio.engine.device import devices
    from gpt_studio.engine.session import open_session

    session = open_session()
    torch.set_num_threads(threads)
    device = next(device for device in devices() if device.name == "cpu")
    precision = "bf16" if device.bf16 else "fp32"  # as the window chooses
    config = first_config().changed("train", {"seed": seed, "precision": precision})
    with tempfile.TemporaryDirectory() as home:
        os.environ["GPT_STUDIO_HOME"] = home
        started = time.perf_counter()
        list(session.start(Prepare(config.data)))
        print(f"seed {seed}: the world was read in {time.perf_counter() - started:.1f} s", flush=True)
        facts: Facts = {"step": [], "loss": [], "exam": [], "sample": []}
        started = time.perf_counter()
        for event in session.start(Train(config)):
            now = time.perf_counter() - started
            match event:
                case Step(step):
                    facts["step"].append((now, step))
                case Evaluated(_, loss):
                    facts["loss"].append((now, loss))
                case Examined(exam):
                    facts["exam"].append((now, exam))
                    print(f"  {now:5.0f} s  step {exam.step}  {exam.mean:.1%}", flush=True)
                case Sampled(sample):
                    facts["sample"].append((now, sample))
    print_run(facts)
    return facts


def print_run(facts: Facts) -> None:
    print(f"  first point on the loss chart after {facts['step'][0][0]:.1f} s")
    for when, sample in facts["sample"][:6]:
        print(f"  sample after {when:.0f} s: {sample.prompt}{sample.text!r}")
    when, exam = facts["exam"][-1]
    print(f"  done after {when:.0f} s: " + ", ".join(f"{name} {s:.0%}" for name, s in exam.scores.items()))


def print_curve(runs: list[Facts]) -> None:
    """The mean over the seeds of the last exam before each mark."""
    print("seconds after Train    " + "".join(f"{mark:>8}" for mark in MARKS))
    rows = [[_known(run["exam"], mark) for mark in MARKS] for run in runs]
    means = [statistics.mean(column) for column in zip(*rows, strict=True)]
    for name, row in [*((f"run {index}", row) for index, row in enumerate(rows, 1)), ("mean", means)]:
        print(f"{name:23}" + "".join(f"{value:8.1%}" for value in row))


def _known(exams: list[tuple[float, Any]], mark: float) -> float:
    """The mean of the last exam there was by then."""
    return next((exam.mean for when, exam in reversed(exams) if when <= mark), 0.0)


if __name__ == "__main__":
    main()
