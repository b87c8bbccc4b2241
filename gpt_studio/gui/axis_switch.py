"""Which axes of a chart are logarithmic, as two small switches in one frame."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.gui.buttons import Pressable, half_pixel
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.theme import color, follow, font, look, mix


class _Axis(Pressable):
    """One axis: pressed in while it is logarithmic."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(font(11, 500))
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        width = QFontMetricsF(self.font()).horizontalAdvance(self.text())
        return QSize(round(width) + 2 * look.px(7), look.px(20))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = self.ring and self.hasFocus()
        if self.isChecked() or ring:
            painter.setPen(color("accent") if ring else color("border2"))
            painter.setBrush(color("chip") if self.isChecked() else Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(4), look.px(4))
        ink = color("text") if self.isChecked() else mix(color("text2"), color("text"), self.hover.amount)
        painter.setPen(ink)
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, self.text())


class AxisSwitch(QWidget):
    """Two switches, as high as a small segmented control.

    Signals:
        steps_changed, values_changed: a person made that axis logarithmic (True) or linear.
    """

    steps_changed = Signal(bool)
    values_changed = Signal(bool)

    def __init__(self, values: str) -> None:
        """`values` names what is on the left axis, e.g. "loss"."""
        super().__init__()
        self.setAccessibleName("Logarithmic axes")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.steps = _Axis("Log x", "Logarithmic steps")
        self.values = _Axis("Log y", f"Logarithmic {values}")
        row = Row((2, 2, 2, 2), 0, self)
        row.addWidget(self.steps)
        row.addWidget(self.values)
        self.steps.clicked.connect(self.steps_changed)
        self.values.clicked.connect(self.values_changed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(24))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(color("border"))
        painter.setBrush(color("well"))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(6), look.px(6))
