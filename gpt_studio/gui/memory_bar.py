"""Memory as a bar: the parts of a need against the room there is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gpt_studio.core import units
from gpt_studio.core.estimate import Part
from gpt_studio.gui.theme import color, follow, look, series

HEIGHT = 10
COLORED = ("weights", "gradients", "optimizer", "activations", "logits", "overhead")  # as series are
GRAY = ("workspace", "rounding")
OVERHANG = 3  # how far the ticks reach beyond the bar
GAP = 1.5
LEAST = 3.0  # every part can be seen


def part_color(name: str) -> QColor:
    """What tensors hold has a color; all else is a gray of its own."""
    return QColor(look.theme.shades[GRAY.index(name)]) if name in GRAY else series(COLORED.index(name))


class MemoryBar(QWidget):
    """Parts in fixed order against a capacity; over capacity it scales to the need and marks the limit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Training memory")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._parts: tuple[Part, ...] = ()
        self._capacity = 0
        self._peak = 0
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(HEIGHT + 2 * OVERHANG))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(look.px(200), look.px(HEIGHT + 2 * OVERHANG))

    def show_memory(self, parts: tuple[Part, ...], capacity: int, peak: int) -> None:
        """Bytes; a capacity of 0 is not known yet and shows an empty bar, a peak of 0 no tick."""
        if (parts, capacity, peak) != (self._parts, self._capacity, self._peak):
            self._parts, self._capacity, self._peak = parts, capacity, peak
            self.update()

    def segments(self) -> list[tuple[Part, float, float]]:
        """Each part with its left edge and width in pixels."""
        parts = [part for part in self._parts if part.size] if self._capacity else []
        need = sum(part.size for part in parts)
        room = self._scale() * need - GAP * (len(parts) - 1)
        widths = part_widths([part.size for part in parts], room, LEAST)
        found, x = [], 0.0
        for part, width in zip(parts, widths, strict=True):
            found.append((part, x, width))
            x += width + GAP
        return found

    def limit(self) -> float | None:
        """Where the capacity ends, if the need is more."""
        over = self._capacity and sum(part.size for part in self._parts) > self._capacity
        return self._scale() * self._capacity if over else None

    def _scale(self) -> float:
        """Pixels per byte."""
        return self.width() / max(self._capacity, self._peak, sum(part.size for part in self._parts), 1)

    def text_at(self, x: float) -> str:
        """What the part at `x` is and its exact size; "" beside the parts."""
        for part, left, width in self.segments():
            if left <= x < left + width + GAP:
                return f"{part.label}: {units.memory(part.size)}, {units.number(part.size)} bytes"
        return ""

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.text_at(event.x()), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top, height = look.px(OVERHANG), look.px(HEIGHT)
        track = QPainterPath()
        track.addRoundedRect(QRectF(0, top, self.width(), height), look.px(4), look.px(4))
        painter.fillPath(track, color("border"))
        painter.setClipPath(track)
        for part, left, width in self.segments():
            painter.fillRect(QRectF(left, top, width, height), part_color(part.name))
        painter.setClipping(False)
        limit = self.limit()
        if limit is not None:
            painter.fillRect(QRectF(round(limit) - 1, 0, 2, self.height()), color("bad"))
        if self._peak:
            x = min(round(self._scale() * self._peak), self.width()) - 2
            painter.fillRect(QRectF(x - 1, 0, 4, self.height()), color("panel"))
            painter.fillRect(QRectF(x, 0, 2, self.height()), color("text"))


def part_widths(sizes: Sequence[int], room: float, least: float) -> list[float]:
    """Widths in proportion to the sizes, none below `least`: large parts give what small ones need."""
    if not sizes:
        return []
    total = sum(sizes)
    small = [size for size in sizes if size / total * room < least]
    spare = room - least * len(small)
    large = total - sum(small)
    if spare <= 0 or not large:
        return [least] * len(sizes)
    return [least if size in small else max(least, size / large * spare) for size in sizes]


class Swatch(QWidget):
    """The color of a part of the memory; "" is the tick of the measured peak."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedSize(look.px(8), look.px(12))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._part:
            painter.fillRect(QRectF(self.width() / 2 - 1, 1, 2, self.height() - 2), color("text"))
            return
        side = look.px(8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(part_color(self._part))
        painter.drawRoundedRect(QRectF(0, (self.height() - side) / 2, side, side), 2, 2)
