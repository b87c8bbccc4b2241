"""What was found in the texts that may spoil a run, with the clicks that mend it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import DataReport
from gpt_studio.core.findings import Finding, findings
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.layouts import Column, FlowLayout, Row
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import look
from gpt_studio.gui.widgets import Card, IconLabel, Label

READABLE = 560  # pixels of the design: some 72 characters
ICONS = {"warn": ("alert-triangle", "warn"), "info": ("info", "text2")}


class FindingsCard(QWidget):
    """A card of findings, or one quiet line where there are none. It follows every edit of the form.

    Signals:
        remedy_chosen: a click that mends something (Remedy).
    """

    remedy_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._judged: tuple[DataReport, RunConfig] | None = None
        self._found: tuple[Finding, ...] | None = None
        self._locked = False
        self._buttons: list[Button] = []
        self.clean = _CleanLine()
        self.card = Card("Data check")
        self._rows: list[QWidget] = []
        column = Column(spacing=0, parent=self)
        column.addWidget(self.clean)
        column.addWidget(self.card)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setVisible(False)

    def show_state(self, state: State) -> None:
        config = dataclasses.replace(state.config, model=state.config.model.nearest_valid())
        judged = (state.report, config) if state.report else None
        if judged != self._judged:
            self._judged = judged
            self._show(findings(*judged) if judged else None)
        if state.training != self._locked:
            self._locked = state.training
            self._lock()

    def _show(self, found: tuple[Finding, ...] | None) -> None:
        """None while nothing has been read."""
        if found == self._found:
            return
        self._found = found
        self.setVisible(found is not None)
        self.clean.setVisible(found == ())
        self.card.setVisible(bool(found))
        for row in self._rows:
            self.card.body.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._buttons = []
        self._rows = [_Row(f, [self._button(remedy, f) for remedy in f.remedies]) for f in found or ()]
        for row in self._rows:
            self.card.body.addWidget(row)
        self._lock()

    def _button(self, remedy: Remedy, finding: Finding) -> Button:
        button = Button(remedy.label, "warn" if finding.severity == "warn" else "secondary", height=22)
        button.setAccessibleDescription(finding.text)
        button.clicked.connect(lambda: self.remedy_chosen.emit(remedy))
        self._buttons.append(button)
        return button

    def _lock(self) -> None:
        for button in self._buttons:
            button.setEnabled(not self._locked)

    def texts(self) -> list[str]:
        """What is said."""
        return [finding.text for finding in self._found or ()]

    def buttons(self) -> Sequence[Button]:
        return self._buttons


class _Row(QWidget):
    """A finding in lines that are not too long to read, its buttons below it."""

    def __init__(self, finding: Finding, buttons: Sequence[Button]) -> None:
        super().__init__()
        self._line = Row(spacing=10, parent=self)
        self._line.addWidget(IconLabel(*ICONS[finding.severity], 14), 0, Qt.AlignmentFlag.AlignTop)
        text = Column(spacing=6)
        text.addWidget(Label(finding.text, "small", "text", wrap=True))
        if buttons:
            flow = FlowLayout(spacing=6)
            for button in buttons:
                flow.addWidget(button)
            text.addLayout(flow)
        self._line.addLayout(text, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._line.set_right(max(0, round(self.width() / look.scale) - READABLE))


class _CleanLine(QWidget):
    """Says that nothing was found."""

    def __init__(self) -> None:
        super().__init__()
        row = Row((2, 0, 0, 0), 6, self)
        row.addWidget(IconLabel("check-circle", "ok", 14))
        row.addWidget(Label("No problems found in the texts.", "small", "text3"))
        row.addStretch(1)
