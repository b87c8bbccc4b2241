"""Talk to the model: the conversation, how it is sampled, and where a person writes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import cast

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QStackedWidget, QWidget

from gpt_studio.core import chat, units
from gpt_studio.core.events import Failed, Generated, Token
from gpt_studio.core.settings import Problem
from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.chat_messages import Turn
from gpt_studio.gui.composer import Composer
from gpt_studio.gui.conversation import Conversation
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.prompt_card import PromptCard
from gpt_studio.gui.sampling_panel import SamplingPanel
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.welcome import Welcome, data_of, reads
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
        self._modes: dict[str, chat.Mode] = {"dialogues": "chat", "text": "continue"}
        self._sight: PromptCard | None = None
        self.header = _Header()
        self.welcome = Welcome()
        self.conversation = Conversation(after=self.header.hide_button)
        self.sampling = SamplingPanel()
        self.composer = Composer("continue")
        self._middle = QStackedWidget()
        self._lay_out()
        self._connect()
        self.sampling.show_config(self._state.config.sample, {})
        self.header.show_weights(weights(self._state))
        self._show_model()

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
        self.composer.mode_changed.connect(self._choose_mode)
        self.composer.written.connect(self._show_sight)
        self.composer.sight_wanted.connect(self._show_sight)

    # ------------------------------------------------------------ what a person does

    def modes(self) -> Mapping[str, str]:
        """Chat or Continue as last chosen: for models that read "dialogues", and those that read "text"."""
        return self._modes

    def set_modes(self, modes: Mapping[str, str]) -> None:
        """Choose as before; what is no mode is passed over."""
        known = {kind: mode for kind, mode in modes.items() if mode in ("chat", "continue")}
        self._modes |= cast(dict[str, chat.Mode], known)
        self._show_model()

    def send(self, text: str) -> None:
        """Ask the model to answer or continue `text`; nothing written continues the text there is."""
        turns = self.conversation.turns
        if not self._may_ask():
            return
        if not text and turns:
            self._go_on(turns[-1])
            return
        prompt, stop = self._request(text)
        self._ask(self.conversation.add(self._mode(), text, prompt, stop), prompt)

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

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_sight()

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

    def _choose_mode(self, mode: chat.Mode) -> None:
        self._modes[reads(self._state)] = mode
        self._show_model()

    def _request(self, text: str) -> tuple[str, str]:
        """The prompt and the stop for what a person wrote, after what was said before."""
        mode = self._mode()
        said = [*self._said(mode), chat.Message("user", text)]
        return chat.request(mode, said, data_of(self._state).template)

    def _show_sight(self) -> None:
        """The card with the prompt as it is now, while it is wished for."""
        if not self.composer.sight.isChecked():
            if self._sight:
                self._sight.hide()
            return
        if self._sight is None:
            self._sight = PromptCard(self.window(), self.composer)
        if self.composer.isVisible():
            model = (self._state.model or self._state).config.model
            self._sight.show_prompt(*self._request(self.composer.text()), model.max_length)

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
            self._show_model()
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

    def _show_model(self) -> None:
        """What suits the model there is: how to talk to it, and what to say first."""
        self.composer.mode.set_value(self._modes[reads(self._state)])
        self.welcome.show_model(self._state, self._mode())
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
        self._show_sight()

    def _problems(self) -> dict[str, Problem]:
        return self._state.config.sample.problems()


def weights(state: State) -> str:
    """Which weights answer: "Demo · 0.8 M", "Live · step 12 400", "Final weights", "No model yet"."""
    if state.model is None:
        return "No model yet"
    if state.demo:
        return f"Demo · {units.parameters(state.model.parameters)}"
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
    return state.awake, state.model, state.step > 0, state.training, state.report


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
