"""Text made of tokens: tinted, pointed at, selected."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QApplication, QScrollArea, QSizePolicy, QWidget

from gpt_studio.gui.theme import color, follow, look, series, style_font
from gpt_studio.gui.token_flow import Box, Flow

NEWLINE = "↵"
SHOWN = dict.fromkeys((*range(32), 127), "·") | {9: "    "}  # control characters have no glyph
TABS = {9: "→   "}


@dataclass(frozen=True)
class Span:
    """One token as it is shown. `background` is asked for each paint, so that it follows the theme."""

    text: str
    background: Callable[[], QColor | None] | None = None
    underline: bool = False  # dotted: an unlikely token
    plain: bool = False  # text that is no token: it cannot be pointed at
    data: Any = None  # the owner's own


class TokenText(QWidget):
    """A flow of tokens as tall as its width asks for.

    Signals:
        hovered: the token the pointer or the arrow keys point at, −1 for none.
        clicked: a token was clicked, or Enter pressed on it.
    """

    hovered = Signal(int)
    clicked = Signal(int)

    def __init__(
        self,
        mono: bool = False,
        gap: float = 0.0,
        line_height: float = 1.38,
        role: str = "text",
        marks: bool = False,
        streams: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """`gap` parts the tints, and a token's tint then covers the space it begins with.

        `line_height` is times the font's height; `marks` shows newlines and tabs; a text that
        `streams` keeps room for the caret at the end of each line.
        """
        super().__init__(parent)
        self._mono, self._gap, self._factor, self._role, self._marks = mono, gap, line_height, role, marks
        self._streams = streams
        self._spans: list[Span] = []
        self._heights: dict[int, int] = {}
        self._pointed = -1
        self._by_keys = False
        self._pressed: QPointF | None = None
        self._selection = (0, 0)  # offsets: where the mouse went down, and where it is
        self._found: Sequence[tuple[int, int]] = ()
        self._current = -1
        self._caret = False
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("body", mono=self._mono))
        self._metrics = QFontMetricsF(self.font())
        self._pitch = round(self._metrics.height() * self._factor)
        self._flow = Flow(self._measure)
        self._lay_out()

    # Content

    def spans(self) -> Sequence[Span]:
        return self._spans

    def text(self) -> str:
        """The plain text of all tokens."""
        return self._flow.text

    def set_spans(self, spans: Iterable[Span]) -> None:
        self._spans = list(spans)
        self._selection, self._found, self._current = (0, 0), (), -1
        self._point(-1)
        self._lay_out()
        self._describe()

    def append(self, spans: Iterable[Span]) -> None:
        """Add tokens at the end, as they stream in."""
        added = list(spans)
        flow = self._fitted()
        first_changed = len(flow.lines) - 1
        self._spans += added
        flow.append(span.text for span in added)
        self._heights.clear()
        self.updateGeometry()
        self.update(0, first_changed * self._pitch, self.width(), self.height())

    def set_caret(self, caret: bool) -> None:
        """Show a block after the last token while more will come."""
        if caret != self._caret:
            self._caret = caret
            self._describe()
            self.update()

    def set_marks(self, marks: bool) -> None:
        """Show newlines and tabs, or only what they do."""
        if marks != self._marks:
            self._marks = marks
            self.restyle()

    def set_found(self, ranges: Sequence[tuple[int, int]], current: int = -1) -> None:
        """Mark pieces of text, as (start, end) offsets in order; the current one stands out."""
        self._found, self._current = ranges, current
        self.update()

    def selected_text(self) -> str:
        return self.text()[min(self._selection) : max(self._selection)]

    def pointed(self) -> int:
        """The token the pointer or the arrow keys point at, −1 for none."""
        return self._pointed

    def span_rect(self, index: int) -> QRect:
        """Where a token's tint is, on the first line it reaches; empty for a token without text."""
        boxes = self._fitted().boxes_of(index)
        return self._tint(boxes[0]).toAlignedRect() if boxes else QRect()

    def line_rect(self, offset: int) -> QRect:
        """The line in which a character of the text stands."""
        return QRect(0, self._fitted().line_of(offset) * self._pitch, self.width(), self._pitch)

    def ideal_width(self, maximum: int) -> int:
        """The width of the widest line when no line may be wider than `maximum`."""
        lines = self._flow.for_width(maximum - self._reserve()).lines
        return min(maximum, ceil(max(line.width for line in lines)) + self._reserve())

    # Layout

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        if width not in self._heights:
            room = width - self._reserve()
            flow = self._flow if room == self._flow.width else self._flow.for_width(room)
            self._heights[width] = len(flow.lines) * self._pitch
        return self._heights[width]

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(40), self._pitch)

    def _lay_out(self) -> None:
        self._flow.lay_out((span.text for span in self._spans), self.width() - self._reserve())
        self._heights.clear()
        self.updateGeometry()
        self.update()

    def _fitted(self) -> Flow:
        """The flow for the width in use: layouts ask for the heights of widths that never come to be."""
        if self.width() - self._reserve() != self._flow.width:
            self._flow = self._flow.for_width(self.width() - self._reserve())
        return self._flow

    def _reserve(self) -> int:
        """Room at the right for what follows a full line: the mark of a newline, the caret."""
        if self._marks:
            return ceil(self._metrics.horizontalAdvance(" "))
        return look.px(8) if self._streams else 0

    def _measure(self, text: str) -> float:
        if text == "\n":
            return self._metrics.horizontalAdvance(" ") if self._marks else 0.0
        return float(self._metrics.horizontalAdvance(text.translate(SHOWN)))

    def _tint(self, box: Box) -> QRectF:
        """The rounded rectangle behind a token."""
        x, end = box.x, box.x + box.width - self._gap
        if not self._gap:  # a space belongs half to each of its neighbors
            x, end = x + box.inset / 2, end + box.outset / 2
        return QRectF(x, self._top(box.line), max(0.0, end - x), self._tall())

    def _top(self, line: int) -> int:
        return line * self._pitch + (self._pitch - self._tall()) // 2

    def _tall(self) -> int:
        """The height of a tint."""
        return ceil(self._metrics.height()) + 2

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        flow = self._fitted()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        first = max(0, event.rect().top() // self._pitch)
        last = min(len(flow.lines) - 1, event.rect().bottom() // self._pitch)
        for line in range(first, last + 1):
            boxes = flow.boxes(line)
            self._paint_tints(painter, boxes)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            self._paint_ranges(painter, line)
            self._paint_texts(painter, line)
            self._paint_lines(painter, boxes)
        if self._caret and last == len(flow.lines) - 1:
            self._paint_caret(painter)

    def _paint_tints(self, painter: QPainter, boxes: list[Box]) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        for box in boxes:
            background = self._spans[box.span].background
            if tint := background and background():
                painter.setBrush(tint)
                painter.drawRoundedRect(self._tint(box), look.px(3), look.px(3))

    def _paint_ranges(self, painter: QPainter, line: int) -> None:
        """What was found and what is selected."""
        pieces = self._flow.lines[line].pieces
        if not pieces:
            return
        first = max(0, bisect_right(self._found, (pieces[0].start, 0)) - 1)
        for number, (start, end) in enumerate(self._found[first:], first):
            if start >= pieces[-1].end:
                break
            rect = self._range_rect(line, start, end)
            painter.fillRect(rect, color("warn", 0.45 if number == self._current else 0.25))
            if number == self._current:
                painter.setPen(QPen(color("warn"), 1.5))
                painter.drawRoundedRect(rect, look.px(3), look.px(3))
        painter.fillRect(self._range_rect(line, *sorted(self._selection)), color("fill", 0.45))

    def _range_rect(self, line: int, start: int, end: int) -> QRectF:
        """The part of a line between two offsets; empty where they do not meet."""
        pieces = [piece for piece in self._flow.lines[line].pieces if piece.start < end and start < piece.end]
        if not pieces:
            return QRectF()
        left, right = self._flow.x_of(pieces[0], start), self._flow.x_of(pieces[-1], end)
        return QRectF(left, self._top(line), right - left, self._tall())

    def _paint_texts(self, painter: QPainter, line: int) -> None:
        base = self._base(line)
        quiet, ink = color("text3"), color(self._role)
        for piece in self._flow.lines[line].pieces:
            text = self._flow.text[piece.start : piece.end]
            if not text.isspace():
                painter.setPen(ink)
                painter.drawText(QPointF(piece.x, base), text.translate(SHOWN))
            elif self._marks and (text == "\n" or "\t" in text):
                painter.setPen(quiet)
                painter.drawText(QPointF(piece.x, base), NEWLINE if text == "\n" else text.translate(TABS))

    def _paint_lines(self, painter: QPainter, boxes: list[Box]) -> None:
        """Dots below unlikely tokens, an outline around the one pointed at."""
        for box in boxes:
            tint = self._tint(box)
            if self._spans[box.span].underline:
                pen = QPen(series(1), 1.5, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.FlatCap)
                pen.setDashPattern([1, 1])
                painter.setPen(pen)
                left, y = round(box.x + box.inset), tint.bottom() - 1.25
                painter.drawLine(QPointF(left, y), QPointF(tint.right() - 1, y))
            if box.span == self._pointed:
                painter.setPen(QPen(color("accent"), 1.5))
                inner = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
                outline = tint.adjusted(-0.75, -0.75, 0.75, 0.75).intersected(inner)
                painter.drawRoundedRect(outline, look.px(3) + 1, look.px(3) + 1)

    def _paint_caret(self, painter: QPainter) -> None:
        line = len(self._flow.lines) - 1
        x = min(self._flow.lines[line].width + 1, self.width() - look.px(7))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("accent"))
        top = self._base(line) - self._metrics.ascent() + 1
        painter.drawRoundedRect(QRectF(x, round(top), look.px(7), look.px(14)), 1.5, 1.5)

    def _base(self, line: int) -> int:
        """The baseline of a line."""
        return round(line * self._pitch + (self._pitch - self._metrics.height()) / 2 + self._metrics.ascent())

    # Pointing

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        where = event.position()
        if self._pressed is None:
            self._by_keys = False
            self._point(self._token_at(where))
        elif (where - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self._select(self._offset_at(self._pressed), self._offset_at(where))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position()
            self._select(0, 0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            return
        self._pressed = None
        token = self._token_at(event.position())
        if token >= 0 and not self.selected_text():
            self.clicked.emit(token)

    def leaveEvent(self, event: QEvent) -> None:
        if not self._by_keys:
            self._point(-1)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self._by_keys:
            self._point(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.selected_text() or self.text())
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self._select(0, len(self.text()))
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._spans:
            self._step(1 if key == Qt.Key.Key_Right else -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._pointed >= 0:
            self.clicked.emit(self._pointed)
        elif key == Qt.Key.Key_Escape and self._pointed >= 0:
            self._point(-1)
        else:
            super().keyPressEvent(event)

    def _step(self, by: int) -> None:
        """Point at the next token that shows, from nowhere at the first or the last one."""
        at = self._pointed + by if self._pointed >= 0 else 0 if by > 0 else len(self._spans) - 1
        while 0 <= at < len(self._spans) and (self._spans[at].plain or self.span_rect(at).isEmpty()):
            at += by
        if 0 <= at < len(self._spans):
            self._by_keys = True
            self._point(at)
            self._show(self.span_rect(at))

    def _point(self, index: int) -> None:
        if index != self._pointed:
            self._pointed = index
            self.update()
            self.hovered.emit(index)

    def _select(self, start: int, end: int) -> None:
        if (start, end) != self._selection:
            self._selection = (start, end)
            self.update()

    def _show(self, rect: QRect) -> None:
        """Scroll until a part of the text is in sight."""
        area = self.parentWidget()
        while area and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if isinstance(area, QScrollArea) and (page := area.widget()):
            middle = self.mapTo(page, rect.center())
            area.ensureVisible(middle.x(), middle.y(), rect.width(), rect.height())

    def _token_at(self, where: QPointF) -> int:
        """The token whose tint holds a point, −1 for none."""
        flow, line = self._fitted(), int(where.y() // self._pitch)
        if not 0 <= line < len(flow.lines):
            return -1
        found = next((box.span for box in flow.boxes(line) if box.x <= where.x() < box.x + box.width), -1)
        return -1 if found < 0 or self._spans[found].plain else found

    def _offset_at(self, where: QPointF) -> int:
        return self._fitted().offset_at(int(where.y() // self._pitch), where.x())

    def _describe(self) -> None:
        self.setAccessibleDescription(self.text())
