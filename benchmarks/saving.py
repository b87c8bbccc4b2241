"""How long training waits while a checkpoint is written, beside a step's time: python -m benchmarks.saving

A checkpoint is begun after a step, as the keeper does, and written while the next gradients are computed.
What training waits is the time to begin it and the time the next change of weights is held up. What it costs
in all is how much longer that step takes: the writer needs the processor too. Beside it is torch.save of the
same tensors, flushed to the same disk, for which training waits all the time.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gpt_studio.core.config import RunConfig
from gpt_studio.core.presets import presets
from gpt_studio.engine.checkpoint import Checkpoint
from gpt_studio.engine.device import use_threads
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer, moments
from gpt_studio.engine.saving import Saving
from gpt_studio.engine.step import TrainingStep
from gpt_studio.engine.tokenizers import tokenizer

SIZES = (("small", 4, 256), ("gpt2-124m", 2, 256))  # presets, and texts and tokens of a step


class Training:
    """A model in training on random ids."""

    def __init__(self, config: RunConfig, batch: int, context: int, device: str) -> None:
        self.config = config
        self.model = GPT(config.model).to(device)
        self.optimizer = make_optimizer(self.model, config.train)
        self.tensors = TrainingStep(self.model, self.optimizer, config.train)
        self.ids = torch.randint(config.model.vocab_size, (batch, context + 1))

    def step(self, release: Callable[[], None] = lambda: None) -> None:
        self.tensors.begin()
        self.tensors.backward(self.tensors.forward(self.ids[:, :-1], self.ids[:, 1:]))
        norm = float(self.tensors.norm())  # waits for the device
        release()
        self.tensors.update(1e-4, norm)

    def checkpoint(self) -> Checkpoint:
        remembered = moments(self.model, self.optimizer)
        return Checkpoint(self.config, 1, tokenizer("bytes"), self.model, moments=remembered)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def saved(training: Training, path: Path) -> tuple[float, float, float, int]:
    """Seconds that training waits, that the step takes with it, and until the file is there; its bytes."""
    begun = time.perf_counter()
    saving = Saving(path, training.checkpoint())
    waits = time.perf_counter() - begun
    training.step(saving.release)
    step = time.perf_counter() - begun
    size = saving.wait()
    return waits + saving.waited, step, time.perf_counter() - begun, size


def saved_by_torch(training: Training, path: Path) -> None:
    with path.open("wb") as file:
        torch.save(training.checkpoint().tensors(), file)
        file.flush()
        os.fsync(file.fileno())


def row(training: Training, rounds: int) -> str:
    """Medians, of work done in turns: whatever else the machine does meets all alike."""
    for _ in range(2):
        training.step()
    times: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path, other = Path(folder) / "x.safetensors", Path(folder) / "x.pt"
        for _ in range(rounds):
            step = seconds(training.step)
            waits, beside, took, size = saved(training, path)
            theirs = seconds(lambda: saved_by_torch(training, other))
            times.append((step, waits, beside - step, took, theirs))
    step, waits, longer, took, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    return (
        f"{size / 2**20:6.0f} MB {step:7.2f} s {waits:7.2f} s {longer:7.2f} s {longer / step:10.0%} "
        f"{took:8.2f} s {theirs:9.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--toy", action="store_true", help="the smallest model alone, to see that it works")
    chosen = parser.parse_args()
    use_threads()
    threads = f"{torch.get_num_threads()} threads"
    print(f"{platform.platform()}, {chosen.device}, {threads}, torch {torch.__version__}")
    sizes = (("tiny", 2, 32),) if chosen.toy else SIZES
    heads = {"file": 9, "step": 9, "waits": 9, "longer": 9, "of a step": 10, "written": 10, "torch.save": 11}
    print(" " * 10, *(f"{head:>{width}}" for head, width in heads.items()))
    configs = {preset.name: preset.alone() for preset in presets()}
    for name, batch, context in sizes:
        training = Training(configs[name], batch, context, chosen.device)
        print(f"{name:10} {row(training, chosen.rounds)}", flush=True)


if __name__ == "__main__":
    main()
