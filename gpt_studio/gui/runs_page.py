"""The Runs page: all runs in a table, up to six of them side by side, and the family of the one selected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QStackedWidget, QWidget

from gpt_studio.core.config import RunConfig
from gpt_studio.core.metrics import History
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.compare_chart import CompareCard
from gpt_studio.gui.comparing import Compared, short_names
from gpt_studio.gui.differences import DifferencesCard
from gpt_studio.gui.family import FamilyCard
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.runs_card import RunsCard
from gpt_studio.gui.runs_model import rows_of
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import EmptyState, Label

WIDE = 700  # below this the cards stand one below the other
AT_FIRST = 4  # of the latest runs are compared before a person chooses
HINT = "Check up to six runs to see their curves side by side."


class RunsPage(QWidget):
    """The Runs page.

    Signals:
        open_wanted: use the weights of this checkpoint (str).
        fork_wanted: begin a new run from this checkpoint (str).
        compare_wanted: the curves of these runs are shown, and of no others (list[Path]).
        renamed, annotated: a person's name for a run, or notes about it (its folder, the text).
        delete_wanted: these runs go to the trash; a person was asked (list[Path]).
        unqueue_wanted: this run shall not wait any longer (its place in the queue).
        training_wanted: go where runs are begun.
        failed: something could not be exported (StudioError).
    """

    open_wanted = Signal(str)
    fork_wanted = Signal(str)
    compare_wanted = Signal(object)
    renamed = Signal(object, str)
    annotated = Signal(object, str)
    delete_wanted = Signal(object)
    unqueue_wanted = Signal(int)
    training_wanted = Signal()
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Runs")
        self._runs: tuple[RunSummary, ...] = ()
        self._state: State | None = None
        self._histories: dict[Path, History] = {}
        self._chosen = False  # which runs are compared has been decided
        self.card = RunsCard()
        self.compare = CompareCard()
        self.differences = DifferencesCard()
        self.family = FamilyCard()
        self.hint = Label(HINT, "small", "text3")
        self.empty = Button("Go to Training")
        self._lay_out()
        self._connect()
        follow(self._fit)

    def _lay_out(self) -> None:
        self._side_by_side = QWidget()
        self._beside = Row(spacing=10, parent=self._side_by_side)
        self._beside.addWidget(self.compare, 375)
        self._beside.addWidget(self.differences, 335)
        page = QWidget()
        column = Column((16, 14, 16, 14), 10, page)
        column.addWidget(self.card)
        column.addWidget(self.hint)
        column.addWidget(self._side_by_side, 1)
        column.addWidget(self.family)
        column.addStretch(0)
        nothing = EmptyState(
            "No runs yet",
            "Everything you train is kept here: settings, curves, samples and checkpoints.",
            self.empty,
        )
        self._pages = QStackedWidget()
        self._pages.addWidget(nothing)
        self._pages.addWidget(Scroll(page))
        Column(spacing=0, parent=self).addWidget(self._pages)

    def _connect(self) -> None:
        card, runs = self.card, self.card.table.runs
        card.open_wanted.connect(self.open_wanted)
        card.fork_wanted.connect(self.fork_wanted)
        card.annotated.connect(self.annotated)
        card.delete_wanted.connect(self.delete_wanted)
        card.unqueue_wanted.connect(self.unqueue_wanted)
        card.table.chosen.connect(self._show_family)
        runs.renamed.connect(self.renamed)
        runs.compared_changed.connect(self._compared_changed)
        self.compare.across_changed.connect(self._show_compared)
        self.family.chosen.connect(self.select)
        self.empty.clicked.connect(self.training_wanted)
        for exporting in (card, self.compare.chart):
            exporting.failed.connect(self.failed)

    # Facts

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """All runs there are, the latest first."""
        self._runs = tuple(runs)
        self._show_rows()
        if not self._chosen and runs:
            self._chosen = self.isVisible()
            latest = [run.folder for run in runs if run.step and not run.problem][:AT_FIRST]
            self.card.table.runs.compare(latest)
        self._show_compared()

    def showEvent(self, event: QShowEvent) -> None:
        """What is compared is a person's choice from now on."""
        super().showEvent(event)
        self._chosen |= bool(self._runs)

    def show_history(self, folder: Path, history: History) -> None:
        """The curves of a run that is compared, as far as they go by now."""
        self._histories[folder] = history
        self._show_compared()

    def show_state(self, state: State) -> None:
        before, self._state = self._state, state
        if before is None or _known_of(before) != _known_of(state):
            self._show_rows()

    def select(self, folder: Path) -> None:
        """Make a run the selected one; the filter gives way if it hides it."""
        runs = self.card.table.runs
        if runs.find(folder) < 0:
            self.card.close_search()
        self.card.table.select(runs.find(folder))

    def compared(self) -> list[Path]:
        """The folders of the runs that are compared."""
        return [row.folder for row, _ in self.card.table.runs.compared()]

    # What follows

    def _show_rows(self) -> None:
        queue, paused = _known_of(self._state or State())
        self.card.show_rows(rows_of(self._runs, queue, paused))
        self._pages.setCurrentIndex(int(bool(self._runs or queue)))
        self._show_family()

    def _compared_changed(self) -> None:
        folders = self.compared()
        self._histories = {folder: known for folder, known in self._histories.items() if folder in folders}
        self.compare_wanted.emit(folders)
        self._show_compared()
        self._show_family()

    def _show_compared(self, *_: object) -> None:
        pairs = self.card.table.runs.compared()
        names = short_names([row.run.name for row, _ in pairs])
        compared = [
            Compared(row.run, name, slot, self._histories.get(row.folder, History()))
            for (row, slot), name in zip(pairs, names, strict=True)
        ]
        self._side_by_side.setVisible(bool(compared))
        self.hint.setVisible(not compared)
        self.compare.show_runs(compared)
        self.differences.show_runs(compared, self.compare.across.value())

    def _show_family(self) -> None:
        row = self.card.table.current()
        slots = {row.folder: slot for row, slot in self.card.table.runs.compared()}
        self.family.show_family(self._runs, row.run if row else None, slots)

    # Size

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        directions = QBoxLayout.Direction
        narrow = self.width() < look.px(WIDE)
        self._beside.setDirection(directions.TopToBottom if narrow else directions.LeftToRight)


def _known_of(state: State) -> tuple[tuple[RunConfig, ...], Path | None]:
    """What of the state the table shows: the queue, and the folder of the run that rests."""
    paused = Path(state.writing) if state.training_paused and state.writing else None
    return state.queue, paused
