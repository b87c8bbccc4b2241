"""What happened to a run, drawn into a chart: dashed lines, with labels where there is room for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFontMetricsF

from gpt_studio.core import units
from gpt_studio.gui.chart import Chart, pen
from gpt_studio.gui.plotting import Floats
from gpt_studio.gui.read_out import Reading
from gpt_studio.gui.theme import color, look, style_font

ROLES = {  # of the kinds of core.metrics.Mark; of any other "text3"
    "failed": "bad", "memory": "warn", "plain": "warn", "texts": "warn", "early": "ok", "compiled": "ok",
}  # fmt: skip
WEIGHT = ("bad", "warn", "ok", "text3")  # whose label goes first where there is not room for all
MOST_TOLD = 4  # events in the read-out
GAP, NEAR = 4, 4  # px between labels; px within which marks are one line, and pointed at
LONGEST = 210  # px of a label; the read-out has all of it
STRIP = 28  # px below the top that labels take
LAYER = 6


@dataclass(frozen=True)
class Event:
    """A text that belongs to a step; `role` is a color of the theme."""

    step: int
    text: str
    role: str


class Marks:
    """The events of one chart."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self.events: list[Event] = []
        self.labeled: list[Event] = []  # those that there was room for
        self._lines = {role: pg.PlotCurveItem(connect="pairs") for role in WEIGHT}
        self._labels: list[pg.TextItem] = []
        self._drawn = False
        for line in self._lines.values():
            self._add(line)

    def _add(self, item: pg.GraphicsObject) -> None:
        item.setZValue(LAYER)
        self._chart.view.addItem(item, ignoreBounds=True)

    def add(self, event: Event) -> None:
        self.events.append(event)

    def clear(self) -> None:
        self.events.clear()

    def cut_from(self, step: float) -> None:
        """Forget what happened at a step and after it: that part of the run is made anew."""
        self.events = [event for event in self.events if event.step < step]

    def last(self) -> int | None:
        """The step of the latest event."""
        return max((event.step for event in self.events), default=None)

    def readings(self, x: float) -> list[Reading]:
        """What happened where the crosshair stands."""
        apart = np.abs(self._places() - self._chart.across(np.array([x]))) / self._pixel()
        near = [self.events[number] for number in np.flatnonzero(apart <= NEAR)]
        return [Reading(_with_step(event), "", color(event.role)) for event in near[-MOST_TOLD:]]

    def restyle(self) -> None:
        for role, line in self._lines.items():
            line.setPen(pen(color(role), 1.2, Qt.PenStyle.DashLine))
        for label in self._labels:
            label.setFont(style_font("micro", tabular=True))

    def place(self) -> None:
        """Draw all lines in view, the gravest and latest labeled first; labels never lie over others."""
        if not (self.events or self._drawn):
            return
        self._drawn = bool(self.events)
        (left, right), (bottom, top) = self._chart.view.viewRange()
        placed = zip(self.events, self._places().tolist(), strict=True)
        shown = _apart([pair for pair in placed if left <= pair[1] <= right], NEAR * self._pixel())
        for role, line in self._lines.items():
            own = [at for event, at in shown if event.role == role]
            line.setData(np.repeat(own, 2), np.tile([bottom, top], len(own)))
        self._place_labels(shown)

    def _places(self) -> Floats:
        """Where the events lie in the view."""
        return self._chart.across(np.array([event.step for event in self.events], dtype=float))

    def _pixel(self) -> float:
        """How much of the view a pixel is wide."""
        left, right = self._chart.view.viewRange()[0]
        return max(1e-9, float(right - left)) / max(1.0, float(self._chart.view.width()))

    def _place_labels(self, shown: Sequence[tuple[Event, float]]) -> None:
        """A label stands left of its line, or right of it; neither over another line nor over a label."""
        (left, right), (_, top) = self._chart.view.viewRange()
        metrics, pixel = QFontMetricsF(style_font("micro", tabular=True)), self._pixel()
        lines, taken = sorted(at for _, at in shown), list[tuple[float, float]]()
        self.labeled = []
        for event, at in shown:
            text = metrics.elidedText(event.text, Qt.TextElideMode.ElideRight, look.px(LONGEST))
            width = (metrics.horizontalAdvance(text) + look.px(2 * GAP)) * pixel
            sides = ((at - width, at), (at, at + width))
            for low, high in reversed(sides) if at == lines[-1] else sides:
                following = bisect_right(lines, low)
                free = following == len(lines) or lines[following] >= high
                if left <= low and high <= right and free and all(b <= low or high <= a for a, b in taken):
                    taken.append((low, high))
                    self._show_label(len(self.labeled), text, event.role, QPointF(at, top), int(high <= at))
                    self.labeled.append(event)
                    break
        for label in self._labels[len(self.labeled) :]:
            label.hide()

    def _show_label(self, number: int, text: str, role: str, at: QPointF, anchor: int) -> None:
        if number == len(self._labels):
            self._labels.append(pg.TextItem())
            self._labels[-1].setFont(style_font("micro", tabular=True))
            self._add(self._labels[-1])
        label = self._labels[number]
        label.setText(text)
        label.setColor(color(role))
        label.setAnchor((anchor, -0.6))
        label.setPos(at)
        label.show()


def _with_step(event: Event) -> str:
    metrics, step = QFontMetricsF(style_font("small", tabular=True)), units.number(event.step)
    text = metrics.elidedText(event.text, Qt.TextElideMode.ElideRight, look.px(LONGEST))
    return text if text.endswith(step) else f"{text} @ {step}"


def _apart(found: Sequence[tuple[Event, float]], least: float) -> list[tuple[Event, float]]:
    """The gravest and latest first; of those that stand closely together, the first alone."""
    kept: dict[int, tuple[Event, float]] = {}
    for event, at in sorted(found, key=lambda one: (WEIGHT.index(one[0].role), -one[0].step)):
        kept.setdefault(int(at // least), (event, at))
    return list(kept.values())
