"""Make a run fit into memory: what to change, in the order of what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig, TrainConfig
from gpt_studio.core.estimate import flops_per_token, training_memory
from gpt_studio.core.events import Device
from gpt_studio.core.settings import settings_of
from gpt_studio.core.speed import Speed, seconds_per_step, shape_of

FORWARD = 1 / 3  # of the computing of a step: two operations per weight there, four on the way back
CHUNKED = 0.02  # of a step, more: the same products in more and smaller pieces


@dataclass(frozen=True)
class Fitted:
    """A config that fits: the changes of the plan and the model, what it takes, and its price.

    `price` is the time of a step divided by that of the config as wished; 1 where nothing is changed.
    """

    config: RunConfig
    changes: tuple[str, ...]  # such as "micro-batch 4 × 4", "chunked loss"; none if it fitted as it was
    need: int  # bytes
    price: float
    smaller: bool = (
        False  # batches than wished, whose smaller products may be slower: that is not in the price
    )

    @property
    def way(self) -> str:
        """What is changed, as part of a sentence: "micro-batch 4 × 4, chunked loss and checkpointing"."""
        *most, last = self.changes or ("",)
        return f"{', '.join(most)} and {last}" if most else last

    @property
    def cost(self) -> str:
        """What that costs in time, in words."""
        more = self.price - 1
        if more < 0.005:
            return "a little slower, as smaller batches are" if self.smaller else "about as fast"
        return (
            f"about {units.percent(more)} slower{', and what smaller batches cost' if self.smaller else ''}"
        )


def fit(config: RunConfig, device: Device, capacity: int, speed: Speed | None = None) -> Fitted | None:
    """The cheapest way to train this in so many bytes with the same effective batch; None if there is none.

    First the largest micro-batch, the rest by accumulation; then chunked loss; then checkpointing. No
    micro-batch is larger than the one wished. `speed` is of the config as wished, and makes the price exact.
    The config must have no problems.
    """
    for candidate in _candidates(config):
        need = training_memory(candidate, device).total
        if need <= capacity:
            smaller = candidate.train.batch_size < config.train.batch_size
            price = _price(config, candidate, speed)
            return Fitted(candidate, _changes(config, candidate), need, price, smaller)
    return None


def least(config: RunConfig, device: Device) -> int:
    """The fewest bytes that any of these ways takes."""
    return min(training_memory(candidate, device).total for candidate in _candidates(config))


def _candidates(config: RunConfig) -> Iterator[RunConfig]:
    """The config itself, then what costs more and more time."""
    chunked = config.changed("train", {"chunked_loss": True})
    checkpointed = chunked.changed("model", {"gradient_checkpointing": True})
    for way in dict.fromkeys((config, chunked, checkpointed)):
        for batch, accumulation in _micro_batches(config):
            yield way.changed("train", {"batch_size": batch, "accumulation": accumulation})


def _micro_batches(config: RunConfig) -> list[tuple[int, int]]:
    """Ways to part the effective batch, with as many batches as a step may have, the largest parts first."""
    whole = config.train.effective_batch
    most = settings_of(TrainConfig)["accumulation"].high or whole
    sizes = range(config.train.batch_size, 0, -1)
    return [(size, whole // size) for size in sizes if whole % size == 0 and whole // size <= most]


def _changes(wished: RunConfig, found: RunConfig) -> tuple[str, ...]:
    plan = found.train
    parts = {
        f"micro-batch {plan.batch_size} × {plan.accumulation}": plan.batch_size != wished.train.batch_size,
        "chunked loss": plan.chunked_loss != wished.train.chunked_loss,
        "checkpointing": found.model != wished.model,
    }
    return tuple(text for text, changed in parts.items() if changed)


def _price(wished: RunConfig, found: RunConfig, speed: Speed | None) -> float:
    """What is left out: smaller products may be slower, and the pauses between them more."""
    price = 1.0
    if found.train.chunked_loss != wished.train.chunked_loss:
        price += CHUNKED
    if found.model != wished.model:
        price *= _checkpointing(wished, found, speed)
    return price


def _checkpointing(wished: RunConfig, found: RunConfig, speed: Speed | None) -> float:
    """The time of a step with each block's forward pass done twice, divided by that of one without."""
    if speed is None or speed.shape != shape_of(wished):
        head = 6.0 * wished.model.vocab_size * wished.model.embed_size
        return 1 + FORWARD * (1 - head / flops_per_token(wished.model))
    again = wished.changed("model", {"gradient_checkpointing": True})
    return seconds_per_step(again, speed) / seconds_per_step(wished, speed)
