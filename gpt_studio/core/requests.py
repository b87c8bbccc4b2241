"""Wishes going down: requests that start jobs, and orders about the jobs under way. Small frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gpt_studio.core.config import DataConfig, RunConfig, SampleConfig, TrainConfig


@dataclass(frozen=True)
class Request:
    """A wish that starts a job of its kind. A running job of the same kind is stopped first, or, if it
    works on a file, finished."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Prepare(Request):
    """Read the corpora, make tokens of them and report on them."""

    kind = "data"
    data: DataConfig


@dataclass(frozen=True)
class Compare(Request):
    """See what each tokenizer makes of the chosen corpora."""

    kind = "compare"
    data: DataConfig


@dataclass(frozen=True)
class ReadBatch(Request):
    """Show the first batch of a run, as the model sees it."""

    kind = "batch"
    config: RunConfig


@dataclass(frozen=True)
class ExportTokenizer(Request):
    """Write the tokenizer of the chosen corpora to a .tiktoken file."""

    kind = "file"
    data: DataConfig
    path: str


@dataclass(frozen=True)
class Calibrate(Request):
    """Measure how fast the device in use does the parts of a run's training step."""

    kind = "calibrate"
    config: RunConfig


@dataclass(frozen=True)
class CheckMemory(Request):
    """Find the exact peak of a run's training step on the device in use."""

    kind = "check"
    config: RunConfig


@dataclass(frozen=True)
class Train(Request):
    """Build a model and train it, or go on with the one there is.

    A run is kept in `folder`; without one in its own if it has one, else in a new one under the person's
    runs, called `name` or after its texts.
    """

    kind = "train"
    config: RunConfig
    resume: bool = False
    folder: str = ""
    name: str = ""


@dataclass(frozen=True)
class Replan(Request):
    """Change what may change in the middle of a run (settings with `live`), from the next step on."""

    kind = "plan"
    train: TrainConfig


@dataclass(frozen=True)
class SampleNow(Request):
    """Write the run's samples now, with the weights as they are."""

    kind = "sample"


@dataclass(frozen=True)
class Generate(Request):
    """Continue a prompt until `stop` (a text, "" for none), an end of text, or the longest length."""

    kind = "chat"
    prompt: str
    sample: SampleConfig
    stop: str = ""
    turn: int = 0  # repeated by every token, so a late one finds no wrong message


@dataclass(frozen=True)
class Save(Request):
    """Write the model to a checkpoint file."""

    kind = "file"
    path: str


@dataclass(frozen=True)
class Keep(Request):
    """Bring the last checkpoint of the run's own folder up to the step there is."""

    kind = "file"


@dataclass(frozen=True)
class Open(Request):
    """Replace the model by the one in a checkpoint file.

    Training it goes on in the run's folder if it is that run's last checkpoint; else, or with `fork`, in a
    new run that names this one as its parent.
    """

    kind = "file"
    path: str
    fork: bool = False


@dataclass(frozen=True)
class OpenDemo(Request):
    """Put the demo model in the place of the one there is."""

    kind = "file"


@dataclass(frozen=True)
class New(Request):
    """Forget the model."""

    kind = "file"


@dataclass(frozen=True)
class UseDevice(Request):
    """Move to another device, the model too."""

    kind = "file"
    device: str


# ---------------------------------------------------------------- orders to the runner


@dataclass(frozen=True)
class Pause:
    """Do not advance this kind of job until it is resumed."""

    kind: str


@dataclass(frozen=True)
class Resume:
    """Advance a paused job again."""

    kind: str


@dataclass(frozen=True)
class Advance:
    """Let a paused job do its next step, and rest again."""

    kind: str


@dataclass(frozen=True)
class Stop:
    """End this kind of job where it stands."""

    kind: str


Order = Pause | Resume | Advance | Stop
