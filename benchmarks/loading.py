"""How long a batch takes to read, against a training step: python -m benchmarks.loading

Batches come from tokens on the disk. The small one is of the size of the smallest preset and is compared with
a real step of it; the large one is a mixture of three corpora.
"""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from gpt_studio.core.config import GPTConfig, TrainConfig
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.reading import Stream, Tokens, batch

VOCABULARY = 340
SMALL = GPTConfig(num_layers=4, heads=4, embed_size=128, max_length=128, vocab_size=VOCABULARY)
BATCHES = 300
STEPS = 30
DOCUMENT = 1000  # tokens; every tenth one is held out, so what is learned lies in pieces


def stream(path: Path, length: int) -> Stream:
    """Tokens on the disk without every tenth document."""
    np.random.default_rng(0).integers(VOCABULARY, size=length, dtype=np.uint16).tofile(path)
    starts = np.arange(0, length, DOCUMENT)
    learned = starts[np.arange(len(starts)) % 10 != 0]
    ranges = np.stack((np.zeros_like(learned), learned, np.minimum(learned + DOCUMENT, length)), axis=1)
    return Stream([np.memmap(path, np.uint16, "r")], ranges)


def steps(config: GPTConfig, batch_size: int) -> Iterator[None]:
    """Training steps of a model."""
    model = GPT(config)
    optimizer = make_optimizer(model, TrainConfig())
    ids = torch.randint(config.vocab_size, (batch_size, config.max_length))
    while True:
        optimizer.zero_grad()
        torch.autograd.backward(loss(model(ids), ids))
        optimizer.step()
        yield


def milliseconds(work: Callable[[int], object], count: int) -> float:
    """The median time of doing it once."""
    times = []
    for index in range(count):
        started = time.perf_counter()
        work(index)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def main() -> None:
    print(f"{platform.platform()}, {os.cpu_count()} cores, torch {torch.__version__}, {BATCHES} batches")
    training = steps(SMALL, 16)
    step = milliseconds(lambda _: next(training), STEPS)
    with tempfile.TemporaryDirectory() as folder:
        tokens = Tokens([stream(Path(folder, "small"), 4_000_000)])
        read = milliseconds(lambda index: batch(tokens, 128, 16, 0, index), BATCHES)
        print(f"16 × 128: {read:.2f} ms a batch, {step:.0f} ms a step of that size: {read / step:.2%}")
        sizes = (400_000_000, 40_000_000, 4_000_000)
        mixed = Tokens([stream(Path(folder, str(size)), size) for size in sizes], (0.6, 0.3, 0.1))
        read = milliseconds(lambda index: batch(mixed, 1024, 64, 0, index), BATCHES)
        print(f"64 × 1024, three corpora mixed, 444 M tokens: {read:.2f} ms a batch")


if __name__ == "__main__":
    main()
