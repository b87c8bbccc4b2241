"""File dialogs, recent files, and the question before something unsaved is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from gpt_studio.core import units
from gpt_studio.core.events import Failed, Saved
from gpt_studio.gui.dialogs import ask_where_to_save
from gpt_studio.gui.state import CHECKPOINTS as CHECKPOINTS_FOLDER
from gpt_studio.gui.store import Store

SUFFIX = ".safetensors"
CHECKPOINTS = f"Checkpoints (*{SUFFIX})"
RECENT = 8
BEING_TRAINED = Failed(
    "file", "The model is being trained.", "Training goes on.", "Stop the training first, then try again."
)


class Files(QObject):
    """Turns clicks on New, Open, Save and Train into the store's wishes.

    Signals:
        recent_changed: the list of recent files is another one.
    """

    recent_changed = Signal()

    def __init__(self, store: Store, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self._settings = settings
        self._window = parent
        self._then: tuple[str, Callable[[], None]] | None = None  # what follows the saving of a path
        store.saved.connect(self._saved)
        store.opened.connect(lambda opened: self._remember(opened.path))
        store.failed.connect(self._failed)

    # ------------------------------------------------------------ checkpoints

    def save(self, then: Callable[[], None] | None = None) -> None:
        """Ask where, save there, and once that is done go on with `then`."""
        state = self._store.state
        if state.run is None:
            return
        own = state.path and not _in_a_run(state.path)  # what a run keeps is not to be written over
        suggestion = state.path if own else str(Path(self._folder()) / f"step-{state.step:06d}{SUFFIX}")
        path = ask_where_to_save(self._window, "Save checkpoint", suggestion, CHECKPOINTS, SUFFIX)
        if path:
            self._then = (path, then) if then else None
            self._store.save(path)

    def open(self) -> None:
        """Ask which checkpoint, and open it."""
        self._replace(self._ask_and_open)

    def _ask_and_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Open checkpoint", self._folder(), CHECKPOINTS)
        if path:
            self._store.open(path)

    def open_path(self, path: str) -> None:
        """Open a checkpoint whose place is known."""
        self._replace(lambda: self._store.open(path))

    def fork_path(self, path: str) -> None:
        """Open a checkpoint to train a run of its own from it."""
        self._replace(lambda: self._store.fork(path))

    def new(self) -> None:
        """Begin again without a model."""
        self._replace(self._store.new)

    def _replace(self, then: Callable[[], None]) -> None:
        """Do what takes the model's place; not while it is being trained."""
        if self._store.state.training:
            self._store.failed.emit(BEING_TRAINED)
        else:
            self.guard(then)

    def train(self) -> None:
        """Press the run button; a new model in place of an unsaved one is asked about first."""
        state = self._store.state
        if state.primary == "train" and not state.problems:
            self.guard(self._store.press_primary, "Training starts a new model in its place.")
        else:
            self._store.press_primary()

    # ------------------------------------------------------------ nothing is lost

    def guard(self, then: Callable[[], None], why: str = "") -> None:
        """Do something that replaces the model, after asking about what is not saved."""
        if not self._store.state.unsaved:
            then()
            return
        answer = self._ask_about_unsaved(why)
        if answer == QMessageBox.StandardButton.Discard:
            then()
        elif answer == QMessageBox.StandardButton.Save:
            self.save(then)

    def _ask_about_unsaved(self, why: str) -> QMessageBox.StandardButton:
        buttons = QMessageBox.StandardButton
        box = QMessageBox(self._window)
        box.setWindowTitle("Save the model")
        steps = units.number(self._store.state.step)
        box.setText(f"This model is at step {steps}, and no file holds it.")
        box.setInformativeText(f"{why} Save it as a checkpoint first?".strip())
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        return buttons(box.exec())

    def _saved(self, saved: Saved) -> None:
        self._remember(saved.path)
        if self._then and self._then[0] == saved.path:
            _, then = self._then
            self._then = None
            then()

    def _failed(self, failure: Failed) -> None:
        if failure.kind == "file":
            self._then = None

    # ------------------------------------------------------------ recent

    def recent(self) -> list[str]:
        """Checkpoints used lately that still exist, latest first."""
        return [path for path in remembered_list(self._settings, "recent") if Path(path).is_file()]

    def _remember(self, path: str) -> None:
        others = [other for other in self.recent() if other != path]
        self._settings.setValue("recent", [path, *others][:RECENT])
        if not _in_a_run(path):
            self._settings.setValue("folder", str(Path(path).parent))
        self.recent_changed.emit()

    def _folder(self) -> str:
        return remembered_folder(self._settings)


def _in_a_run(path: str) -> bool:
    return Path(path).parent.name == CHECKPOINTS_FOLDER


def checkpoint_in(event: QDropEvent) -> str:
    """The path of the one checkpoint being dropped, or ""."""
    urls = event.mimeData().urls()
    path = urls[0].toLocalFile() if len(urls) == 1 else ""
    return path if path.lower().endswith(SUFFIX) else ""


def remembered_folder(settings: QSettings) -> str:
    """Where a file dialog begins: the folder last used, or home."""
    folder = str(settings.value("folder", ""))
    return folder if folder and Path(folder).is_dir() else str(Path.home())


def remembered_number(settings: QSettings, key: str, default: float) -> float:
    """A number the settings hold under a key; the default when they hold something else."""
    try:
        value = float(str(settings.value(key, default)))
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def remembered_list(settings: QSettings, key: str) -> list[str]:
    """Texts the settings hold under a key; none when they hold something else."""
    value = settings.value(key, [], list)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
