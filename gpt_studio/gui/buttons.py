"""Things to press: buttons with text, icons and links. None knows the product."""

from typing import Literal

from PySide6.QtCore import QEasingCurve, QEvent, QPointF, QRectF, QSize, Qt, QVariantAnimation
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from gpt_studio.gui.theme import color, follow, font, look, mix, paint_icon

Kind = Literal["primary", "tonal", "secondary", "quiet", "stop", "warn"]
CLEAR = QColor(0, 0, 0, 0)
HERO = 40  # from this height on a button speaks up
KEYBOARD_FOCUS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class Fade(QVariantAnimation):
    """A value between 0 and 1 that eases to its goal in 120 ms, and repaints its widget on the way."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.amount = 0.0
        self.setDuration(120)
        self.setEasingCurve(QEasingCurve.Type.OutCubic)
        self.valueChanged.connect(self._take)

    def to(self, goal: float) -> None:
        """Go there; at once where nobody would see the way."""
        self.stop()
        widget = self.parent()
        if look.motion and isinstance(widget, QWidget) and widget.isVisible():
            self.setStartValue(self.amount)
            self.setEndValue(float(goal))
            self.start()
        else:
            self._take(float(goal))

    def _take(self, amount: float) -> None:
        self.amount = amount
        widget = self.parent()
        if isinstance(widget, QWidget):
            widget.update()


class Pressable(QPushButton):
    """A painted push button: knows hover and keyboard focus, keeps the accessible role of a button."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.ring = False
        self.hover = Fade(self)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAutoDefault(False)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.hover.to(1)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.hover.to(0)
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.ring = event.reason() in KEYBOARD_FOCUS
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.ring = False
        super().focusOutEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.EnabledChange and not self.isEnabled():
            self.hover.to(0)
        super().changeEvent(event)

    def paint_box(self, painter: QPainter, fill: QColor, line: QColor, radius: float = 6) -> None:
        """Fill the whole button; keyboard focus turns the line into the accent."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = self.ring and self.hasFocus()
        painter.setPen(QPen(color("accent"), 1.5) if ring else QPen(line, 1))
        painter.setBrush(fill)
        box = (
            QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
            if ring
            else half_pixel(QRectF(self.rect()))
        )
        painter.drawRoundedRect(box, look.px(radius), look.px(radius))


def half_pixel(rect: QRectF) -> QRectF:
    """The rectangle along whose middle a crisp 1 px outline runs."""
    return rect.adjusted(0.5, 0.5, -0.5, -0.5)


class Button(Pressable):
    """A labeled button of one `kind`: primary, tonal, secondary, quiet, stop or warn.

    `set_compact(True)` leaves only the icon; the label then becomes the tooltip.
    """

    def __init__(
        self,
        text: str,
        kind: Kind = "secondary",
        icon: str = "",
        height: int = 30,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._kind = kind
        self._icon = icon
        self._height = height
        self._compact = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        strong = self._kind not in ("quiet", "warn") and self._height >= 28
        hero = self._height >= HERO
        self.setFont(font(14, 600) if hero else font(13 if strong else 12, 500))
        self.setFixedHeight(look.px(self._height))
        self.updateGeometry()
        self.update()

    def kind(self) -> Kind:
        return self._kind

    def set_kind(self, kind: Kind) -> None:
        self._kind = kind
        self.restyle()

    def set_icon(self, name: str) -> None:
        self._icon = name
        self.updateGeometry()
        self.update()

    def set_compact(self, compact: bool) -> None:
        self._compact = compact and bool(self._icon)
        self.setAccessibleName(self.text())
        self.setToolTip(self.text() if self._compact else "")
        self.updateGeometry()
        self.update()

    def setText(self, text: str) -> None:
        super().setText(text)
        if self._compact:
            self.set_compact(True)

    def sizeHint(self) -> QSize:
        if self._compact:
            return QSize(look.px(max(self._height, 30)), look.px(self._height))
        text = QFontMetricsF(self.font()).horizontalAdvance(self.text()) if self.text() else 0
        icon = look.px(16) + (look.px(8) if self.text() else 0) if self._icon else 0
        small = self._kind == "quiet" or self._height < 28
        padding = look.px(22 if self._height >= HERO else 9 if small else 14)
        return QSize(round(text + icon) + 2 * padding + 1, look.px(self._height))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        fill, line, ink, icon_ink = self._colors()
        self.paint_box(painter, fill, line)
        text = "" if self._compact else self.text()
        width = QFontMetricsF(self.font()).horizontalAdvance(text) if text else 0.0
        side = look.px(16) if self._icon else 0
        gap = look.px(8) if side and text else 0
        left = (self.width() - width - side - gap) / 2
        if side:
            box = QRectF(round(left), round((self.height() - side) / 2), side, side)
            paint_icon(painter, self._icon, box, icon_ink)
        painter.setPen(ink)
        area = QRectF(left + side + gap, 0, width + 2, self.height())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)

    def _colors(self) -> tuple[QColor, QColor, QColor, QColor]:
        """Fill, outline, text and icon for the kind and the state."""
        filled = self._kind in ("primary", "tonal", "secondary", "stop")
        if not self.isEnabled():
            off = color("disabled")
            return CLEAR, color("border") if filled else CLEAR, off, off
        amount, pressed = self.hover.amount, self.isDown() or self.isChecked()
        if self._kind == "primary":
            fill = color("fillpress") if self.isDown() else mix(color("fill"), color("fillhover"), amount)
            return fill, fill, color("white"), color("white")
        if self._kind == "tonal":
            fill = mix(color("weak"), color("accent"), 0.18 if self.isDown() else 0.09 * amount)
            return fill, fill, color("weaktext"), color("weaktext")
        if self._kind == "warn":
            fill = color("warn", 0.20 if self.isDown() else 0.10 * amount)
            return fill, color("warn", 0.45), color("warn"), color("warn")
        if self._kind == "quiet":
            fill = color("hover") if pressed else color("hover", amount)
            return fill, CLEAR, mix(color("text2"), color("text"), amount), color("text2")
        fill = color("hover") if pressed else mix(color("raised"), color("hover"), amount)
        icon = color("bad") if self._kind == "stop" else color("text2")
        return fill, color("border2"), color("text"), icon


class ToolButton(Pressable):
    """An icon alone, with the name that says what it does; may be checkable."""

    def __init__(
        self,
        icon: str,
        name: str,
        side: int = 28,
        size: int = 16,
        checkable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("", parent)
        self._icon = icon
        self._side = side
        self._size = size
        self.setCheckable(checkable)
        self.set_name(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedSize(look.px(self._side), look.px(self._side))
        self.update()

    def set_name(self, name: str) -> None:
        """Say what it does now: tooltip and accessible name."""
        self.setAccessibleName(name)
        self.setToolTip(name)

    def set_icon(self, icon: str) -> None:
        self._icon = icon
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(look.px(self._side), look.px(self._side))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shown = self.isChecked() or self.isDown()
        fill = color("hover") if shown else color("hover", self.hover.amount)
        self.paint_box(painter, fill, CLEAR, radius=5)
        side = look.px(self._size)
        box = QRectF(round((self.width() - side) / 2), round((self.height() - side) / 2), side, side)
        ink = mix(color("text2"), color("text"), 1 if self.isChecked() else self.hover.amount)
        paint_icon(painter, self._icon, box, ink if self.isEnabled() else color("disabled"))


class LinkButton(Pressable):
    """Text in the accent that acts like a button, e.g. "GPT-2 BPE" or "All 24"; `arrow` adds a chevron."""

    def __init__(
        self,
        text: str,
        role: str = "accent",
        style: tuple[int, int] = (12, 400),
        arrow: bool = False,
        tabular: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._role = role
        self._style = style
        self._arrow = arrow
        self._tabular = tabular
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(font(*self._style, tabular=self._tabular))
        self.setFixedHeight(look.px(24))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = QFontMetricsF(self.font()).horizontalAdvance(self.text())
        return QSize(round(width) + 2 + self._arrow_width(), look.px(24))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(24), look.px(24))

    def _arrow_width(self) -> int:
        return look.px(18) if self._arrow else 0

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.ring and self.hasFocus():
            self.paint_box(painter, CLEAR, CLEAR, radius=4)
        metrics = QFontMetricsF(self.font())
        text = metrics.elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width() - self._arrow_width() - 1
        )
        ink = mix(color(self._role), color("text"), 0.35 * self.hover.amount)
        painter.setPen(ink if self.isEnabled() else color("disabled"))
        painter.drawText(QRectF(1, 0, self.width(), self.height()), Qt.AlignmentFlag.AlignVCenter, text)
        width = metrics.horizontalAdvance(text)
        if self._arrow:
            side = look.px(14)
            box = QRectF(round(width + look.px(3)), round((self.height() - side) / 2), side, side)
            paint_icon(painter, "chevron-down", box, color("text2"))
        elif self.hover.amount > 0.5 and self.isEnabled():
            base = (self.height() + metrics.ascent() - metrics.descent()) / 2 + 2
            painter.drawLine(QPointF(1, round(base) + 0.5), QPointF(1 + width, round(base) + 0.5))
