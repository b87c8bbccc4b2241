"""What a person does to runs as folders: discard the one in training, delete, rename, write notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from gpt_studio.core import units
from gpt_studio.core.errors import StudioError
from gpt_studio.core.lock import is_held
from gpt_studio.core.run_index import annotate, rename
from gpt_studio.core.runner import failure
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store
from gpt_studio.gui.trash import move_to_trash


class RunFolders(QObject):
    """Signals:
    changed: a folder is not what or where it was.
    noted: what was done, in one sentence.
    """

    changed = Signal()
    noted = Signal(str)

    def __init__(self, store: Store, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self._window = parent
        self._discarding = False  # the run in training, once it has ended
        self._spared = ""  # the folder of the run before it
        store.changed.connect(self._look)

    def rename(self, folder: Path, name: str) -> None:
        self._try(lambda: rename(folder, name))

    def annotate(self, folder: Path, notes: str) -> None:
        self._try(lambda: annotate(folder, notes))

    def delete(self, folders: list[Path]) -> None:
        """Move runs to the trash, but for those being written, by whatever process."""
        for folder in folders:
            if str(folder) == self._store.state.writing or is_held(folder / "run.lock"):
                self._tell(StudioError(f"“{folder.name}” is being trained", tries="Stop it first."))
            else:
                self._remove(folder)

    def discard(self) -> None:
        """Stop the run in training and put all that is kept of it into the trash, after asking once."""
        state = self._store.state
        if state.training and self._agreed(state):
            now = self._store.state
            self._discarding, self._spared = True, "" if now.writing else now.folder
            self._store.stop_training()

    def _agreed(self, state: State) -> bool:
        buttons = QMessageBox.StandardButton
        box = QMessageBox(self._window)
        box.setWindowTitle("Stop and discard")
        box.setText(f"Discard “{state.name}” after {units.number(state.step)} steps?")
        box.setInformativeText("Its curves and checkpoints go to the trash.")
        box.setStandardButtons(buttons.Discard | buttons.Cancel)
        box.button(buttons.Discard).setText("Stop and discard")
        box.setDefaultButton(buttons.Cancel)
        return buttons(box.exec()) == buttons.Discard

    def _look(self, state: State) -> None:
        if self._discarding and not state.training:
            self._discarding = False
            if state.folder != self._spared:
                self._remove(Path(state.folder))

    def _remove(self, folder: Path) -> None:
        """The run goes, and with it the model that belongs to it."""
        try:
            place = move_to_trash(folder)
        except StudioError as error:
            self._tell(error)
            return
        if self._store.state.folder == str(folder):
            self._store.new()
        self.noted.emit(f"“{folder.name}” is in the trash: {place.parent}")
        self.changed.emit()

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except StudioError as error:
            self._tell(error)
        self.changed.emit()

    def _tell(self, error: StudioError) -> None:
        self._store.failed.emit(failure("run", error))
