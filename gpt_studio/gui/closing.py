"""Closing the window in order: ask what a person has to decide, wait for files, end the engine."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from gpt_studio.core import units
from gpt_studio.core.events import Failed
from gpt_studio.gui.files import Files
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store
from gpt_studio.gui.worker import Worker

SAVING = 60.0  # seconds a run in training has to end its step and be saved; the window is gone by then
ENDING = 3.0  # seconds for everything else


class Closing(QObject):
    """Decides whether the window may close now; where it may not yet, it closes as soon as it may.

    Signals:
        waiting: what it closes after, in one sentence.
    """

    waiting = Signal(str)

    def __init__(self, store: Store, files: Files, worker: Worker, window: QWidget) -> None:
        super().__init__(window)
        self._store, self._files, self._worker, self._window = store, files, worker, window
        self._agreed = False  # a person has been asked about what is not saved
        self._stops = False  # training, because a person has agreed to
        self._waits = False  # for a file, or for training to end
        store.changed.connect(self._look)
        store.failed.connect(self._failed)

    def may_close(self) -> bool:
        state = self._store.state
        if not self._worker.isRunning():
            return True
        if state.training:
            if self._stops:  # and does not want to wait: it ends behind the scenes
                return True
            if self._ask(state):
                self._stops = self._waits = True
                self.waiting.emit("Closes as soon as the run is saved")
                self._store.stop_training()
                self._look(self._store.state)
            return False
        if state.unsaved and not self._agreed:
            self._files.guard(self._close_now)
            return False
        if state.filing:
            self._waits = True
            self.waiting.emit("Closes as soon as the file is written")
            return False
        return True

    def end(self) -> None:
        """End the engine; a run in training is saved first."""
        training = self._store.state.training
        self._worker.close(seconds=SAVING if training else ENDING)

    def _ask(self, state: State) -> bool:
        buttons = QMessageBox.StandardButton
        box = QMessageBox(self._window)
        box.setWindowTitle("Close GPT Studio")
        box.setText(f"“{state.name}” is in training, at step {units.number(state.step)}.")
        box.setInformativeText("It is saved with its run and can go on exactly from there.")
        box.setStandardButtons(buttons.Ok | buttons.Cancel)
        box.button(buttons.Ok).setText("Stop, save and close")
        return buttons(box.exec()) == buttons.Ok

    def _close_now(self) -> None:
        self._agreed = True
        self._later()

    def _later(self) -> None:
        QTimer.singleShot(0, self._window.close)  # Qt ignores a close within a close

    def _look(self, state: State) -> None:
        if self._waits and not state.filing and not state.training:
            self._stops = self._waits = False
            self._later()

    def _failed(self, failure: Failed) -> None:
        if failure.kind == "file":
            self._agreed = self._stops = self._waits = False
