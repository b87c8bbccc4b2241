"""What the settings will take, before anything is built: parameters, memory, computing, time, loss."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import Estimate, estimate
from gpt_studio.core.events import Device
from gpt_studio.core.forecast import Band, forecast
from gpt_studio.core.settings import number_text, settings_of
from gpt_studio.core.speed import energy, run_time, tokens_per_second
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.capacity_popover import CapacityPopover
from gpt_studio.gui.costs import repaired
from gpt_studio.gui.estimate_widgets import CheckRow, Count, Legend, LegendItem, MemoryRow, Verdict
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.memory_bar import MemoryBar
from gpt_studio.gui.state import DECIDES, State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import Hairline, KeyValueRow, Label, Surface

MATTERS = ("steps", *DECIDES)  # the part of the plan calculated with
NOUNS = {"embed_size": "embedding size"}  # where a label alone would not read well in a sentence
NO_DEVICE = Device("cpu", "", 0)
NARROW = 290  # below this width, captions behind values give way and the legend is one column
NOT_TIMED = "Known once the speed of this device has been measured."


class EstimatePanel(Surface):
    """Shows the estimate of a state's config; of the nearest valid one while it has problems.

    Signals:
        check_wanted: find the exact peak.
        fit_wanted: change the settings so that they fit into so many bytes (object: int).
        config_chosen: take this one (RunConfig), and what to say about it.
    """

    check_wanted = Signal()
    fit_wanted = Signal(object)
    config_chosen = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", edges="t", parent=parent)
        self.setAccessibleName("Estimate")
        self._state: State | None = None
        self._estimate: Estimate | None = None
        self._valid = RunConfig()
        self._band: Band | None = None
        self._typed = 0  # a capacity to judge by in place of the device's, in bytes
        self._told_about: RunConfig | None = None  # the settings the line about fitting is true of
        self._compact = False
        self._popover: CapacityPopover | None = None
        self.count = Count()
        self.verdict = Verdict()
        self.memory = MemoryRow("Training memory")
        self.bar = MemoryBar()
        self.legend = Legend()
        self.peak = LegendItem("Measured peak", gap=3)
        self.peak.setToolTip("The most memory training has taken, as the device reports it.")
        self.check = CheckRow()
        self.warning = Label(style="small", role="warn", tabular=True, wrap=True)
        self.fit = Button("Make it fit", "tonal", height=26)
        self.told = Label(style="small", role="text2", tabular=True, wrap=True)
        self.generation = KeyValueRow("Generation memory")
        self.compute = KeyValueRow("Compute")
        self.loss = KeyValueRow("Expected loss")
        self.time = KeyValueRow("Predicted time")
        self._lay_out()
        for widget in (self.peak, self.warning, self.fit, self.told):
            widget.hide()
        self.check.wanted.connect(self.check_wanted)
        self.fit.clicked.connect(lambda: self.fit_wanted.emit(self._capacity()))
        self.memory.capacity_clicked.connect(self._open_popover)
        self.memory.back_clicked.connect(lambda: self.set_capacity(0))
        follow(self.restyle)

    def _lay_out(self) -> None:
        head = QWidget()
        row = Row(spacing=8, parent=head)
        row.addWidget(self.count, 1)
        row.addWidget(self.verdict)
        column = Column((16, 10, 16, 9), 0, self)
        for widget, gap in (
            (head, 0),
            (self.memory, 2),
            (self.bar, 0),
            (self.fit, 6),
            (self.told, 5),
            (self.legend, 4),
            (self.peak, 0),
            (self.warning, 0),
            (self.check, 0),
            (Hairline(), 5),
            (self.generation, 8),
            (self.compute, 0),
            (self.loss, 0),
            (self.time, 0),
        ):
            below = Column((0, gap, 0, 0), 0)
            below.addWidget(widget)
            column.addLayout(below)

    def restyle(self) -> None:
        self.warning.setContentsMargins(0, look.px(5), 0, 0)
        for row in (self.generation, self.compute, self.loss, self.time):
            row.setFixedHeight(look.px(19))

    def set_compact(self, compact: bool) -> None:
        """Show only count, verdict, bar and predicted time."""
        if compact != self._compact:
            self._compact = compact
            for widget in (self.legend, self.check, self.generation, self.compute, self.loss):
                widget.setVisible(not compact)
            self._show_numbers()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.legend.set_columns(1 if self._narrow() else 2)
        if self._narrow(event.oldSize().width()) != self._narrow():
            self._show_numbers()

    def _narrow(self, width: int | None = None) -> bool:
        return (self.width() if width is None else width) < look.px(NARROW)

    # ------------------------------------------------------------ what is shown

    def show_state(self, state: State) -> None:
        before, self._state = self._state, state
        if before is None or _estimated(state) != _estimated(before):
            self._valid = repaired(state.config, state.problems)
            self._estimate = estimate(self._valid, state.device or NO_DEVICE)
            self._band = _expected(self._valid, state)
        elif _texts(state) != _texts(before):
            self._band = _expected(self._valid, state)
        elif _shown(state) == _shown(before):
            return
        if self._told_about not in (None, state.config):
            self.tell("")
        self._show_numbers()

    def set_capacity(self, capacity: int) -> None:
        """Judge by another capacity in bytes; 0 is the device's own again."""
        self._typed = capacity
        self._show_numbers()

    def tell(self, text: str) -> None:
        """Say what became of a wish to make it fit, until the settings change."""
        self._told_about = self._state.config if self._state and text else None
        self.told.setText(text)
        self.told.setVisible(bool(text))

    def _capacity(self) -> int:
        device = self._state.device if self._state else None
        return self._typed or (device.capacity if device else 0)

    def _show_numbers(self) -> None:
        if self._state is None or self._estimate is None:
            return
        state, found, capacity = self._state, self._estimate, self._capacity()
        need = found.training.total
        self.count.show_count(found.parameters)
        self.verdict.show_fit(need, capacity)
        self.fit.setVisible(0 < capacity < need and not state.training)
        self._show_memory(state, found, capacity)
        self._show_warning(state.config)
        self.check.show_check(state, found.training.tensors)
        self.generation.set_value(units.memory(found.generation))
        self.generation.setToolTip(
            f"{units.number(found.generation)} bytes. One conversation that fills the context: "
            "the model, its matrices once more as they are read fastest, keys and values, and the scores of "
            "one token."
        )
        self.compute.set_value(f"{units.flops(found.flops_per_token)}/token")
        self.compute.setToolTip(
            f"{units.number(found.flops_per_token)} floating-point operations per token learned from, "
            f"{units.flops(found.flops_per_token * found.tokens_per_step)} per step."
        )
        self._show_loss()
        self._show_time(state)
        if self._popover is not None and self._popover.isVisible():
            self._popover.show_state(state, self._valid, capacity)

    def _show_memory(self, state: State, found: Estimate, capacity: int) -> None:
        need, device = found.training.total, state.device or NO_DEVICE
        peak = state.peak if state.measured_here else 0
        text = units.memory_of(need, capacity) if capacity else units.memory(need)
        batch = f"at batch {self._valid.train.batch_size}"
        extra = "" if self._compact or self._narrow() else batch
        self.memory.show_need(text, extra, bool(self._typed), device.capacity)
        self.memory.setToolTip(f"{units.number(need)} bytes at the fullest moment of a training step.")
        parts = tuple(found.training)
        self.bar.show_memory(parts, capacity, peak)
        verdict = f" {self.verdict.text()}." if capacity else ""
        amounts = ", ".join(f"{part.label.lower()} {units.memory(part.size)}" for part in parts)
        measured = f" Measured peak {units.memory(peak)}." if peak else ""
        self.bar.setAccessibleDescription(f"{text} {batch}.{verdict} {amounts}.{measured}")
        self.legend.show_parts(parts, device)
        self.peak.show_amount(units.memory(peak))
        self.peak.setVisible(bool(peak) and not self._compact)

    def _show_warning(self, config: RunConfig) -> None:
        replaced = _replaced(config, self._valid)
        *most, last = replaced or [""]
        what = f"{', '.join(most)} and {last}" if most else last
        them = "them" if most else "it"
        self.warning.setText(f"Calculated for {what} until you fix {them}" if replaced else "")
        self.warning.setVisible(bool(replaced))

    def _show_loss(self) -> None:
        band = self._band
        self.loss.set_value(units.losses(band.low, band.high) if band else units.UNKNOWN)
        self.loss.setToolTip(
            "Where the last validation loss is expected, in nats per token, nine times in ten. "
            "Worked out from the texts, the model and the plan; the chart narrows it as the run goes on."
            if band
            else "Known once the texts have been read."
        )

    def _show_time(self, state: State) -> None:
        seconds, speed = state.seconds_for(self._valid), state.speed_of(self._valid)
        if seconds is None:
            measuring = "calibrate" in state.running
            self.time.set_value("measuring" if measuring else units.UNKNOWN)
            self.time.setToolTip(NOT_TIMED)
            return
        measured = state.seconds_per_step > 0 and state.measured_here
        drawn = energy(seconds, speed.watts) if speed else 0.0
        facts = [f"{units.number(self._valid.train.steps)} steps"]
        if speed and not measured:
            facts = [f"{units.short(tokens_per_second(self._valid, speed))}/s"]
            facts += [units.energy(drawn)] if drawn else []
        extra = "" if self._compact or self._narrow() else " ".join(f"· {fact}" for fact in facts)
        self.time.set_value(units.about(seconds), extra)
        told = ["For all steps, at the speed measured."]
        if speed and not measured:
            told = [_time_explained(self._valid, state)]
        if speed and drawn:
            told.append(f"{units.energy(drawn)} of electricity at {speed.watts:.0f}{units.SPACE}W.")
        self.time.setToolTip(" ".join(told))

    # ------------------------------------------------------------ other capacities

    def _open_popover(self) -> None:
        if self._popover is None:
            self._popover = CapacityPopover(self.window())
            self._popover.capacity_typed.connect(self.set_capacity)
            self._popover.config_chosen.connect(self.config_chosen)
        if self._state is not None:
            self._popover.open(self._state, self._valid, self._capacity(), self.memory.capacity)


