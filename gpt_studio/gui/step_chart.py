"""Charts over the steps of a run: either axis may be logarithmic, and outliers may be clipped or included."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu

from gpt_studio.core import units
from gpt_studio.gui.chart import Chart
from gpt_studio.gui.plotting import Floats, Peaks, log_ticks, robust_range, thin
from gpt_studio.gui.theme import look
from gpt_studio.gui.widgets import Menu

LEAST = 1e-12  # of a logarithmic axis of values


class StepChart(Chart):
    """A chart whose positions are steps, from 1 on where they are shown logarithmically.

    Signals:
        log_steps_changed, log_values_changed, everything_changed: what a person chose, as a bool.
    """

    log_steps_changed = Signal(bool)
    log_values_changed = Signal(bool)
    everything_changed = Signal(bool)

    def __init__(self, name: str, left: int = 24, radius: int = 0, line: str = "") -> None:
        super().__init__(name, left, radius, line)
        self.log_steps = False
        self.log_values = False
        self.everything = False
        self.value_name: Callable[[float], str] = units.axis
        self.axis_bottom.name = lambda place: units.axis(self.position(place))
        self.axis_left.name = lambda height: self.value_name(10**height if self.log_values else height)

    # Settings

    def set_log_steps(self, log: bool) -> None:
        """Show the steps on a logarithmic axis or a linear one."""
        if log != self.log_steps:
            self.log_steps = log
            self.reset_view()
            self.log_steps_changed.emit(log)

    def set_log_values(self, log: bool) -> None:
        """Show the values on a logarithmic axis or a linear one."""
        if log != self.log_values:
            self.log_values = log
            self.reset_view()
            self.log_values_changed.emit(log)

    def set_everything(self, everything: bool) -> None:
        """Show outliers and the first steps too, instead of the 1 to 99 % quantiles."""
        if everything != self.everything:
            self.everything = everything
            self.reset_view()
            self.everything_changed.emit(everything)

    def fill_menu(self, menu: Menu) -> None:
        for label, chosen, choose in (
            ("Logarithmic steps", self.log_steps, self.set_log_steps),
            ("Logarithmic values", self.log_values, self.set_log_values),
            ("Include all", self.everything, self.set_everything),
        ):
            add_switch(menu, label, chosen, choose)
        menu.addSeparator()
        super().fill_menu(menu)

    # Places in the view

    def across(self, positions: Floats) -> Floats:
        return np.log10(np.maximum(positions, 1.0)) if self.log_steps else positions

    def position(self, across: float) -> float:
        return float(10.0 ** min(across, 300.0)) if self.log_steps else across

    def heights(self, values: Floats) -> Floats:
        """Where values lie in the view, from bottom to top."""
        return np.log10(np.maximum(values, LEAST)) if self.log_values else values

    def drawn(self, steps: Floats, values: Floats | Peaks, pixels: int) -> tuple[Floats, Floats]:
        """The part of a curve that is in view, with at most a point per pixel: positions and plain values."""
        x, y = thin(steps, values, *self.span(), pixels, self.log_steps)
        return self.across(x), y

    def range_of(self, values: Peaks) -> tuple[float, float]:
        """The values that should be in view: without outliers, unless all are to be included."""
        return values.range() if self.everything else robust_range(values.values)

    def show_steps(self, first: float, last: float, room: float = 0.0) -> None:
        """Put these steps in view, from the origin on if that is near; `room` at the right is a share."""
        near = max(1.0, first) if self.log_steps else first
        left = 0.0 if not self.log_steps and first <= 0.2 * last else near
        low, high = self.across(np.array([left, max(last, left + 1)])).tolist()
        self.view.setXRange(low, high + room * (high - low), padding=0)

    def ticks(self) -> tuple[list[float], list[float]]:
        up, across = super().ticks()
        (left, right), (bottom, top) = self.view.viewRange()
        if self.log_values:
            up = log_places(bottom, top, 6)
        if self.log_steps:
            across = log_places(left, right, max(3, min(7, int(self.view.width() / look.px(60)))))
        return up, across


def log_places(low: float, high: float, most: int) -> list[float]:
    """Where round values lie on a logarithmic axis."""
    return [float(np.log10(tick)) for tick in log_ticks(10**low, 10**high, most)]


def add_switch(menu: QMenu, label: str, on: bool, switch: Callable[[bool], None]) -> None:
    """An entry of a menu with a check: on or off."""
    entry = menu.addAction(label)
    entry.setCheckable(True)
    entry.setChecked(on)
    entry.toggled.connect(switch)


def add_choice(menu: QMenu, label: str, chosen: bool, choose: Callable[[], None]) -> None:
    """An entry of a menu with a check: one of several."""
    entry = menu.addAction(label)
    entry.setCheckable(True)
    entry.setChecked(chosen)
    entry.triggered.connect(lambda _=False: choose())
