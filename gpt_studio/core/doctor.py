"""What a run suffers from, in plain words, from its curves alone; each finding with one change to try."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import DataReport
from gpt_studio.core.metrics import History

NAMES = ("diverging", "dead", "rate_high", "rate_low", "plateau", "overfitting", "little_data")


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what is seen in the curves (`title`, `text`), and the one change to try."""

    name: str  # one of NAMES
    title: str
    text: str
    remedy: Remedy | None = None


def diagnose(config: RunConfig, history: History, report: DataReport | None = None) -> tuple[Diagnosis, ...]:
    """What is wrong with a run by now, the gravest first; nothing where it is healthy or too young to tell."""
    raise NotImplementedError
