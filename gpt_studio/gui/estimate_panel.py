"""What the settings will take, before anything is built: parameters, memory, computing, time."""

from __future__ import annotations

from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import Estimate, Part, estimate
from gpt_studio.core.events import Device
from gpt_studio.core.settings import number_text, settings_of
from gpt_studio.gui.costs import repaired
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.memory_bar import MemoryBar, Swatch
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, font, look, style_font
from gpt_studio.gui.widgets import ElidedLabel, Hairline, IconLabel, KeyValueRow, Label, Surface

MEANING = {
    "weights": "The numbers the model learns.",
    "gradients": "How each weight should change, worked out anew at every step.",
    "optimizer": "Running averages of the gradients: two of each with AdamW, one of a matrix with Muon.",
    "activations": "What every layer computed on the way forward, kept for the way back.",
    "logits": "A score for each token of the vocabulary at every position, with its gradient.",
    "overhead": "What the program and its libraries take besides the tensors.",
}
MATTERS = ("steps", "batch_size", "accumulation", "precision")  # the part of the plan calculated with
NOUNS = {"embed_size": "embedding size"}  # where a label alone would not read well in a sentence
NO_DEVICE = Device("cpu", "", 0)
NARROW = 290  # below this width, captions behind values give way and the legend is one column


class EstimatePanel(Surface):
    """Shows the estimate of a state's config; of the nearest valid one while it has problems."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", edges="t", parent=parent)
        self.setAccessibleName("Estimate")
        self._state: State | None = None
        self._basis: tuple[object, ...] = ()
        self._estimate: Estimate | None = None
        self._valid = RunConfig()
        self._compact = False
        self.count = _Count()
        self.verdict = _Verdict()
        self.memory = KeyValueRow("Training memory")
        self.bar = MemoryBar()
        self.legend = Legend()
        self.peak = LegendItem("Measured peak", gap=3)
        self.peak.setToolTip("The most memory training has taken so far, as the device reports it.")
        self.warning = Label(style="small", role="warn", tabular=True, wrap=True)
        self.generation = KeyValueRow("Generation memory")
        self.compute = KeyValueRow("Compute")
        self.time = KeyValueRow("Predicted time")
        self._lay_out()
        self.peak.hide()
        self.warning.hide()
        follow(self.restyle)

    def _lay_out(self) -> None:
        head = Row(spacing=8)
        head.addWidget(self.count, 1)
        head.addWidget(self.verdict)
        column = Column((16, 10, 16, 9), 0, self)
        column.addLayout(head)
        for widget, gap in (
            (self.memory, 5),
            (self.bar, 2),
            (self.legend, 4),
            (self.peak, 0),
            (self.warning, 0),
            (Hairline(), 9),
            (self.generation, 8),
            (self.compute, 0),
            (self.time, 0),
        ):
            below = Column((0, gap, 0, 0), 0)
            below.addWidget(widget)
            column.addLayout(below)

    def restyle(self) -> None:
        self.memory.setFixedHeight(look.px(18))
        self.warning.setContentsMargins(0, look.px(5), 0, 0)
        for row in (self.generation, self.compute, self.time):
            row.setFixedHeight(look.px(19))

    def set_compact(self, compact: bool) -> None:
        """Show only count, verdict, bar and predicted time."""
        if compact != self._compact:
            self._compact = compact
            for widget in (self.legend, self.generation, self.compute):
                widget.setVisible(not compact)
            self._show_numbers()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.legend.set_columns(1 if self._narrow() else 2)
        if self._narrow(event.oldSize().width()) != self._narrow():
            self._show_numbers()

    def _narrow(self, width: int | None = None) -> bool:
        return (self.width() if width is None else width) < look.px(NARROW)

    def show_state(self, state: State) -> None:
        basis = (state.config.model, state.config.train, state.device)
        shown = (state.seconds_per_step, state.peak, state.model)
        if (*basis, *shown) == self._basis:
            return
        if basis != self._basis[: len(basis)]:
            self._valid = repaired(state.config, state.problems)
            device = state.device or NO_DEVICE
            self._estimate = estimate(self._valid, device)
        self._basis = (*basis, *shown)
        self._state = state
        self._show_numbers()

    def _show_numbers(self) -> None:
        if self._state is None or self._estimate is None:
            return
        state, found = self._state, self._estimate
        capacity = state.device.capacity if state.device else 0
        peak = state.peak if state.measured_here else 0
        self.count.show_count(found.parameters)
        self.verdict.show_fit(found.training.total, capacity)
        self._show_memory(found, capacity, peak)
        self._show_warning(state.config)
        self.generation.set_value(units.memory(found.generation))
        self.generation.setToolTip(
            f"{units.number(found.generation)} bytes. One conversation that fills the context: "
            "weights, keys and values, and the scores of one token."
        )
        self.compute.set_value(f"{units.flops(found.flops_per_token)}/token")
        self.compute.setToolTip(
            f"{units.number(found.flops_per_token)} floating-point operations per token learned from, "
            f"{units.flops(found.flops_per_token * found.tokens_per_step)} per step."
        )
        self._show_time(state)

    def _show_memory(self, found: Estimate, capacity: int, peak: int) -> None:
        need = found.training.total
        text = units.memory_of(need, capacity) if capacity else units.memory(need)
        batch = f" at batch {self._valid.train.batch_size}"
        self.memory.set_value(text if self._compact or self._narrow() else text + batch)
        self.memory.setToolTip(f"{units.number(need)} bytes at the fullest moment of a training step.")
        parts = tuple(found.training)
        self.bar.show_memory(parts, capacity, peak)
        verdict = f" {self.verdict.text()}." if capacity else ""
        amounts = ", ".join(f"{part.label.lower()} {units.memory(part.size)}" for part in parts)
        measured = f" Measured peak {units.memory(peak)}." if peak else ""
        self.bar.setAccessibleDescription(f"{text}{batch}.{verdict} {amounts}.{measured}")
        self.legend.show_parts(parts)
        self.peak.show_amount(units.memory(peak))
        self.peak.setVisible(bool(peak) and not self._compact)

    def _show_warning(self, config: RunConfig) -> None:
        replaced = _replaced(config, self._valid)
        *most, last = replaced or [""]
        what = f"{', '.join(most)} and {last}" if most else last
        them = "them" if most else "it"
        self.warning.setText(f"Calculated for {what} until you fix {them}" if replaced else "")
        self.warning.setVisible(bool(replaced))

    def _show_time(self, state: State) -> None:
        steps = f"· {units.number(self._valid.train.steps)} steps"
        known = state.seconds_per_step > 0 and state.measured_here
        seconds = state.seconds_per_step * self._valid.train.steps
        extra = "" if self._compact or self._narrow() else steps
        self.time.set_value(units.about(seconds) if known else units.UNKNOWN, extra)
        self.time.setToolTip(
            "For all steps, at the speed measured."
            if known
            else "Known once the first steps have been measured."
        )


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


class _Count(QWidget):
    """The number of parameters in display size with its noun on the same baseline."""

    def __init__(self) -> None:
        super().__init__()
        self._text = units.UNKNOWN
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(30))
        self.update()

    def text(self) -> str:
        return self._text

    def show_count(self, count: int) -> None:
        self._text = units.parameters(count)
        self.setToolTip(f"{units.number(count)} parameters")
        self.setAccessibleName(f"{self._text} parameters")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        display = style_font("display", tabular=True)
        metrics = QFontMetricsF(display)
        base = round((self.height() + metrics.capHeight()) / 2)
        painter.setFont(display)
        painter.setPen(color("text"))
        painter.drawText(0, base, self._text)
        painter.setFont(style_font("small"))
        painter.setPen(color("text3"))
        painter.drawText(round(metrics.horizontalAdvance(self._text)) + look.px(7), base, "parameters")


class _Verdict(QWidget):
    """Whether the device has room, as icon and word; nothing while no device is known."""

    def __init__(self) -> None:
        super().__init__()
        row = Row(spacing=6, parent=self)
        self._icon = IconLabel("check-circle", "ok", 14)
        self._word = Label("", "title", "ok")
        row.addWidget(self._icon)
        row.addWidget(self._word)
        self.hide()
        follow(self.restyle)

    def restyle(self) -> None:
        self._word.setFont(font(12, 600))

    def text(self) -> str:
        return self._word.text()

    def show_fit(self, need: int, capacity: int) -> None:
        fits = need <= capacity
        role = "ok" if fits else "bad"
        self._icon.set_icon("check-circle" if fits else "alert-octagon", role)
        self._word.set_role(role)
        self._word.setFont(font(12, 600))
        self._word.setText(("Fits" if fits else "Does not fit") if capacity else "")
        room = units.memory(abs(capacity - need))
        self.setToolTip(f"{room} to spare" if fits else f"{room} short")
        self.setVisible(bool(capacity))


class Legend(QWidget):
    """The parts of the memory with their amounts, in two columns or one."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(0)
        self._columns = 0
        self.items = [LegendItem(name.capitalize(), index) for index, name in enumerate(MEANING)]
        self.set_columns(2)
        follow(self.restyle)

    def restyle(self) -> None:
        self._grid.setHorizontalSpacing(look.px(16))

    def set_columns(self, columns: int) -> None:
        if columns != self._columns:
            self._columns = columns
            for index, item in enumerate(self.items):
                self._grid.addWidget(item, *divmod(index, columns))
            self._grid.setColumnStretch(0, 1)
            self._grid.setColumnStretch(1, columns - 1)

    def show_parts(self, parts: tuple[Part, ...]) -> None:
        most = max(part.size for part in parts)
        for item, part in zip(self.items, parts, strict=True):
            item.show_amount(amount(part.size, most))
            moment = "" if part.size else " There are none yet at the moment when a step takes most."
            item.setToolTip(f"{units.number(part.size)} bytes. {MEANING[part.name]}{moment}")


def amount(size: int, like: int) -> str:
    """Bytes in the unit of the largest part; in their own where that would read as nothing."""
    text = units.memory(size, like)
    value, unit = text.split(units.SPACE)
    if not size:
        return f"0{units.SPACE}{unit}"
    return text if float(value) else units.memory(size)


class LegendItem(QWidget):
    """A color, what it stands for, and how much of it; without a color of the data, a tick."""

    def __init__(self, label: str, series: int | None = None, gap: int = 0) -> None:
        """`gap` is room above it."""
        super().__init__()
        row = Row(spacing=6, parent=self)
        self._label, self._gap = label, gap
        self._amount = Label(style="small", role="text", tabular=True)
        row.addWidget(Swatch(series))
        row.addWidget(ElidedLabel(label, "small", "text2"), 1)
        row.addWidget(self._amount)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setContentsMargins(0, round(self._gap * look.scale), 0, 0)
        self.setFixedHeight(look.px(18 + self._gap))

    def show_amount(self, text: str) -> None:
        self._amount.setText(text)
        self.setAccessibleName(f"{self._label}: {text}")

    def amount(self) -> str:
        return self._amount.text()
