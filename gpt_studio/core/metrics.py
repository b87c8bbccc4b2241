"""What is measured while training: name, unit, the chart it belongs to; and the record of a run."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One number of every training step."""

    name: str
    label: str
    unit: str
    chart: str


METRICS = (
    Metric("loss", "Train loss", "nats", "loss"),
    Metric("learning_rate", "Learning rate", "", "learning_rate"),
    Metric("gradient_norm", "Gradient norm", "", "gradient_norm"),
    Metric("tokens_per_second", "Throughput", "tokens/s", "throughput"),
    Metric("tokens", "Tokens seen", "tokens", ""),
    Metric("seconds", "Training time", "s", ""),
)


RESOURCES = (  # of the machine, read now and then while training
    Metric("process_memory", "Process memory", "bytes", "memory"),
    Metric("device_memory", "GPU memory", "bytes", "memory"),
    Metric("utilization", "Utilization", "%", "utilization"),
    Metric("temperature", "Temperature", "°C", "temperature"),
)


@dataclass(frozen=True)
class Sample:
    """A text the model wrote while it was learning: its tokens' texts, each with its probability."""

    step: int
    prompt: str
    text: str
    tokens: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Mark:
    """Something that happened to a run after a step, in a few words for the chart.

    Kinds: "plan" (settings changed), "resumed", "texts" (other ones from here), "memory" (less at a time),
    "compiled", "plain" (could not be compiled), "early" (stopped for good), "stopped", "failed", "fork".
    """

    step: int
    kind: str
    text: str


@dataclass(frozen=True)
class Exam:
    """The share of right answers by skill (a name of core.world.SKILLS), 0 to 1, at one step."""

    step: int
    scores: Mapping[str, float]

    @property
    def mean(self) -> float:
        return sum(self.scores.values()) / max(1, len(self.scores))


def bits_per_byte(loss: float, bytes_per_token: float) -> float:
    """A loss in nats per token as bits per byte of text, which does not depend on the tokenizer."""
    return loss / math.log(2) / bytes_per_token


class History:
    """The curves of one run: a row a step; validation losses, samples, exams, resources and marks between."""

    def __init__(self) -> None:
        self.steps = array("q")
        self.columns = {metric.name: array("d") for metric in METRICS}
        self.validation_steps = array("q")
        self.validation_losses = array("d")
        self.resource_steps = array("q")
        self.resources = {metric.name: array("d") for metric in RESOURCES}  # nan where nothing can be read
        self.samples: list[Sample] = []
        self.exams: list[Exam] = []
        self.marks: list[Mark] = []
        self.bytes_per_token = 0.0  # 0: not known

    def __len__(self) -> int:
        return len(self.steps)

    def add_step(self, step: int, values: Mapping[str, float]) -> None:
        self.steps.append(step)
        for name, column in self.columns.items():
            column.append(values[name])

    def add_validation(self, step: int, loss: float) -> None:
        self.validation_steps.append(step)
        self.validation_losses.append(loss)

    def add_resources(self, step: int, values: Mapping[str, float]) -> None:
        self.resource_steps.append(step)
        for name, column in self.resources.items():
            column.append(values.get(name, math.nan))

    def row(self, index: int) -> dict[str, float]:
        """The metrics of the index-th recorded step."""
        return {name: column[index] for name, column in self.columns.items()}

    @property
    def best_validation(self) -> tuple[int, float] | None:
        """Step and loss of the lowest validation loss, the first of equal ones."""
        return min(self.looks, key=lambda look: look[1], default=None)

    @property
    def looks(self) -> list[tuple[int, float]]:
        """Step and loss of each validation on the texts there are now: those on others are no measure."""
        changed = max((mark.step for mark in self.marks if mark.kind == "texts"), default=-1)
        first = bisect_right(self.validation_steps, changed)
        return list(zip(self.validation_steps[first:], self.validation_losses[first:], strict=True))
