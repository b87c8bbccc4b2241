"""Choose how text becomes tokens, and see what it comes to."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

from gpt_studio.core.config import TOKENIZERS, DataConfig, expected_vocab_size
from gpt_studio.core.events import DataReport
from gpt_studio.core.settings import Fix, Problem, settings_of
from gpt_studio.core.units import SPACE, UNKNOWN, number, percent, short
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.data_progress import ProgressLine
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.problems import ProblemPlace
from gpt_studio.gui.state import State
from gpt_studio.gui.stop_slider import NOTCH, StopSlider
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import Card, ElidedLabel, Hairline, Label

LABELS = {choice.value: choice.label for choice in TOKENIZERS} | {"file": "File…"}
ABOUT = {
    "characters": "One token for each character the texts contain.",
    "bytes": "One token for each byte, so that any text can be written.",
    "gpt2": "The vocabulary GPT-2 was trained with.",
}
WITH_PIECES = ("bpe", "gpt2", "file")  # tokenizers that have pieces of text worth exporting
FIGURES = ("Vocabulary", "Corpus", "Tokens", "Compression", "Validation")


class TokenizerCard(Card):
    """The kinds of tokenizer, what there is to set about the one chosen, and its figures.

    Signals:
        edited: another tokenizer, or another size of it ({field: value}).
        file_wanted: choose a file with a tokenizer.
        export_wanted: write the tokenizer to a file.
        cancel_wanted: read and tokenize no further.
    """

    edited = Signal(object)
    file_wanted = Signal()
    export_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self) -> None:
        self.choice = Segmented(LABELS, "Tokenizer")
        super().__init__("Tokenizer", actions=(self.choice,))
        self._caption.hide()  # the choices need the room
        self._data = DataConfig()
        self._shown: object = None
        self.problem = ProblemPlace()
        self.figures = {name: _Figure(name, first=name == FIGURES[0]) for name in FIGURES}
        self.progress = ProgressLine("Making tokens")
        self.progress.cancel_wanted.connect(self.cancel_wanted)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._row_of_figures())
        self.pages.addWidget(self.progress)
        self.about = ElidedLabel("", "small", "text3")
        self.bpe = SizeRow()
        self.choose = Button("Choose…", height=24)
        self.choose.setAccessibleName("Choose a tokenizer file…")
        self.export = Button("Export…", height=24)
        self.export.setToolTip("Write the vocabulary to a .tiktoken file")
        self._lay_out()
        self.choice.changed.connect(self._choose)
        self.bpe.picked.connect(lambda size: self.edited.emit({"bpe_size": size}))
        self.choose.clicked.connect(self.file_wanted)
        self.export.clicked.connect(self.export_wanted)
        follow(self._fit)

    def _row_of_figures(self) -> QWidget:
        box = QWidget()
        row = Row(spacing=0, parent=box)
        for name, figure in self.figures.items():
            if name != FIGURES[0]:
                row.addWidget(Hairline(vertical=True))
            row.addWidget(figure, 4 if name == FIGURES[-1] else 5)
        return box

    def _lay_out(self) -> None:
        self._details = QWidget()
        row = Row(spacing=8, parent=self._details)
        row.addWidget(self.about, 1)
        row.addWidget(self.bpe, 1)
        row.addWidget(self.choose)
        row.addWidget(self.export)
        below = Column(spacing=0)
        below.addWidget(self._details)
        below.addWidget(self.problem)
        self.body.addWidget(self.pages)
        self.body.addLayout(below)
        self.problem.chosen.connect(self._mend)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _fit(self) -> None:
        self._details.setFixedHeight(look.px(26))

    def show_state(self, state: State) -> None:
        slow = self.progress.show_progress(state.progress.get("data") if state.report is None else None)
        self.pages.setCurrentIndex(int(slow))
        data = self._data = state.config.data
        shown = (data, state.report, state.training)
        if shown == self._shown:
            return
        self._shown = shown
        self._show_details(state)
        self.problem.show_problem(_problem_of(state.problems))
        facts = _facts(state.report) if state.report else _expected(data)
        for name, figure in self.figures.items():
            figure.show_fact(*facts.get(name, (UNKNOWN, "")))

    def _show_details(self, state: State) -> None:
        data, kind, locked = state.config.data, state.config.data.tokenizer, state.training
        if kind in LABELS:
            self.choice.set_value(kind)
        self.choice.setEnabled(not locked)
        self.about.setText(Path(data.tokenizer_file).name if kind == "file" else ABOUT.get(kind, ""))
        self.about.setToolTip(data.tokenizer_file if kind == "file" else "")
        self.about.set_role("text2" if kind == "file" else "text3")
        self.about.setHidden(kind == "bpe")
        self.bpe.setVisible(kind == "bpe")
        self.bpe.show_value(data.bpe_size, locked)
        self.choose.setVisible(kind == "file")
        self.choose.setEnabled(not locked)
        self.export.setVisible(kind in WITH_PIECES)
        self.export.setEnabled(state.report is not None)

    def _mend(self, fix: Fix) -> None:
        self.focus_choice()  # the button pressed goes away
        self.edited.emit(dict(fix.changes))

    def focus_field(self, name: str) -> None:
        """Go where a field of the data settings is edited."""
        if name == "bpe_size" and not self.bpe.isHidden():
            self.bpe.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            self.focus_choice()

    def focus_choice(self) -> None:
        self.choice.button(self.choice.value()).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _choose(self, kind: str) -> None:
        if kind == "file" and not self._data.tokenizer_file:
            self.choice.set_value(self._data.tokenizer)  # until there is a file
            self.file_wanted.emit()
        else:
            self.edited.emit({"tokenizer": kind})


class SizeRow(QWidget):
    """How many pieces the own BPE learns. Learning takes a while, so only what is settled on counts.

    Signals:
        picked: a size, once the hand has left the slider or the field.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        setting = settings_of(DataConfig)["bpe_size"]
        self._value = 0
        self.label = Label("Size", "body", "text2")
        self.label.setToolTip(f"{setting.help} {setting.cost}")
        self.slider = StopSlider(setting)
        self.slider.setTracking(False)
        self.field = NumberField(setting.label)
        row = Row(spacing=10, parent=self)
        row.addWidget(self.label)
        row.addWidget(self.slider, 1)
        row.addWidget(self.field)
        self.slider.sliderMoved.connect(self._preview)
        self.slider.picked.connect(self._pick)
        self.field.committed.connect(self._pick)
        for editor in (self.slider, self.field):
            editor.setAccessibleDescription(f"{setting.help} {setting.cost}")
        follow(self._fit)

    def _fit(self) -> None:
        self.field.setFixedWidth(look.px(60))

    def show_value(self, value: int, locked: bool) -> None:
        self._value = value
        self.slider.show_value(value)
        self.field.set_value(value)
        self.slider.setEnabled(not locked)
        self.field.set_locked(locked)

    def _preview(self, position: int) -> None:
        """Show where the slider would stop."""
        self.field.set_value(self.slider.stops()[round(position / NOTCH)])

    def _pick(self, value: int) -> None:
        self.field.set_value(value)
        if value != self._value:
            self._value = value
            self.picked.emit(value)


