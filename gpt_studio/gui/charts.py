"""The charts of GPT Studio: the loss, small curves on cards of their own, bars."""

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from gpt_studio.core import units
from gpt_studio.gui.chart import Chart, opaque_curve, pen
from gpt_studio.gui.curve import Curve
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.loss_chart import LossChart
from gpt_studio.gui.plotting import Floats, Rows, Series, half_ticks, round_ticks
from gpt_studio.gui.read_out import Legend, Reading
from gpt_studio.gui.step_chart import StepChart
from gpt_studio.gui.theme import color, look, mix, series
from gpt_studio.gui.widgets import ElidedLabel, Label

ROOM = 1.03  # the height of a chart, over its highest tick
DECADES = 1e6  # at most, between bottom and top of a logarithmic axis
__all__ = ["BarChart", "Legend", "LossChart", "Reading", "SmallChart"]


class SmallChart(StepChart):
    """One curve on a card of its own: title, current value, and if given a plan and a limit, dotted."""

    def __init__(
        self,
        title: str,
        short_title: str = "",
        unit: str = "",
        show: Callable[[float], str] = units.short,
        axis: Callable[[float], str] = units.axis,
        base: Callable[[float], float] = lambda high: 1.0,
        least: float = 0.0,
    ) -> None:
        """`show` makes the value at the top right, to which `unit` is added, e.g. "/s".

        Ticks are round multiples of `base` of the highest value, which is at least `least` or what is shown.
        """
        super().__init__(title, left=38, radius=8, line="border")
        self._names = title, short_title or title
        self._unit, self._show, self._base, self._least = unit, show, base, least
        self._data, self._plan = Series(), Series()
        self._limit: float | None = None
        self._following = False
        self._title = ElidedLabel(title, "small", "text2")
        self._value = Label(units.UNKNOWN, "strong", "text", tabular=True)
        head = Row((0, 0, 0, 0), 8)
        head.addWidget(self._title, 1)
        head.addWidget(self._value)
        self.column.insertLayout(0, head)
        self.column.set_space((16, 9, 14, 6), 7)
        self._plan_curve = Curve()
        self._limit_curve = pg.PlotCurveItem()
        self._curve = opaque_curve()
        for item in (self._plan_curve, self._limit_curve, self._curve):
            self.view.addItem(item, ignoreBounds=True)
        self.value_name = axis
        self.start_following()

    def set_narrow(self, narrow: bool) -> None:
        """Use the short title."""
        self._title.setText(self._names[narrow])

    def append(self, steps: Sequence[float] | Floats, values: Sequence[float] | Floats) -> None:
        self._data.append(steps, values)
        self.mark_dirty()

    def set_plan(self, steps: Sequence[float] | Floats, values: Sequence[float] | Floats) -> None:
        """The curve as planned for the whole run; shown where it lies ahead."""
        self._plan = Series()
        self._plan.append(steps, values)
        self.mark_dirty()

    def set_limit(self, limit: float | None) -> None:
        """A level to compare with, such as where gradients are clipped."""
        self._limit = limit
        self.mark_dirty()

    def is_empty(self) -> bool:
        return not len(self._data)

    def clear(self) -> None:
        self._data, self._plan = Series(), Series()
        self.hide_cursor()
        self.zoomed = False
        self.mark_dirty()

    def restyle(self) -> None:
        self.setMinimumHeight(look.px(96))
        self._curve.setPen(pen(series(0), 1.4))
        for curve in (self._plan_curve, self._limit_curve):
            curve.setPen(pen(color("text3"), 1, Qt.PenStyle.DotLine))
        super().restyle()

    def draw(self) -> None:
        if not self.zoomed:
            ends = [*self._data.steps[-1:], *self._plan.steps[-1:]]
            starts = [*self._data.steps[:1], *self._plan.steps[:1]]
            self.show_steps(float(min(starts, default=0.0)), float(max(ends, default=1.0)))
            self.view.setYRange(*self._value_range(), padding=0)
        pixels = max(2, int(self.view.width()))
        x, y = self.drawn(self._data.steps, self._data.peaks, pixels)
        self._curve.setData(x, self.heights(y))
        now = float(self._data.steps[-1]) if len(self._data) else -np.inf
        ahead = self._plan.steps >= now
        x, y = self.drawn(self._plan.steps[ahead], self._plan.values[ahead], pixels)
        self._plan_curve.setData(x, self.heights(y))
        level = np.array([] if self._limit is None else [self._limit] * 2)
        self._limit_curve.setData(self.view.viewRange()[0][: len(level)], self.heights(level))
        self._show_value()

    def _value_range(self) -> tuple[float, float]:
        """From zero to a round value; where that is logarithmic, from the lowest to the highest value."""
        parts = [self.range_of(series.peaks) for series in (self._data, self._plan) if len(series)]
        highs = [part[1] for part in parts]
        if self._limit is not None:
            highs.append(self._limit)
        high = max([*highs, self._least]) or 1.0
        if not self.log_values:
            return 0.0, max(self._half_ticks(high)[-1], high) * ROOM
        low = min((part[0] for part in parts if part[0] > 0), default=high / 10)
        low = max(min(low, high / 2), high / DECADES)
        bottom, top = self.heights(np.array([low, high])).tolist()
        return bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom)

    def _half_ticks(self, high: float) -> list[float]:
        base = self._base(high)
        return [tick * base for tick in half_ticks(high / base)]

    def ticks(self) -> tuple[list[float], list[float]]:
        up, across = super().ticks()
        if not (self.zoomed or self.log_values):
            up = self._half_ticks(self.view.viewRange()[1][1] / ROOM)
        if not self.log_steps:
            across = round_ticks(*self.span(), 3)
        return up, across

    def _show_value(self) -> None:
        """The current value, or the one under the crosshair; with its step, if no other chart tells that."""
        if self.cursor_at is not None and len(self._data):
            title, lines = self.readings(self.cursor_at)
            value = lines[0].value
            self._value.setText(value if self._following else f"{title} · {value}")
        else:
            self._value.setText(self.current())

    def current(self) -> str:
        """The latest value as text."""
        return self._worded(self._data.values[-1]) if len(self._data) else units.UNKNOWN

    def _worded(self, value: float) -> str:
        return f"{self._show(float(value))}{self._unit}"

    def show_readings(self, title: str, lines: list[Reading]) -> None:
        self._show_value()

    def follow_cursor(self, x: float | None) -> None:
        self._following = x is not None
        super().follow_cursor(x)

    def hide_cursor(self) -> None:
        super().hide_cursor()
        self._following = False
        self._show_value()

    def nearest(self, x: float) -> float | None:
        return self._data.nearest(x)

    def neighbor(self, x: float, by: int) -> float | None:
        return self._data.neighbor(x, by, *self.span(), self.log_steps)

    def readings(self, x: float) -> tuple[str, list[Reading]]:
        value = self._worded(self._data.values[self._data.index(x)])
        return f"Step {units.number(x)}", [Reading(self._names[0], value, series(0))]

    def dots(self, x: float) -> list[tuple[float, float, QColor, str]]:
        height = self.heights(self._data.values[[self._data.index(x)]])
        return [(x, float(height[0]), series(0), "o")]

    def finding(self) -> str:
        if not len(self._data):
            return f"{self._names[0]}: no values yet"
        now = self._worded(self._data.values[-1])
        return f"{self._names[0]}, step {units.number(self._data.steps[-1])}: {now}"

    def table(self) -> tuple[list[str], Sequence[list[str]]]:
        column = self._names[0].lower().replace(" ", "_")
        return ["step", column], Rows(self._data.steps, self._data.values)


