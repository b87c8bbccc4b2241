"""The loss of a run over its steps: raw, smoothed and validation, with events."""

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor

from gpt_studio.core import units
from gpt_studio.core.metrics import bits_per_byte
from gpt_studio.gui.chart import Chart, opaque_curve, pen
from gpt_studio.gui.loss_band import OPACITY, Band
from gpt_studio.gui.plotting import (
    Floats,
    Growing,
    Series,
    Smoother,
    decay_of,
    log_ticks,
    robust_range,
    round_ticks,
    thin,
)
from gpt_studio.gui.read_out import Reading
from gpt_studio.gui.theme import MARKS, color, look, series, style_font
from gpt_studio.gui.widgets import Menu

Extras = Callable[[int], list[tuple[str, str]]]
SMOOTHINGS = {"None": 0.0, "Light": 0.2, "Medium": 0.4, "Strong": 0.7}
UNITS = {"nats": "Nats per token", "bits": "Bits per byte"}
COLUMNS = {"nats": "loss", "bits": "bits_per_byte"}  # in the table
LABEL_ROOM = 0.06  # of the height, below the band
TREND = 0.005  # a relative change of the loss below this is level


class LossChart(Chart):
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
        self._train, self._validation, self._smooth = Series(), Series(), Growing()
        self._smoothing = SMOOTHINGS["Medium"]
        self._smoother = Smoother(decay_of(self._smoothing))
        self._log = False
        self._everything = False
        self._total = 0
        self._unit = "nats"
        self._bytes_per_token = 0.0
        self._expected: tuple[float, float] | None = None  # nats that the last validation loss lies between
        self._extras: Extras = lambda step: []
        self._events: list[tuple[int, str, str, pg.InfiniteLine, pg.TextItem]] = []
        self._raw_curve = pg.PlotCurveItem(antialias=True)
        self._validation_curve = pg.PlotCurveItem(antialias=True)
        self._smooth_curve = opaque_curve()
        self._diamonds = pg.ScatterPlotItem(symbol="d", pxMode=True)
        self.band = Band(self.view)
        curves = (self._raw_curve, self._validation_curve, self._smooth_curve, self._diamonds)
        for layer, item in enumerate(curves):
            item.setZValue(layer)
            self.view.addItem(item, ignoreBounds=True)
        self.axis_left.name = lambda value: units.axis(10**value if self._log else value)
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
        for *_, line, label in self._events:
            self.view.removeItem(line)
            self.view.removeItem(label)
        self._events.clear()
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
            self._resmooth()
        else:
            self._smooth.extend(self._smoother.extend(self._train.values[kept:]))
        self.mark_dirty()

    def append_validation(self, step: int, loss: float) -> None:
        self._validation.append([step], [loss])
        self.mark_dirty()

    def set_expected(self, band: tuple[float, float] | None) -> None:
        """Show where the last validation loss is expected, in nats; None shows nothing."""
        if band != self._expected:
            self._expected = band
            self.mark_dirty()

    def mark_event(self, step: int, text: str, role: str = "text3") -> None:
        """Draw a dashed line with a label, e.g. "Stopped · 3 150" in "bad"."""
        line, label = pg.InfiniteLine(pos=step, angle=90), pg.TextItem(text)
        for item in (line, label):
            item.setZValue(6)
            self.view.addItem(item, ignoreBounds=True)
        self._events.append((step, text, role, line, label))
        self._style_events()
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

    def set_log(self, log: bool) -> None:
        """Show the loss on a logarithmic axis or a linear one."""
        self._log = log
        self.reset_view()

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

    def set_everything(self, everything: bool) -> None:
        """Show outliers and the first steps too, instead of the 1 to 99 % quantiles."""
        self._everything = everything
        self.reset_view()

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
        self.band.restyle()
        self._style_events()
        super().restyle()

    def _style_events(self) -> None:
        for _, _, role, line, label in self._events:
            line.setPen(pen(color(role), 1.2, Qt.PenStyle.DashLine))
            label.setFont(style_font("micro", tabular=True))
            label.setColor(color(role))

    def draw(self) -> None:
        if not self.zoomed:
            self.view.setXRange(*self._step_range(), padding=0)
            self.view.setYRange(*self._loss_range(), padding=0)
        left, right = self.view.viewRange()[0]
        pixels = max(2, int(self.view.width()))
        steps = self._train.steps
        for curve, values, every in (
            (self._raw_curve, self._train.values, 1),
            (self._smooth_curve, self._smooth.values, 3),  # px: pieces much shorter than wide look rough
        ):
            x, y = thin(steps, values, left, right, pixels // every)
            curve.setData(x, self._height(y))
        sparse = thin(self._validation.steps, self._validation.values, left, right, pixels // 6)
        heights = self._height(sparse[1])
        self._validation_curve.setData(sparse[0], heights)
        self._diamonds.setData(sparse[0], heights)
        self._place_events(left, right)
        self._place_band(right)

    def _place_band(self, right: float) -> None:
        """At the last step; at the right edge as long as that lies beyond it."""
        if self._expected is None:
            self.band.hide()
            return
        low, high = self._height(np.asarray(self._expected)).tolist()
        self.band.show(min(float(self._total), right), low, high, self._expectation())

    def _expectation(self) -> str:
        """Such as "expected 1.32–1.48"; with the step where that lies outside of the view."""
        beyond = self._total > self.view.viewRange()[0][1]
        return f"expected {self._band_text()}{f' at {units.axis(self._total)}' if beyond else ''}"

    def _band_text(self) -> str:
        low, high = self._shown(np.asarray(self._expected)).tolist()
        return units.losses(low, high)

    def _height(self, losses: Floats) -> Floats:
        shown = self._shown(losses)
        return np.log10(np.maximum(shown, 1e-12)) if self._log else shown

    def _step_range(self) -> tuple[float, float]:
        events = [event[0] for event in self._events]
        shown = [*self._train.steps[-1:], *self._validation.steps[-1:], *events]
        if not shown:
            return 0.0, float(max(1, self._total))
        first = float(self._train.steps[0]) if len(self._train) else 0.0
        last = float(max(shown))
        left = 0.0 if first <= 0.2 * last else first
        return left, max(last + (last - left) * (0.2 if events else 0.015), left + 1)

    def _loss_range(self) -> tuple[float, float]:
        parts = [self._shown(part) for part in (self._train.values, self._validation.values) if len(part)]
        if not parts:
            return self._view_heights(0.0, 10.0)
        ranges = [(p.min(), p.max()) if self._everything else robust_range(p) for p in parts]
        if self._expected:
            band = self._shown(np.asarray(self._expected))
            ranges.append((band[0] - LABEL_ROOM * (max(r[1] for r in ranges) - band[0]), band[1]))
        low, high = float(min(r[0] for r in ranges)), float(max(r[1] for r in ranges))
        if self._log:
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
        return (float(np.log10(low or 1e-3)), float(np.log10(high))) if self._log else (low, high)

    def ticks(self) -> tuple[list[float], list[float]]:
        up, across = super().ticks()
        if self._log:
            bottom, top = self.view.viewRange()[1]
            up = [float(np.log10(tick)) for tick in log_ticks(10**bottom, 10**top, 6)]
        return up, across

    def _place_events(self, left: float, right: float) -> None:
        """Labels stand left of their line; the last one, and any without room there, at its right."""
        top = self.view.viewRange()[1][1]
        pixel = max(1e-9, right - left) / max(1.0, self.view.width())
        for number, (step, _, _, _, label) in enumerate(self._events):
            width = label.boundingRect().width() * pixel
            last = number == len(self._events) - 1
            at_right = (last and step + width <= right) or step - width < left
            label.setAnchor((0 if at_right else 1, -0.6))
            label.setPos(QPointF(step, top))

    def fill_menu(self, menu: Menu) -> None:
        include = menu.addAction("Include all")
        include.setCheckable(True)
        include.setChecked(self._everything)
        include.toggled.connect(self.set_everything)
        smoothing = menu.addMenu("Smoothing")
        for label, amount in SMOOTHINGS.items():
            choice = smoothing.addAction(label)
            choice.setCheckable(True)
            choice.setChecked(abs(self._smoothing - amount) < 0.05)
            choice.triggered.connect(lambda _=False, amount=amount: self.set_smoothing(amount))
        unit = menu.addMenu("Unit")
        unit.setEnabled(self.has_bits())
        for name, label in UNITS.items():
            choice = unit.addAction(label)
            choice.setCheckable(True)
            choice.setChecked(name == self.shown_unit())
            choice.triggered.connect(lambda _=False, name=name: self.set_unit(name))
        super().fill_menu(menu)

    def nearest(self, x: float) -> float | None:
        return self._train.nearest(x)

    def neighbor(self, x: float, by: int) -> float | None:
        return self._train.neighbor(x, by, *self.view.viewRange()[0])

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
        return f"{told}; {self._band_text()} expected at the end" if self._expected else told

    def table(self) -> tuple[list[str], list[list[str]]]:
        train = {
            step: [repr(raw), repr(smooth)]
            for step, raw, smooth in zip(
                self._train.steps.tolist(),
                self._shown(self._train.values).tolist(),
                self._shown(self._smooth.values).tolist(),
                strict=True,
            )
        }
        losses = self._shown(self._validation.values).tolist()
        validation = dict(zip(self._validation.steps.tolist(), losses, strict=True))
        rows = [
            [f"{step:.0f}", *train.get(step, ["", ""]), repr(validation[step]) if step in validation else ""]
            for step in sorted({*train, *validation})
        ]
        name = COLUMNS[self.shown_unit()]
        return ["step", f"train_{name}", f"train_{name}_smoothed", f"validation_{name}"], rows