class _Figure(QWidget):
    """A name, a value, and what it counts."""

    def __init__(self, name: str, first: bool) -> None:
        super().__init__()
        self._name = name
        self.value = ElidedLabel(UNKNOWN, "heading", "text", tabular=True)
        self.unit = ElidedLabel("", "small", "text3", tabular=True)
        column = Column((0 if first else 10, 0, 0, 0), 1, self)
        for part in (ElidedLabel(name, "small", "text3"), self.value, self.unit):
            column.addWidget(part)

    def show_fact(self, value: str, unit: str, more: str = "") -> None:
        self.value.setText(value)
        self.unit.setText(unit)
        self.setToolTip(more)
        known = value if value != UNKNOWN else "not known yet"
        self.setAccessibleName(f"{self._name}: {known} {unit}".strip())
        self.setAccessibleDescription(more)


def _problem_of(problems: dict[str, Problem]) -> Problem | None:
    names = ("tokenizer", "tokenizer_file", "bpe_size")
    return next((problems[f"data.{name}"] for name in names if f"data.{name}" in problems), None)


def _expected(data: DataConfig) -> dict[str, tuple[str, ...]]:
    """What is known before anything was read: the vocabulary, unless it depends on the texts or a file."""
    known = data.tokenizer in ("bytes", "bpe", "gpt2")
    return {"Vocabulary": (number(expected_vocab_size(data)), "tokens")} if known else {}


def _facts(report: DataReport) -> dict[str, tuple[str, ...]]:
    """Each figure's value, what it counts, and what there is to add."""
    characters, _, letter = short(report.characters).partition(SPACE)
    texts = f"{short(report.documents)} text{'' if report.documents == 1 else 's'}"
    used = percent(report.vocab_used / max(1, report.vocab_size))
    per_token = f"{report.characters / max(1, report.tokens):.2f} characters per token"
    return {
        "Vocabulary": (
            number(report.vocab_size),
            f"{used} used",
            f"{number(report.vocab_used)} tokens occur",
        ),
        "Corpus": (characters, f"{letter} characters".strip(), f"{number(report.size)} bytes"),
        "Tokens": (short(report.tokens), texts, f"{number(report.tokens)} tokens"),
        "Compression": (f"{report.bytes_per_token:.2f}", "bytes/token", per_token),
        "Validation": (percent(report.validation_tokens / max(1, report.tokens)), "held out"),
    }