class BarChart(Chart):
    """A bar for each of a row of labels, e.g. the share of tokens by length."""

    def __init__(self, name: str, axis: Callable[[float], str] = units.axis, of: str = "") -> None:
        """`axis` names a value; `of` names what the labels are, e.g. "characters"."""
        super().__init__(name, left=38)
        self._of = of
        self._labels: list[str] = []
        self._values = np.empty(0)
        self._bars = pg.BarGraphItem(x=[], height=[], width=0.66)
        self.view.addItem(self._bars, ignoreBounds=True)
        self.axis_left.name = axis
        self.axis_bottom.name = lambda at: self._labels[int(at)] if int(at) < len(self._labels) else ""
        self._hair.setOpacity(0)
        self.start_following()

    def set_bars(self, labels: Sequence[str], values: Sequence[float]) -> None:
        self._labels, self._values = list(labels), np.asarray(values, dtype=float)
        self.hide_cursor()
        self.mark_dirty()

    def draw(self) -> None:
        if not self.zoomed:
            self.view.setXRange(-0.75, max(len(self._labels), 1) - 0.25, padding=0)
            self.view.setYRange(0, half_ticks(float(self._values.max(initial=0)))[-1] * 1.03, padding=0)
        pointed = mix(series(0), color("text"), 0.4)
        inks = [pointed if at == self.cursor_at else series(0) for at in range(len(self._values))]
        self._bars.setOpts(
            x=np.arange(len(self._values)), height=self._values, brushes=inks, pen=None, pens=None
        )

    def ticks(self) -> tuple[list[float], list[float]]:
        top = self.view.viewRange()[1][1]
        up = super().ticks()[0] if self.zoomed else half_ticks(top / 1.03)
        stride = max(1, round(len(self._labels) * look.px(26) / max(1.0, self.view.width())))
        return up, [float(at) for at in range(0, len(self._labels), stride)]

    def nearest(self, x: float) -> float | None:
        return float(np.clip(round(x), 0, len(self._labels) - 1)) if self._labels else None

    def neighbor(self, x: float, by: int) -> float | None:
        return self.nearest(x + by)

    def show_cursor(self, x: float) -> None:
        super().show_cursor(x)
        self.draw()

    def hide_cursor(self) -> None:
        super().hide_cursor()
        self.mark_dirty()

    def readings(self, x: float) -> tuple[str, list[Reading]]:
        at = int(x)
        value = units.percent(self._values[at], 1)
        return f"{self._labels[at]} {self._of}".strip(), [Reading("Share", value, series(0))]

    def finding(self) -> str:
        if not self._labels:
            return f"{self.accessibleName()}: no values yet"
        top = int(self._values.argmax())
        value = self.axis_left.name(float(self._values[top]))
        return f"{self.accessibleName()}: highest at {self._labels[top]} {self._of}".strip() + f", {value}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [label, repr(value)] for label, value in zip(self._labels, self._values.tolist(), strict=True)
        ]
        return [self._of or "label", "value"], rows
