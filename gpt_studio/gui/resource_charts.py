"""What training takes of the machine, over the steps: memory, utilization, temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.gui.charts import SmallChart
from gpt_studio.gui.layouts import Row


class ResourceCharts(QWidget):
    """A small chart for each figure, side by side; what this machine cannot tell is not there."""

    def __init__(self, gap: int) -> None:
        super().__init__()
        self.setAccessibleName("Machine")
        self.charts = {
            "process_memory": _memory_chart("Process memory", "Process"),
            "device_memory": _memory_chart("GPU memory", "GPU"),
            "utilization": SmallChart("Utilization", "Use", show=_percent, axis=_percent, least=100.0),
            "temperature": SmallChart("Temperature", "Temp.", show=_celsius, axis=_celsius),
        }
        row = Row(spacing=gap, parent=self)
        for chart in self.charts.values():
            row.addWidget(chart, 1)
        self.clear()

    def add(self, steps: Sequence[int], columns: Mapping[str, Sequence[float]]) -> None:
        """Show further readings; nan where nothing could be read."""
        for name, chart in self.charts.items():
            chart.append(steps, columns[name])
            chart.setHidden(chart.is_empty())

    def clear(self) -> None:
        for chart in self.charts.values():
            chart.clear()
            chart.hide()

    def is_empty(self) -> bool:
        return all(chart.is_empty() for chart in self.charts.values())

    def summary(self) -> str:
        """The latest figures in a few words."""
        told = [
            f"{self.charts[name].current()}{word}"
            for name, word in (
                ("process_memory", " process"),
                ("device_memory", " GPU memory"),
                ("utilization", " used"),
                ("temperature", ""),
            )
            if not self.charts[name].is_empty()
        ]
        return " · ".join(told)


def _memory_chart(title: str, short_title: str) -> SmallChart:
    return SmallChart(title, short_title, show=units.memory, axis=_memory_tick, base=_memory_unit)


def _memory_unit(high: float) -> float:
    return float(units.GB if high >= units.GB else units.MB)


def _memory_tick(value: float) -> str:
    unit = _memory_unit(value)
    return f"{value / unit:g}{units.SPACE}{'GB' if unit == units.GB else 'MB'}" if value else "0"


def _percent(value: float) -> str:
    return units.percent(value / 100)


def _celsius(value: float) -> str:
    return f"{units.number(value)}{units.SPACE}°C"
