"""Facts coming up: small frozen values. Between the window and the engine only these and requests cross.

No tensor, exception, widget or open file ever does. A request's `kind` names the job it starts; the
runner's own events (Started, Finished, Stopped, Failed, Paused, Resumed) repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpt_studio.core.config import DataConfig, RunConfig
from gpt_studio.core.errors import Remedy
from gpt_studio.core.metrics import History
from gpt_studio.core.speed import Speed


@dataclass(frozen=True)
class Event:
    """A fact."""


@dataclass(frozen=True)
class JobEvent(Event):
    """What became of a job; the runner says it."""

    kind: str


@dataclass(frozen=True)
class Started(JobEvent):
    """A job began."""


@dataclass(frozen=True)
class Finished(JobEvent):
    """A job came to its natural end."""


@dataclass(frozen=True)
class Stopped(JobEvent):
    """A job was ended early, as asked."""


@dataclass(frozen=True)
class Paused(JobEvent):
    """A job rests until it is resumed."""


@dataclass(frozen=True)
class Resumed(JobEvent):
    """A paused job goes on."""


@dataclass(frozen=True)
class Failed(JobEvent):
    """A job ended in an error. `detail` is empty for a person's error and a traceback for ours."""

    what: str
    kept: str = ""
    tries: str = ""
    detail: str = ""
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True)
class Device:
    """A place to compute: "cpu" or "cuda:0", what it is, and its memory in bytes.

    What this program measured there is 0 or empty as long as it is not known: `overhead`, the bytes it takes
    besides tensors (with what `runs` training runs here took at most); `workspace`, the bytes matrix products
    take for themselves; `rates`, the matrix FLOP/s reached at most by precision, which MFU is a share of.
    """

    name: str
    label: str
    capacity: int
    bf16: bool = False
    overhead: int = 0
    runs: int = 0
    workspace: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """ "cpu" or "cuda"."""
        return self.name.partition(":")[0]

    @property
    def precisions(self) -> tuple[str, ...]:
        """What it trains in, the best first."""
        fast = ("bf16",) if self.bf16 else ()
        return (*fast, "fp16", "fp32") if self.kind == "cuda" else (*fast, "fp32")


@dataclass(frozen=True)
class DeviceMeasured(Event):
    """More is known about a device: it takes the place of the one of this name."""

    device: Device


@dataclass(frozen=True)
class Ready(Event):
    """The engine is awake: the devices there are and the one in use."""

    devices: tuple[Device, ...]
    device: str


@dataclass(frozen=True)
class DeviceUsed(Event):
    """Another device is in use now."""

    device: str


@dataclass(frozen=True)
class Progress(Event):
    """How far a job is: `done` of `total` (0: unknown), and what it is doing."""

    kind: str
    text: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Corpus:
    """One chosen corpus after reading: bytes of UTF-8, documents, tokens, and its share of what is read."""

    name: str
    label: str
    size: int
    documents: int
    tokens: int
    share: float


@dataclass(frozen=True)
class PreviewToken:
    """A token as people see it: its text, id, raw bytes, and how often the whole data set holds it."""

    text: str
    id: int
    raw: bytes
    count: int
    rank: int


@dataclass(frozen=True)
class Preview:
    """How a corpus begins."""

    corpus: str
    title: str
    tokens: tuple[PreviewToken, ...]


@dataclass(frozen=True)
class TextFacts:
    """What was noticed in the texts; `core.findings` says what it means."""

    documents: int  # all of them
    near_duplicates: int = 0  # documents that nearly repeat an earlier one
    repeated: float = 0.0  # their share of all bytes
    overlap: float = 0.0  # share of the bytes held out in documents nearly the same as one learned from
    misencoded: tuple[str, ...] = ()  # files with bytes that are no UTF-8, read as an older encoding
    control: int = 0  # control characters
    largest: tuple[str, float] = ("", 0.0)  # the largest document and its share of all bytes


