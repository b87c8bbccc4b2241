"""Make a run fit into memory: what to change, in the order of what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import Device
from gpt_studio.core.speed import Speed


@dataclass(frozen=True)
class Fitted:
    """A config that fits: the changes of the plan and the model, what it takes, and its price.

    `price` is the time of a step divided by that of the config as wished; None where that is not known.
    """

    config: RunConfig
    changes: tuple[str, ...]  # such as "micro-batch 4 × 4", "chunked loss"; none if it fitted as it was
    need: int  # bytes
    price: float | None


def fit(config: RunConfig, device: Device, capacity: int, speed: Speed | None = None) -> Fitted | None:
    """The cheapest way to train this in so many bytes with the same effective batch; None if there is none.

    First the largest micro-batch, the rest by accumulation; then chunked loss; then checkpointing.
    """
    return None
