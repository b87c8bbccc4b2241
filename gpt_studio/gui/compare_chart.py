"""The losses of up to six runs in one chart, over tokens, steps or time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal
from PySide6.QtGui import QColor

from gpt_studio.core import units
from gpt_studio.core.metrics import History
from gpt_studio.gui.chart import opaque_curve, pen
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.comparing import ACROSS, KINDS, Compared, curve, factors, place_of, value_at
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.plotting import Floats, Series
from gpt_studio.gui.read_out import Legend, Reading
from gpt_studio.gui.step_chart import StepChart
from gpt_studio.gui.theme import MARKS, color, follow, look, series
from gpt_studio.gui.widgets import Label, Surface

NAMES = {"validation": "Validation loss", "train": "Train loss"}
SYMBOLS = ("o", "d", "s", "t", "t1", "+")  # pyqtgraph's names of the theme's marks
FOCUS = 0.95  # of the shortest curve's losses are in view: how it fell from its beginning is not compared
TICK = 0.035  # of the height: what happened to a run
PIECE = 3  # px between two points
SMOOTH = 200  # points up to which a curve is one path: many are slow so, pieces of few can be told apart
NEAR = 4  # px within which the crosshair tells of it


class CompareChart(StepChart):
    """Each run is a curve in its color that ends in its mark; small ticks below tell what happened to it."""

    def __init__(self) -> None:
        super().__init__(NAMES["validation"])
        self._runs: tuple[Compared, ...] = ()
        self._kind, self._across = "validation", "tokens"
        self._known: dict[Path, tuple[History, str, str, Series]] = {}
        self._curves = [opaque_curve() for _ in MARKS]
        self._ticks = [pg.PlotCurveItem(connect="pairs") for _ in MARKS]
        self._ends = pg.ScatterPlotItem(pxMode=True)
        for layer, item in enumerate([*self._curves, *self._ticks, self._ends]):
            item.setZValue(layer)
            self.view.addItem(item, ignoreBounds=True)
        self.start_following()

    # Data

    def show_runs(self, runs: Sequence[Compared]) -> None:
        """Compare these runs, each with its color."""
        if {run.run.folder for run in runs} != {run.run.folder for run in self._runs}:
            self.hide_cursor()
        self._runs = tuple(runs)
        self.mark_dirty()

    def set_kind(self, kind: str) -> None:
        """Show "validation" or "train" loss."""
        self._kind = kind
        self.setAccessibleName(NAMES[kind])
        self.reset_view()

    def set_across(self, across: str) -> None:
        """Put "tokens", "steps" or "seconds" from left to right."""
        self._across = across
        self.hide_cursor()
        self.reset_view()

    def unit(self) -> str:
        """What the losses are in."""
        return "nats per token" if set(factors(self._runs)) <= {1.0} else "bits per byte"

    def drawn_runs(self) -> list[tuple[Compared, Series]]:
        """The runs with something to draw, in the unit shown."""
        scales = factors(self._runs) or [1.0 for _ in self._runs]
        found = []
        for run, scale in zip(self._runs, scales, strict=True):
            whole = self._series(run)
            if len(whole):
                found.append((run, whole if scale == 1.0 else _scaled(whole, scale)))
        return found

    def _series(self, run: Compared) -> Series:
        """A run's curve, made again only where the run has grown or another one is wished for."""
        folder, wished = run.run.folder, (self._kind, self._across)
        known = self._known.get(folder)
        if known is None or known[0] is not run.history or known[1:3] != wished:
            kept = {other.run.folder for other in self._runs}
            self._known = {path: found for path, found in self._known.items() if path in kept}
            self._known[folder] = (run.history, *wished, curve(run.history, *wished))
        return self._known[folder][3]

    # What the chart shows

    def legend(self) -> list[Reading]:
        return [Reading(run.name, "", series(run.slot), MARKS[run.slot]) for run in self._runs]

    def restyle(self) -> None:
        for slot in range(len(MARKS)):
            self._curves[slot].setPen(pen(series(slot), 1.6))
            self._ticks[slot].setPen(pen(series(slot), 1.6))
        super().restyle()

    def draw(self) -> None:
        shown = self.drawn_runs()
        if not self.zoomed:
            last = max((float(line.steps[-1]) for _, line in shown), default=1.0)
            first = min((float(line.steps[0]) for _, line in shown), default=0.0)
            self.show_steps(first, last, 0.02)
            self.view.setYRange(*self._loss_range([line for _, line in shown]), padding=0)
        pixels = max(2, int(self.view.width()) // PIECE)
        for item in (*self._curves, *self._ticks):
            item.setData([], [])
        for run, line in shown:
            x, y = self.drawn(line.steps, line.peaks, pixels)
            drawn = self._curves[run.slot]
            drawn.setSegmentedLineMode("on" if len(x) > SMOOTH else "off")
            drawn.setData(x, self.heights(y))
            self._draw_events(run)
        self._draw_ends(shown)

    def _draw_ends(self, shown: Sequence[tuple[Compared, Series]]) -> None:
        self._ends.setData(
            [
                {
                    "pos": (float(self.across(line.steps[-1:])[0]), float(self.heights(line.values[-1:])[0])),
                    "brush": series(run.slot),
                    "symbol": SYMBOLS[run.slot],
                    "size": look.px(9),
                    "pen": pen(color("card"), 1),
                }
                for run, line in shown
            ]
        )

    def _draw_events(self, run: Compared) -> None:
        places = [at for at, _ in self._events(run)]
        bottom, top = self.view.viewRange()[1]
        height = bottom + TICK * (top - bottom)
        at = self.across(np.array(places, dtype=float))
        self._ticks[run.slot].setData(np.repeat(at, 2), np.tile([bottom, height], len(places)))

    def _events(self, run: Compared) -> list[tuple[float, str]]:
        """Where what happened to a run lies, and what it was."""
        placed = [(place_of(run.history, mark.step, self._across), mark.text) for mark in run.history.marks]
        return [(place, text) for place, text in placed if place is not None]

    def _loss_range(self, curves: Sequence[Series]) -> tuple[float, float]:
        if not curves:
            low, high = 0.0, 10.0
        elif self.everything:
            ranges = [line.peaks.range() for line in curves]
            low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        else:
            low = min(line.peaks.range()[0] for line in curves)
            high = max(float(line.values[-1]) for line in curves)
            high = max(high, min(float(np.quantile(_some(line.values), FOCUS)) for line in curves))
        room = max(high - low, 0.02 * abs(high), 1e-6)
        if self.log_values:
            return float(np.log10(max(low, 1e-6) / 1.03)), float(np.log10(max(high, 1e-5) * 1.03))
        return low - 0.07 * room, high + 0.04 * room

    # Crosshair

    def nearest(self, x: float) -> float | None:
        found = [at for _, line in self.drawn_runs() if (at := line.nearest(x)) is not None]
        return min(found, key=lambda at: abs(at - x), default=None)

    def neighbor(self, x: float, by: int) -> float | None:
        """The next point of any run, about a hundredth of the view away."""
        found = [line.neighbor(x, by, *self.span(), self.log_steps) for _, line in self.drawn_runs()]
        onward = [at for at in found if at is not None and (at - x) * by > 0]
        return min(onward, key=lambda at: abs(at - x), default=x)

    def readings(self, x: float) -> tuple[str, list[Reading]]:
        lines = []
        for run, line in self.drawn_runs():
            value = value_at(line, x)
            told = units.UNKNOWN if value is None else units.loss(value)
            lines.append(Reading(run.name, told, series(run.slot), MARKS[run.slot]))
        return self._title(x), lines + self._events_near(x)

    def _events_near(self, x: float) -> list[Reading]:
        left, right = self.view.viewRange()[0]
        pixel = max(1e-9, right - left) / max(1.0, float(self.view.width()))
        return [
            Reading(text, run.name, series(run.slot))
            for run in self._runs
            for place, text in self._events(run)
            if abs(self._place(place) - self._place(x)) <= NEAR * pixel
        ]

    def _title(self, x: float) -> str:
        if self._across == "seconds":
            return units.duration(x)
        return f"{units.short(x)} tokens" if self._across == "tokens" else f"Step {units.number(x)}"

    def dots(self, x: float) -> list[tuple[float, float, QColor, str]]:
        found = []
        for run, line in self.drawn_runs():
            value = value_at(line, x)
            if value is not None:
                height = float(self.heights(np.array([value]))[0])
                found.append((x, height, series(run.slot), SYMBOLS[run.slot]))
        return found

    # In words and numbers

    def finding(self) -> str:
        shown = self.drawn_runs()
        if not shown:
            return "No losses to compare yet"
        told = ", ".join(f"{run.name} {units.loss(float(line.values[-1]))}" for run, line in shown)
        return f"{self.accessibleName()} by {ACROSS[self._across].lower()}, {self.unit()}: {told}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [run.run.name, f"{x:.0f}", repr(y)]
            for run, line in self.drawn_runs()
            for x, y in zip(line.steps.tolist(), line.values.tolist(), strict=True)
        ]
        return ["run", self._across, f"{self._kind}_loss"], rows


