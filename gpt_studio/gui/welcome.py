"""What stands where a conversation will be: what the model is, and prompts to click."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core import chat, units, world
from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import has_dialogues, label
from gpt_studio.gui.buttons import Pressable
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, look, mix, style_font
from gpt_studio.gui.widgets import Label


def data_of(state: State) -> DataConfig:
    """What the model there is has read; without a model, what it would read."""
    return (state.model or state).config.data


def reads(state: State) -> str:
    """What kind of text that is: "dialogues" or other "text"."""
    return "dialogues" if has_dialogues(data_of(state).corpora) else "text"


class Welcome(QWidget):
    """Signals: a prompt was chosen (its text)."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("page")  # transparent where it scrolls
        self.title = Label("", "heading", "text", wrap=True)
        self.sentence = Label("", "small", "text2", wrap=True)
        self.prompts = [_Prompt() for _ in range(3)]
        column = Column((16, 16, 16, 16), 6, self)
        column.addStretch(3)
        for text in (self.title, self.sentence):
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(text)
        column.addSpacing(look.px(12))
        prompts = Column(spacing=6)
        for prompt in self.prompts:
            prompts.addWidget(prompt)
            prompt.clicked.connect(lambda _=False, prompt=prompt: self.chosen.emit(prompt.text()))
        column.addLayout(prompts)
        column.addStretch(4)

    def show_model(self, state: State, mode: chat.Mode) -> None:
        self.title.setText(title(state))
        self.sentence.setText(about(state))
        for prompt, text in zip(self.prompts, suited_prompts(state, mode), strict=True):
            prompt.setText(text)
            prompt.setVisible(state.model is not None)


def title(state: State) -> str:
    if not state.awake:
        return "Starting"
    if state.model is None:
        return "No model yet"
    return f"Say something to the {'demo model' if state.demo else 'model'}"


def about(state: State) -> str:
    """One true sentence on the model there is."""
    if not state.awake:
        return "The engine is being loaded."
    if state.model is None and state.training:
        return "It is being built; you can talk to it while it learns."
    if state.model is None:
        return "Press Train; you can talk to it while it learns."
    count = units.parameters(state.model.parameters)
    if state.demo:
        return (
            f"It is tiny ({count} parameters) and only knows a small world of animals "
            "and people, so ask it about that."
        )
    size = f"It has {count} parameters and"
    if not state.step:
        return f"{size} has not learned anything yet, so expect noise."
    names = [label(name) for name in state.model.config.data.corpora]
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    return f"{size} only knows what it read: {shown}."


def suited_prompts(state: State, mode: chat.Mode) -> tuple[str, ...]:
    """Three beginnings that suit what the model read and what it is to do."""
    data = data_of(state)
    previews = state.report.previews if state.report and state.report.data == data else ()
    text = "\n".join("".join(token.text for token in preview.tokens) for preview in previews)
    if world.NAME not in data.corpora:
        return chat.starters(data.corpora, text)
    return chat.starters((world.NAME,)) if mode == "chat" else chat.starters((), text)


class _Prompt(Pressable):
    """A beginning to click."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("small"))
        self.setFixedHeight(look.px(34))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(60), look.px(34))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_box(painter, mix(color("raised"), color("hover"), self.hover.amount), color("border2"))
        area = QRectF(self.rect()).adjusted(look.px(13), 0, -look.px(13), 0)
        text = QFontMetricsF(self.font()).elidedText(self.text(), Qt.TextElideMode.ElideRight, area.width())
        painter.setPen(color("text"))
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)
