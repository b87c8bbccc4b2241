"""The card of all runs: the table with its filter and export, and what can be done with the one selected."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QMessageBox, QWidget

from gpt_studio.core import units
from gpt_studio.core.errors import StudioError
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui.buttons import Button, ToolButton
from gpt_studio.gui.dialogs import ask_where_to_save
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.runs_model import RUNNING
from gpt_studio.gui.runs_model import Row as RunRow
from gpt_studio.gui.runs_table import RunsTable
from gpt_studio.gui.runs_tools import Actions, Notes, Notice
from gpt_studio.gui.search_field import SearchField
from gpt_studio.gui.widgets import ElidedLabel, Label, Menu, Surface

HEADER = (
    *("folder", "name", "status", "parameters", "steps", "tokens", "seconds"),
    *("train_loss", "validation_loss", "peak_memory", "forked_from", "forked_at", "begun", "notes"),
)


class RunsCard(Surface):
    """All runs, and the actions of the one selected.

    Signals:
        open_wanted: use the weights of this checkpoint (str).
        fork_wanted: begin a new run from this checkpoint (str).
        annotated: a person wrote notes about a run (its folder, the notes).
        delete_wanted: these runs go to the trash; a person was asked (list[Path]).
        unqueue_wanted: this one shall not wait any longer (its place in the queue).
        failed: the table could not be written (StudioError).
    """

    open_wanted = Signal(str)
    fork_wanted = Signal(str)
    annotated = Signal(object, str)
    delete_wanted = Signal(object)
    unqueue_wanted = Signal(int)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__("card", radius=8, line="border")
        self.setAccessibleName("Runs")
        self.table = RunsTable()
        self._caption = ElidedLabel("", "small", "text3", tabular=True)
        self.search = ToolButton("search", "Filter the runs (Ctrl+F)", 26, checkable=True)
        self.field = SearchField()
        self.field.setPlaceholderText("Filter")
        self.field.setAccessibleName("Filter by name, notes or texts")
        self.export = Button("Export table…", "quiet", height=26)
        self._notice = Notice()
        self.tools = Actions()
        self.notes = Notes()
        self._annotated: RunRow | None = None  # the run whose notes are shown
        self._lay_out()
        self._connect()
        self.close_search()
        self._show_actions()

    def _lay_out(self) -> None:
        column = Column((0, 10, 0, 0), 0, self)
        head = Row((16, 0, 12, 0), 8)
        head.addWidget(Label("Runs", "title", "text"))
        head.addWidget(self._caption, 1)
        for widget in (self.field, self.search, self.export):
            head.addWidget(widget)
        column.addLayout(head)
        column.addWidget(self._notice)
        column.addSpacing(4)
        body = Row((6, 0, 6, 6), 0)
        body.addWidget(self.table)
        column.addLayout(body)
        column.addWidget(self.tools)
        self._notes_row = QWidget()
        Row((16, 0, 16, 12), 0, self._notes_row).addWidget(self.notes)
        self._notes_row.hide()
        column.addWidget(self._notes_row)

    def _connect(self) -> None:
        table, tools = self.table, self.tools
        self.search.toggled.connect(lambda on: self.open_search() if on else self.close_search())
        self.field.textChanged.connect(self._filter)
        self.field.closed.connect(self.close_search)
        self.field.next_wanted.connect(lambda _: self._enter_table())
        QShortcut(QKeySequence.StandardKey.Find, self, self.open_search)
        self.export.clicked.connect(self._export)
        table.chosen.connect(self._show_actions)
        table.chosen.connect(lambda: self._notice.say(""))
        table.open_wanted.connect(self._open)
        table.delete_wanted.connect(self._delete)
        table.menu_wanted.connect(lambda at: self.menu().popup(at))
        table.runs.refused.connect(self._notice.say)
        table.runs.compared_changed.connect(self._compared_changed)
        tools.open.clicked.connect(self._open)
        tools.fork.clicked.connect(self._offer_forks)
        tools.rename.clicked.connect(table.rename)
        tools.notes.toggled.connect(self._show_notes)
        tools.delete.clicked.connect(self._delete)
        self.notes.left.connect(self._take_notes)
        self.notes.closed.connect(lambda: tools.notes.setChecked(False))

    # What is shown

    def show_rows(self, rows: Sequence[RunRow]) -> None:
        self.table.runs.show_rows(rows)
        self._show_caption()
        self._show_actions()

    def _compared_changed(self) -> None:
        self._notice.say("")
        self._show_caption()

    def _show_caption(self) -> None:
        runs = self.table.runs
        count, shown, compared = len(runs.rows()), runs.rowCount(), len(runs.compared())
        number = f"{shown} of {units.number(count)}" if shown < count else units.number(count)
        noun = "run" if number == "1" else "runs"
        self._caption.setText(f"{number} {noun}{f' · {compared} compared' if compared else ''}")

    def caption(self) -> str:
        return self._caption.text()

    def notice(self) -> str:
        return self._notice.text()

    def _show_actions(self) -> None:
        row = self.table.current()
        self.tools.show_row(row)
        if self._annotated and (row is None or row.folder != self._annotated.folder):
            self._take_notes()
            self._annotated = None
            self.tools.notes.setChecked(False)

    # Filter

    def open_search(self) -> None:
        self.search.setChecked(True)
        self.field.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def close_search(self) -> None:
        """Show all runs again."""
        had_focus = self.field.hasFocus()
        self.search.setChecked(False)
        self.field.clear()
        self.field.hide()
        if had_focus:
            self._enter_table()

    def _filter(self, text: str) -> None:
        self.table.runs.set_filter(text)
        self._show_caption()

    def _enter_table(self) -> None:
        self.table.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # Actions

    def menu(self) -> Menu:
        """What can be done with the selected run; it deletes itself when closed."""
        menu = Menu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        row = self.table.current()
        if row is None:
            return menu
        if row.queue >= 0:
            menu.addAction("Take out of the queue", self._delete)
            return menu
        menu.addAction("Open", self._open).setEnabled(bool(row.run.checkpoints))
        forks = menu.addMenu("Fork from")
        forks.setEnabled(bool(row.run.checkpoints))
        self._add_checkpoints(forks, row.run)
        index = self.table.currentIndex()
        compared = self.table.runs.slot(row.folder) is not None
        compare = menu.addAction("Compare", lambda: self.table.runs.toggle(index))
        compare.setCheckable(True)
        compare.setChecked(compared)
        compare.setEnabled(row.comparable)
        menu.addSeparator()
        menu.addAction("Rename", self.table.rename)
        menu.addAction("Notes", lambda: self.tools.notes.setChecked(True))
        menu.addSeparator()
        menu.addAction("Delete…", self._delete).setEnabled(row.status not in RUNNING)
        return menu

    def _add_checkpoints(self, menu: QMenu, run: RunSummary) -> None:
        for path in run.checkpoints:
            action = menu.addAction(checkpoint_label(path, run))
            action.triggered.connect(lambda _=False, path=path: self.fork_wanted.emit(str(path)))

    def _offer_forks(self) -> None:
        row = self.table.current()
        if row:
            menu = Menu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self._add_checkpoints(menu, row.run)
            button = self.tools.fork
            menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))

    def _open(self) -> None:
        row = self.table.current()
        if row and row.run.checkpoints:
            self.open_wanted.emit(str(row.run.checkpoints[0]))
        elif row and row.queue < 0:
            when = "is still to come" if row.status in RUNNING else "would have come later"
            self._notice.say(f"“{row.run.name}” cannot be opened: its first checkpoint {when}.")

    def _delete(self) -> None:
        current = self.table.current()
        if current and current.queue >= 0:
            self.unqueue_wanted.emit(current.queue)
            return
        rows = [row for row in self.table.selected() if row.queue < 0 and row.status not in RUNNING]
        if rows and self._sure_to_delete(rows):
            self.delete_wanted.emit([row.folder for row in rows])

    def _sure_to_delete(self, rows: Sequence[RunRow]) -> bool:
        one = len(rows) == 1
        box = QMessageBox(self)
        box.setWindowTitle("Delete runs")
        box.setText(f"Delete “{rows[0].run.name}”?" if one else f"Delete {len(rows)} runs?")
        whose = "Its" if one else "Their"
        box.setInformativeText(f"{whose} curves, samples and checkpoints go to the trash.")
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.exec()
        return box.clickedButton() is delete

    # Notes

    def _show_notes(self, shown: bool) -> None:
        row = self.table.current()
        if shown and row:
            self._annotated = row
            self.notes.setPlainText(row.run.notes)
            self.notes.setAccessibleName(f"Notes about {row.run.name}")
            self._notes_row.show()
            self.notes.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            self._take_notes()
            self._notes_row.hide()

    def _take_notes(self) -> None:
        text = self.notes.toPlainText().strip()
        if self._annotated and not self._notes_row.isHidden() and text != self._annotated.run.notes:
            self._annotated = self._annotated.with_notes(text)
            self.annotated.emit(self._annotated.folder, text)

    # Export

    def _export(self) -> None:
        path = ask_where_to_save(
            self, "Export the table", str(Path.home() / "runs.csv"), "Tables (*.csv)", "csv"
        )
        if not path:
            return
        try:
            self.export_csv(Path(path))
        except OSError as error:
            reason = error.strerror or str(error)
            self.failed.emit(
                StudioError(f"The table was not exported — {reason}", tries="Choose another folder.")
            )

    def export_csv(self, path: Path) -> None:
        """Write the runs shown; OSError if that fails."""
        runs = self.table.runs
        rows = [runs.row(number) for number in range(runs.rowCount())]
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HEADER, *(_cells(row) for row in rows if row.queue < 0)])


def _cells(row: RunRow) -> tuple[object, ...]:
    run = row.run
    numbers = (run.parameters, run.step, run.tokens, run.seconds, run.loss, run.validation, run.peak)
    known = ["" if number != number else number for number in numbers]  # nan is not a number
    return run.folder, run.name, row.status, *known, run.parent, run.parent_step, run.begun, run.notes


def checkpoint_label(path: Path, run: RunSummary) -> str:
    """ "Last · step 12 400", "Best", "Step 1 000"."""
    if path.stem == "last":
        return f"Last · step {units.number(run.step)}"
    number = path.stem.removeprefix("step-")
    return f"Step {units.number(int(number))}" if number.isdecimal() else path.stem.capitalize()
