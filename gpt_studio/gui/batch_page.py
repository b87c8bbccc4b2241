"""The first texts of the first batch, inputs above targets."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core.config import DataConfig, RunConfig
from gpt_studio.core.events import BatchRead, PreviewToken
from gpt_studio.core.units import number
from gpt_studio.gui.batch_text import BatchText
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.token_popover import PopoverRow, TokenPopover, visible
from gpt_studio.gui.token_shown import shown
from gpt_studio.gui.widgets import Label

MARKS = dict.fromkeys((*range(32), 127), "·") | {9: "→", 10: "↵"}  # characters that have no glyph

BatchKey = tuple[DataConfig, int, int, int]


def batch_key(config: RunConfig) -> BatchKey:
    """The settings the first batch depends on."""
    return config.data, config.model.max_length, config.train.batch_size, config.train.seed


class BatchPage(QWidget):
    """A BatchText for each text of the batch that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._batch: BatchRead | None = None
        self._popover: TokenPopover | None = None
        self.texts: list[BatchText] = []
        self._parts: list[QWidget] = []
        self._column = Column((0, 0, 4, 0), 6, self)
        self._column.addStretch(1)

    def batch(self) -> BatchRead | None:
        return self._batch

    def show_batch(self, batch: BatchRead | None, mode: str) -> None:
        """Show the tokens of each row as "colors", "ids" or "plain"; with None nothing."""
        self.hide_token()
        self._batch = batch
        for part in self._parts:
            self._column.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._parts, self.texts = [], []
        for index, row in enumerate(batch.rows if batch else ()):
            text = BatchText()
            text.setAccessibleName(f"Text {index + 1} of the first batch")
            text.show_tokens([_as(token, mode) for token in row], tinted=mode != "plain")
            text.hovered.connect(partial(self._show_token, index))
            self.texts.append(text)
            total = number(batch.batch_size) if batch else ""
            self._parts += [Label(f"Text {number(index + 1)} of {total}", "small", "text3"), text]
        for at, part in enumerate(self._parts):
            self._column.insertWidget(at, part)

    def _show_token(self, index: int, column: int) -> None:
        if column < 0 or not self._batch:
            self.hide_token()
            return
        self._popover = self._popover or TokenPopover(self.window())
        read, target = self._batch.rows[index][column : column + 2]
        seen = "this token" if column == 0 else f"{number(column + 1)} tokens, up to this one"
        rows = [
            PopoverRow("Sees", seen),
            PopoverRow("Must predict", f"{visible(shown(target))} · id {number(target.id)}"),
            PopoverRow("Place", f"{number(column + 1)} of {number(self._batch.context)}"),
        ]
        text = self.texts[index]
        title = visible(shown(read)), f"id {number(read.id)}"
        self._popover.show_rows(rows, text, text.column_rect(column), title)

    def hide_token(self) -> None:
        if self._popover:
            self._popover.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        self.hide_token()


def _as(token: PreviewToken, mode: str) -> str:
    return f"{token.id} " if mode == "ids" else shown(token).translate(MARKS)
