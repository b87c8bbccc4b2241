"""What stands around the table of runs: a notice, the actions of the run selected, notes about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from gpt_studio.core import units
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui.buttons import Button, LinkButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.runs_model import RUNNING
from gpt_studio.gui.runs_model import Row as RunRow
from gpt_studio.gui.theme import follow, look, style_font
from gpt_studio.gui.widgets import ElidedLabel, Hairline, IconLabel, Label

NO_CHECKPOINT = "It has no checkpoint yet, or ended before its first"


class Notice(QWidget):
    """Why something was not done, in one line; hidden while there is nothing to say."""

    def __init__(self) -> None:
        super().__init__()
        row = Row((16, 4, 16, 0), 6, self)
        self._label = Label("", "small", "text2")
        row.addWidget(IconLabel("info", "warn", 14))
        row.addWidget(self._label, 1)
        self.hide()

    def say(self, text: str) -> None:
        self._label.setText(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))

    def text(self) -> str:
        return self._label.text()


class Actions(QWidget):
    """What can be done with one run, and what else is known of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Actions of the selected run")
        self.open = Button("Open", "quiet", height=26)
        self.fork = LinkButton("Fork from", "text2", (12, 500), arrow=True)
        self.rename = Button("Rename", "quiet", height=26)
        self.notes = Button("Notes", "quiet", height=26)
        self.notes.setCheckable(True)
        self.delete = Button("Delete…", "quiet", height=26)
        self._facts = ElidedLabel("", "small", "text3", tabular=True)
        self._facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        column = Column((0, 0, 0, 0), 0, self)
        column.addWidget(Hairline())
        row = Row((8, 4, 16, 4), 2)
        for button in (self.open, self.fork, self.rename, self.notes, self.delete):
            if button is self.fork:
                row.addSpacing(look.px(7))
            row.addWidget(button)
            if button is self.fork:
                row.addSpacing(look.px(7))
        row.addWidget(self._facts, 1)
        column.addLayout(row)

    def show_row(self, row: RunRow | None) -> None:
        self.setVisible(row is not None and row.queue < 0)
        if row is None:
            return
        kept = bool(row.run.checkpoints)
        for button in (self.open, self.fork):
            button.setEnabled(kept)
            button.setToolTip("" if kept else NO_CHECKPOINT)
        self.delete.setEnabled(row.status not in RUNNING)
        self.delete.setToolTip("Stop its training first" if row.status in RUNNING else "")
        self._facts.setText(_facts(row.run))

    def facts(self) -> str:
        return self._facts.text()


def _facts(run: RunSummary) -> str:
    """What the table has no column for."""
    if run.problem:
        return run.problem
    steps = run.config.train.steps if run.config else run.step
    told = f"Step {units.number(run.step)} of {units.number(steps)}"
    kept = "" if run.checkpoints else " · no checkpoint"
    day = f" · begun {run.begun[:10]}" if run.begun else ""
    return f"{told}{kept}{day}{f' · {run.notes.splitlines()[0]}' if run.notes else ''}"


class Notes(QPlainTextEdit):
    """A person's own words about a run, kept when the field is left.

    Signals:
        left: the field is not edited any more.
        closed: Esc was pressed.
    """

    left = Signal()
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("What this run was for, what it showed")
        self.setTabChangesFocus(True)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("body"))
        self.setFixedHeight(look.px(76))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
