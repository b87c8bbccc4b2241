"""One click that helps, done in its order: end what is in the way, open, change, train."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import Failed, Opened
from gpt_studio.gui.state import State, only_live
from gpt_studio.gui.store import Store


class Remedies(QObject):
    """Applies remedies to the store. What it waits for comes as facts: a run that ended, a file opened.

    Signals:
        told: what was done beyond what the click said.
    """

    told = Signal(str)

    def __init__(self, store: Store, train: Callable[[], None], parent: QObject) -> None:
        """`train` presses the run button."""
        super().__init__(parent)
        self._store = store
        self._press = train
        self._waiting: Remedy | None = None  # for the end of training
        self._opening: Remedy | None = None  # for its checkpoint
        store.changed.connect(self._look)
        store.opened.connect(self._opened)
        store.failed.connect(self._failed)

    def apply(self, remedy: Remedy) -> None:
        """Do what a remedy says. A run in training goes on where it can; else it ends first, and is kept."""
        state = self._store.state
        if not state.training:
            self._begin(remedy)
        elif remedy.checkpoint or not only_live(
            state.config, state.config.changed(remedy.section, remedy.changes)
        ):
            self._waiting = remedy
            self._store.stop_training()
        elif remedy.section == "train":
            self._steer(remedy, state)
        else:
            self._store.edit(remedy.section, remedy.changes)

    def _steer(self, remedy: Remedy, state: State) -> None:
        if not state.training_paused:
            self._store.steer(remedy.changes)
            return
        self._store.edit("train", remedy.changes)
        if remedy.train:
            self._press()

    def _begin(self, remedy: Remedy) -> None:
        if remedy.checkpoint:
            self._opening = remedy
            self._store.open(remedy.checkpoint)
        else:
            self._change(remedy)

    def _change(self, remedy: Remedy) -> None:
        if remedy.changes:
            self._store.edit(remedy.section, remedy.changes)
        goes_on = not remedy.checkpoint or self._store.state.resumable  # never a new model in its place
        if remedy.train and goes_on:
            self._press()

    def _look(self, state: State) -> None:
        if self._waiting and not state.training:
            remedy, self._waiting = self._waiting, None
            self._begin(remedy)
            if not remedy.train:
                self.told.emit("The run was stopped and kept · Train begins a new one")

    def _opened(self, opened: Opened) -> None:
        remedy, self._opening = self._opening, None
        if remedy and opened.path == remedy.checkpoint:
            self._change(remedy)

    def _failed(self, failure: Failed) -> None:
        if failure.kind == "file":
            self._opening = None
