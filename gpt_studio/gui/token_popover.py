"""What is known about one token, in a small card that floats beside it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFont,
    QFontMetricsF,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from gpt_studio.gui.theme import color, font, look, series, style_font
from gpt_studio.gui.widgets import SHADOW, Floating

SIDE, EDGE, TITLE, ROW, FOOTER = 14, 8, 22, 21, 33  # pixels of the design
WIDTH, BAR = 237, 84
AFTERGLOW = 250  # milliseconds it stays, so that the pointer can reach it


class PopoverRow(NamedTuple):
    """A label and its value, with a bar between them if there is a share (0 to 1) of its length."""

    label: str
    value: str
    share: float | None = None
    highlighted: bool = False


def visible(token: str) -> str:
    """A token's text with its spaces as "·" and its newlines as "↵"."""
    return token.replace(" ", "·").replace("\n", "↵").replace("\t", "→")


class TokenPopover(Floating):
    """Rows of facts under an optional title. Make it when it is first needed: its parent is the window.

    Signals:
        row_clicked: the number of a row; never unless `clickable`, then the pointer may enter it.
    """

    row_clicked = Signal(int)

    def __init__(self, window: QWidget, clickable: bool = False) -> None:
        self._rows: tuple[PopoverRow, ...] = ()
        self._title = ("", "")
        self._footer = ""
        self._under = -1
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not clickable)
        self.setMouseTracking(clickable)
        self._leave = QTimer(self, singleShot=True, interval=AFTERGLOW)
        self._leave.timeout.connect(self.hide)

    def show_rows(
        self,
        rows: Sequence[PopoverRow],
        beside: QWidget,
        rect: QRect,
        title: tuple[str, str] = ("", ""),
        footer: str = "",
    ) -> None:
        """Show under `rect` of the widget `beside`, above it where there is no room below."""
        self._rows, self._title, self._footer = tuple(rows), title, footer
        self._under = -1
        self._leave.stop()
        self.setAccessibleName(" ".join(title) or "Token")
        self.setAccessibleDescription("\n".join([*(f"{row.label}: {row.value}" for row in rows), footer]))
        self.restyle()
        window = beside.window()
        corner = beside.mapTo(window, rect.bottomLeft()) + QPoint(0, look.px(4))
        if corner.y() + self.card().height() > window.height():
            corner = beside.mapTo(window, rect.topLeft()) - QPoint(0, look.px(3) + self.card().height())
        self.place(corner)
        self.show()
        self.raise_()
        self.update()

    def hide_soon(self) -> None:
        """Hide unless the pointer enters it meanwhile."""
        self._leave.start()

    def rows(self) -> tuple[PopoverRow, ...]:
        return self._rows

    def title(self) -> tuple[str, str]:
        return self._title

    def restyle(self) -> None:
        head, foot = (TITLE if any(self._title) else 0), (FOOTER if self._footer else 0)
        height = 2 * look.px(EDGE) + look.px(head) + len(self._rows) * look.px(ROW) + look.px(foot)
        self.resize(max(look.px(WIDTH), self._natural_width()) + 2 * SHADOW, height + 2 * SHADOW)
        self.update()

    def _natural_width(self) -> int:
        """So wide that every label without a bar, the title and the footer stand in full."""
        small, title = style_font("small", tabular=True), style_font("title", mono=True)
        pairs = [(row.label, row.value) for row in self._rows if row.share is None]
        widths = [_width(small, label) + _width(small, value) for label, value in pairs]
        widths.append(min(look.px(220), _width(title, self._title[0])) + _width(small, self._title[1]))
        return ceil(max(*widths, _width(font(11), self._footer)) + look.px(2 * SIDE + 20))

    def _row_rect(self, index: int) -> QRectF:
        top = SHADOW + look.px(EDGE) + (look.px(TITLE) if any(self._title) else 0)
        return QRectF(
            SHADOW + look.px(SIDE),
            top + index * look.px(ROW),
            self.card().width() - 2 * look.px(SIDE),
            look.px(ROW),
        )

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if any(self._title):
            self._paint_title(painter)
        for index, row in enumerate(self._rows):
            self._paint_row(painter, row, self._row_rect(index), index == self._under)
        if self._footer:
            area = self._row_rect(len(self._rows))
            painter.fillRect(QRectF(area.x(), round(area.y() + look.px(6)), area.width(), 1), color("border"))
            area = area.adjusted(0, look.px(8), 0, look.px(FOOTER - ROW))
            _write(painter, area, self._footer, font(11), "text3")

    def _paint_title(self, painter: QPainter) -> None:
        area = self._row_rect(0).translated(0, -look.px(TITLE))
        end = style_font("small", tabular=True)
        _write(painter, area, self._title[1], end, "text2", Qt.AlignmentFlag.AlignRight)
        room = area.adjusted(0, 0, -_width(end, self._title[1]) - look.px(10), 0)
        _write(painter, room, self._title[0], style_font("title", mono=True), "text")

    def _paint_row(self, painter: QPainter, row: PopoverRow, area: QRectF, under: bool) -> None:
        if under:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color("hover"))
            painter.drawRoundedRect(area.adjusted(-look.px(7), 0, look.px(7), 0), look.px(5), look.px(5))
        style = "strong" if row.highlighted else "small"
        ink = "text" if row.highlighted or under else "text2"
        right = Qt.AlignmentFlag.AlignRight
        _write(painter, area, row.value, style_font(style, tabular=True), ink, right)
        if row.share is None:
            _write(painter, area, row.label, style_font(style), "text" if row.highlighted else "text3")
            return
        rail = QRectF(
            area.right() - look.px(50 + BAR), area.center().y() - look.px(5) / 2, look.px(BAR), look.px(5)
        )
        room = area.adjusted(0, 0, rail.left() - area.right() - look.px(8), 0)
        _write(painter, room, row.label, style_font(style, mono=True), ink)
        radius = rail.height() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("rail"))
        painter.drawRoundedRect(rail, radius, radius)
        rail.setWidth(max(rail.height(), rail.width() * min(1.0, row.share)))
        painter.setBrush(series(1) if row.highlighted else color("control"))
        painter.drawRoundedRect(rail, radius, radius)

    # The pointer and Esc

    def enterEvent(self, event: QEnterEvent) -> None:
        self._leave.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self.mark_row(-1)
        self._leave.start()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.mark_row(self._row_at(event))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self._row_at(event)
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self.hide()
            self.row_clicked.emit(index)

    def showEvent(self, event: QShowEvent) -> None:
        if app := QApplication.instance():
            app.installEventFilter(self)

    def hideEvent(self, event: QHideEvent) -> None:
        if app := QApplication.instance():
            app.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc hides it wherever the focus is, and does nothing else then."""
        kinds = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
        if event.type() not in kinds or not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Escape:
            return False
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            self.hide()
        return True

    def _row_at(self, event: QMouseEvent) -> int:
        rects = (self._row_rect(index) for index in range(len(self._rows)))
        return next((k for k, rect in enumerate(rects) if rect.contains(event.position())), -1)

    def mark_row(self, index: int) -> None:
        if index != self._under:
            self._under = index
            self.setCursor(Qt.CursorShape.PointingHandCursor if index >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()


def _width(used: QFont, text: str) -> float:
    return float(QFontMetricsF(used).horizontalAdvance(text))


def _write(
    painter: QPainter,
    area: QRectF,
    text: str,
    used: QFont,
    role: str,
    side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    """Text in one line of an area, shortened where it is too long."""
    painter.setFont(used)
    painter.setPen(color(role))
    shown = QFontMetricsF(used).elidedText(text, Qt.TextElideMode.ElideRight, area.width() + 1)
    painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, shown)