@dataclass(frozen=True)
class DataReport(Event):
    """What the chosen corpora came to with the chosen tokenizer."""

    data: DataConfig
    fingerprint: str  # of contents and tokenizer: the same texts give the same one
    corpora: tuple[Corpus, ...]
    vocab_size: int
    vocab_used: int  # different tokens that occur
    characters: int
    size: int  # bytes of UTF-8
    train_tokens: int
    validation_tokens: int
    documents: int
    validation_documents: int
    token_lengths: tuple[float, ...]  # share of tokens with 1, 2, 3 … characters, the last one and longer
    facts: TextFacts
    previews: tuple[Preview, ...]  # one of each corpus
    seconds: float
    cached: bool  # found on disk, not made now
    unigram: float = 0.0  # nats per token that counting tokens leaves; 0 where not known
    bigram: float = 0.0  # nats per token that counting pairs of neighbors leaves
    context: float = 0.0  # nats per token that counting sequences of up to seven leaves

    @property
    def tokens(self) -> int:
        return self.train_tokens + self.validation_tokens

    @property
    def bytes_per_token(self) -> float:
        return self.size / max(1, self.tokens)


@dataclass(frozen=True)
class Comparison:
    """What one tokenizer makes of the texts. `tokenizer` is its name in DataConfig."""

    tokenizer: str
    label: str
    vocab_size: int
    vocab_used: int
    tokens: int
    bytes_per_token: float


@dataclass(frozen=True)
class Compared(Event):
    """The tokenizers compared so far, on `size` bytes of the corpora's text; the last event has all."""

    data: DataConfig
    size: int
    whole: bool  # all of the text, not only a part of it
    rows: tuple[Comparison, ...]


@dataclass(frozen=True)
class BatchRead(Event):
    """The first texts of a run's first batch: each row has one token more than the context.

    The model reads all but the last of a row; its targets are all but the first.
    """

    config: RunConfig
    batch_size: int  # rows in the whole batch
    context: int
    rows: tuple[tuple[PreviewToken, ...], ...]


@dataclass(frozen=True)
class Exported(Event):
    """A file was written that is no checkpoint."""

    path: str
    size: int


@dataclass(frozen=True)
class Built(Event):
    """There is a model now, with this many parameters, at this step, made from this config.

    `bytes_per_token` turns its losses into bits per byte; 0 where it is not known.
    """

    config: RunConfig
    parameters: int
    device: str
    step: int
    bytes_per_token: float = 0.0


@dataclass(frozen=True)
class Calibrated(Event):
    """How fast a device does the parts of a training step of one shape."""

    speed: Speed


@dataclass(frozen=True)
class MemoryChecked(Event):
    """The exact peak of a training step's tensors in bytes, seen on tensors without data."""

    config: RunConfig
    device: str
    peak: int


@dataclass(frozen=True)
class Token(Event):
    """One generated token: its text (empty while a character is incomplete), probability and rank.

    `alternatives` are the likeliest tokens at this place with their probabilities, likeliest first.
    """

    turn: int
    text: str
    id: int
    p: float
    rank: int
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Generated(Event):
    """A generation came to its end: tokens, seconds, and why ("length", "stop", "end of text")."""

    turn: int
    tokens: int
    seconds: float
    reason: str


@dataclass(frozen=True)
class Saved(Event):
    """A checkpoint was written: where, how many bytes, and at which step."""

    path: str
    size: int
    step: int


@dataclass(frozen=True)
class Opened(Event):
    """A checkpoint was opened: its model takes the place of the one there was, its curves come with it."""

    path: str
    config: RunConfig
    step: int
    history: History
    parameters: int
    device: str
    folder: str = ""  # of the run that training it would go on with; else it would be a new run
    name: str = ""  # what that run is called
    cut_off: bool = False  # it was killed: even after the last step something may be left to do


@dataclass(frozen=True)
class DemoOpened(Event):
    """The demo model is there to talk to; `model` tells of it as of any other."""

    model: Built


@dataclass(frozen=True)
class Forgotten(Event):
    """There is no model any more."""
