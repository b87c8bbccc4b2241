"""The row of small charts below the loss: how it learns, or what that takes of the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QWidget

from gpt_studio.core import units
from gpt_studio.core.config import TrainConfig
from gpt_studio.core.schedule import learning_rate
from gpt_studio.gui.charts import SmallChart
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.resource_charts import ResourceCharts
from gpt_studio.gui.theme import look
from gpt_studio.gui.widgets import ElidedLabel

PLANNED = 240  # points of a planned curve
GAP = 10  # between charts
TALL, SHORT = 126, 112  # heights of charts
HEAD, HEAD_GAP = 24, 8


class CurveRow(QWidget):
    """Learning rate, gradient norm and throughput; once the machine can be read, a switch leads to that."""

    def __init__(self) -> None:
        super().__init__()
        self._planned: TrainConfig | None = None
        self.rate = SmallChart("Learning rate", "LR", show=units.rate, axis=units.rate)
        self.norm = SmallChart("Gradient norm", "Grad. norm", show=_norm_text)
        self.speed = SmallChart("Throughput", unit="/s")
        self.machine = ResourceCharts(GAP)
        learning = QWidget()
        row = Row(spacing=GAP, parent=learning)
        for chart in (self.rate, self.norm, self.speed):
            row.addWidget(chart, 1)
        self.switch = Segmented({"learning": "Learning", "machine": "Machine"}, "Curves shown", small=True)
        self.summary = ElidedLabel("", "small", "text3", tabular=True)
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(learning)
        self._pages.addWidget(self.machine)
        self._head = QWidget()
        head = Row(spacing=12, parent=self._head)
        head.addWidget(self.switch)
        head.addWidget(self.summary, 1)
        column = Column(spacing=HEAD_GAP, parent=self)
        column.addWidget(self._head)
        column.addWidget(self._pages, 1)
        self.switch.changed.connect(self._show_page)
        self._head.hide()

    def charts(self) -> tuple[SmallChart, ...]:
        return self.rate, self.norm, self.speed, *self.machine.charts.values()

    def clear(self) -> None:
        for chart in (self.rate, self.norm, self.speed):
            chart.clear()
        self.machine.clear()
        self._planned = None
        self._show_machine()

    def append(self, steps: Sequence[int], columns: Mapping[str, Sequence[float]]) -> None:
        """Add training steps; `columns` by the names of core.metrics.METRICS."""
        self.rate.append(steps, columns["learning_rate"])
        self.norm.append(steps, columns["gradient_norm"])
        self.speed.append(steps, columns["tokens_per_second"])

    def add_resources(self, steps: Sequence[int], columns: Mapping[str, Sequence[float]]) -> None:
        """Add what was read of the machine; `columns` by the names of core.metrics.RESOURCES."""
        self.machine.add(steps, columns)
        self._show_machine()

    def show_plan(self, plan: TrainConfig) -> None:
        """The learning rate still to come, and where gradients are clipped."""
        if self._planned == plan or plan.problems():
            return
        self._planned = plan
        steps = sorted(
            {*(1 + round(k * (plan.steps - 1) / PLANNED) for k in range(PLANNED + 1)), _peak(plan)}
        )
        self.rate.set_plan(steps, [learning_rate(plan, step) for step in steps])
        self.norm.set_limit(plan.gradient_clip or None)

    def _show_machine(self) -> None:
        empty = self.machine.is_empty()
        self._head.setHidden(empty)
        self.summary.setText(self.machine.summary())
        if empty:
            self.switch.set_value("learning")
            self._show_page("learning")

    def _show_page(self, name: str) -> None:
        self._pages.setCurrentIndex(int(name == "machine"))

    def fit(self, narrow: bool, low: bool) -> None:
        """Short titles where the page is narrow, lower charts where it is low."""
        for chart in self.charts():
            chart.set_narrow(narrow)
        head = 0 if self._head.isHidden() else look.px(HEAD) + look.px(HEAD_GAP)
        self.setFixedHeight(look.px(SHORT if low else TALL) + head)


def _peak(plan: TrainConfig) -> int:
    """The step at which the learning rate is highest, a corner of its curve."""
    return min(max(plan.warmup, 1), plan.steps)


def _norm_text(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else units.short(value)
