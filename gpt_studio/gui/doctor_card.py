"""What the training doctor found, in one quiet strip: a sentence, one click that may help, and why."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.doctor import Diagnosis
from gpt_studio.gui.buttons import Button, LinkButton, ToolButton
from gpt_studio.gui.layouts import Column, FlowLayout, Row
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import IconLabel, Label, Surface

READABLE = 560  # pixels of the design: some 72 characters


class DoctorCard(QWidget):
    """One finding at a time, the gravest first; it takes no room when there is none.

    A finding that is put away stays away for this run, however often its numbers change; others are told.

    Signals:
        remedy_chosen: the one change to try (Remedy).
    """

    remedy_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: tuple[Diagnosis, ...] = ()
        self._away: set[str] = set()  # names of findings that were put away
        self._shown = ""  # the name of the one that is told
        self._strip = Surface("warnbg", radius=8)
        Column(spacing=0, parent=self).addWidget(self._strip)
        self._title = Label("", "title", "text", wrap=True)
        self._sentence = Label("", "small", "text", tabular=True, wrap=True)
        self._rest = Label("", "small", "text2", tabular=True, wrap=True)
        self._rest.hide()
        for text in self._texts():
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.remedy = Button("", "warn", height=24)
        self.why = LinkButton("Why", role="warn")
        self.why.setCheckable(True)
        self._place = Label("", "small", "text2", tabular=True)
        self.next = ToolButton("chevron-right", "Next finding", side=24, size=14)
        self.close_button = ToolButton("close", "Dismiss for this run", side=24, size=14)
        self._lay_out()
        self.remedy.clicked.connect(self._choose)
        self.why.toggled.connect(self._show_rest)
        self.next.clicked.connect(self._show_next)
        self.close_button.clicked.connect(self.dismiss)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()
        follow(self.restyle)

    def restyle(self) -> None:
        for text in self._texts():
            text.setMaximumWidth(look.px(READABLE))

    def _texts(self) -> tuple[Label, ...]:
        return self._title, self._sentence, self._rest

    def _lay_out(self) -> None:
        row = Row((14, 10, 10, 11), 10, self._strip)
        row.addWidget(IconLabel("alert-triangle", "warn", 16), 0, Qt.AlignmentFlag.AlignTop)
        text = Column(spacing=3)
        for part in self._texts():
            text.addWidget(part)
        actions = FlowLayout(spacing=10)
        actions.addWidget(self.remedy)
        actions.addWidget(self.why)
        text.addSpacing(4)
        text.addLayout(actions)
        row.addLayout(text, 1)
        corner = Row(spacing=2)
        corner.addWidget(self._place)
        corner.addWidget(self.next)
        corner.addWidget(self.close_button)
        aside = Column(spacing=0)
        aside.addLayout(corner)
        aside.addStretch(1)
        row.addLayout(aside)

    def show_diagnoses(self, found: tuple[Diagnosis, ...]) -> None:
        """Tell these, the first one first; what is read stays in view as long as it is among them."""
        if found == self._found:
            return
        self._found = found
        self._show()

    def forget(self) -> None:
        """Another run: what was put away was put away for the one before."""
        self._found, self._shown = (), ""
        self._away.clear()
        self._show()

    def told(self) -> Diagnosis | None:
        """The finding in view."""
        return next((diagnosis for diagnosis in self._left() if diagnosis.name == self._shown), None)

    def dismiss(self) -> None:
        """Put the finding in view away; another one takes its place."""
        self._away.add(self._shown)
        self._show()

    def _left(self) -> list[Diagnosis]:
        return [diagnosis for diagnosis in self._found if diagnosis.name not in self._away]

    def _show(self) -> None:
        left = self._left()
        self.setVisible(bool(left))
        if not left:
            self._shown = ""
            return
        told = self.told()
        if told is None:
            self.why.setChecked(False)
            told = left[0]
        self._tell(told, left)

    def _tell(self, told: Diagnosis, left: list[Diagnosis]) -> None:
        self._shown = told.name
        sentence, rest = _first_sentence(told.text)
        self._title.setText(told.title)
        self._sentence.setText(sentence)
        self._rest.setText(rest)
        self.why.setVisible(bool(rest))
        self.remedy.setVisible(told.remedy is not None)
        if told.remedy:
            self.remedy.setText(told.remedy.label)
            self.remedy.updateGeometry()
            self.remedy.setAccessibleDescription(told.text)
        several = len(left) > 1
        self._place.setVisible(several)
        self.next.setVisible(several)
        self._place.setText(f"{left.index(told) + 1} of {len(left)}")
        self.setAccessibleName(f"Training doctor: {told.title}")
        self.setAccessibleDescription(told.text)

    def _show_rest(self, shown: bool) -> None:
        self._rest.setVisible(shown)

    def _show_next(self) -> None:
        left = self._left()
        at = next((place for place, one in enumerate(left) if one.name == self._shown), -1)
        self.why.setChecked(False)
        self._tell(left[(at + 1) % len(left)], left)

    def _choose(self) -> None:
        if (told := self.told()) and told.remedy:
            self.remedy_chosen.emit(told.remedy)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)


def _first_sentence(text: str) -> tuple[str, str]:
    """What is said at once, and the rest."""
    sentence, stop, rest = text.partition(". ")
    return sentence + stop.strip(), rest
