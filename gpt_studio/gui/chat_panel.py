"""Talk to the model: the conversation, how it is sampled, and where a person writes."""

from __future__ import annotations

from itertools import takewhile
from typing import cast

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStackedWidget, QWidget

from gpt_studio.core import chat, units
from gpt_studio.core.corpora import label
from gpt_studio.core.events import Failed, Generated, Token
from gpt_studio.core.settings import Problem
from gpt_studio.gui.buttons import Pressable, ToolButton
from gpt_studio.gui.chat_messages import Turn
from gpt_studio.gui.composer import Composer
from gpt_studio.gui.conversation import Conversation
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.sampling_panel import SamplingPanel
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, look, mix, style_font
from gpt_studio.gui.widgets import ElidedLabel, Label, Surface

READ_OUT = 250  # milliseconds between two updates of a number that runs


class ChatPanel(Surface):
    """The right column.

    Signals:
        asked: generate from a prompt, up to a stop text ("" for none), under this turn number.
        stop_wanted: stop generating.
        sample_edited: fields of SampleConfig to change, by name.
        hide_wanted: fold the panel away.
    """

    asked = Signal(str, str, int)
    stop_wanted = Signal()
    sample_edited = Signal(object)
    hide_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", parent=parent)
        self.setAccessibleName("Chat")
        self._state = State()
        self._number = 0
        self._asked: Turn | None = None  # what the last request is for, until its end is known
        self._live: Turn | None = None  # the same, while the model writes
        self.header = _Header()
        self.welcome = _Welcome()
        self.conversation = Conversation(after=self.header.hide_button)
        self.sampling = SamplingPanel()
        self.composer = Composer("continue")
        self._middle = QStackedWidget()
        self._lay_out()
        self._connect()
        self.welcome.show_model(self._state)
        self.sampling.show_config(self._state.config.sample, {})
        self.header.show_weights(weights(self._state))
        self._refresh()

    def _lay_out(self) -> None:
        self._welcome_page = QScrollArea()  # scrolls where the room is short
        self._welcome_page.setFrameShape(QFrame.Shape.NoFrame)
        self._welcome_page.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._welcome_page.setWidgetResizable(True)
        self._welcome_page.setWidget(self.welcome)
        self._middle.addWidget(self._welcome_page)
        self._middle.addWidget(self.conversation)
        column = Column(spacing=0, parent=self)
        column.addWidget(self.header)
        column.addWidget(self._middle, 1)
        column.addWidget(self.sampling)
        bottom = Column((12, 0, 12, 12), 0)
        bottom.addWidget(self.composer)
        column.addLayout(bottom)

    def _connect(self) -> None:
        self.header.tint.toggled.connect(self.conversation.set_tinted)
        self.header.new.clicked.connect(self.new_conversation)
        self.header.hide_button.clicked.connect(self.hide_wanted)
        self.welcome.chosen.connect(self.send)
        self.conversation.regenerate_wanted.connect(self._regenerate)
        self.conversation.branch_wanted.connect(self._go_on)
        self.sampling.edited.connect(self.sample_edited)
        self.composer.sent.connect(self._send_written)
        self.composer.stop_wanted.connect(self.stop)
        self.composer.mode_changed.connect(self._refresh)

    # ------------------------------------------------------------ what a person does

    def send(self, text: str) -> None:
        """Ask the model to answer or continue `text`; nothing written continues the text there is."""
        turns = self.conversation.turns
        if not self._may_ask():
            return
        if not text and turns:
            self._go_on(turns[-1])
            return
        mode = self._mode()
        said = [*self._said(mode), chat.Message("user", text)]
        prompt, stop = chat.request(mode, said)
        self._ask(self.conversation.add(mode, text, prompt, stop), prompt)

    def regenerate(self) -> None:
        """Ask the last request again."""
        if self.conversation.turns:
            self._regenerate(self.conversation.turns[-1])

    def new_conversation(self) -> None:
        """Forget what was said."""
        self.stop()
        self.conversation.clear()
        self._refresh()
        self.focus_composer()

    def stop(self) -> None:
        """End the answer where it stands; what was written stays."""
        if self._live:
            self.stop_wanted.emit()
            self._end("stopped")
        self._asked = None

    def focus_composer(self) -> None:
        self.composer.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def focus_problem(self, name: str) -> None:
        """Lead to a sampling field that cannot be used, by its name."""
        self.sampling.focus_problem(name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._live:
            self.stop()
        else:
            super().keyPressEvent(event)

    def _send_written(self, text: str) -> None:
        if self._may_ask():
            self.composer.clear()
            self.send(text)

    def _regenerate(self, turn: Turn) -> None:
        if self._may_ask():
            self.conversation.drop_after(turn)
            turn.answer.begin_again()
            self._ask(turn, turn.prompt)

    def _go_on(self, turn: Turn) -> None:
        """Generate from what the answer says up to now."""
        if self._may_ask():
            self.conversation.drop_after(turn)
            self._ask(turn, turn.prompt + turn.answer.written())

    def _may_ask(self) -> bool:
        """There is a model, and sampling settings that it can use; else lead to the one it cannot."""
        for name in self._problems():
            self.focus_problem(name)
            return False
        return self._state.model is not None

    def _ask(self, turn: Turn, prompt: str) -> None:
        if self._live and self._live is not turn:
            self._end("stopped")
        self._number += 1
        self._live = self._asked = turn
        turn.answer.set_writing(True)
        self._refresh()
        self.conversation.scroll_to_end()
        self.asked.emit(prompt, turn.stop, self._number)

    def _mode(self) -> chat.Mode:
        return cast(chat.Mode, self.composer.mode.value())

    def _said(self, mode: chat.Mode) -> list[chat.Message]:
        """The conversation up to now; turns in the other mode end it."""
        same = list(takewhile(lambda turn: turn.mode == mode, reversed(self.conversation.turns)))
        return [message for turn in reversed(same) for message in turn.messages()]

    # ------------------------------------------------------------ what happens

    def show_state(self, state: State) -> None:
        """Take in what the window knows now."""
        before, self._state = self._state, state
        if before.generating and not state.generating:
            self._end("stopped")
        if _model_shown(before) != _model_shown(state):
            self.welcome.show_model(state)
            self._refresh()
        if before.config.sample != state.config.sample:
            self.sampling.show_config(state.config.sample, self._problems())
        self.header.show_weights(weights(state))

    def speak(self, event: Token | Generated) -> None:
        """What generating brought; what belongs to an earlier request comes too late and is passed over."""
        if self._asked is None or event.turn != self._number:
            return
        if isinstance(event, Generated):
            self._asked.answer.finish(event)
            self._live = self._asked = None
        else:
            self._live = self._asked
            self._asked.answer.append(event)
        self._refresh()

    def failed(self, event: Failed) -> None:
        """Generating ended in an error: say so under the message."""
        if self._asked:
            self._asked.answer.fail(event)
            self._live = self._asked = None
            self._refresh()

    def _end(self, how: str) -> None:
        """The model writes no more; should it go on after all, `speak` takes that up."""
        if self._live:
            self._live.answer.end(how)
            self._live = None
            self._refresh()

    def _refresh(self) -> None:
        """Derive what can be done now from the model, the conversation and whether the model writes."""
        ready, turns = self._state.model is not None, self.conversation.turns
        same = self._mode() == "continue" and bool(turns) and turns[-1].mode == "continue"
        goes_on = same and self._live is None
        self.composer.set_ready(ready, empty_goes=goes_on)
        self.composer.set_generating(self._live is not None)
        if not ready:
            self.composer.show_placeholder("Train or open a model to talk to it")
        else:
            self.composer.show_placeholder("Write more, or Enter to go on" if goes_on else "Write a prompt…")
        self._middle.setCurrentWidget(self.conversation if turns else self._welcome_page)

    def _problems(self) -> dict[str, Problem]:
        return self._state.config.sample.problems()


def weights(state: State) -> str:
    """Which weights answer: "Live · step 12 400", "Final weights", "No model yet"."""
    if state.model is None:
        return "No model yet"
    step = units.number(state.step)
    if state.training:
        return f"Live · step {step}"
    if state.stopped_by == "finished":
        return "Final weights"
    if state.path and state.saved_step == state.step:
        return f"Checkpoint · step {step}"
    return f"Step {step}" if state.step else "Untrained weights"


def _model_shown(state: State) -> tuple[object, ...]:
    """The parts of the state the empty conversation speaks of."""
    return state.model, state.step > 0, state.training, state.report


class _Header(QWidget):
    """Title, the weights in use, and what concerns the whole conversation."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = ElidedLabel("", "strong", "text2", tabular=True)
        self.weights.setAccessibleDescription("Weights in use")
        self.tint = ToolButton("drop", "Tint surprising tokens", side=26, checkable=True)
        self.tint.setChecked(True)
        self.new = ToolButton("plus", "New conversation", side=26)
        self.hide_button = ToolButton("hide-right", "Hide the chat", side=26)
        self._due = ""
        self._timer = QTimer(self, singleShot=True, interval=READ_OUT)
        self._timer.timeout.connect(lambda: self.weights.setText(self._due))
        row = Row((16, 0, 11, 0), 3, self)
        row.addWidget(Label("Chat", "title", "text"))
        row.addSpacing(look.px(20))
        row.addWidget(self.weights, 1)
        for button in (self.tint, self.new, self.hide_button):
            row.addWidget(button)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(44))

    def show_weights(self, text: str) -> None:
        """A running step four times a second at most, so that it can be read."""
        self._due = text
        shown = self.weights.text()
        running = text.partition(" · ")[0] == shown.partition(" · ")[0]
        if text != shown and not (running and self._timer.isActive()):
            self.weights.setText(text)
            self._timer.start()


class _Welcome(QWidget):
    """What stands where the conversation will be: what the model is, and prompts to click."""

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

    def show_model(self, state: State) -> None:
        model = state.model
        self.title.setText("Say something to the model" if model else "No model yet")
        self.sentence.setText(about(state))
        for prompt, text in zip(self.prompts, suited_prompts(state), strict=True):
            prompt.setText(text)
            prompt.setVisible(model is not None)


def about(state: State) -> str:
    """One true sentence on the model there is."""
    if state.model is None and state.training:
        return "It is being built; you can talk to it while it learns."
    if state.model is None:
        return "Press Train; you can talk to it while it learns."
    size = f"It has {units.parameters(state.model.parameters)} parameters and"
    if not state.step:
        return f"{size} has not learned anything yet, so expect noise."
    names = [label(name) for name in state.model.config.data.corpora]
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    return f"{size} only knows what it read: {shown}."


def suited_prompts(state: State) -> tuple[str, ...]:
    """Three beginnings that suit what the model read."""
    data = (state.model.config if state.model else state.config).data
    report = state.report if state.report and state.report.data == data else None
    preview = "".join(token.text for token in report.preview) if report else ""
    return chat.starters(data.corpora, preview)


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
