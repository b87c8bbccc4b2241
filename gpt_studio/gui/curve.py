"""The line of a chart: painted when its numbers change, not when a crosshair moves over it."""

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGraphicsItem, QWidget


class Curve(pg.PlotCurveItem):  # type: ignore[misc]
    """Kept as a picture once it is painted."""

    def __init__(self, opaque: bool = False) -> None:
        """An opaque one, of any width, is drawn piece by piece: measured on 680 noisy points, 2 px wide, 16 ms
        against 147 ms as one path."""
        super().__init__(antialias=True)
        if opaque:
            self.setSegmentedLineMode("on")
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def paint(self, painter: QPainter, option: object, widget: QWidget | None) -> None:
        """Within its own bounds: thin lines are drawn twelve times as fast where anything clips them."""
        painter.setClipRect(self.boundingRect(), Qt.ClipOperation.IntersectClip)
        super().paint(painter, option, widget)

    def setExportMode(self, export: bool, opts: dict[str, object] | None = None) -> None:
        """As lines, not as a picture, for a drawing."""
        super().setExportMode(export, opts)
        modes = QGraphicsItem.CacheMode
        self.setCacheMode(modes.NoCache if export else modes.DeviceCoordinateCache)
