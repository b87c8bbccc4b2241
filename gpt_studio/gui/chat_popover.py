"""At a token of an answer: how likely it was, and what else the model could have written."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.chat import can_branch
from gpt_studio.gui.chat_messages import Answer, Written
from gpt_studio.gui.token_popover import PopoverRow, TokenPopover, visible

DELAY = 150  # milliseconds: time to reach the card of one token across others
LONGEST_BAR = 0.92  # of the rail, for the likeliest alternative
HINT = "Click an alternative to branch from here"


class Alternatives(QObject):
    """Follows the pointer and the arrow keys over answers; choosing an alternative branches the answer."""

    def __init__(self, window: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self.card = TokenPopover(window, clickable=True)
        self.card.row_clicked.connect(self._branch)
        self._answer: Answer | None = None
        self._index = -1
        self._row = -1
        self._timer = QTimer(self, singleShot=True, interval=DELAY)
        self._timer.timeout.connect(self._show)

    def watch(self, answer: Answer) -> None:
        """Serve this answer's tokens too."""
        answer.tokens.hovered.connect(lambda index: self._point(answer, index))
        answer.tokens.clicked.connect(lambda index: self._enter(answer, index))
        answer.tokens.installEventFilter(self)

    def dismiss(self) -> None:
        self._timer.stop()
        self.card.hide()

    def move_along(self) -> None:
        """The text has moved: stay at the token, or go away where it cannot be seen."""
        if self.card.isVisible():
            self._show()

    def _point(self, answer: Answer, index: int) -> None:
        self._timer.stop()
        if index < 0:
            self.card.hide_soon()
            return
        self._answer, self._index, self._row = answer, index, -1
        if answer.tokens.hasFocus():
            self._show()
        else:
            self._timer.start()

    def _enter(self, answer: Answer, index: int) -> None:
        """A token was clicked, or Enter pressed on it: that chooses the alternative the arrow keys are at."""
        if self.card.isVisible() and self._row >= 0:
            self._branch(self._row)
        else:
            self._answer, self._index = answer, index
            self._show()

    def _show(self) -> None:
        piece, answer = self._piece(), self._answer
        if piece is None or answer is None or not answer.can_see(self._index):
            self.dismiss()
            return
        chance = units.percent(piece.p, 1)
        rank = f" · rank {units.number(piece.rank)}" if piece.rank else ""
        rows = alternative_rows(piece)
        rect = answer.tokens.span_rect(self._index)
        self.card.show_rows(rows, answer.tokens, rect, (visible(piece.text), chance + rank), HINT)

    def _piece(self) -> Written | None:
        return self._answer.piece(self._index) if self._answer else None

    def _branch(self, row: int) -> None:
        piece, answer = self._piece(), self._answer
        self.dismiss()
        if piece and answer and can_branch(piece.alternatives[row][0]):
            answer.branch(self._index, row)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The up and down keys go through the alternatives of the token pointed at."""
        by = 0
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and self.card.isVisible():
            by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if by:
            self._row = min(max(0, self._row + by), len(self.card.rows()) - 1)
            self.card.mark_row(self._row)
        return bool(by)


def alternative_rows(piece: Written) -> list[PopoverRow]:
    """A row for each alternative; the one that was written stands out."""
    most = max((p for _, p in piece.alternatives), default=1.0) or 1.0
    return [
        PopoverRow(visible(text), units.percent(p, 1), LONGEST_BAR * p / most, text == piece.text)
        for text, p in piece.alternatives
    ]
