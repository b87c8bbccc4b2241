"""The settings there were before: undo and redo, with edits of the same field in quick succession as one."""

from __future__ import annotations

import time
from collections.abc import Callable

from gpt_studio.core.config import RunConfig

LEVELS = 200
ONE_EDIT = 1.0  # seconds within which edits of the same field are one step of undo


class Undo:
    """Remembers configs; whoever owns the one in force asks for another."""

    def __init__(self) -> None:
        self._behind: list[RunConfig] = []
        self._ahead: list[RunConfig] = []
        self._last: tuple[str, frozenset[str], float] = ("", frozenset(), 0.0)

    def remember(self, config: RunConfig, section: str, fields: frozenset[str] = frozenset()) -> None:
        """These fields of a section are about to be changed in the config in force."""
        now = time.monotonic()
        same = self._last[:2] == (section, fields) and now - self._last[2] < ONE_EDIT
        self._last = (section, fields, now)
        if not same:
            self._behind = [*self._behind, config][-LEVELS:]
            self._ahead = []

    def back(self, config: RunConfig, may: Callable[[RunConfig], bool]) -> RunConfig:
        """The config before this one; itself if there is none, or if it may not be taken now."""
        return self._travel(config, may, self._behind, self._ahead)

    def forth(self, config: RunConfig, may: Callable[[RunConfig], bool]) -> RunConfig:
        """The config that going back left; itself if there is none, or if it may not be taken now."""
        return self._travel(config, may, self._ahead, self._behind)

    def _travel(
        self,
        config: RunConfig,
        may: Callable[[RunConfig], bool],
        source: list[RunConfig],
        target: list[RunConfig],
    ) -> RunConfig:
        if not source or not may(source[-1]):
            return config
        target.append(config)
        self._last = ("", frozenset(), 0.0)
        return source.pop()
