"""The one error made for people: what happened, what was kept, what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpt_studio.core.settings import Value


@dataclass(frozen=True)
class Remedy:
    """One click that may help: a checkpoint to open first, settings to change in one section, and then, if
    asked, train."""

    label: str
    section: str
    changes: Mapping[str, Value]
    train: bool = False
    checkpoint: str = ""


class StudioError(Exception):
    """A failure a person can understand and act on.

    Everything else that is raised is a programmer's error: it is logged and shown with its details.
    """

    def __init__(
        self, what: str, *, kept: str = "", tries: str = "", remedies: tuple[Remedy, ...] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.tries = tries
        self.remedies = remedies

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.kept, self.tries) if part)