def _estimated(state: State) -> tuple[object, ...]:
    """What the estimate is made from."""
    return state.config.model, state.config.train, state.device


def _shown(state: State) -> tuple[object, ...]:
    """What is shown beside it."""
    jobs = state.running & {"check", "calibrate", "train"}
    measured = (state.seconds_per_step, state.peak, state.model, state.speeds)
    checked = (state.checked, state.check_failure, state.progress.get("check"))
    return jobs, measured, checked


def _texts(state: State) -> tuple[object, ...]:
    """What the loss depends on besides."""
    return state.config.data, state.report


def _expected(config: RunConfig, state: State) -> Band | None:
    """The band of the final loss, from what is known before the run."""
    report = state.report
    return forecast(config, report) if report and report.data == state.config.data else None


def _time_explained(config: RunConfig, state: State) -> str:
    speed = state.speed_of(config)
    if speed is None:
        return NOT_TIMED
    time = run_time(config, speed)
    parts = [("learning", time.steps), ("validation", time.validation), ("samples", time.samples)]
    listed = ", ".join(f"{name} {units.duration(seconds)}" for name, seconds in parts if seconds)
    rate = units.short(tokens_per_second(config, speed))
    return f"Predicted from the parts of a step, timed on this device: {listed}. {rate} tokens/s."


def _replaced(config: RunConfig, valid: RunConfig) -> list[str]:
    """The settings that were calculated with another value, such as "embedding size 96"."""
    found = []
    for wished, used in ((config.model, valid.model), (config.train, valid.train)):
        settings = settings_of(type(used))
        for name in settings if used is valid.model else MATTERS:
            value = getattr(used, name)
            if getattr(wished, name) != value:
                noun = NOUNS.get(name, settings[name].label.lower())
                shown = number_text(settings[name], value) if isinstance(value, int | float) else value
                found.append(f"{noun} {settings[name].prefix}{shown}")
    return found
