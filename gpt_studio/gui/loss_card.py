"""The card of the loss: its chart, the legend, and how the chart is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QWidget

from gpt_studio.gui.axis_switch import AxisSwitch
from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.charts import Legend, LossChart
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.loss_chart import UNITS
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.toggles import Slider
from gpt_studio.gui.widgets import Card, Label


class LossCard(Card):
    """The loss; until there is any, one quiet line says what is waited for.

    Signals:
        alone_wanted: show the loss alone, or (False) beside everything else.
    """

    alone_wanted = Signal(bool)

    def __init__(self) -> None:
        self.chart = LossChart()
        self._smoothing_label = Label("Smoothing", "small", "text2")
        self.smoothing = Slider("Smoothing", 0, 100)
        self.smoothing.setValue(round(100 * self.chart.smoothing()))
        self.unit = Segmented({"nats": "Nats", "bits": "Bits"}, "Unit of the loss", small=True)
        for name, label in UNITS.items():
            self.unit.button(name).setToolTip(label)
        self.axes = AxisSwitch("loss")
        self.more = ToolButton("dots", "More of the loss: what is included, table, export")
        self.expand = ToolButton("expand", "Show the loss alone", checkable=True)
        super().__init__("Loss", actions=self._actions())
        self.legend = Legend(self.chart)
        self.waiting = Label("", "body", "text3", tabular=True, wrap=True)
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.waiting.hide()
        self._caption.hide()
        self.head.insertWidget(1, self.legend, 1)
        self.body.addWidget(self.chart, 1)
        self.body.addWidget(self.waiting, 1)
        self._connect()
        follow(self.restyle)

    def _actions(self) -> Sequence[QWidget]:
        return self._smoothing_label, self.smoothing, self.unit, self.axes, self.more, self.expand

    def _connect(self) -> None:
        chart = self.chart
        self.smoothing.valueChanged.connect(lambda value: chart.set_smoothing(value / 100))
        chart.smoothing_changed.connect(lambda amount: self.smoothing.setValue(round(100 * amount)))
        self.unit.changed.connect(chart.set_unit)
        chart.unit_changed.connect(self.unit.set_value)
        self.axes.steps_changed.connect(chart.set_log_steps)
        self.axes.values_changed.connect(chart.set_log_values)
        chart.log_steps_changed.connect(self.axes.steps.setChecked)
        chart.log_values_changed.connect(self.axes.values.setChecked)
        self.more.clicked.connect(self._open_menu)
        self.expand.toggled.connect(self._show_alone)

    def restyle(self) -> None:
        self.smoothing.setFixedWidth(look.px(64))
        self.update()

    def set_waiting(self, text: str) -> bool:
        """Show a line instead of the chart, or ("") the chart; True if that changed what is there."""
        if text:
            self.waiting.setText(text)
        changed = bool(text) == self.waiting.isHidden()
        self.waiting.setVisible(bool(text))
        self.chart.setHidden(bool(text))
        return changed

    def fit(self, narrow: bool) -> None:
        """Where the page is narrow, what the menu has too gives way."""
        for part in (self._smoothing_label, self.smoothing):
            part.setHidden(narrow)
        self.unit.setHidden(narrow or not self.chart.has_bits())

    def _open_menu(self) -> None:
        self.chart.menu().popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def _show_alone(self, alone: bool) -> None:
        self.expand.set_name("Show everything again" if alone else "Show the loss alone")
        self.alone_wanted.emit(alone)
