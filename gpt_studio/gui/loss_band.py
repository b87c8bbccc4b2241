"""The band that the last validation loss is expected in, as a bracket in a chart."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QPointF

from gpt_studio.gui.chart import pen
from gpt_studio.gui.theme import look, series, style_font

OPACITY = 0.35
WIDTH = 12  # px


class Band:
    """Translucent, with a line above and below and a label under it, ending at a position."""

    def __init__(self, view: pg.ViewBox) -> None:
        self._view = view
        self._fill = pg.BarGraphItem(x0=[], x1=[], y0=[], y1=[])
        self._edges = pg.PlotCurveItem(connect="pairs")
        self._label = pg.TextItem(anchor=(1, 0))
        for item in self._items():
            item.setZValue(5)
            view.addItem(item, ignoreBounds=True)

    def _items(self) -> tuple[pg.GraphicsObject, ...]:
        return self._fill, self._edges, self._label

    def restyle(self) -> None:
        self._fill.setOpts(brush=series(1, OPACITY), pen=None)
        self._edges.setPen(pen(series(1), 1.2))
        self._label.setColor(series(1))
        self._label.setFont(style_font("micro", tabular=True))

    def hide(self) -> None:
        for item in self._items():
            item.hide()

    def show(self, end: float, low: float, high: float, text: str) -> None:
        """In coordinates of the view; the label lies beside the band where there is no room below."""
        (left, right), (bottom, top) = self._view.viewRange()
        begin = end - look.px(WIDTH) * max(1e-9, right - left) / max(1.0, self._view.width())
        self._fill.setOpts(x0=[begin], x1=[end], y0=[low], y1=[high])
        self._edges.setData([begin, end] * 2, [low, low, high, high])
        self._label.setText(text)
        room = (low - bottom) / max(1e-9, top - bottom) * self._view.height()
        below = room >= self._label.textItem.boundingRect().height()
        self._label.setAnchor((1, 0 if below else 1))
        self._label.setPos(QPointF(end, low) if below else QPointF(begin, bottom))
        for item in self._items():
            item.show()

    def is_shown(self) -> bool:
        return bool(self._fill.isVisible())

    def text(self) -> str:
        return str(self._label.toPlainText())
