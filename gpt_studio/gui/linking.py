"""Charts of one page that belong together: what is pointed at in one is pointed at in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import SignalInstance

from gpt_studio.gui.step_chart import StepChart


class Pointed(Protocol):
    """A chart over steps."""

    @property
    def pointed(self) -> SignalInstance: ...

    def follow_cursor(self, x: float | None) -> None: ...


def link_cursors(charts: Sequence[Pointed]) -> None:
    """Whatever step a person points at in one of the charts, the others show too."""
    for chart in charts:
        for other in charts:
            if other is not chart:
                chart.pointed.connect(other.follow_cursor)


def link_steps(charts: Sequence[StepChart]) -> None:
    """The steps are logarithmic in all of the charts or in none."""
    for chart in charts:
        for other in charts:
            if other is not chart:
                chart.log_steps_changed.connect(other.set_log_steps)
