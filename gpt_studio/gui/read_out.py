"""What names the series of a chart: marks, the read-out beside the crosshair, the legend."""

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Floating


@dataclass(frozen=True)
class Reading:
    """One line of a read-out: a series with its mark, or (without color) a fact beside it."""

    label: str
    value: str
    color: QColor | None = None
    mark: str = "line"


POLYGONS = {  # corners of the marks, in units of half their size
    "diamond": ((0, -1), (1, 0), (0, 1), (-1, 0)),
    "square": ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)),
    "triangle-down": ((-1, -0.8), (1, -0.8), (0, 0.9)),
    "triangle-up": ((-1, 0.8), (1, 0.8), (0, -0.9)),
    "plus": (
        *((-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3)),
        *((0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)),
    ),
}


def paint_mark(painter: QPainter, mark: str, center: QPointF, ink: QColor) -> None:
    """The sign of a series: "line" or one of the theme's marks, about 10 px wide."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    size = look.px(4.5)
    if mark == "line":
        half = look.px(5)
        painter.drawRoundedRect(QRectF(center.x() - half, center.y() - 1, 2 * half, 2), 1, 1)
    elif mark == "circle":
        painter.drawEllipse(center, size - 1, size - 1)
    else:
        painter.drawPolygon(QPolygonF([center + QPointF(x * size, y * size) for x, y in POLYGONS[mark]]))


class Named(Protocol):
    """Whatever has series to name."""

    def legend(self) -> list[Reading]: ...


class ReadOut(Floating):
    """The card beside the crosshair: a title and lines with mark, label and value."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.title = ""
        self.lines: list[Reading] = []

    def show_lines(self, title: str, lines: list[Reading]) -> None:
        self.title, self.lines = title, lines
        label = QFontMetricsF(style_font("small", tabular=True))
        value = QFontMetricsF(style_font("strong", tabular=True))
        alone = max((label.horizontalAdvance(line.label) for line in lines if not line.value), default=0.0)
        widest = max((label.horizontalAdvance(line.label) for line in lines if line.value), default=0.0)
        values = max((value.horizontalAdvance(line.value) for line in lines), default=0.0)
        marks = look.px(17) if any(line.color for line in lines) else 0
        inner = max(marks + max(widest + look.px(24) + values, alone), value.horizontalAdvance(title))
        edge = self.contentsMargins()
        height = look.px(18) + look.px(19) * len(lines)
        self.resize(round(inner) + edge.left() + edge.right(), height + edge.top() + edge.bottom() - 2)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.contentsRect())
        row = QRectF(area.left(), area.top() - 1, area.width(), look.px(18))
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.setFont(style_font("strong", tabular=True))
        painter.setPen(color("text"))
        painter.drawText(row, middle, self.title)
        indent = look.px(17) if any(line.color for line in self.lines) else 0
        for line in self.lines:
            row = QRectF(row.left(), row.bottom(), row.width(), look.px(19))
            if line.color:
                paint_mark(painter, line.mark, QPointF(row.left() + look.px(5), row.center().y()), line.color)
            painter.setFont(style_font("small", tabular=True))
            painter.setPen(color("text2"))
            painter.drawText(row.adjusted(indent, 0, 0, 0), middle, line.label)
            painter.setFont(style_font("strong", tabular=True))
            painter.setPen(color("text"))
            painter.drawText(row, middle | right, line.value)


class Legend(QWidget):
    """The series of a chart in one row; what does not fit is left out."""

    def __init__(self, chart: Named, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart = chart
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(20))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(round(sum(width for _, width in self._entries())), look.px(20))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, look.px(20))

    def _entries(self) -> list[tuple[Reading, float]]:
        """Each series with the room it takes, the gap to the next included."""
        metrics = QFontMetricsF(style_font("small"))
        return [
            (entry, metrics.horizontalAdvance(entry.label) + look.px(17) + look.px(16))
            for entry in self._chart.legend()
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(style_font("small"))
        x = 0.0
        for entry, width in self._entries():
            if x + width - look.px(16) > self.width():
                break
            paint_mark(
                painter, entry.mark, QPointF(x + look.px(6), self.height() / 2), entry.color or color("text3")
            )
            painter.setPen(color("text2"))
            area = QRectF(x + look.px(17), 0, width, self.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, entry.label)
            x += width
