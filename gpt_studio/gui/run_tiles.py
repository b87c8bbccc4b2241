"""The figures of a run: step, losses, speed, compute, time left."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, pstdev

from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.estimate import flops_per_token
from gpt_studio.core.metrics import History
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.state import State
from gpt_studio.gui.widgets import Tile

RECENT = 20  # steps the train loss is averaged over
STEADY = 50  # steps the spread of the speed is measured over


class RunTiles(QWidget):
    """Six tiles in a row; four where there is little room."""

    def __init__(self) -> None:
        super().__init__()
        names = ("Step", "Train loss", "Validation loss", "Tokens/s", "Compute", "Time left")
        self.step, self.loss, self.validation, self.speed, self.compute, self.left = map(Tile, names)
        row = Row(spacing=8, parent=self)
        for tile in (self.step, self.loss, self.validation, self.speed, self.compute, self.left):
            row.addWidget(tile, 1)
        self._ended = datetime.now()
        self._was_training = False

    def set_narrow(self, narrow: bool) -> None:
        self.speed.setHidden(narrow)
        self.compute.setHidden(narrow)

    def show_run(self, state: State, history: History) -> None:
        """Show the state of a run and what its curves say."""
        if self._was_training and not state.training:
            self._ended = datetime.now()
        self._was_training = state.training
        self.step.set_value(*_step(state))
        self.loss.set_value(*_loss(history))
        self.validation.set_value(*_validation(history))
        speeds = history.columns["tokens_per_second"][-STEADY:] if len(history) else []
        running = state.training and not state.training_paused
        self.speed.set_value(*_speed(list(speeds), running))
        self.compute.set_value(*_compute(state, speeds[-1] if speeds else 0.0))
        self.left.set_value(*_left(state, self._ended))


Shown = tuple[str, str, str, str]  # value, unit, caption, the caption's role


def _step(state: State) -> Shown:
    steps = state.config.train.steps
    total = steps * state.config.train.effective_batch * state.config.model.max_length
    seen = total * state.step / steps
    caption = f"{units.short(seen)} of {units.short(total)} tokens"
    return units.number(state.step), f"/ {units.number(steps)}", caption, "text3"


def _loss(history: History) -> Shown:
    losses = history.columns["loss"]
    if not losses:
        return units.UNKNOWN, "", "", "text3"
    return units.loss(fmean(losses[-RECENT:])), "", trend(history), "text3"


def trend(history: History) -> str:
    """How the loss changed lately, per hundred or thousand steps; "" while there is too little to say."""
    window = min(200, len(history) // 3)
    if window < 5:
        return ""
    losses, steps = history.columns["loss"], history.steps
    change = fmean(losses[-window:]) - fmean(losses[-2 * window : -window])
    apart = steps[-1] - steps[-1 - window]
    per, text = (1000, f"1{units.SPACE}k") if steps[-1] >= 2000 else (100, "100")
    change *= per / apart
    sign = "+" if change > 0 else ""
    return f"{sign}{units.number(change, 3)} / {text} steps"


def _validation(history: History) -> Shown:
    best = history.best_validation
    if best is None:
        return units.UNKNOWN, "", "", "text3"
    step, loss = best
    latest = history.validation_losses[-1]
    if loss == latest:
        return units.loss(latest), "", f"best · step {units.number(step)}", "ok"
    return units.loss(latest), "", f"best {units.loss(loss)} at step {units.number(step)}", "text3"


def _speed(speeds: list[float], running: bool) -> Shown:
    if not speeds:
        return units.UNKNOWN, "", "", "text3"
    if not running:
        caption = "when last running"
    elif len(speeds) < RECENT or not any(a != b for a, b in pairwise(speeds)):
        caption = "measuring"
    else:
        spread = pstdev(speeds) / fmean(speeds)
        word = "steady" if spread < 0.05 else "varying"
        caption = f"{word} ±{units.percent(max(spread, 0.01))}"
    return units.short(speeds[-1]), "", caption, "text3"


def _compute(state: State, speed: float) -> Shown:
    """Model FLOP/s achieved; its share of the device's peak waits until that has been measured."""
    if not speed:
        return units.UNKNOWN, "", "", "text3"
    achieved = units.flops(speed * flops_per_token(state.config.model.nearest_valid()))
    value, _, unit = achieved.partition(units.SPACE)
    return value, f"{unit}S", f"model FLOP/s, {state.config.train.precision}", "text3"


def _left(state: State, ended: datetime) -> Shown:
    if state.training_paused:
        return units.UNKNOWN, "", "paused", "text3"
    if not state.training:
        return (
            units.UNKNOWN,
            "",
            f"{state.stopped_by or 'not running'} {_clock(state, ended)}".strip(),
            "text3",
        )
    if state.seconds_left is None:
        return units.UNKNOWN, "", "measuring", "text3"
    done = datetime.now() + timedelta(seconds=state.seconds_left)
    day = "" if done.date() == datetime.now().date() else f"{done:%b} {done.day}, "
    return units.duration(state.seconds_left), "", f"done at {day}{done:%H:%M}", "text3"


def _clock(state: State, ended: datetime) -> str:
    return f"{ended:%H:%M}" if state.stopped_by else ""
