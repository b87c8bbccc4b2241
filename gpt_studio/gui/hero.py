"""The first launch: what is set, what it takes, and one button."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units, world
from gpt_studio.core.corpora import is_built_in, label
from gpt_studio.core.events import Device
from gpt_studio.core.presets import presets
from gpt_studio.core.shapes import parameters
from gpt_studio.gui.buttons import Button, LinkButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import ElidedLabel, Hairline, Label, Surface

WIDEST = 620
NARROW = 600  # below this the columns are as wide as each other
SHARES = (156, 124, 200)  # else by what they usually have to say


class Hero(QWidget):
    """Signals: wishes to train, to choose another corpus, size or number of steps, to open a file."""

    train_wanted = Signal()
    corpus_wanted = Signal()
    size_wanted = Signal()
    steps_wanted = Signal()
    open_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self._sentence = Label("", "body", "text2", wrap=True)
        self.corpus = Fact("Corpus", "Choose another")
        self.model = Fact("Model", "Change size")
        self.plan = Fact("Plan", "Change steps")  # or, once it is known, the time it takes
        self.corpus.link.clicked.connect(self.corpus_wanted)
        self.model.link.clicked.connect(self.size_wanted)
        self.plan.link.clicked.connect(self.steps_wanted)
        self.train = Button("Train this model", "primary", "train", height=40)
        self.train.clicked.connect(self.train_wanted)
        self._open = Button("Open a checkpoint…", "quiet", "open")
        self._open.clicked.connect(self.open_wanted)
        self._card = Surface("card", radius=12, line="border")
        self._lay_out()
        follow(self.restyle)

    def _lay_out(self) -> None:
        inside = self._inside = Column(spacing=6, parent=self._card)
        inside.addWidget(Label("Train your first language model", "display", "text"))
        inside.addWidget(self._sentence)
        inside.addSpacing(14)
        facts = self._facts = Row(spacing=18)
        for fact in (self.corpus, self.model, self.plan):
            if facts.count():
                facts.addWidget(Hairline(vertical=True))
            facts.addWidget(fact)
        inside.addLayout(facts)
        inside.addSpacing(20)
        start = Row(spacing=12)
        start.addWidget(self.train)
        start.addWidget(
            Label("You can pause, stop or keep chatting at any time", "small", "text3", wrap=True), 1
        )
        inside.addLayout(start)
        middle = Row(spacing=0)
        for part, stretch in ((QWidget(), 1), (self._card, 1000), (QWidget(), 1)):
            middle.addWidget(part, stretch)  # the card takes all up to its maximum
        column = Column((16, 16, 16, 16), 26, self)
        column.addStretch(1)
        column.addLayout(middle)
        column.addWidget(self._open, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def restyle(self) -> None:
        self._card.setMaximumWidth(look.px(WIDEST))
        narrow = self.width() < look.px(NARROW)
        side = 24 if narrow else 33
        self._inside.set_space((side, 28, side, 28), 6)
        for column, share in enumerate(SHARES):
            self._facts.setStretch(2 * column, 1 if narrow else share)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.restyle()

    def sentence(self) -> str:
        return self._sentence.text()

    def show_state(self, state: State) -> None:
        shown = (state.config, state.report, state.device, state.problems, state.seconds_to_train)
        if shown == self._shown:
            return
        self._shown = shown
        self._sentence.setText(_sentence(state))
        self.corpus.show_fact(*_corpus(state))
        self.model.show_fact(*_model(state))
        self.plan.show_fact(*_plan(state))
        self.train.setEnabled(state.awake)


class Fact(QWidget):
    """One column: what it is about, the choice, what that means, and a link to choose otherwise."""

    def __init__(self, about: str, action: str) -> None:
        super().__init__()
        self._about = Label(about, "small", "text3")
        self._value = ElidedLabel("", "heading", "text")
        self._detail = Label("", "small", "text2", tabular=True, wrap=True)
        self.link = LinkButton(action)
        column = Column(spacing=4, parent=self)
        column.addWidget(self._about)
        column.addWidget(self._value)
        column.addWidget(self._detail)
        column.addWidget(self.link, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    def show_fact(self, value: str, detail: str, about: str = "") -> None:
        """Show a choice; `about` is another word for what it is."""
        self._about.setText(about or self._about.text())
        self._value.setText(value)
        self._detail.setText(detail)

    def about(self) -> str:
        return self._about.text()

    def value(self) -> str:
        return self._value.text()

    def detail(self) -> str:
        return self._detail.text()


def _sentence(state: State) -> str:
    """What pressing the button would do, or what is in its way."""
    if not state.config.data.corpora:
        return "One thing is missing: a text to learn from."
    if len(state.problems) == 1:
        return "One setting cannot be used as it is. The button leads to it."
    if state.problems:
        return f"{len(state.problems)} settings cannot be used as they are. The button leads to the first."
    return (
        f"Everything is set: {_reading(state)}, a model of {_parameters(state)} parameters, "
        f"this computer. You can watch it learn to spell, then to {_outcome(state)}."
    )


def _reading(state: State) -> str:
    """The texts, as part of a sentence."""
    only_world = state.config.data.corpora == (world.NAME,)
    return "a small world" if only_world else _corpus_name(state)


def _outcome(state: State) -> str:
    """What a model comes to in the end, by what it reads."""
    if world.NAME in state.config.data.corpora:
        return "answer; a chart shows which skills it has learned"
    return "form sentences"


def _corpus_name(state: State) -> str:
    chosen = state.config.data.corpora
    return label(chosen[0]) if len(chosen) == 1 else f"{len(chosen)} texts" if chosen else "None"


def _corpus(state: State) -> tuple[str, str]:
    size = units.memory(state.report.size) if state.report else units.UNKNOWN
    included = all(is_built_in(name) for name in state.config.data.corpora)
    return _corpus_name(state), f"{size}, included" if state.report and included else size


def _model(state: State) -> tuple[str, str]:
    preset = next((preset.label for preset in presets() if preset.matches(state.config)), "Custom")
    model = state.config.model
    shape = f"{_counted(model.num_layers, 'layer')}, {_counted(model.heads, 'head')}"
    return f"{preset}, {_parameters(state)}", shape


def _plan(state: State) -> tuple[str, str, str]:
    """The time the plan takes, or its steps where no step has been timed yet."""
    train = state.config.train
    steps = _counted(train.steps, "step")
    device = f" on {_device(state.device)}" if state.device else ""
    if state.seconds_to_train is not None:
        time = units.about(state.seconds_to_train)
        return time[0].upper() + time[1:], f"{steps}{device}", "Time"
    tokens = train.effective_batch * state.config.model.max_length
    return steps, f"{_counted(tokens, 'token')} each{device}", "Plan"


def _device(device: Device) -> str:
    return device.label.replace("core", "CPU core") if device.name == "cpu" else device.label


def _parameters(state: State) -> str:
    return units.parameters(parameters(state.config.model.nearest_valid()))


def _counted(count: int, noun: str) -> str:
    return f"{units.number(count)} {noun}{'' if count == 1 else 's'}"
