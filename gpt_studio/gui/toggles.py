"""Values set with the mouse: switch, checkbox, slider. None knows the product."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QSizePolicy,
    QSlider,
    QWidget,
)

from gpt_studio.gui.buttons import KEYBOARD_FOCUS, Fade, half_pixel
from gpt_studio.gui.theme import color, follow, font, look, mix, paint_icon


class Switch(QCheckBox):
    """On or off, 30 by 18; `name` is what it switches."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._ring = False
        self._slide = Fade(self)
        self.toggled.connect(self._slide.to)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedSize(self.sizeHint())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(look.px(32), look.px(24))

    def hitButton(self, pos: object) -> bool:
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_FOCUS
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled():
            painter.setOpacity(0.5)
        width, height = look.px(30), look.px(18)
        track = QRectF(self.width() - width - 1, (self.height() - height) / 2, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(color("control"), color("fill"), self._slide.amount))
        painter.drawRoundedRect(track, height / 2, height / 2)
        thumb = height - look.px(5)
        inset = (height - thumb) / 2
        left = track.left() + inset + self._slide.amount * (width - thumb - 2 * inset)
        painter.setBrush(color("white"))
        painter.drawEllipse(QRectF(left, track.top() + inset, thumb, thumb))
        if self._ring and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(color("accent"), 1.5))
            painter.drawRoundedRect(track.adjusted(-0.25, -0.25, 0.25, 0.25), height / 2, height / 2)


class CheckBox(QCheckBox):
    """A 15 px box with optional text."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._ring = False
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(font(13))
        self.updateGeometry()
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_FOCUS
        super().focusInEvent(event)

    def sizeHint(self) -> QSize:
        text = QFontMetricsF(self.font()).horizontalAdvance(self.text())
        return QSize(look.px(24) + (round(text) + 2 if self.text() else 0), look.px(24))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, pos: object) -> bool:
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = look.px(15)
        box = half_pixel(QRectF(1, round((self.height() - side) / 2), side, side))
        ring = self._ring and self.hasFocus()
        on = self.isChecked()
        outline = color("accent") if ring else color("fill") if on else color("control")
        painter.setPen(QPen(outline if self.isEnabled() else color("border2"), 1.5 if ring else 1.2))
        painter.setBrush(color("fill" if self.isEnabled() else "muted") if on else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, look.px(4), look.px(4))
        if on:
            paint_icon(painter, "check", box.adjusted(2, 2, -2, -2), color("white"))
        painter.setPen(color("text" if self.isEnabled() else "disabled"))
        area = QRectF(look.px(24), 0, self.width() - look.px(24), self.height())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, self.text())


class Slider(QSlider):
    """A horizontal slider: track 3, thumb 12, a halo on keyboard focus."""

    def __init__(self, name: str, low: int = 0, high: int = 100, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName(name)
        self.setRange(low, high)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._ring = False
        self._locked = False
        follow(self.restyle)

    def restyle(self) -> None:
        self.setMinimumWidth(look.px(40))
        self.setFixedHeight(look.px(24))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(look.px(100), look.px(24))

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_FOCUS
        super().focusInEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._ring = True
        super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._ring = False
            self.setSliderDown(True)
            self._follow_mouse(event.position().x())
            event.accept()
        else:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._follow_mouse(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def _follow_mouse(self, x: float) -> None:
        radius = look.px(12) / 2
        share = (x - radius) / max(1.0, self.width() - 2 * radius)
        self.setSliderPosition(round(self.minimum() + share * (self.maximum() - self.minimum())))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        radius, middle, thick = look.px(12) / 2, self.height() / 2, look.px(3)
        span = max(1, self.maximum() - self.minimum())
        x = radius + (self.sliderPosition() - self.minimum()) / span * (self.width() - 2 * radius)
        rail = QRectF(0, middle - thick / 2, self.width(), thick)
        painter.setBrush(color("rail"))
        painter.drawRoundedRect(rail, thick / 2, thick / 2)
        free = self.isEnabled()
        rail.setRight(x)
        painter.setBrush(color("accent" if free else "muted"))
        painter.drawRoundedRect(rail, thick / 2, thick / 2)
        if self._ring and self.hasFocus():
            painter.setBrush(color("accent", 0.25))
            painter.drawEllipse(QPointF(x, middle), radius + look.px(4), radius + look.px(4))
        painter.setBrush(color("white" if free else "muted"))
        if free and not look.theme.dark:
            painter.setPen(QPen(color("accent"), 2))
            radius -= 1
        painter.drawEllipse(QPointF(x, middle), radius, radius)
