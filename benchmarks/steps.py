"""Training steps of the smallest preset, by precision, optimizer and library: python -m benchmarks.steps

All ways take turns and the medians are compared: read the ratios.
"""

import itertools
import os
import platform
import statistics
import time
from contextlib import nullcontext

import torch

from gpt_studio.core.presets import first_config
from gpt_studio.engine.device import fast_products, use_threads
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import make_optimizer

ROUNDS = 15


class Way:
    """One way to train."""

    def __init__(self, precision: str, optimizer: str, fast: bool) -> None:
        config = first_config().changed("train", {"precision": precision, "optimizer": optimizer})
        self.name = f"{precision}, {optimizer}, {'oneDNN' if fast else 'by default'}"
        self.low = precision == "bf16"
        self.fast = fast
        self.model = GPT(config.model).train()
        self.optimizer = make_optimizer(self.model, config.train)
        shape = (config.train.batch_size, config.model.max_length)
        self.ids = torch.randint(config.model.vocab_size, shape)
        self.steps: list[float] = []  # seconds of each
        self.updates: list[float] = []  # of which in the optimizer

    def step(self) -> None:
        started = time.perf_counter()
        with fast_products() if self.fast else nullcontext():
            self.optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
                value = loss(self.model(self.ids), self.ids)
            torch.autograd.backward(value)
            learned = time.perf_counter()
            self.optimizer.step()
        done = time.perf_counter()
        self.steps.append(done - started)
        self.updates.append(done - learned)


def main() -> None:
    use_threads()
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {ROUNDS} rounds"
    )
    ways = [Way(*way) for way in itertools.product(("fp32", "bf16"), ("adamw", "muon"), (False, True))]
    for _ in range(ROUNDS):
        for way in ways:
            way.step()
    for way in ways:
        whole, update = statistics.median(way.steps[2:]), statistics.median(way.updates[2:])
        print(f"{way.name:24} {way.ids.numel() / whole:7.0f} tokens/s, optimizer {update / whole:4.0%}")


if __name__ == "__main__":
    main()
