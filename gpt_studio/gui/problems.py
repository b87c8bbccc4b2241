"""Say why a value cannot be used, right under it, with a button for each way out."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from gpt_studio.core.settings import Fix, Problem
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.layouts import Column, FlowLayout, Row
from gpt_studio.gui.widgets import IconLabel, Label, Surface


class ProblemPlace(QWidget):
    """Where a problem is told; without one it takes no room.

    Signals:
        chosen: one of the ways out (Fix). The button pressed goes away, so the keyboard needs another place.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.problem: Problem | None = None
        self._strip: ProblemStrip | None = None
        self._column = Column(spacing=0, parent=self)
        self.hide()

    @property
    def buttons(self) -> list[Button]:
        return self._strip.buttons if self._strip else []

    def show_problem(self, problem: Problem | None) -> bool:
        """Say what is wrong, or that nothing is; return whether that is news."""
        if problem == self.problem:
            return False
        self.problem = problem
        if self._strip:
            self._column.removeWidget(self._strip)
            self._strip.hide()
            self._strip.deleteLater()
            self._strip = None
        if problem:
            self._strip = ProblemStrip(problem)
            self._strip.chosen.connect(self.chosen)
            self._column.addWidget(self._strip)
        self.setVisible(problem is not None)
        return True


class ProblemStrip(QWidget):
    """Why a value cannot be used, and a button for each way out."""

    chosen = Signal(object)  # Fix

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        box = Surface("warnbg", radius=6)
        Column((0, 3, 0, 6), 0, self).addWidget(box)
        row = Row((10, 9, 10, 10), 8, box)
        row.addWidget(IconLabel("alert-triangle", "warn", 14), 0, Qt.AlignmentFlag.AlignTop)
        text = Column(spacing=6)
        row.addLayout(text, 1)
        text.addWidget(Label(f"{problem.text} {problem.hint}".strip(), "small", "text", wrap=True))
        self.buttons = [self._button(fix) for fix in problem.fixes]
        if self.buttons:
            flow = FlowLayout(spacing=6)
            for button in self.buttons:
                flow.addWidget(button)
            text.addLayout(flow)

    def _button(self, fix: Fix) -> Button:
        button = Button(fix.label, "warn", height=22)
        button.clicked.connect(lambda: self.chosen.emit(fix))
        return button
