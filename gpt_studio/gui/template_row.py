"""How dialogues are written down for the model: what stands before each side's words, and after them."""

from __future__ import annotations

import re

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit, QWidget

from gpt_studio.core.chat import Message
from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import has_dialogues
from gpt_studio.core.settings import Fix, settings_of
from gpt_studio.gui.layouts import Column, FlowLayout, Row
from gpt_studio.gui.problems import ProblemPlace
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look, style_font
from gpt_studio.gui.token_popover import visible
from gpt_studio.gui.widgets import Label

FIELDS = ("user_prefix", "model_prefix", "turn_end")
EXAMPLE = (Message("user", "Hi"), Message("model", "Hello"))
ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t"}
MEANT = {"n": "\n", "t": "\t", "\\": "\\"}


def written(text: str) -> str:
    """A text in one line, as people type it: a newline is "\\n"."""
    return "".join(ESCAPES.get(character, character) for character in text)


def meant(text: str) -> str:
    """The text that was typed in one line."""
    return re.sub(r"\\([nt\\])", lambda found: MEANT[found[1]], text)


class TemplateRow(QWidget):
    """Shown when dialogues may be among the texts. A change counts once it is finished: texts are read anew.

    Signals:
        edited: another way to write dialogues ({field: text}).
    """

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self.problem = ProblemPlace()
        self.problem.chosen.connect(self._mend)
        self.fields = {name: _TextField(name) for name in FIELDS}
        self.example = Label("", "micro", "text3", mono=True)
        self.example.setToolTip("A dialogue, as the model reads it")
        flow = FlowLayout(spacing=12)
        self.title = Label("Dialogues", "small", "text2")
        flow.addWidget(self.title)
        for name, field in self.fields.items():
            flow.addWidget(_labeled(field))
            field.committed.connect(lambda text, name=name: self.edited.emit({name: text}))
        flow.addWidget(self.example)
        column = Column(spacing=0, parent=self)
        column.addLayout(flow)
        column.addWidget(self.problem)
        self.hide()
        follow(self.restyle)

    def restyle(self) -> None:
        for label in (self.title, self.example):
            label.setFixedHeight(look.px(24))

    def show_state(self, state: State) -> None:
        data, problem = state.config.data, state.problems.get("data.user_prefix")
        shown = (data, problem, state.training)
        if shown == self._shown:
            return
        self._shown = shown
        self.setVisible(has_dialogues(data.corpora) or problem is not None)
        for name, field in self.fields.items():
            field.show_text(getattr(data, name), state.training)
        self.example.setText(visible(data.template.text(EXAMPLE)))
        self.problem.show_problem(problem)

    def _mend(self, fix: Fix) -> None:
        self.fields["user_prefix"].setFocus()  # the button pressed goes away
        self.edited.emit(dict(fix.changes))


class _TextField(QLineEdit):
    """A short text in which spaces count.

    Signals:
        committed: another text, by Enter or by leaving.
    """

    committed = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        setting = settings_of(DataConfig)[name]
        self.setAccessibleName(setting.label)
        self.setAccessibleDescription(setting.help)
        self._text = ""
        self.editingFinished.connect(self._commit)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("small", mono=True))
        self.setFixedSize(look.px(60), look.px(24))
        self.setTextMargins(look.px(4), 0, look.px(4), 0)
        box = f"background: transparent; border: 1px solid transparent; color: {look.theme.text2};"
        self.setStyleSheet(f"QLineEdit {{ {box} }}" if self.isReadOnly() else "")

    def show_text(self, text: str, locked: bool) -> None:
        if locked != self.isReadOnly():
            self.setReadOnly(locked)
            self.setFocusPolicy(Qt.FocusPolicy.NoFocus if locked else Qt.FocusPolicy.StrongFocus)
            self.restyle()
        if text != self._text or not self.isModified():
            self._text = text
            self.setText(written(text))
        self.setToolTip(f"“{visible(text)}”")

    def event(self, event: QEvent) -> bool:
        """Leave undo and redo to the window, which undoes settings, unless something is half typed."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo))
            and meant(self.text()) == self._text
        ):
            event.ignore()
            return False
        return super().event(event)

    def _commit(self) -> None:
        text = meant(self.text())
        self.setModified(False)
        if text != self._text:
            self._text = text
            self.committed.emit(text)


def _labeled(field: _TextField) -> QWidget:
    box = QWidget()
    row = Row(spacing=6, parent=box)
    label = Label(field.accessibleName(), "small", "text3")
    label.setBuddy(field)
    label.setToolTip(field.accessibleDescription())
    row.addWidget(label)
    row.addWidget(field)
    return box
