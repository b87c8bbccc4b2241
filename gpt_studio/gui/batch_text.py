"""What the model sees: each token it reads above the one it must predict."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from gpt_studio.gui.theme import color, follow, font, look, style_font, token_tint

GUTTER = 46  # pixels of the design, for the words at the left
NAMES = ("Input", "Target")
GAP, LEAD, BETWEEN = 1.5, 3, 12  # between tokens, between input and target, between pairs of lines
LONGEST = 24  # characters of a token shown
STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class BatchText(QWidget):
    """One text of a batch: columns of two tokens, in as many pairs of lines as its width asks for.

    Column t holds the input at place t and below it its target, which is the input at place t + 1.

    Signals:
        hovered: the column the pointer or the arrow keys point at, −1 for none.
    """

    hovered = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._tokens: Sequence[str] = ()  # one more than there are columns
        self._tinted = True
        self._pointed = -1
        self._by_keys = False
        self._laid_for = -1
        self._xs: list[float] = []  # where each column begins
        self._widths: list[float] = []
        self._lines: list[int] = [0]  # the column each pair of lines begins with
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("body", mono=True))
        self._metrics = QFontMetricsF(self.font())
        self._tall = ceil(self._metrics.height()) + 2
        self._lay_out()

    def show_tokens(self, tokens: Sequence[str], tinted: bool) -> None:
        """Texts of the inputs and, after them, of the last target."""
        self._tokens = [token[:LONGEST] for token in tokens]
        self._tinted = tinted
        self._point(-1)
        self._lay_out()
        self.setAccessibleDescription("".join(tokens))

    def columns(self) -> int:
        return max(0, len(self._tokens) - 1)

    def pointed(self) -> int:
        return self._pointed

    def column_rect(self, column: int) -> QRect:
        """Where an input and its target stand."""
        self._fit()
        return self._cell(column, 0).united(self._cell(column, 1)).toAlignedRect()

    # Layout

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        lines = len(self._break(width)[1])
        return lines * self._pitch() - look.px(BETWEEN)

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(120), self._pitch())

    def _pitch(self) -> int:
        """From one pair of lines to the next."""
        return 2 * self._tall + look.px(LEAD) + look.px(BETWEEN)

    def _lay_out(self) -> None:
        widths = [self._metrics.horizontalAdvance(token) for token in self._tokens]
        least = self._metrics.horizontalAdvance("m")
        self._widths = [max(a, b, least) for a, b in pairwise(widths)]
        self._laid_for = -1
        self.updateGeometry()
        self.update()

    def _break(self, width: int) -> tuple[list[float], list[int]]:
        """Where columns begin from left to right, and the first column of each pair of lines."""
        left = x = float(look.px(GUTTER))
        xs, lines = [], [0]
        for column, wide in enumerate(self._widths):
            if x + wide > width and x > left:
                lines.append(column)
                x = left
            xs.append(x)
            x += wide + GAP
        return xs, lines

    def _fit(self) -> None:
        if self._laid_for != self.width():
            self._laid_for = self.width()
            self._xs, self._lines = self._break(self.width())

    def _cell(self, column: int, below: int) -> QRectF:
        line = bisect_right(self._lines, column) - 1
        top = line * self._pitch() + below * (self._tall + look.px(LEAD))
        return QRectF(self._xs[column], top, self._widths[column], self._tall)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self._fit()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pitch, ends = self._pitch(), [*self._lines[1:], self.columns()]
        for line in range(event.rect().top() // pitch, min(len(ends), event.rect().bottom() // pitch + 1)):
            self._paint_names(painter, line * pitch)
            painter.setFont(self.font())
            for column in range(self._lines[line], ends[line]):
                for below in (0, 1):
                    self._paint_token(painter, column, below)
        if self._pointed >= 0:
            self._paint_pointed(painter)

    def _paint_names(self, painter: QPainter, top: int) -> None:
        painter.setFont(font(11))
        painter.setPen(color("text3"))
        for below, name in enumerate(NAMES):
            area = QRectF(0, top + below * (self._tall + look.px(LEAD)), look.px(GUTTER), self._tall)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_token(self, painter: QPainter, column: int, below: int) -> None:
        """A token has the same tint as target and as the next input."""
        cell = self._cell(column, below)
        if self._tinted:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(token_tint(column + below))
            painter.drawRoundedRect(cell, look.px(3), look.px(3))
        painter.setPen(color("text" if not below else "text2"))
        base = cell.top() + 1 + self._metrics.ascent()
        painter.drawText(QPointF(cell.left(), base), self._tokens[column + below])

    def _paint_pointed(self, painter: QPainter) -> None:
        """Outlines around the input, its target, and the same token as the next input."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for below, role in ((0, "control"), (1, "accent")):
            painter.setPen(QPen(color(role), 1.5))
            cell = self._cell(self._pointed, below).adjusted(-0.25, 0.75, 0.25, -0.75)
            painter.drawRoundedRect(cell, look.px(3), look.px(3))
        if self._pointed + 1 < self.columns():
            painter.setPen(QPen(color("accent"), 1.5, Qt.PenStyle.DotLine))
            again = self._cell(self._pointed + 1, 0).adjusted(-0.25, 0.75, 0.25, -0.75)
            painter.drawRoundedRect(again, look.px(3), look.px(3))

    # Pointing

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._by_keys = False
        self._point(self._column_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        if not self._by_keys:
            self._point(-1)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self._by_keys:
            self._point(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in STEPS and self.columns():
            at = self._pointed + STEPS[key] if self._pointed >= 0 else 0
            self._by_keys = True
            self._point(min(max(0, at), self.columns() - 1))
            self._show(self.column_rect(self._pointed))
        else:
            super().keyPressEvent(event)

    def _point(self, column: int) -> None:
        if column != self._pointed:
            self._pointed = column
            self.update()
            self.hovered.emit(column)

    def _column_at(self, where: QPointF) -> int:
        self._fit()
        line = int(where.y() // self._pitch())
        if not 0 <= line < len(self._lines) or not self.columns():
            return -1
        first = self._lines[line]
        end = self._lines[line + 1] if line + 1 < len(self._lines) else self.columns()
        column = bisect_right(self._xs, where.x(), first, end) - 1
        if column < first or not QRectF(self.column_rect(column)).contains(where):
            return -1
        return column

    def _show(self, rect: QRect) -> None:
        """Scroll until a part of the text is in sight."""
        area = self.parentWidget()
        while area and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if isinstance(area, QScrollArea) and (page := area.widget()):
            middle = self.mapTo(page, rect.center())
            area.ensureVisible(middle.x(), middle.y(), rect.width(), rect.height())
