"""The status bar: what is going on at the left, the last fact at the right."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.gui.buttons import LinkButton
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, look, paint_icon
from gpt_studio.gui.widgets import ElidedLabel, Label, Surface

ENDED = {"finished": "Finished", "early": "Stopped early", "stopped": "Stopped"}


@dataclass(frozen=True)
class Status:
    """One line of status: an icon ("" for a dot) in a role, a word, a share done (None: no bar), a text."""

    icon: str
    role: str
    word: str
    share: float | None = None
    text: str = ""


def status_of(state: State) -> Status:
    """What the status bar says about a state."""
    if not state.awake:
        return Status("", "text3", "Starting", text="Loading the engine")
    if state.training:
        return _training(state)
    for kind, word in (("data", "Reading"), ("file", "Files")):
        if kind in state.running and kind in state.progress:
            progress = state.progress[kind]
            share = progress.done / progress.total if progress.total else None
            return Status("", "accent", word, share, progress.text)
    if state.problems:
        count = len(state.problems)
        return Status(
            "alert-triangle", "warn", f"{count} setting{'s need' if count > 1 else ' needs'} attention"
        )
    if state.stopped_by == "failed":
        return Status("alert-octagon", "bad", f"Stopped at step {units.number(state.step)}")
    if state.stopped_by and state.run is not None:
        return Status("", "ok", "Ready", text=f"{ENDED[state.stopped_by]} at step {units.number(state.step)}")
    return Status("", "ok", "Ready", text=_model_text(state))


def _training(state: State) -> Status:
    steps = state.config.train.steps
    building = state.progress.get("train") or state.progress.get("data")  # its text is read first
    if building is not None and not (state.run and state.seconds_per_step):
        share = building.done / building.total if building.total else None
        return Status("", "accent", "Preparing", share, building.text)
    share = state.step / steps
    parts = [f"{units.percent(share)}   {units.number(state.step)} of {units.number(steps)} steps"]
    if state.seconds_left is not None and not state.training_paused:
        parts.append(f"{units.duration(state.seconds_left)} left")
    word, role = ("Paused", "warn") if state.training_paused else ("Training", "accent")
    return Status("", role, word, share, " · ".join(parts))


def queue_text(state: State) -> str:
    """ "2 runs queued · Start"; while one trains, that others wait."""
    count = len(state.queue)
    waiting = f"{count} run{'s' if count > 1 else ''} queued"
    return waiting if state.training else f"{waiting} · Start"


def _model_text(state: State) -> str:
    if state.model is None:
        return ""
    if state.demo:
        return f"Demo model loaded · {units.parameters(state.model.parameters)} parameters"
    return f"{units.parameters(state.model.parameters)} parameters · step {units.number(state.step)}"


class StatusBar(Surface):
    """Shows the state, and a note at the right (`note`).

    Signals:
        queue_wanted: train what waits.
        best_wanted: use the weights from before the run stopped early.
    """

    queue_wanted = Signal()
    best_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", edges="t", parent=parent)
        self._icon = _StatusIcon(self)
        self._word = Label("", "strong", "text")
        self._bar = _Progress(self)
        self._text = ElidedLabel("", "small", "text2", tabular=True)
        self._note_icon = _StatusIcon(self)
        self._note_icon.hide()
        self._note = ElidedLabel("Nothing leaves this computer", "small", "text3", tabular=True)
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._best = LinkButton("Use the best weights", parent=self)
        self._best.clicked.connect(self.best_wanted)
        self._queue = LinkButton("", tabular=True, parent=self)
        self._queue.clicked.connect(self.queue_wanted)
        self._shown: Status | None = None
        row = Row((14, 0, 14, 0), 10, self)
        for widget in (self._icon, self._word, self._bar):
            row.addWidget(widget)
        row.addWidget(self._text, 1)
        row.addWidget(self._note_icon)
        row.addWidget(self._note)
        row.addWidget(self._best)
        row.addWidget(self._queue)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(28))
        self._bar.setFixedSize(look.px(160), look.px(4))

    def show_state(self, state: State) -> None:
        self._show_links(state)
        status = status_of(state)
        if status == self._shown:
            return
        if self._shown is None or status.word != self._shown.word:
            self.setAccessibleName(f"{status.word} {status.text}")  # announce changes, not each step
        self._shown = status
        self._icon.show_icon(status.icon, status.role)
        self._word.setText(status.word)
        self._bar.setVisible(status.share is not None)
        self._bar.show_share(status.share or 0.0)
        self._text.setText(status.text)

    def _show_links(self, state: State) -> None:
        self._best.setVisible(bool(state.early and state.early.checkpoint) and not state.training)
        self._queue.setVisible(bool(state.queue))
        self._queue.setEnabled(state.awake and not state.training)
        if self._queue.text() != (text := queue_text(state)):
            self._queue.setText(text)
            self._queue.updateGeometry()

    def note(self, text: str, icon: str = "", role: str = "text3") -> None:
        """Say the last fact worth knowing."""
        self._note.setText(text)
        self._note.updateGeometry()
        self._note.setAccessibleName(text)
        self._note_icon.setVisible(bool(icon))
        self._note_icon.show_icon(icon, role)

    def text(self) -> str:
        """What the bar says, as one text."""
        return f"{self._word.text()} {self._text.text()} | {self._note.text()}"


class _StatusIcon(QWidget):
    """An icon, or a dot when it has no name."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._name, self._role = "", "text3"
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedSize(look.px(14), look.px(14))
        self.update()

    def show_icon(self, name: str, role: str) -> None:
        self._name, self._role = name, role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._name:
            paint_icon(painter, self._name, QRectF(self.rect()), color(self._role))
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(self._role))
        side = look.px(7)
        painter.drawEllipse(QRectF(0, (self.height() - side) / 2, side, side))


class _Progress(QWidget):
    """A thin bar, filled to a share."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._share = 0.0
        self.setAccessibleName("Progress")

    def show_share(self, share: float) -> None:
        self._share = min(1.0, max(0.0, share))
        self.setAccessibleDescription(units.percent(self._share))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = self.height() / 2
        painter.setBrush(color("rail"))
        painter.drawRoundedRect(QRectF(self.rect()), radius, radius)
        painter.setBrush(color("accent"))
        painter.drawRoundedRect(QRectF(0, 0, self.width() * self._share, self.height()), radius, radius)
