"""Where the loss will end: a band, from the texts, the model's size, the plan and the curve so far."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import DataReport
from gpt_studio.core.metrics import History


@dataclass(frozen=True)
class Band:
    """Nats per token of held-out text that the final validation loss lies between, nine times in ten."""

    low: float
    high: float


def forecast(config: RunConfig, report: DataReport, history: History | None = None) -> Band | None:
    """The band before a run, or during one with the `history` so far; None where too little is known."""
    return None
