"""All runs on disk: one line about each, and its curves, read again only where files changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gpt_studio.core.config import RunConfig
from gpt_studio.core.metrics import History

SPARKS = 40  # points of a small curve


@dataclass(frozen=True)
class RunSummary:
    """One run. A folder whose run.json cannot be used is there too, with `problem` and no config.

    `status` is "training" (a living process writes it), "interrupted" (one did, and was killed), "finished",
    "stopped", "early" or "failed". Losses are nan and counts 0 where there are none yet.
    """

    folder: Path
    name: str
    status: str
    config: RunConfig | None = None
    notes: str = ""
    parent: str = ""  # the folder's name of the run it was forked from
    parent_step: int = 0
    parameters: int = 0
    step: int = 0
    tokens: float = 0.0
    seconds: float = 0.0
    loss: float = float("nan")
    validation: float = float("nan")  # the best
    sparks: tuple[float, ...] = ()  # losses, evenly taken, the first ones left out
    begun: str = ""  # ISO 8601
    problem: str = ""
    checkpoints: tuple[Path, ...] = ()  # last, best, then numbered ones, the latest first


class RunIndex:
    """The runs below a folder. Reads files alone: any process may be writing them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def look(self) -> tuple[RunSummary, ...]:
        """All runs as they are now, the latest first. Cheap where nothing changed."""
        raise NotImplementedError

    def history(self, folder: Path) -> History:
        """A run's curves as far as they are written; a growing file is read on from where it ended before."""
        raise NotImplementedError


def rename(folder: Path, name: str) -> None:
    """Give a run another name; its folder stays where it is.

    Raises:
        StudioError: it cannot be written.
    """
    raise NotImplementedError


def annotate(folder: Path, notes: str) -> None:
    """Keep what a person wrote about a run.

    Raises:
        StudioError: it cannot be written.
    """
    raise NotImplementedError
