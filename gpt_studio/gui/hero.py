"""The first launch: what is set, what it takes, and one button."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.estimate import parameters
from gpt_studio.core.presets import presets
from gpt_studio.gui.buttons import Button, LinkButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import ElidedLabel, Hairline, Label, Surface


class Hero(QWidget):
    """Signals: wishes to train, to choose another corpus, size or number of steps, to open a file."""

    train_wanted = Signal()
    corpus_wanted = Signal()
    size_wanted = Signal()
    steps_wanted = Signal()
    open_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._sentence = Label("", "body", "text2", wrap=True)
        self.corpus = Fact("Corpus", "Choose another")
        self.model = Fact("Model", "Change size")
        self.plan = Fact("Plan", "Change steps")
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
        inside = Column((33, 28, 33, 28), 6, self._card)
        inside.addWidget(Label("Train your first language model", "display", "text"))
        inside.addWidget(self._sentence)
        inside.addSpacing(14)
        facts = Row(spacing=18)
        for fact in (self.corpus, self.model, self.plan):
            if facts.count():
                facts.addWidget(Hairline(vertical=True))
            facts.addWidget(fact, 1)
        inside.addLayout(facts)
        inside.addSpacing(20)
        start = Row(spacing=12)
        start.addWidget(self.train)
        start.addWidget(ElidedLabel("You can pause, stop or keep chatting at any time", "small", "text3"), 1)
        inside.addLayout(start)
        column = Column((16, 16, 16, 16), 26, self)
        column.addStretch(1)
        column.addWidget(self._card, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._open, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def restyle(self) -> None:
        self._card.setFixedWidth(min(look.px(606), max(1, self.width() - look.px(32))))

    def resizeEvent(self, event: object) -> None:
        self.restyle()

    def show_state(self, state: State) -> None:
        config = state.config
        self.corpus.show_fact(*_corpus(state))
        self.model.show_fact(*_model(config))
        self.plan.show_fact(*_plan(state))
        self._sentence.setText(
            f"Everything is set: {_the(self.corpus.value())}, a model of "
            f"{units.parameters(_parameters(config))} parameters, this computer. "
            "You can watch it learn to spell, then to form words and sentences."
        )
        self.train.setEnabled(state.awake)


class Fact(QWidget):
    """One column: what it is about, the choice, what that means, and a link to choose otherwise."""

    def __init__(self, about: str, action: str) -> None:
        super().__init__()
        self._value = ElidedLabel("", "heading", "text")
        self._detail = ElidedLabel("", "small", "text2", tabular=True)
        self.link = LinkButton(action)
        column = Column(spacing=4, parent=self)
        column.addWidget(Label(about, "small", "text3"))
        column.addWidget(self._value)
        column.addWidget(self._detail)
        column.addWidget(self.link, 0, Qt.AlignmentFlag.AlignLeft)

    def show_fact(self, value: str, detail: str) -> None:
        self._value.setText(value)
        self._detail.setText(detail)

    def value(self) -> str:
        return self._value.text()

    def detail(self) -> str:
        return self._detail.text()


def _corpus(state: State) -> tuple[str, str]:
    chosen = state.config.data.corpora
    if not chosen:
        return "None chosen", "There is nothing to learn from"
    name = label(chosen[0]) if len(chosen) == 1 else f"{len(chosen)} corpora"
    if state.report is None:
        return name, units.UNKNOWN
    return name, f"{units.memory(state.report.size)}, {units.number(state.report.documents)} texts"


def _model(config: RunConfig) -> tuple[str, str]:
    preset = next((preset.label for preset in presets() if preset.matches(config)), "Custom")
    model = config.model
    shape = f"{model.num_layers} layers, {model.heads} heads"
    return f"{preset}, {units.parameters(_parameters(config))}", shape


def _plan(state: State) -> tuple[str, str]:
    train = state.config.train
    tokens = train.effective_batch * state.config.model.max_length
    device = f" on {state.device.label}" if state.device else ""
    return f"{units.number(train.steps)} steps", f"{units.number(tokens)} tokens each{device}"


def _parameters(config: RunConfig) -> int:
    return parameters(config.model.nearest_valid())


def _the(corpus: str) -> str:
    return "no corpus" if corpus == "None chosen" else corpus
