"""Predicted and measured speed of training, side by side: python -m benchmarks.prediction

Each configuration is trained by the real trainer on random tokens, calibrated as the window does it, and
trained once more. No constant of the calibration was fitted to these configurations. What counts on either
side is the faster third of the steps, so a machine with other work may be measured on, if it is not full.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.measuring import Report, machine
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.events import Calibrated
from gpt_studio.core.run_events import Step
from gpt_studio.core.speed import Speed, tokens_per_second
from gpt_studio.engine.calibration import calibrate
from gpt_studio.engine.device import use_threads
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.reading import Tokens
from gpt_studio.engine.trainer import Trainer

SECONDS = 1.0  # of training before the calibration, and after
STEPS = 3  # at least, each time
LIMIT = 0.15  # of the measured speed that a prediction may be off

Changes = dict[str, Any]
BF16: Changes = {"precision": "bf16"}
MUON: Changes = {"optimizer": "muon"}
CHUNKED: Changes = {"chunked_loss": True}
CHECKPOINTED: Changes = {"gradient_checkpointing": True}


def run(layers: int, heads: int, width: int, context: int, batch: int, vocab: int, **other: Any) -> RunConfig:
    """A configuration from its sizes and other settings of either section."""
    shape = {name: other.pop(name) for name in list(other) if name in GPTConfig.__dataclass_fields__}
    sizes = {"num_layers": layers, "heads": heads, "embed_size": width, "max_length": context}
    return RunConfig(
        model=GPTConfig(**sizes, vocab_size=vocab, **shape),
        train=TrainConfig(
            **{"batch_size": batch, "steps": 10**6, "evaluate_every": 10**6, "sample_every": 0} | other
        ),
    )


CPU = (
    run(2, 2, 64, 32, 8, 257),
    run(3, 4, 96, 96, 20, 340),
    run(8, 4, 128, 128, 6, 340),
    run(5, 4, 160, 64, 32, 513),
    run(2, 8, 256, 256, 4, 1025),
    run(4, 4, 192, 128, 12, 340, **MUON),
    run(6, 8, 128, 96, 16, 257, **MUON),
    run(3, 6, 384, 128, 6, 257, **MUON),
    run(4, 4, 128, 128, 16, 8193),
    run(2, 4, 128, 64, 8, 16385),
    run(1, 4, 256, 128, 4, 50257),
    run(3, 4, 192, 128, 8, 8193, **CHUNKED),
    run(6, 4, 128, 192, 8, 340, **CHECKPOINTED),
    run(4, 6, 192, 256, 6, 1025, **CHECKPOINTED),
    run(4, 4, 128, 64, 8, 340, accumulation=4),
    run(3, 8, 256, 128, 4, 2049, accumulation=3),
    run(4, 4, 128, 128, 12, 340, dropout=0.1),
    run(6, 4, 256, 64, 8, 340, bias=False, tie_embeddings=False),
    run(2, 3, 192, 512, 3, 513),
    run(1, 8, 512, 256, 4, 340),
    run(2, 12, 768, 128, 3, 340),
    run(4, 4, 256, 128, 8, 340, **BF16),
    run(3, 8, 512, 128, 4, 1025, **BF16),
    run(6, 4, 128, 64, 24, 4097, **BF16, **MUON),
    run(4, 2, 128, 256, 4, 340, forward_expansion=2, attention="fused"),
    run(10, 2, 64, 64, 16, 340, forward_expansion=3, attention="plain"),
)

CUDA = (
    run(4, 4, 128, 128, 16, 340),
    run(6, 6, 384, 256, 16, 257, **BF16),
    run(6, 6, 384, 256, 64, 257, **BF16),
    run(12, 8, 512, 512, 16, 4097, **BF16),
    run(12, 12, 768, 1024, 4, 50257, **BF16),
    run(12, 12, 768, 1024, 16, 50257, **BF16),
    run(12, 12, 768, 1024, 8, 50257),
    run(12, 12, 768, 1024, 16, 50257, **BF16, **CHUNKED),
    run(12, 12, 768, 1024, 32, 50257, **BF16, **CHECKPOINTED),
    run(12, 12, 768, 512, 16, 50257, **BF16, accumulation=4),
    run(12, 12, 768, 1024, 8, 50257, **BF16, **MUON),
    run(6, 12, 768, 2048, 8, 16385, **BF16),
    run(6, 12, 768, 1024, 16, 50257, **BF16, dropout=0.1),
    run(24, 16, 1024, 1024, 8, 50257, **BF16),
    run(24, 16, 1024, 512, 8, 32769, **BF16, **MUON),
    run(16, 20, 1280, 1024, 8, 50257, **BF16, **CHUNKED),
    run(36, 20, 1280, 1024, 4, 50257, **BF16),
    run(24, 25, 1600, 1024, 4, 50257, **BF16),
    run(48, 25, 1600, 1024, 4, 50257, **BF16, **CHECKPOINTED, **CHUNKED),
    run(8, 16, 1024, 4096, 2, 8193, **BF16),
    run(8, 32, 2048, 1024, 4, 16385, **BF16, bias=False, tie_embeddings=False),
    run(12, 12, 768, 1024, 8, 50257, precision="fp16"),
)


class Run:
    """A configuration under way: the real trainer on random tokens."""

    def __init__(self, config: RunConfig, device: str) -> None:
        model = GPT(config.model).to(device)
        ids = np.random.default_rng(0).integers(0, config.model.vocab_size, 2**18, np.uint32)
        dataset: Any = SimpleNamespace(train=Tokens.of(ids))
        self.events = Trainer(model, make_optimizer(model, config.train), dataset, config).run()
        self.seconds: list[float] = []  # of each step
        self.before = 0.0

    def go_on(self) -> None:
        until, steps = time.perf_counter() + SECONDS, len(self.seconds) + STEPS
        while time.perf_counter() < until or len(self.seconds) < steps:
            self.step()

    def step(self) -> None:
        event = next(event for event in self.events if isinstance(event, Step))
        now = event.values["seconds"]
        self.seconds.append(now - self.before)
        self.before = now

    @property
    def usual(self) -> float:
        """Seconds of a step when little else happens; the first steps make room and kernels."""
        times = sorted(self.seconds[2:])
        return statistics.mean(times[: max(1, len(times) // 3)])


def compare(config: RunConfig, device: str) -> tuple[float, float, float]:
    """Measured and predicted tokens/s, and the seconds that calibrating took."""
    real = Run(config, device)
    with closing(real.events):
        real.go_on()
        started = time.perf_counter()
        speed = calibrated(config, device)
        took = time.perf_counter() - started
        real.go_on()
    tokens = config.train.effective_batch * config.model.max_length
    return tokens / real.usual, tokens_per_second(config, speed), took


def calibrated(config: RunConfig, device: str) -> Speed:
    return next(event.speed for event in calibrate(config, device) if isinstance(event, Calibrated))


def described(config: RunConfig) -> str:
    model, plan = config.model, config.train
    sizes = f"{model.num_layers} × {model.embed_size}, context {model.max_length}, batch {plan.batch_size}"
    facts = {
        f"× {plan.accumulation}": plan.accumulation > 1,
        f"vocabulary {model.vocab_size}": True,
        plan.precision: plan.precision != "fp32",
        plan.optimizer: plan.optimizer != "adamw",
        "chunked": plan.chunked_loss,
        "checkpointed": model.gradient_checkpointing,
        "dropout": model.dropout > 0,
        "untied": not model.tie_embeddings,
        plan.attention: plan.attention != "auto",
    }
    return ", ".join((sizes, *(text for text, there in facts.items() if there)))


def measure(configs: Iterator[RunConfig] | tuple[RunConfig, ...], device: str, report: Report) -> None:
    """Compare all, and say how far the predictions are off."""
    errors = []
    for config in configs:
        measured, predicted, took = compare(config, device)
        errors.append(predicted / measured - 1)
        row = {"configuration": described(config), "measured tokens/s": measured, "predicted": predicted}
        report.row("Speed", {**row, "off %": 100 * errors[-1], "calibration s": took})
        gc.collect()
    off = [abs(error) for error in errors]
    report.remark(f"Off by {statistics.median(off):.1%} in the median, {max(off):.1%} at most.")
    report.goal("worst prediction of tokens/s", 100 * max(off), most=100 * LIMIT, unit=" %")
    within = sum(error <= LIMIT for error in off)
    report.goal(f"configurations within {LIMIT:.0%}", within, least=20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", type=int, nargs="*", help="places in the list of configurations")
    parser.add_argument("--json", type=Path, help="a file for all that was measured")
    arguments = parser.parse_args()
    use_threads()
    report = Report(arguments.json)
    report.machine = machine(arguments.device)
    configs = CUDA if arguments.device.startswith("cuda") else CPU
    if not arguments.device.startswith("cuda") and "avx512_bf16" not in str(report.machine["flags"]):
        configs = tuple(config for config in configs if config.train.precision != "bf16")
    chosen = tuple(configs[place] for place in arguments.only) if arguments.only else configs
    measure(chosen, arguments.device, report)
    print("\n" + report.text())


if __name__ == "__main__":
    main()
