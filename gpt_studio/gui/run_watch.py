"""The thread that watches the runs on disk, whoever writes them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Condition

from PySide6.QtCore import QObject, QThread, Signal

from gpt_studio.core.run_index import RunIndex, RunSummary
from gpt_studio.core.runs import RunFolder
from gpt_studio.core.watched import Watched

log = logging.getLogger(__name__)
INTERVAL = 1.0  # seconds between two looks


class RunWatch(QThread):
    """Looks at the runs every second, and reads the curves of those that are followed.

    Signals:
        looked: the runs are not what they were (tuple[RunSummary, ...]).
        read: a followed run's curves, and again whenever it has grown (Path, History).
    """

    looked = Signal(object)
    read = Signal(object, object)

    def __init__(self, root: Path, parent: QObject | None = None, interval: float = INTERVAL) -> None:
        super().__init__(parent)
        self._index = RunIndex(root)
        self._interval = interval
        self._changed = Condition()  # guards the next three
        self._followed: dict[Path, _Files] = {}
        self._hurry = True  # look at once
        self._closing = False
        self._runs: tuple[RunSummary, ...] | None = None

    def follow(self, folders: Sequence[Path]) -> None:
        """Read the curves of these runs, and no others, from now on."""
        with self._changed:
            self._followed = {folder: self._followed.get(folder) or _Files(folder) for folder in folders}
            self._hurry = True
            self._changed.notify()

    def look_now(self) -> None:
        """Do not wait for the next second: something is known to have changed."""
        with self._changed:
            self._hurry = True
            self._changed.notify()

    def close(self, seconds: float = 10.0) -> bool:
        """End the thread; whether it ended in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        return self.wait(int(seconds * 1000))

    def run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._hurry or self._closing, self._interval)
                if self._closing:
                    return
                self._hurry = False
                followed = dict(self._followed)
            try:
                self._look()
                self._read(followed)
            except Exception:  # a strange file must not end the watching of all others
                log.exception("The runs could not be looked at")

    def _look(self) -> None:
        runs = self._index.look()
        if runs != self._runs:
            self._runs = runs
            self.looked.emit(runs)

    def _read(self, followed: dict[Path, _Files]) -> None:
        for folder, files in followed.items():
            if files.changed():
                self.read.emit(folder, self._index.history(folder))


class _Files:
    """The files of a run's curves."""

    def __init__(self, folder: Path) -> None:
        run = RunFolder(folder)
        self._files = Watched(run.metrics), Watched(run.samples)
        self._seen = False

    def changed(self) -> bool:
        """Whether they are not what they were; true at first, whatever is there."""
        found = [file.changed() for file in self._files]
        first, self._seen = not self._seen, True
        return first or any(found)