class CompareCard(Surface):
    """The chart with its switches and its legend.

    Signals:
        across_changed: "tokens", "steps" or "seconds" go from left to right now.
    """

    across_changed = Signal(str)

    def __init__(self) -> None:
        super().__init__("card", radius=8, line="border")
        self.setAccessibleName("Loss")
        self.chart = CompareChart()
        self.kind = Segmented(KINDS, "Loss shown", small=True)
        self.across = Segmented(ACROSS, "Compare by", small=True)
        self._title = Label("Loss", "title", "text")
        self._legend = Legend(self.chart)
        column = Column((16, 12, 4, 10), 8, self)
        head = Row((0, 0, 8, 0), 10)
        for widget in (self._title, self.kind):
            head.addWidget(widget)
        head.addStretch(1)
        head.addWidget(self.across)
        column.addLayout(head)
        column.addWidget(self._legend)
        column.addWidget(self.chart, 1)
        self.kind.changed.connect(self.chart.set_kind)
        self.across.changed.connect(self.chart.set_across)
        self.across.changed.connect(self.across_changed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.chart.setMinimumHeight(look.px(220))

    def show_runs(self, runs: Sequence[Compared]) -> None:
        self.chart.show_runs(runs)
        self._title.setText("Bits per byte" if self.chart.unit() == "bits per byte" else "Loss")
        self._legend.update()


def _some(values: Floats) -> Floats:
    """Enough of many values to tell how they are distributed."""
    return values[:: max(1, len(values) // 20_000)]


def _scaled(line: Series, scale: float) -> Series:
    made = Series()
    made.append(line.steps, line.values * scale)
    return made
