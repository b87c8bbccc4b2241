"""The turns of a conversation, one below the other, kept at their end while the model writes."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from gpt_studio.core.chat import Mode
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.chat_messages import Turn
from gpt_studio.gui.chat_popover import Alternatives
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import follow, look

MARGINS, GAP = (16, 8, 16, 16), 18
WIDEST_TEXT = 480  # some 72 characters
NEAR = 4  # pixels from the end that still count as being there


class Conversation(QScrollArea):
    """Scrolls by itself only while it is at its end; elsewhere it offers the way there.

    Signals:
        regenerate_wanted: generate this turn's answer anew (Turn).
        branch_wanted: go on from this turn's answer as it is now (Turn).
    """

    regenerate_wanted = Signal(object)
    branch_wanted = Signal(object)

    def __init__(self, after: QWidget, parent: QWidget | None = None) -> None:
        """The Tab key reaches the first answer from the widget `after`."""
        super().__init__(parent)
        self._after = after
        self.setAccessibleName("Conversation")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.turns: list[Turn] = []
        self.alternatives: Alternatives | None = None
        self._tinted = True
        self._at_end = True
        page = QWidget()
        page.setObjectName("page")
        self._column = Column(MARGINS, GAP, page)
        self._column.addStretch(1)
        self.setWidget(page)
        self.latest = Button("Latest", "secondary", "chevron-down", height=26, parent=self)
        self.latest.setToolTip("Jump to the latest text")
        self.latest.hide()
        self.latest.clicked.connect(self.scroll_to_end)
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._note_place)
        bar.rangeChanged.connect(self._keep_place)
        follow(self._fit)

    def add(self, mode: Mode, text: str, prompt: str, stop: str) -> Turn:
        """Begin a turn: what a person wrote, and an empty answer."""
        turn = Turn(mode, text, prompt, stop)
        turn.answer.set_tinted(self._tinted)
        turn.answer.regenerate_wanted.connect(lambda: self.regenerate_wanted.emit(turn))
        turn.answer.branch_wanted.connect(lambda: self.branch_wanted.emit(turn))
        self._alternatives().watch(turn.answer)
        before = self._last_stop()
        for widget in turn.widgets():
            self._column.insertWidget(self._column.count() - 1, widget)
        for widget in turn.answer.tab_stops():
            self.setTabOrder(before, widget)
            before = widget
        self.turns.append(turn)
        return turn

    def drop_after(self, turn: Turn) -> None:
        """Forget the turns that followed this one."""
        for later in self.turns[self.turns.index(turn) + 1 :]:
            self._drop(later)

    def clear(self) -> None:
        for turn in list(self.turns):
            self._drop(turn)

    def set_tinted(self, tinted: bool) -> None:
        """Show or hide how surprising each token was."""
        self._tinted = tinted
        for turn in self.turns:
            turn.answer.set_tinted(tinted)

    def scroll_to_end(self) -> None:
        self._at_end = True
        self._keep_place()

    def _drop(self, turn: Turn) -> None:
        self.turns.remove(turn)
        if self.alternatives:
            self.alternatives.dismiss()
        for widget in turn.widgets():
            self._column.removeWidget(widget)
            widget.hide()
            widget.deleteLater()

    def _last_stop(self) -> QWidget:
        return self.turns[-1].answer.tab_stops()[-1] if self.turns else self._after

    def _alternatives(self) -> Alternatives:
        """The card at tokens, a child of the window so that it may reach beyond this panel."""
        if self.alternatives is None:
            self.alternatives = Alternatives(self.window(), self)
            self.verticalScrollBar().valueChanged.connect(self.alternatives.move_along)
        return self.alternatives

    def _note_place(self, value: int) -> None:
        self._at_end = value >= self.verticalScrollBar().maximum() - NEAR
        self.latest.setVisible(not self._at_end)

    def _keep_place(self) -> None:
        """Stay at the end as the text grows."""
        self._fit()
        if self._at_end:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self._note_place(self.verticalScrollBar().value())

    def _fit(self) -> None:
        """Keep lines readable, and their width when the scroll bar comes into the margin."""
        left, top, right, bottom = MARGINS
        bar = self.verticalScrollBar().sizeHint().width() if self.verticalScrollBar().maximum() else 0
        room = round((self.width() - bar) / look.scale) - left
        right -= round(bar / look.scale)
        self._column.set_space((left, top, max(right, room - WIDEST_TEXT), bottom), GAP)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
        room, size = self.viewport().size(), self.latest.sizeHint()
        corner = QPoint((room.width() - size.width()) // 2, room.height() - size.height() - look.px(8))
        self.latest.move(corner)
        self.latest.raise_()
