"""What the estimate is put together from: the count, the verdict, the parts and their amounts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from gpt_studio.core import units
from gpt_studio.core.estimate import Part
from gpt_studio.core.events import Device
from gpt_studio.gui.buttons import LinkButton, ToolButton
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.memory_bar import GRAY, Swatch
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, font, look, style_font
from gpt_studio.gui.widgets import ElidedLabel, IconLabel, Label

MEANING = {
    "weights": "The numbers the model learns; with bf16 and fp16 a copy of the matrices besides.",
    "gradients": "How each weight should change, worked out anew at every step.",
    "optimizer": "Running averages of the gradients: two of each with AdamW, one of a matrix with Muon.",
    "activations": "What every layer computed on the way forward, kept for the way back.",
    "logits": "A score for each token of the vocabulary at every position, with its gradient.",
    "workspace": "What matrix products take for themselves.",
    "rounding": "What the device sets aside in pieces and no tensor fills.",
    "overhead": "What the program and its libraries take besides the tensors.",
}


def overhead_basis(device: Device) -> str:
    """What the overhead was worked out from."""
    if device.runs:
        count = f"{units.number(device.runs)} past run{'' if device.runs == 1 else 's'}"
        return f"Corrected by {count} on this machine."
    return (
        "Measured on this machine." if device.overhead else "A usual value, not measured on this machine yet."
    )


class MemoryRow(QWidget):
    """How much of the memory is needed; the capacity is a button that asks about others.

    Signals:
        capacity_clicked: what would fit into another one?
        back_clicked: the device's own again.
    """

    capacity_clicked = Signal()
    back_clicked = Signal()

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label
        self._need = Label(units.UNKNOWN, "strong", "text", tabular=True)
        self.capacity = LinkButton("", style=(12, 500), tabular=True)
        self._extra = Label("", "strong", "text", tabular=True)
        self.back = ToolButton("close", "Back to this device", side=24, size=12)
        row = Row(spacing=4, parent=self)
        row.addWidget(ElidedLabel(label, "small", "text2"), 1)
        for widget in (self._need, self.capacity, self._extra, self.back):
            row.addWidget(widget)
        self.capacity.clicked.connect(self.capacity_clicked)
        self.back.clicked.connect(self.back_clicked)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(24))

    def show_need(self, text: str, extra: str, typed: bool, own: int) -> None:
        """`text` is such as "9.9 of 24 GB"; `typed` says that it is not the device's `own` capacity."""
        need, _, room = text.partition(" of ")
        self._need.setText(f"{need} of" if room else need)
        self.capacity.setText(room)
        self.capacity.setVisible(bool(room))
        self.capacity.setToolTip("What could be trained in other memory?")
        self.capacity.setAccessibleName(f"{room}. What could be trained in other memory?")
        self._extra.setText("(typed)" if typed else extra)
        self._extra.setVisible(bool(self._extra.text()))
        self.back.setVisible(typed)
        self.back.set_name(f"Back to this device's {units.memory_of(0, own).partition(' of ')[2]}")
        self.setAccessibleName(f"{self._label}: {self.value()}")

    def value(self) -> str:
        """The whole of it, as one text."""
        shown = (self._need.text(), self.capacity.text(), self._extra.text())
        return " ".join(text for text in shown if text)


class CheckRow(QWidget):
    """The exact peak beside the estimate, or the way to it.

    Signals:
        wanted: find it.
    """

    wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.button = LinkButton("Check exactly", role="text2")
        self.button.setToolTip("Find the exact peak of a training step, on tensors without data.")
        self._said = ElidedLabel("", "small", "text2", tabular=True)
        row = Row(spacing=8, parent=self)
        row.addWidget(self.button)
        row.addWidget(self._said, 1)
        self.button.clicked.connect(self.wanted)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(24))

    def text(self) -> str:
        return self._said.text()

    def show_check(self, state: State, estimated: int) -> None:
        """`estimated` is what tensors were worked out to hold."""
        exact, checking = state.exact_peak, "check" in state.running
        self.button.setEnabled(state.awake and not state.problems and not checking)
        self.button.setVisible(not exact)
        self._said.setToolTip("")
        if exact:
            off = units.percent(abs(estimated - exact) / exact, 2)
            self._said.setText(f"Tensors exactly {units.memory(exact)} · estimate {off} off")
            self._said.setToolTip(
                f"Tensors hold {units.number(exact)} bytes at most; estimated: {units.number(estimated)}. "
                "The other parts come on top."
            )
        elif checking:
            progress = state.progress.get("check")
            share = (
                f" · {units.percent(progress.done / progress.total)}" if progress and progress.total else ""
            )
            self._said.setText(f"checking{share}")
        else:
            self._said.setText(state.check_failure)
            self._said.setToolTip(state.check_failure)


class Count(QWidget):
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
        left = round(metrics.horizontalAdvance(self._text)) + look.px(7)
        noun = QFontMetricsF(painter.font()).elidedText(
            "parameters", Qt.TextElideMode.ElideRight, self.width() - left
        )
        painter.drawText(left, base, noun)


class Verdict(QWidget):
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
        self._columns = 2
        self._shown: tuple[str, ...] = ()
        self._items = {name: LegendItem(name.capitalize(), name) for name in MEANING}
        for item in self._items.values():
            item.setParent(self)
        follow(self.restyle)

    def restyle(self) -> None:
        self._grid.setHorizontalSpacing(look.px(16))

    @property
    def items(self) -> list[LegendItem]:
        """Those shown, in their order."""
        return [self._items[name] for name in self._shown]

    def set_columns(self, columns: int) -> None:
        if columns != self._columns:
            self._columns = columns
            self._arrange()

    def show_parts(self, parts: tuple[Part, ...], device: Device) -> None:
        shown = tuple(part.name for part in parts if part.size or part.name not in GRAY)
        if shown != self._shown:
            self._shown = shown
            self._arrange()
        most = max(part.size for part in parts)
        for part in parts:
            self._items[part.name].show_amount(amount(part.size, most))
            moment = "" if part.size else " There are none yet at the moment when a step takes most."
            basis = f" {overhead_basis(device)}" if part.name == "overhead" else moment
            self._items[part.name].setToolTip(f"{units.number(part.size)} bytes. {MEANING[part.name]}{basis}")

    def _arrange(self) -> None:
        for item in self._items.values():
            self._grid.removeWidget(item)
            item.setVisible(item in self.items)
        for index, item in enumerate(self.items):
            self._grid.addWidget(item, *divmod(index, self._columns))
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, self._columns - 1)


def amount(size: int, like: int) -> str:
    """Bytes in the unit of the largest part; in their own where that would read as nothing."""
    text = units.memory(size, like)
    value, unit = text.split(units.SPACE)
    if not size:
        return f"0{units.SPACE}{unit}"
    return text if float(value) else units.memory(size)


class LegendItem(QWidget):
    """A color, what it stands for, and how much of it; without a color of the data, a tick."""

    def __init__(self, label: str, part: str = "", gap: int = 0) -> None:
        """`gap` is room above it."""
        super().__init__()
        row = Row(spacing=6, parent=self)
        self._label, self._gap = label, gap
        self._amount = Label(style="small", role="text", tabular=True)
        row.addWidget(Swatch(part))
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
