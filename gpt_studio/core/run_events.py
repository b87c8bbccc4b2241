"""Facts of a run coming up while it is trained: what was measured, what was written, what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import Event
from gpt_studio.core.metrics import Exam, Mark, Sample


@dataclass(frozen=True)
class TextsChanged(Event):
    """Training goes on after this step with other texts than before: from here it is another run."""

    step: int


@dataclass(frozen=True)
class Step(Event):
    """One training step is done; `values` has every metric of core.metrics."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Examined(Event):
    """What an exam of the small world came to."""

    exam: Exam


@dataclass(frozen=True)
class Evaluated(Event):
    """The mean loss on held-out text, in nats per token."""

    step: int
    loss: float


@dataclass(frozen=True)
class Sampled(Event):
    """A text written while learning."""

    sample: Sample


@dataclass(frozen=True)
class MemoryMeasured(Event):
    """The most memory training has taken so far, in bytes, as the device reports it."""

    peak: int


@dataclass(frozen=True)
class RunBegun(Event):
    """A run is kept in a folder from now on."""

    folder: str
    name: str
    step: int


@dataclass(frozen=True)
class PlanChanged(Event):
    """The run goes on by this config from the next step on; what changed is in `mark`."""

    config: RunConfig
    mark: Mark


@dataclass(frozen=True)
class Marked(Event):
    """Something happened that the curves should tell."""

    mark: Mark


@dataclass(frozen=True)
class Resources(Event):
    """What training takes of the machine now; values by the names of core.metrics.RESOURCES, if readable."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class StoppedEarly(Event):
    """Validation found nothing better for too long; the best weights are in `checkpoint`, if kept."""

    step: int
    best_step: int
    best_loss: float
    checkpoint: str = ""


@dataclass(frozen=True)
class Kept(Event):
    """The run's own folder holds this step now: the checkpoint, its bytes, and how long training waited."""

    path: str
    step: int
    size: int
    waited: float


@dataclass(frozen=True)
class NotKept(Event):
    """Something of the run cannot be written at present; training goes on, and tries again."""

    what: str
    tries: str = ""


@dataclass(frozen=True)
class KeptAgain(Event):
    """What could not be written is written now."""
