"""The base of all charts: axes, grid, crosshair with read-out, keyboard.

Subclasses say what to draw (`draw`), what stands at a position (`readings`), and what the chart tells
in words (`finding`) and numbers (`table`). Appending only marks a chart dirty: it repaints at most ten
times a second, and not at all while it is hidden.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from gpt_studio.core import units
from gpt_studio.gui.curve import Curve
from gpt_studio.gui.exportable import Exportable
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.plotting import Floats, round_ticks
from gpt_studio.gui.read_out import Reading, ReadOut
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Menu

INTERVAL = 100  # ms between repaints
OFFSET = 9  # between axis and tick text


def pen(ink: QColor, width: float = 1, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """A pen as wide at every zoom; bevel joins, which noisy lines draw twice as fast."""
    made = QPen(ink, width * look.scale if width > 1 else width, style)
    made.setCosmetic(True)
    made.setCapStyle(Qt.PenCapStyle.RoundCap if width > 1 else Qt.PenCapStyle.FlatCap)
    made.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    return made


def opaque_curve() -> Curve:
    """A curve for an opaque pen of any width."""
    return Curve(opaque=True)


class _Axis(pg.AxisItem):  # type: ignore[misc]
    """Tick text only: values chosen by the chart, no line, no ticks."""

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self.chosen: list[float] = []
        self.name: Callable[[float], str] = units.axis
        self.setStyle(
            tickLength=0,
            tickAlpha=0,
            hideOverlappingLabels=40,  # px a label may reach over the end of its axis
            autoExpandTextSpace=False,
            autoReduceTextSpace=False,
        )

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[None, list[float]]]:
        return [(None, self.chosen)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: object) -> list[str]:
        return [self.name(value) for value in values]

    def choose(self, ticks: list[float]) -> None:
        if ticks != self.chosen:
            self.chosen = ticks
            self.picture = None
            self.update()


class _Canvas(pg.GraphicsView):  # type: ignore[misc]
    """The plot: a left drag zooms; the wheel and the menu are left to whoever is behind.

    Put together from a view box and two axes: a ready-made plot would bring seven menus that nobody sees.
    """

    def __init__(self) -> None:
        super().__init__(background=None)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setAutoFillBackground(False)
        self.setStyleSheet("background: transparent;")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setMinimumSize(0, 0)
        self.view = pg.ViewBox(enableMenu=False, defaultPadding=0)
        self.view.setMouseMode(pg.ViewBox.RectMode)
        self.left, self.bottom = _Axis("left"), _Axis("bottom")
        self.grid = pg.GraphicsLayout()
        self.grid.setSpacing(0)
        for item, row, column in ((self.left, 0, 0), (self.view, 0, 1), (self.bottom, 1, 1)):
            self.grid.addItem(item, row, column)
        for axis in (self.left, self.bottom):
            axis.linkToView(self.view)
        self.setCentralItem(self.grid)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    def sizeHint(self) -> QSize:
        return QSize(look.px(200), look.px(90))


class Chart(Exportable):
    """A chart without frame: horizontal grid, tick text, crosshair. `name` is its accessible name.

    Signals:
        pointed: a person moved the crosshair, by mouse or key, to this position; None: away.
    """

    pointed = Signal(object)

    def __init__(
        self,
        name: str,
        left: int = 24,
        radius: int = 0,
        line: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """`left` is the least width of the left axis, so that charts below each other align."""
        super().__init__("card", radius, line, parent=parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._left = left
        self.cursor_at: float | None = None
        self.zoomed = False
        self.column = Column(spacing=0, parent=self)
        self.plot = _Canvas()
        self.view = self.plot.view
        self.axis_left, self.axis_bottom = self.plot.left, self.plot.bottom
        self.column.addWidget(self.plot, 1)
        self._grid = pg.PlotCurveItem(connect="pairs")
        self._hair = pg.InfiniteLine(angle=90)
        self._dots = pg.ScatterPlotItem(pxMode=True)
        for item, layer in ((self._grid, -10), (self._hair, 8), (self._dots, 9)):
            item.setZValue(layer)
            self.view.addItem(item, ignoreBounds=True)
        self._hair.hide()
        self.read_out = ReadOut(self)
        self._timer = QTimer(self, singleShot=True, interval=INTERVAL)
        self._timer.timeout.connect(self.refresh)
        self._dirty = False
        self.plot.scene().sigMouseMoved.connect(self._point)
        self.view.sigRangeChangedManually.connect(self._zoom)
        self.view.sigRangeChanged.connect(self._place_ticks)

    def start_following(self) -> None:
        """To be called at the end of a subclass's `__init__`: from here on the chart follows the look."""
        follow(self.restyle)

    # What a subclass says

    def draw(self) -> None:
        """Put the data into the items and, unless `zoomed`, set the range."""
        raise NotImplementedError

    def nearest(self, x: float) -> float | None:
        """The position of the data nearest to `x`; None without data."""
        raise NotImplementedError

    def neighbor(self, x: float, by: int) -> float | None:
        """The position `by` key presses away from `x`."""
        raise NotImplementedError

    def readings(self, x: float) -> tuple[str, list[Reading]]:
        """Title and lines of the read-out at a position that `nearest` gave."""
        raise NotImplementedError

    def finding(self) -> str:
        """What the chart shows, in words."""
        raise NotImplementedError

    def ticks(self) -> tuple[list[float], list[float]]:
        """The ticks of the left and the bottom axis for the range in view."""
        (left, right), (bottom, top) = self.view.viewRange()
        across = max(3, min(7, int(self.view.width() / look.px(86))))
        up = max(3, min(6, int(self.view.height() / look.px(46))))
        return round_ticks(bottom, top, up), round_ticks(left, right, across)

    def dots(self, x: float) -> list[tuple[float, float, QColor, str]]:
        """Marks of the crosshair on the curves: position, height in the view, color and pyqtgraph symbol."""
        return []

    def across(self, positions: Floats) -> Floats:
        """Where positions of the data lie in the view, from left to right."""
        return positions

    def position(self, across: float) -> float:
        """The position of the data at a place in the view."""
        return across

    def span(self) -> tuple[float, float]:
        """The positions at the left and the right edge of the view."""
        left, right = self.view.viewRange()[0]
        return self.position(left), self.position(right)

    def fill_menu(self, menu: Menu) -> None:
        menu.addAction("Reset view", self.reset_view).setEnabled(self.zoomed)

    # Repainting

    def mark_dirty(self) -> None:
        """Ask for a repaint, soon."""
        self._dirty = True
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Repaint now if anything changed."""
        if not self._dirty:
            return
        self._dirty = False
        self.draw()
        self._place_ticks()
        if self.cursor_at is not None:
            self.show_cursor(self.cursor_at)
        self.setAccessibleDescription(self.finding())

    def restyle(self) -> None:
        """Take every color, font and width from the look again."""
        for axis in (self.axis_left, self.axis_bottom):
            axis.setPen(pen(QColor(0, 0, 0, 0)))
            axis.setTextPen(color("text3"))
            axis.setStyle(tickFont=style_font("micro", tabular=True))
        self.axis_left.setStyle(tickTextOffset=look.px(OFFSET))
        self.axis_bottom.setStyle(tickTextOffset=look.px(6))
        self.axis_bottom.setHeight(look.px(20))
        self.plot.grid.setContentsMargins(0, 5, look.px(12), 0)
        self._grid.setPen(pen(color("border")))
        self._hair.setPen(pen(color("text3")))
        self.view.rbScaleBox.setPen(pen(color("accent")))
        self.view.rbScaleBox.setBrush(color("accent", 0.12))
        self.update()
        self._dirty = True
        self.refresh()

    def _place_ticks(self) -> None:
        up, across = self.ticks()
        self.axis_left.choose(up)
        self.axis_bottom.choose(across)
        metrics = QFontMetricsF(style_font("micro", tabular=True))
        widest = max((metrics.horizontalAdvance(self.axis_left.name(tick)) for tick in up), default=0.0)
        self.axis_left.setWidth(max(look.px(self._left), round(widest) + look.px(OFFSET) + 1))
        left, right = self.view.viewRange()[0]
        self._grid.setData([left, right] * len(up), [tick for tick in up for _ in range(2)])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.mark_dirty()

    # Crosshair

    def show_cursor(self, x: float) -> None:
        """Put the crosshair on the data nearest to `x` and open the read-out."""
        at = self.nearest(x)
        if at is None:
            self.hide_cursor()
            return
        self.cursor_at = at
        self._hair.setValue(self._place(at))
        self._hair.show()
        self._dots.setData(
            [
                {
                    "pos": (self._place(x), y),
                    "brush": ink,
                    "symbol": symbol,
                    "size": look.px(11),
                    "pen": pen(color("card"), 1.5),
                }
                for x, y, ink, symbol in self.dots(at)
            ]
        )
        self.show_readings(*self.readings(at))

    def hide_cursor(self) -> None:
        self.cursor_at = None
        self._hair.hide()
        self._dots.clear()
        self.read_out.hide()

    def show_readings(self, title: str, lines: list[Reading]) -> None:
        """Open the read-out beside the crosshair, on the side where there is room."""
        self.read_out.show_lines(title, lines)
        x = round(self.pixel_of(self.cursor_at or 0.0))
        card, gap = self.read_out.card(), look.px(14)
        top = self.plot.geometry().top() + look.px(12)
        right = x + gap + card.width() <= self.width()
        self.read_out.place(QPoint(x + gap if right else x - gap - card.width(), top))
        self.read_out.show()
        self.read_out.raise_()

    def pixel_of(self, x: float) -> float:
        """Where a position lies in the chart, in pixels from its left edge."""
        scene = self.view.mapViewToScene(QPointF(self._place(x), 0))
        return float(self.plot.mapTo(self, self.plot.mapFromScene(scene)).x())

    def _place(self, x: float) -> float:
        return float(self.across(np.array([x]))[0])

    def follow_cursor(self, x: float | None) -> None:
        """Put the crosshair where a person points in another chart, or away."""
        if x is None:
            self.hide_cursor()
        elif self.isVisible():
            self.show_cursor(x)

    def _point(self, scene: QPointF) -> None:
        if self.view.sceneBoundingRect().adjusted(-4, -40, 4, 20).contains(scene):
            self.show_cursor(self.position(float(self.view.mapSceneToView(scene).x())))
            self.pointed.emit(self.cursor_at)
        else:
            self._point_away()

    def _point_away(self) -> None:
        if self.cursor_at is not None:
            self.hide_cursor()
            self.pointed.emit(None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point_away()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._point_away()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        low, high = self.span()
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key))
        if by is not None and self.cursor_at is None:
            self._say_cursor(high if by < 0 else low)
        elif by is not None:
            self._say_cursor(self.neighbor(self.cursor_at or 0.0, by))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._say_cursor(low if key == Qt.Key.Key_Home else high)
        elif key == Qt.Key.Key_Escape and self.cursor_at is not None:
            self._point_away()
        else:
            super().keyPressEvent(event)

    def _say_cursor(self, x: float | None) -> None:
        """Move by keyboard: the read-out is also the accessible description."""
        if x is None:
            return
        self.show_cursor(x)
        if self.cursor_at is not None:
            title, lines = self.readings(self.cursor_at)
            facts = ", ".join(f"{line.label} {line.value}" for line in lines)
            self.setAccessibleDescription(f"{title}: {facts}")
        self.pointed.emit(self.cursor_at)

    # Zoom

    def reset_view(self) -> None:
        """Show everything again."""
        self.zoomed = False
        self._dirty = True
        self.refresh()

    def _zoom(self, *_: object) -> None:
        self.zoomed = True
        self.mark_dirty()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_view()

    # Export

    def set_drawn(self, drawn: bool) -> None:
        for item in self.view.childGroup.childItems():
            if isinstance(item, pg.GraphicsItem):
                item.setExportMode(drawn)
