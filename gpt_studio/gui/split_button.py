"""A button with a small menu of its relatives at its right edge."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QMenu, QWidget

from gpt_studio.gui.buttons import Button, Kind, half_pixel
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.theme import color, look
from gpt_studio.gui.widgets import Menu


class SplitButton(QWidget):
    """Two halves that look like one button: what is done most, and a chevron that opens `menu`."""

    clicked = Signal()

    def __init__(self, text: str, kind: Kind, icon: str, more: str, parent: QWidget | None = None) -> None:
        """`more` names the chevron for people who cannot see it."""
        super().__init__(parent)
        self.menu: QMenu = Menu(self)
        self.button = _Half(text, kind, icon, left=True)
        self.button.clicked.connect(self.clicked)
        self.chevron = _Half("", "secondary", "chevron-down", left=False)
        self.chevron.setAccessibleName(more)
        self.chevron.setToolTip(more)
        self.chevron.clicked.connect(self.open_menu)
        row = Row(spacing=0, parent=self)
        row.addWidget(self.button)
        row.addWidget(self.chevron)

    def open_menu(self) -> None:
        self.menu.popup(self.mapToGlobal(self.rect().bottomLeft()))


class _Half(Button):
    """One half: no corners, and for the right one no line, where the other begins."""

    def __init__(self, text: str, kind: Kind, icon: str, left: bool) -> None:
        super().__init__(text, kind, icon)
        self._left = left

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return hint if self._left else QSize(look.px(26), hint.height())

    def paint_box(self, painter: QPainter, fill: QColor, line: QColor, radius: float = 6) -> None:
        if self.ring and self.hasFocus():
            super().paint_box(painter, fill, line, radius)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(line, 1))
        painter.setBrush(fill)
        beyond = look.px(radius) + 2
        box = half_pixel(QRectF(self.rect()))
        box.adjust(*((0, 0, beyond, 0) if self._left else (-beyond, 0, 0, 0)))
        painter.drawRoundedRect(box, look.px(radius), look.px(radius))
        if not self._left:
            painter.setPen(QPen(color("border2" if self.isEnabled() else "border"), 1))
            painter.drawLine(half_pixel(QRectF(self.rect())).topLeft(), QRectF(self.rect()).bottomLeft())
