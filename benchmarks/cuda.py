"""Everything that needs a GPU, in under nine minutes: python -m benchmarks.cuda [--json FILE]

Each part is a process of its own with a time limit: one that fails, hangs or spoils the device loses nothing
but itself. Figures are written as they are found; the short table comes last. `--toy --device cpu` goes the
same way with tiny shapes and no GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Deadline, Report, machine

TOTAL = 530.0  # seconds for all parts
STARTING = 10.0  # of them a process takes to start and to end


@dataclass(frozen=True)
class Part:
    """What is measured: a module with `run(report, setting)`, and at most how many seconds it may take."""

    module: str
    seconds: float


PARTS = {
    "device": Part("benchmarks.cuda_device", 40),
    "training": Part("benchmarks.cuda_training", 200),
    "generation": Part("benchmarks.cuda_generation", 90),
    "memory": Part("benchmarks.cuda_memory", 110),
    "engine": Part("benchmarks.cuda_engine", 40),
    "prediction": Part("benchmarks.cuda_prediction", 240),  # takes what the others leave
}


@dataclass(frozen=True)
class Setting:
    """Where a part measures, at which size, and until when."""

    device: str
    toy: bool
    deadline: Deadline

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts alone")
    parser.add_argument("--device", default="cuda:0", help="cuda:0, or cpu with --toy")
    parser.add_argument("--toy", action="store_true", help="tiny shapes, to see that all of it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(name: str, options: argparse.Namespace) -> int:
    """One part, in this process."""
    import torch

    torch.manual_seed(0)
    report = Report(options.json)
    setting = Setting(options.device, options.toy, Deadline(options.seconds - STARTING))
    try:
        report.machine = machine(options.device)
        importlib.import_module(PARTS[name].module).run(report, setting)
    except Exception:
        traceback.print_exc()
        report.remark(f"{name} failed: {traceback.format_exc(limit=-1).strip().splitlines()[-1]}")
        return 1
    finally:
        report.save()
    return 0


def measured_apart(name: str, options: argparse.Namespace, seconds: float, report: Report) -> bool:
    """One part, in a process of its own; what it found goes into the report. Whether all went well."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{name}.json")
        words = [
            "--part",
            name,
            "--seconds",
            f"{seconds:.0f}",
            "--json",
            str(file),
            "--device",
            options.device,
        ]
        command = [sys.executable, "-m", "benchmarks.cuda", *words, *(["--toy"] if options.toy else [])]
        process = subprocess.Popen(command, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            _end(process)
        if file.exists():
            report.add(json.loads(file.read_text("utf-8")))
        if code < 0:
            report.remark(
                f"{name} was stopped after {seconds:.0f} s." if code == -1 else f"{name} died: {code}."
            )
    return code == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all the processes it started, such as those that compile."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def main() -> int:
    options = arguments()
    if options.part:
        return measure(options.part, options)
    report = Report(options.json)
    deadline = Deadline(TOTAL)
    failed = []
    for name in options.only:
        seconds = min(PARTS[name].seconds, deadline.left)
        if seconds < 2 * STARTING:
            report.remark(f"{name}: no time was left.")
            failed.append(name)
            continue
        started = time.monotonic()
        print(f"{name}, at most {seconds:.0f} s", flush=True)
        if not measured_apart(name, options, seconds, report):
            failed.append(name)
        print(f"  {name} took {time.monotonic() - started:.0f} s", flush=True)
    print("\n" + report.text(options.markdown))
    if failed:
        print(f"\nNot complete: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
