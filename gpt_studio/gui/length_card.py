"""How long tokens are, and what other tokenizers would make of the same texts."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget

from gpt_studio.core.config import DataConfig
from gpt_studio.core.events import Compared
from gpt_studio.core.units import memory, percent
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.charts import BarChart
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.comparison_table import ComparisonTable
from gpt_studio.gui.state import State
from gpt_studio.gui.widgets import Card, EmptyState

VIEWS = {"lengths": "Lengths", "compare": "Compare"}
TITLES = {"lengths": "Token length", "compare": "Tokenizers"}


class LengthCard(Card):
    """The lengths of tokens as bars, or the tokenizers compared as a table.

    Signals:
        compare_wanted: compare the tokenizers on the chosen texts.
        tokenizer_chosen: use this one (its name).
    """

    compare_wanted = Signal()
    tokenizer_chosen = Signal(str)

    def __init__(self) -> None:
        self.view = Segmented(VIEWS, "Show", small=True)
        super().__init__(TITLES["lengths"], actions=(self.view,))
        self._compared: Compared | None = None
        self._state: State | None = None
        self.lengths = BarChart("Token length", axis=_share, of="characters")
        self.table = ComparisonTable()
        self.compare = Button("Compare tokenizers")
        self.offer = EmptyState(
            "Which tokenizer suits these texts?",
            "Fewer tokens mean that a context holds more of the text.",
            self.compare,
        )
        self.pages = QStackedWidget()
        for page in (self.lengths, self.offer, self.table):
            self.pages.addWidget(page)
        self.body.addWidget(self.pages, 1)
        self.view.changed.connect(self._show)
        self.compare.clicked.connect(self.compare_wanted)
        self.table.taken.connect(self._take)
        self._show()

    def show_state(self, state: State) -> None:
        before, self._state = self._state, state
        if before is None or state.report is not before.report:
            shares = state.report.token_lengths if state.report else ()
            last = len(shares)
            labels = [f"{length}{'+' if length == last else ''}" for length in range(1, last + 1)]
            self.lengths.set_bars(labels, shares)
        if self._compared and _texts(self._compared.data) != _texts(state.config.data):
            self._compared = None
        self._show()

    def show_comparison(self, compared: Compared) -> None:
        """Rows come one by one; those about other texts are late."""
        if self._state and _texts(compared.data) == _texts(self._state.config.data):
            self._compared = compared
            self._show()

    def _show(self) -> None:
        view, state, compared = self.view.value(), self._state, self._compared
        self._title.setText(TITLES[view])
        self.setAccessibleName(TITLES[view])
        working = state is not None and "compare" in state.running
        if compared:
            self.table.rows.show_rows(compared.rows, state.config.data.tokenizer if state else "")
        self.compare.setEnabled(state is not None and state.report is not None and not working)
        self.compare.setText("Comparing" if working else "Compare tokenizers")
        page = self.lengths if view == "lengths" else self.table if compared else self.offer
        self.pages.setCurrentWidget(page)
        self.set_caption(self._caption_of(view, working))

    def _take(self, tokenizer: str) -> None:
        if self._state and not self._state.training:
            self.tokenizer_chosen.emit(tokenizer)

    def _caption_of(self, view: str, working: bool) -> str:
        if view == "lengths":
            return "share of tokens by characters"
        report = self._state.report if self._state else None
        if not self._compared:
            return ""
        parts = []
        if not self._compared.whole:
            whole = f" of {memory(report.size)}" if report else ""
            parts.append(f"on {memory(self._compared.size)}{whole}")
        if working:
            parts.append("comparing")
        return " · ".join(parts) or "on all of the text"


def _texts(data: DataConfig) -> DataConfig:
    """The settings a comparison depends on: not which tokenizer is in use, nor what is held out."""
    return data.changed(tokenizer="characters", validation=0.0)


def _share(value: float) -> str:
    return percent(value) if value else "0"
