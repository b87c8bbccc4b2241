"""The loss of a run over its steps: raw, smoothed and validation, with events."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal
from PySide6.QtGui import QColor

from gpt_studio.core import units
from gpt_studio.core.metrics import bits_per_byte
from gpt_studio.gui.chart import opaque_curve, pen
from gpt_studio.gui.curve import Curve
from gpt_studio.gui.loss_band import OPACITY, Band
from gpt_studio.gui.marks import STRIP, Event, Marks
from gpt_studio.gui.plotting import Floats, Peaks, Rows, Series, Smoother, decay_of, round_ticks
from gpt_studio.gui.read_out import Reading
from gpt_studio.gui.reference_lines import Reference, ReferenceLines
from gpt_studio.gui.step_chart import StepChart, add_choice, add_switch
from gpt_studio.gui.theme import MARKS, color, look, series
from gpt_studio.gui.widgets import Menu

Extras = Callable[[int], list[tuple[str, str]]]
SMOOTHINGS = {"None": 0.0, "Light": 0.2, "Medium": 0.4, "Strong": 0.7}
UNITS = {"nats": "Nats per token", "bits": "Bits per byte"}
COLUMNS = {"nats": "loss", "bits": "bits_per_byte"}  # in the table
LABEL_ROOM = 0.06  # of the height, below the band
LATE = 0.8  # of the steps so far, from which on the label of an event needs room at the right
TREND = 0.005  # a relative change of the loss below this is level


class LossChart(StepChart):
    """Training loss, raw and smoothed, and validation loss over the steps of a run.

    Losses are kept in nats per token, and shown so or in bits per byte of text, which can be compared
    between tokenizers.

    Signals:
        smoothing_changed: from 0 to 1.
        unit_changed: "nats" or "bits".
    """

    smoothing_changed = Signal(float)
    unit_changed = Signal(str)

    def __init__(self) -> None:
        super().__init__("Loss")
        self._train, self._validation, self._smooth = Series(), Series(), Peaks()
        self._smoothing = SMOOTHINGS["Medium"]
        self._smoother = Smoother(decay_of(self._smoothing))
        self._total = 0
        self._unit = "nats"
        self._bytes_per_token = 0.0
        self._expected: tuple[float, float] | None = None  # nats that the last validation loss lies between
        self._extras: Extras = lambda step: []
        self._raw_curve, self._validation_curve, self._smooth_curve = Curve(), Curve(), opaque_curve()
        self._diamonds = pg.ScatterPlotItem(symbol="d", pxMode=True)
        self._validated = np.empty((2, 0))  # the points of the validation curve as drawn
        self.band = Band(self.view)
        self.marks = Marks(self)
        self.references = ReferenceLines(self)
        curves = (self._raw_curve, self._validation_curve, self._smooth_curve, self._diamonds)
        for layer, item in enumerate(curves):
            item.setZValue(layer)
            self.view.addItem(item, ignoreBounds=True)
        self.start_following()

    # Data

    def start(self, total_steps: int, bytes_per_token: float = 0.0) -> None:
        """Begin an empty chart of a run of that many steps; without bytes per token it knows nats only."""
        self._total = total_steps
        self._bytes_per_token = bytes_per_token
        self.clear()

    def clear(self) -> None:
        self._train, self._validation = Series(), Series()
        self._expected = None
        self.marks.clear()
        self._resmooth()
        self.hide_cursor()
        self.zoomed = False
        self.mark_dirty()

    def append(self, steps: Sequence[float] | Floats, losses: Sequence[float] | Floats) -> None:
        """Add training losses of further steps, in nats; the chart repaints within 100 ms.

        A step that comes again, as after resuming from a checkpoint, replaces all that followed it.
        """
        kept = self._train.append(steps, losses)
        if kept < len(self._smooth):
            self._validation.cut_from(self._train.steps[kept])
            self.marks.cut_from(self._train.steps[kept])
            self._resmooth()
        else:
            self._smooth.extend(self._smoother.extend(self._train.values[kept:]))
        self.mark_dirty()

    def append_validation(self, step: int, loss: float) -> None:
        self._validation.append([step], [loss])
        self.mark_dirty()

    def set_total(self, steps: int) -> None:
        """The run is to make that many steps: its plan may change on the way."""
        if steps != self._total:
            self._total = steps
            self.mark_dirty()

    def set_expected(self, band: tuple[float, float] | None) -> None:
        """Show where the last validation loss is expected, in nats; None shows nothing."""
        if band != self._expected:
            self._expected = band
            self.mark_dirty()

    def mark_event(self, step: int, text: str, role: str = "text3") -> None:
        """Draw a dashed line with a label, e.g. "Stopped · 3 150" in "bad"."""
        self.marks.add(Event(step, text, role))
        self.mark_dirty()

    def set_references(self, references: Sequence[Reference]) -> None:
        """Losses to compare with, in nats."""
        if tuple(references) != self.references.known:
            self.references.set_known(references)
            self.mark_dirty()

    # Settings

    def set_smoothing(self, smoothing: float) -> None:
        """From 0 (none) to 1 (an average over about three hundred points)."""
        if smoothing == self._smoothing:
            return
        self._smoothing = smoothing
        self._resmooth()
        self.mark_dirty()
        self.smoothing_changed.emit(smoothing)

    def smoothed(self) -> float | None:
        """The training loss where the smoothed curve ends; None without data."""
        return float(self._smooth.values[-1]) if len(self._smooth) else None

    def smoothing(self) -> float:
        return self._smoothing

    def set_unit(self, unit: str) -> None:
        """Show "nats" per token, or "bits" per byte where that is known."""
        if unit != self._unit and unit in UNITS:
            self._unit = unit
            self.reset_view()
            self.unit_changed.emit(unit)

    def unit(self) -> str:
        """The unit wished for."""
        return self._unit

    def shown_unit(self) -> str:
        """The unit the losses are shown in."""
        return self._unit if self.has_bits() else "nats"

    def has_bits(self) -> bool:
        return self._bytes_per_token > 0

    def _shown(self, losses: Floats) -> Floats:
        """Losses in the unit shown."""
        return losses * bits_per_byte(1.0, self._bytes_per_token) if self.shown_unit() == "bits" else losses

    def _told(self, loss: float) -> str:
        return units.loss(float(self._shown(np.asarray(loss))))

    def show_references(self, on: bool) -> None:
        """Draw the losses to compare with, or leave them out."""
        self.references.on = on
        self.mark_dirty()
        self.refresh()

    def set_extras(self, extras: Extras) -> None:
        """Facts for the read-out beside the losses of a step, as (label, value)."""
        self._extras = extras

    def _resmooth(self) -> None:
        self._smoother = Smoother(decay_of(self._smoothing))
        self._smooth.cut(0)
        self._smooth.extend(self._smoother.extend(self._train.values))

    # What the chart shows

    def legend(self) -> list[Reading]:
        expected = [Reading("Expected", "", series(1, OPACITY), "square")] if self._expected else []
        return [
            Reading("Train", "", series(0)),
            Reading("Raw", "", series(0, 0.42)),
            Reading("Validation", "", series(1), MARKS[1]),
            *expected,
        ]

    def restyle(self) -> None:
        self._raw_curve.setPen(pen(series(0, 0.42)))
        self._smooth_curve.setPen(pen(series(0), 2))
        self._validation_curve.setPen(pen(series(1, 0.55), 1.2))
        self._diamonds.setBrush(series(1))
        self._diamonds.setPen(pen(color("card"), 1))
        self._diamonds.setSize(look.px(8))
        for part in (self.band, self.marks, self.references):
            part.restyle()
        super().restyle()

    def draw(self) -> None:
        if not self.zoomed:
            self._show_all_steps()
            self.view.setYRange(*self._loss_range(), padding=0)
        pixels = max(2, int(self.view.width()))
        for curve, values, every in (
            (self._raw_curve, self._train.peaks, 1),
            (self._smooth_curve, self._smooth, 3),  # px: pieces much shorter than wide look rough
        ):
            x, y = self.drawn(self._train.steps, values, pixels // every)
            curve.setData(x, self._height(y))
        x, y = self.drawn(self._validation.steps, self._validation.peaks, pixels // 6)
        points = np.stack([x, self._height(y)])
        if not np.array_equal(points, self._validated):  # the same most of the time, and slow to set
            self._validated = points
            for item in (self._validation_curve, self._diamonds):
                item.setData(*points)
        self.marks.place()
        self.references.place(self._height_of, self._short, STRIP if self.marks.labeled else 0)
        self._place_band(self.span()[1])

    def _place_band(self, right: float) -> None:
        """At the last step; at the right edge as long as that lies beyond it."""
        if self._expected is None:
            self.band.hide()
            return
        low, high = self._height(np.asarray(self._expected)).tolist()
        self.band.show(self._place(min(float(self._total), right)), low, high, self._expectation())

    def _expectation(self) -> str:
        """Such as "expected 1.32–1.48"; with the step where that lies outside of the view."""
        beyond = self._total > self.span()[1]
        return f"expected {self._band_text()}{f' at {units.axis(self._total)}' if beyond else ''}"

    def _band_text(self) -> str:
        low, high = self._shown(np.asarray(self._expected)).tolist()
        return units.losses(low, high)

    def _height(self, losses: Floats) -> Floats:
        return self.heights(self._shown(losses))

    def _height_of(self, loss: float) -> float:
        return float(self._height(np.array([loss]))[0])

    def _short(self, loss: float) -> str:
        return units.number(float(self._shown(np.asarray(loss))), 2)

    def _show_all_steps(self) -> None:
        event = self.marks.last()
        shown = [*self._train.steps[-1:], *self._validation.steps[-1:], *([event] if event else [])]
        last = float(max(shown, default=max(1, self._total)))
        first = float(self._train.steps[0]) if len(self._train) else 0.0
        late = event is not None and event >= LATE * last and not self.log_steps  # its label needs room
        self.show_steps(first, last, 0.2 if late else 0.015 if shown else 0.0)

    def _loss_range(self) -> tuple[float, float]:
        parts = [self.range_of(part) for part in (self._train.peaks, self._validation.peaks) if len(part)]
        if not parts:
            return self._view_heights(0.0, 10.0)
        if self.everything and self.references.on:
            parts += [(reference.loss, reference.loss) for reference in self.references.known]
        ranges = [tuple(self._shown(np.array(part)).tolist()) for part in parts]
        if self._expected:
            band = self._shown(np.asarray(self._expected))
            ranges.append((band[0] - LABEL_ROOM * (max(r[1] for r in ranges) - band[0]), band[1]))
        low, high = float(min(r[0] for r in ranges)), float(max(r[1] for r in ranges))
        if self.log_values:
            low = max(low, 1e-6)
            return self._view_heights(low / 1.05, max(high, low * 1.2) * 1.05)
        room = max(high - low, 0.05 * abs(high), 1e-6)
        high += 0.05 * room
        steps = round_ticks(low, high, 6)
        if len(steps) >= 2:  # begin at a round value, as long as that leaves no large void
            floor = steps[0] - (steps[1] - steps[0])
            low = floor if floor >= 0 and low - floor < 0.35 * room else low - 0.05 * room
        return self._view_heights(low, high)

    def _view_heights(self, low: float, high: float) -> tuple[float, float]:
        return (float(np.log10(low or 1e-3)), float(np.log10(high))) if self.log_values else (low, high)

    def fill_menu(self, menu: Menu) -> None:
        add_switch(menu, "Reference lines", self.references.on, self.show_references)
        smoothing = menu.addMenu("Smoothing")
        for label, amount in SMOOTHINGS.items():
            chosen = abs(self._smoothing - amount) < 0.05
            add_choice(smoothing, label, chosen, partial(self.set_smoothing, amount))
        unit = menu.addMenu("Unit")
        unit.setEnabled(self.has_bits())
        for name, label in UNITS.items():
            chosen = name == self.shown_unit()
            add_choice(unit, label, chosen, partial(self.set_unit, name))
        super().fill_menu(menu)

    def nearest(self, x: float) -> float | None:
        return self._train.nearest(x)

    def neighbor(self, x: float, by: int) -> float | None:
        return self._train.neighbor(x, by, *self.span(), self.log_steps)

    def _validation_at(self, step: float) -> int | None:
        """The index of the last validation at or before a step."""
        index = int(np.searchsorted(self._validation.steps, step, side="right")) - 1
        return index if index >= 0 else None

    def readings(self, x: float) -> tuple[str, list[Reading]]:
        index = self._train.index(x)
        lines = [
            Reading("Train", self._told(self._smooth.values[index]), series(0)),
            Reading("Raw", self._told(self._train.values[index]), series(0, 0.42)),
        ]
        at = self._validation_at(x)
        if at is not None:
            label = f"Validation @ {units.number(self._validation.steps[at])}"
            lines.append(Reading(label, self._told(self._validation.values[at]), series(1), MARKS[1]))
        if self._expected:
            label = f"Expected @ {units.number(self._total)}"
            lines.append(Reading(label, self._band_text(), series(1, OPACITY), "square"))
        lines += self.marks.readings(x)
        lines.append(Reading("Unit", UNITS[self.shown_unit()].lower()))
        lines += [Reading(label, value) for label, value in self._extras(int(x))]
        return f"Step {units.number(x)}", lines

    def dots(self, x: float) -> list[tuple[float, float, QColor, str]]:
        heights = self._height(self._smooth.values[[self._train.index(x)]])
        found = [(x, float(heights[0]), series(0), "o")]
        at = self._validation_at(x)
        if at is not None:
            height = self._height(self._validation.values[[at]])
            found.append((float(self._validation.steps[at]), float(height[0]), series(1), "d"))
        return found

    def finding(self) -> str:
        if not len(self._train):
            return "No losses yet"
        smooth = self._smooth.values
        now, before = smooth[-1], smooth[int(0.9 * (len(smooth) - 1))]
        level = abs(now - before) <= TREND * abs(before)
        trend = "level" if level else "falling" if now < before else "rising"
        told = f"Loss, step {units.number(self._train.steps[-1])}: train {self._told(now)}"
        if len(self._validation):
            told += f", validation {self._told(self._validation.values[-1])}"
        told = f"{told} {UNITS[self.shown_unit()].lower()}, {trend}"
        if self._expected:
            told += f"; {self._band_text()} expected at the end"
        levels = [f"{one.name} {self._short(one.loss)}" for one in self.references.known]
        return f"{told}; to compare: {', '.join(levels)}" if levels else told

    def table(self) -> tuple[list[str], Sequence[list[str]]]:
        train, validation = self._train, self._validation
        steps = np.union1d(train.steps, validation.steps)
        raw, smooth, held_out = (np.full(len(steps), np.nan) for _ in range(3))
        at = np.searchsorted(steps, train.steps)
        raw[at], smooth[at] = self._shown(train.values), self._shown(self._smooth.values)
        held_out[np.searchsorted(steps, validation.steps)] = self._shown(validation.values)
        name = COLUMNS[self.shown_unit()]
        header = ["step", f"train_{name}", f"train_{name}_smoothed", f"validation_{name}"]
        return header, Rows(steps, raw, smooth, held_out)
