"""After a crash: offer to go on with the run that was interrupted, once."""

from __future__ import annotations

from PySide6.QtCore import QObject, QSettings

from gpt_studio.core import units
from gpt_studio.core.errors import Remedy
from gpt_studio.core.run_index import RunSummary
from gpt_studio.core.runs import RunFolder
from gpt_studio.gui.alerts import Banner, Notice
from gpt_studio.gui.files import remembered_list
from gpt_studio.gui.store import Store

TOPIC = "interrupted"
KEY = "interrupted"  # in the settings: the runs a person did not want to go on with
REMEMBERED = 50


class Recovery(QObject):
    """Looks at the run that was begun, gone on with or ended last when the runs are first known."""

    def __init__(self, store: Store, banner: Banner, settings: QSettings, parent: QObject) -> None:
        super().__init__(parent)
        self._store = store
        self._banner = banner
        self._settings = settings
        self._folder = ""  # of the run that is offered
        self._looked = False
        banner.declined.connect(self._declined)

    def look(self, runs: tuple[RunSummary, ...]) -> None:
        """The runs there are."""
        if self._looked:
            return
        self._looked = True
        state = self._store.state
        latest = max(runs, key=_described_at, default=None)
        busy = state.training or state.run is not None
        if latest and not busy and latest.status == "interrupted" and latest.checkpoints:
            self._offer(latest)

    def _offer(self, run: RunSummary) -> None:
        if str(run.folder) in remembered_list(self._settings, KEY):
            return
        self._folder = str(run.folder)
        go_on = Remedy("Continue", "train", {}, train=True, checkpoint=str(run.checkpoints[0]))
        self._banner.show_notice(
            Notice(
                f"“{run.name}” was interrupted at step {units.number(run.step)}",
                kept="All up to its last checkpoint. Training goes on exactly from there.",
                remedies=(go_on,),
                kind="offer",
                topic=TOPIC,
            )
        )

    def _declined(self, topic: str) -> None:
        if topic == TOPIC:
            others = [folder for folder in remembered_list(self._settings, KEY) if folder != self._folder]
            self._settings.setValue(KEY, [self._folder, *others][:REMEMBERED])


def _described_at(run: RunSummary) -> float:
    """When its run.json was last written, which is done whenever training begins, goes on or ends."""
    try:
        return RunFolder(run.folder).run.stat().st_mtime
    except OSError:
        return 0.0
