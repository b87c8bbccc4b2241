"""What is said of facts as they come: notes in the status bar, marks on the curves, banners."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject

from gpt_studio.core import units
from gpt_studio.core.events import Exported, Failed, Opened, Saved
from gpt_studio.core.metrics import Mark
from gpt_studio.core.run_events import NotKept, StoppedEarly, TextsChanged
from gpt_studio.core.run_index import name_of
from gpt_studio.gui.alerts import Banner, Notice
from gpt_studio.gui.chat_panel import ChatPanel
from gpt_studio.gui.state import CHECKPOINTS, checkpoint_name
from gpt_studio.gui.status_bar import StatusBar
from gpt_studio.gui.store import Store
from gpt_studio.gui.training_page import TrainingPage

log = logging.getLogger(__name__)
NOT_KEPT = "not kept"  # the topic of its banner


class Notes(QObject):
    """Hears the store, and says each thing once, where it belongs."""

    def __init__(
        self, store: Store, banner: Banner, status: StatusBar, page: TrainingPage, chat: ChatPanel
    ) -> None:
        super().__init__(store)
        self._store, self._banner, self._status = store, banner, status
        self._page, self._chat = page, chat
        self._missing = ""  # what was last said not to be kept
        store.built.connect(lambda _: status.note(""))  # what was said is of another run
        store.failed.connect(self.failed)
        store.saved.connect(self._saved)
        store.exported.connect(self._exported)
        store.opened.connect(self._opened)
        store.texts_changed.connect(self._texts_changed)
        store.marked.connect(self._marked)
        store.not_kept.connect(self._not_kept)
        store.kept_again.connect(self._kept_again)
        store.stopped_early.connect(self._stopped_early)
        page.failed.connect(self.failed)

    def failed(self, failure: Failed) -> None:
        if failure.detail:
            log.error("%s job failed: %s\n%s", failure.kind, failure.what, failure.detail)
        else:
            log.warning("%s: %s %s %s", failure.kind, failure.what, failure.kept, failure.tries)
        if failure.kind == "train" and self._store.state.stopped_by:
            step = self._store.state.step
            self._page.mark(step, f"Stopped · {units.number(step)}", "bad")
        if failure.kind == "chat":
            self._chat.failed(failure)
        if failure.kind != "chat" or failure.detail:
            self._banner.show_failure(failure)

    def _saved(self, saved: Saved) -> None:
        text = f"Checkpoint saved at step {units.number(saved.step)} · {units.memory(saved.size)}"
        self._status.note(text, "check", "ok")
        if saved.step:
            self._page.mark(saved.step, f"Saved · {units.number(saved.step)}", "ok")

    def _exported(self, exported: Exported) -> None:
        text = f"{Path(exported.path).name} written · {units.memory(exported.size)}"
        self._status.note(text, "check", "ok")

    def _opened(self, opened: Opened) -> None:
        self._banner.dismiss()
        file = Path(opened.path)
        if file.parent.name == CHECKPOINTS and not opened.folder:
            run, step = name_of(file.parent.parent), units.number(opened.step)
            self._status.note(f"Training goes on as a fork of {run} at step {step}", "check", "ok")
        else:
            self._status.note(f"Opened {opened.name or checkpoint_name(opened.path)}", "check", "ok")

    def _texts_changed(self, changed: TextsChanged) -> None:
        self._page.mark(changed.step, f"Other texts · {units.number(changed.step)}", "warn")
        text = "Goes on with other texts than those learned from so far"
        self._status.note(text, "alert-triangle", "warn")

    def _marked(self, mark: Mark) -> None:
        if mark.kind in ("memory", "plain"):  # it goes on otherwise than was wished
            self._status.note(mark.text, "alert-triangle", "warn")
        elif mark.kind in ("plan", "compiled"):
            self._status.note(mark.text, "check", "ok")

    def _not_kept(self, missing: NotKept) -> None:
        """It may be told at every try: a person who has put the notice away is not asked to again."""
        self._status.note("The run is not being saved", "alert-triangle", "warn")
        if missing.what != self._missing:
            self._missing = missing.what
            title = missing.what.removesuffix(".")
            kept = "Training goes on, in memory. Saving is tried again."
            self._banner.show_notice(Notice(title, kept, missing.tries, topic=NOT_KEPT))

    def _kept_again(self) -> None:
        self._missing = ""
        self._banner.withdraw(NOT_KEPT)
        self._status.note("The run is being saved again", "check", "ok")

    def _stopped_early(self, stopped: StoppedEarly) -> None:
        best = f"{units.loss(stopped.best_loss)} at step {units.number(stopped.best_step)}"
        text = f"Stopped early at step {units.number(stopped.step)} · best validation {best}"
        self._status.note(text, "check", "ok")
