"""A slider over uneven stops."""

from __future__ import annotations

from bisect import bisect_right

from PySide6.QtCore import Signal

from gpt_studio.core.settings import Setting
from gpt_studio.gui.theme import look
from gpt_studio.gui.toggles import Slider

NOTCH = 100  # slider positions between two stops, so that a value between them is shown between them
LEAST = 20  # wide


class StopSlider(Slider):
    """A slider over uneven stops: people land on stops, a value from elsewhere is shown between them."""

    picked = Signal(object)  # the stop a person chose

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.label)
        self._whole = setting.kind == "int"
        self._name = setting.label
        self._shown = 0.0
        self.setSingleStep(NOTCH)
        self.setPageStep(3 * NOTCH)
        self._stops: tuple[float, ...] = ()
        self.offer(setting.stops)
        self.actionTriggered.connect(self._snap)
        self.valueChanged.connect(self._tell)

    def restyle(self) -> None:
        """Beside a long number it gives way."""
        super().restyle()
        self.setMinimumWidth(look.px(LEAST))

    def stops(self) -> tuple[float, ...]:
        return self._stops

    def offer(self, stops: tuple[float, ...]) -> None:
        if stops != self._stops:
            self._stops = stops
            self._place(NOTCH * (len(stops) - 1), self._position(self._shown))

    def show_value(self, value: float) -> None:
        """Show a value without telling anybody."""
        self._shown = value
        self.setAccessibleName(f"{self._name} {value:g}")
        self._place(self.maximum(), self._position(value))

    def _place(self, maximum: int, position: int) -> None:
        self.blockSignals(True)
        self.setMaximum(maximum)
        if not self.isSliderDown():
            self.setValue(position)
        self.blockSignals(False)
        self.update()

    def _position(self, value: float) -> int:
        after = bisect_right(self._stops, value)
        if after == 0:
            return 0
        if after == len(self._stops):
            return NOTCH * (after - 1)
        low, high = self._stops[after - 1], self._stops[after]
        return round(NOTCH * (after - 1 + (value - low) / (high - low)))

    def _snap(self, action: int) -> None:
        actions = Slider.SliderAction
        now, wished = self.value(), self.sliderPosition()
        if action == actions.SliderSingleStepAdd.value:
            wished = (now // NOTCH + 1) * NOTCH
        elif action == actions.SliderSingleStepSub.value:
            wished = (-(-now // NOTCH) - 1) * NOTCH
        self.setSliderPosition(round(wished / NOTCH) * NOTCH)

    def _tell(self, position: int) -> None:
        stop = self._stops[round(position / NOTCH)]
        self.picked.emit(int(stop) if self._whole else float(f"{stop:.12g}"))
