"""What the model learns from: the texts, how they become tokens, and what these look like."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QSizePolicy, QWidget

from gpt_studio.core.config import TOKENIZERS, VOCAB_SIZES
from gpt_studio.core.events import DataReport
from gpt_studio.core.units import SPACE, UNKNOWN, number, percent, short
from gpt_studio.gui.charts import BarChart
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.corpora_card import CorporaCard
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.token_preview import PreviewCard
from gpt_studio.gui.widgets import Card, ElidedLabel, Hairline, IconLabel, Label

WIDE = 700  # below this the cards stand one below the other
NO_TEXT = (".safetensors",)  # dropped ones are for the window: checkpoints


class DataPage(QWidget):
    """The Data page.

    Signals:
        corpora_chosen: the texts to learn from (tuple[str, ...]).
        tokenizer_chosen: the name of a tokenizer.
        files_wanted, folder_wanted: ask for paths to add.
    """

    corpora_chosen = Signal(object)
    tokenizer_chosen = Signal(str)
    files_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Data")
        self.setAcceptDrops(True)
        self._shown: State | None = None
        self._training = False
        self.locked = _LockedLine()
        self.corpora = CorporaCard()
        self.tokenizer = TokenizerCard()
        self.lengths = BarChart("Token length", axis=_share, of="characters")
        self.preview = PreviewCard()
        self._lay_out()
        self.corpora.chosen.connect(self.corpora_chosen)
        self.tokenizer.choice.changed.connect(self.tokenizer_chosen)
        for card in (self.corpora, self.preview):
            card.files_wanted.connect(self.files_wanted)
        self.corpora.folder_wanted.connect(self.folder_wanted)
        follow(self._fit)

    def _lay_out(self) -> None:
        length_card = Card("Token length", "share of tokens by characters")
        length_card.body.addWidget(self.lengths, 1)
        right = Column(spacing=10)
        right.addWidget(self.tokenizer)
        right.addWidget(length_card, 1)
        self._top = Row(spacing=10)
        self._top.addWidget(self.corpora)
        self._top.addLayout(right, 1)
        page = QWidget()
        column = Column((16, 14, 16, 14), 10, page)
        column.addWidget(self.locked)
        column.addLayout(self._top)
        column.addWidget(self.preview, 1)
        Column(spacing=0, parent=self).addWidget(Scroll(page))

    def known_paths(self) -> list[str]:
        """The added files and folders, chosen or not."""
        return self.corpora.known_paths()

    def set_known_paths(self, paths: Iterable[str]) -> None:
        """List files and folders that were added before."""
        self.corpora.set_known_paths(paths)

    def show_state(self, state: State) -> None:
        self._training = state.training
        self.locked.setVisible(state.training)
        self.corpora.show_state(state)
        self.tokenizer.show_state(state)
        self.preview.show_state(state)
        if not self._shown or state.report is not self._shown.report:
            shares = state.report.token_lengths if state.report else ()
            labels = [
                f"{length}{'+' if length == len(shares) else ''}" for length in range(1, len(shares) + 1)
            ]
            self.lengths.set_bars(labels, shares)
        self._shown = state

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def _fit(self) -> None:
        narrow = self.width() < look.px(WIDE)
        directions = QBoxLayout.Direction
        self._top.setDirection(directions.TopToBottom if narrow else directions.LeftToRight)
        self.corpora.set_narrow(narrow)
        self.corpora.setMinimumWidth(0 if narrow else look.px(256))
        self.corpora.setMaximumWidth(2**24 - 1 if narrow else look.px(256))
        self.lengths.setFixedHeight(look.px(180))
        self.preview.setMinimumHeight(look.px(220))

    # Dropping files

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._dropped(event):
            event.acceptProposedAction()
            self.corpora.zone.light(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.corpora.zone.light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.corpora.zone.light(False)
        if paths := self._dropped(event):
            event.acceptProposedAction()
            self.corpora.add_paths(paths)

    def _dropped(self, event: QDropEvent) -> list[str]:
        """The texts being dropped; none while they cannot be added."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        texts = [path for path in paths if Path(path).suffix.lower() not in NO_TEXT]
        return [] if self._training else texts


class TokenizerCard(Card):
    """Choose how text becomes tokens, and see what it comes to."""

    def __init__(self) -> None:
        self.choice = Segmented({choice.value: choice.label for choice in TOKENIZERS}, "Tokenizer")
        super().__init__("Tokenizer", actions=(self.choice,))
        names = ("Vocabulary", "Corpus", "Tokens", "Compression", "Validation")
        self.figures = {name: _Figure(name, first=name == names[0]) for name in names}
        self._shown: object = None
        row = Row(spacing=0)
        for name, figure in self.figures.items():
            if name != names[0]:
                row.addWidget(Hairline(vertical=True))
            row.addWidget(figure, 4 if name == names[-1] else 5)
        self.body.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_state(self, state: State) -> None:
        tokenizer = state.config.data.tokenizer
        shown = (tokenizer, state.report, state.training)
        if shown == self._shown:
            return
        self._shown = shown
        self.choice.set_value(tokenizer)
        self.choice.setEnabled(not state.training)
        facts = (
            _facts(state.report)
            if state.report
            else {"Vocabulary": (number(VOCAB_SIZES[tokenizer]), "tokens")}
        )
        for name, figure in self.figures.items():
            figure.show_fact(*facts.get(name, (UNKNOWN, "")))


def _facts(report: DataReport) -> dict[str, tuple[str, str]]:
    """Each figure's value and what it counts."""
    characters, _, letter = short(report.characters).partition(SPACE)
    texts = f"{short(report.documents)} text{'' if report.documents == 1 else 's'}"
    return {
        "Vocabulary": (number(report.vocab_size), f"{number(report.vocab_used)} used"),
        "Corpus": (characters, f"{letter} characters".strip()),
        "Tokens": (short(report.tokens), texts),
        "Compression": (f"{report.characters / max(1, report.tokens):.2f}", "char/token"),
        "Validation": (percent(report.validation_tokens / max(1, report.tokens)), "held out"),
    }


def _share(value: float) -> str:
    return percent(value) if value else "0"


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

    def show_fact(self, value: str, unit: str) -> None:
        self.value.setText(value)
        self.unit.setText(unit)
        known = value if value != UNKNOWN else "not known yet"
        self.setAccessibleName(f"{self._name}: {known} {unit}".strip())


class _LockedLine(QWidget):
    """Why nothing here can be changed."""

    def __init__(self) -> None:
        super().__init__()
        row = Row(spacing=6, parent=self)
        row.addWidget(IconLabel("lock", "text3", 14))
        row.addWidget(
            Label("Text and tokenizer stay as they are while the model trains on them.", "small", "text3")
        )
        row.addStretch(1)
        self.hide()
