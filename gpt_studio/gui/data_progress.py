"""How far reading and tokenizing are: text, share, time left, a thin bar and a way out."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar, QSizePolicy, QWidget

from gpt_studio.core.events import Progress
from gpt_studio.core.units import about, percent
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.widgets import ElidedLabel, Label

CALM = 0.3  # seconds below which work is not worth showing
SURE = 1.0  # seconds after which a rate can be trusted


class Pace:
    """From how far work is at different times, how long it will take."""

    def __init__(self) -> None:
        self._total = 0
        self._since: tuple[float, int] = (0.0, 0)  # when it began, and how far it was then

    def seconds_left(self, done: int, total: int, now: float) -> float | None:
        """None while the rate is not known. A new total, or a step back, is other work."""
        if total != self._total or done < self._since[1]:
            self._total, self._since = total, (now, done)
        seconds, more = now - self._since[0], done - self._since[1]
        return (total - done) * seconds / more if more > 0 and seconds >= SURE else None


class ProgressLine(QWidget):
    """What is being done, how far it is, and a button to cancel it.

    Signals:
        cancel_wanted: do no more of it.
    """

    cancel_wanted = Signal()

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._began: float | None = None
        self._pace = Pace()
        self.label = ElidedLabel("", "small", "text2", tabular=True)
        self.left = Label("", "small", "text3", tabular=True)
        self.bar = QProgressBar()
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.bar.setAccessibleName(name)
        self.cancel = Button("Cancel", "quiet", height=24)
        self.cancel.clicked.connect(self.cancel_wanted)
        head = Row(spacing=10)
        head.addWidget(self.label, 1)
        head.addWidget(self.left)
        head.addWidget(self.cancel)
        column = Column(spacing=4, parent=self)
        column.addStretch(1)
        column.addLayout(head)
        column.addWidget(self.bar)
        column.addStretch(1)

    def show_progress(self, progress: Progress | None) -> bool:
        """Show how far it is, None if nothing is being done; whether it takes long enough to be seen."""
        if progress is None:
            self._began, self._pace = None, Pace()
            return False
        now = self._clock()
        self._began = now if self._began is None else self._began
        done, total = progress.done, progress.total
        left = self._pace.seconds_left(done, total, now) if total else None
        share = min(1.0, done / total) if total else 0.0
        self.label.setText(f"{progress.text} · {percent(share)}" if total else progress.text)
        self.left.setText(f"{about(left)} left" if left is not None else "")
        self.bar.setRange(0, 100)
        self.bar.setValue(round(100 * share))
        return now - self._began >= CALM
