"""What the training doctor looks at: a run's curves as a few medians, so that a long run takes no longer."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import DataReport
from gpt_studio.core.metrics import History

RECENT = 24  # steps whose median is the loss as it is now
BLOCKS = 40  # the run is seen as at most so many
LEAST_BLOCK = 8  # steps
LOOKED = 33  # steps of a block that are looked at, at most
NOISY = 256  # steps the noise is measured on
NORMAL = 0.6745 * math.sqrt(2)  # median distance of two values of a normal distribution with deviation 1
SETTLED = 60  # steps of a plan, after its warm-up, before it is judged
USUALLY_COUNTED = 0.6  # of the blind guess is left open by counting tokens
LEAST_STRETCH, LEAST_STEPS, LEAST_SHARE = 8, 100, 0.15  # blocks, steps, and share of all steps
REPLANNED = ("plan", "fork")  # kinds of marks after which another plan is followed


@dataclass(frozen=True)
class Block:
    """Some steps in a row: the last of them, and the median of their losses."""

    step: int
    loss: float


@dataclass(frozen=True)
class Curves:
    """A run since its texts are the ones it has. Losses are in nats per token."""

    config: RunConfig
    report: DataReport | None  # only if it is of these texts
    step: int  # the last one
    age: int  # steps made
    settled: int  # steps made since the last change of plan and after its warm-up; negative before
    start: float  # the first loss
    losses: Sequence[float]  # the latest RECENT * 3, nan where one was not finite
    norms: Sequence[float]  # of their gradients
    noise: float  # standard deviation of one step's loss
    blocks: Sequence[Block]  # of the whole run, oldest first
    followed: Sequence[Block]  # those of the plan in force
    planned: Sequence[Block]  # those of it after its warm-up
    looks: Sequence[tuple[int, float]]  # validation steps and losses
    rate: float  # of the last step
    tokens: float  # seen

    @property
    def now(self) -> float:
        """The loss as it is now."""
        return middle(self.losses[-RECENT:])

    @property
    def blind(self) -> float:
        """The loss of guessing blindly: ln V (every token as likely as any other)."""
        return math.log(max(2, self.report.vocab_size if self.report else self.config.model.vocab_size))

    @property
    def height(self) -> float:
        """Where learning began: the first loss, or the blind guess if that is more."""
        return max(self.blind, self.start)

    @property
    def best(self) -> Block:
        """The lowest level so far."""
        return min(self.blocks, key=lambda block: block.loss, default=Block(self.step, self.start))

    @property
    def counted(self) -> float:
        """What counting how often each token occurs leaves open; where not known, what it usually does."""
        known = self.report.unigram if self.report else 0.0
        return known or USUALLY_COUNTED * self.blind

    @property
    def passes(self) -> float:
        """How often the text has been read by now; 0 if it is not known how long it is."""
        return self.tokens / self.report.train_tokens if self.report and self.report.train_tokens else 0.0

    @property
    def planned_passes(self) -> float:
        """How often the text will have been read in the end."""
        return self.passes * max(1.0, (self.config.train.steps - self.step + self.age) / self.age)

    def is_settled(self, share: float = 0.0) -> bool:
        """Whether its plan has been followed long enough to be judged, at least this share of all steps."""
        return self.settled >= max(SETTLED, share * self.config.train.steps)

    def stretch(self) -> Sequence[Block]:
        """The blocks since half of the steps by now, if they are many and long enough."""
        found = [block for block in self.planned if block.step > self.step / 2]
        if len(found) < LEAST_STRETCH:
            return ()
        length = found[-1].step - found[0].step
        return found if length >= max(LEAST_STEPS, LEAST_SHARE * self.config.train.steps) else ()

    def pace(self) -> float:
        """How far the loss falls in a step of the plan in force, by the latest half of its blocks."""
        latest = self.planned[len(self.planned) // 2 :]
        if len(latest) < 2 or latest[-1].step <= latest[0].step:
            return 0.0
        return (latest[0].loss - latest[-1].loss) / (latest[-1].step - latest[0].step)

    def progress(self, blocks: Sequence[Block]) -> float:
        """How far the loss fell from the first block to the last.

        By the median slope, over the logarithm of steps, of pairs half of the blocks apart (Theil 1950).
        """
        half = len(blocks) // 2
        pairs = zip(blocks[:half], blocks[-half:], strict=True)
        slope = median((b.loss - a.loss) / math.log(b.step / a.step) for a, b in pairs)
        return -slope * math.log(blocks[-1].step / blocks[0].step)


def curves(config: RunConfig, history: History, report: DataReport | None) -> Curves | None:
    """The run as the doctor sees it; None before the first step."""
    first = _after(history, ("texts",))
    if first >= len(history):
        return None
    begun = history.steps[first] - 1
    step = history.steps[-1]
    replanned = max(first, _after(history, REPLANNED))
    planned_from = history.steps[replanned] - 1 if replanned < len(history) else step
    settled_from = max(planned_from, config.train.warmup)
    loss = history.columns["loss"]
    blocks = _blocks(history, first)
    recent = max(first, len(loss) - 3 * RECENT)
    per_step = config.train.effective_batch * config.model.max_length
    return Curves(
        config=config,
        report=report if report and report.data == config.data and report.vocab_size > 1 else None,
        step=step,
        age=step - begun,
        settled=step - settled_from,
        start=next(iter(finite(loss[first : first + RECENT])), math.nan),
        losses=[value if math.isfinite(value) else math.nan for value in loss[recent:]],
        norms=history.columns["gradient_norm"][recent:],
        noise=_noise(loss[max(first, len(loss) - NOISY) :]),
        blocks=blocks,
        followed=[block for block in blocks if block.step > planned_from + LEAST_BLOCK],
        planned=[block for block in blocks if block.step > settled_from + LEAST_BLOCK],
        looks=[
            (at, value)
            for at, value in zip(history.validation_steps, history.validation_losses, strict=False)
            if at > begun and math.isfinite(value)
        ],
        rate=history.columns["learning_rate"][-1],
        tokens=float(per_step * (step - begun)),
    )


def _after(history: History, kinds: Sequence[str]) -> int:
    """The index of the first step after the last mark of these kinds."""
    steps = [mark.step for mark in history.marks if mark.kind in kinds]
    return bisect_right(history.steps, max(steps)) if steps else 0


def _blocks(history: History, first: int) -> list[Block]:
    """Blocks of equal size that end with the last step; a rest at the beginning is left out."""
    loss, end = history.columns["loss"], len(history)
    size = max(LEAST_BLOCK, math.ceil((end - first) / BLOCKS))
    stride = math.ceil(size / LOOKED)
    ends = range(end, first + size - 1, -size)
    found = (Block(history.steps[at - 1], middle(loss[at - size : at : stride])) for at in reversed(ends))
    return [block for block in found if math.isfinite(block.loss)]


def _noise(losses: Sequence[float]) -> float:
    """From the distances of neighbors, which a slope does not touch; robust against single outliers."""
    known = finite(losses)
    apart = [abs(a - b) for a, b in pairwise(known)]
    return median(apart) / NORMAL if apart else 0.0


def finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def middle(values: Sequence[float]) -> float:
    """The median of those that are finite; nan if none is."""
    known = finite(values)
    return median(known) if known else math.nan
