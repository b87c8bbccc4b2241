"""The figures of a run: step, losses, speed, compute, time left."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, linear_regression, pstdev

from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import flops_per_token
from gpt_studio.core.metrics import History, bits_per_byte
from gpt_studio.core.speed import mfu
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.state import State
from gpt_studio.gui.widgets import Tile

STEADY, ENOUGH = 50, 20  # steps the spread of the speed is measured over, and at least
STEADY_SPREAD = 0.05
WINDOWS = (  # of the trend: from which step on, over how many, with how many decimals
    (2000, 1000, f"1{units.SPACE}k", 3),
    (150, 100, "100", 2),
)
MODEL_FLOPS = "What forward and backward pass need per token, times the tokens per second"
SHARES = {  # of the width, by what each has to say
    "Step": 137, "Train loss": 120, "Validation loss": 128, "Tokens/s": 97, "Compute": 112, "Time left": 110,
}  # fmt: skip
NARROW, TIGHT = 620, 760
SIZES = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

Shown = tuple[str, str, str, str]  # value, unit, caption, the caption's role
NOTHING: Shown = (units.UNKNOWN, "", "", "text3")


class RunTiles(QWidget):
    """Six tiles in a row; five or four where there is less room, so that each can say what it has to."""

    def __init__(self) -> None:
        super().__init__()
        tiles = {name: Tile(name) for name in SHARES}
        self.step, self.loss, self.validation, self.speed, self.compute, self.left = tiles.values()
        row = Row(spacing=8, parent=self)
        for name, tile in tiles.items():
            row.addWidget(tile, SHARES[name])
        self._narrow = False
        self._was_training = False
        self._ended: datetime | None = None

    def fit(self, width: float) -> None:
        """Show as many tiles as a page of this width in pixels of the design has room for."""
        self._narrow = width < NARROW
        self.speed.setHidden(self._narrow)
        self.compute.setHidden(width < TIGHT)

    def forget(self) -> None:
        """Other curves are shown now: when the last run ended says nothing about them."""
        self._ended = None

    def show_run(self, state: State, config: RunConfig, history: History, loss: float | None) -> None:
        """Show a run: its state, the settings it follows, what was recorded, the smoothed loss by now."""
        if self._was_training and not state.training:
            self._ended = datetime.now()
        self._was_training = state.training
        value, unit, caption, role = _step(state, config, history)
        self.step.set_value(value, "" if self._narrow else unit, caption, role)
        self.loss.set_value(*(NOTHING if loss is None else (units.loss(loss), "", trend(history), "text3")))
        self.validation.set_value(*_validation(history))
        self.validation.setToolTip(_validation_explained(history))
        self.speed.set_value(*_speed(state, history))
        self._show_compute(state, config, history)
        self.left.set_value(*_left(state, self._ended))

    def _show_compute(self, state: State, config: RunConfig, history: History) -> None:
        """The share of what the device can do; FLOP/s where that was not measured."""
        rate = _rate(state, config)
        self.compute.set_label("MFU" if rate else "Compute")
        self.compute.set_value(*_compute(config, history, rate))
        base = (
            f", as a share of the {units.flops_rate(rate)} that matrix products reached here" if rate else ""
        )
        self.compute.setToolTip(f"{MODEL_FLOPS}{base}. Precision: {config.train.precision}.")


def _step(state: State, config: RunConfig, history: History) -> Shown:
    if state.run is None:
        return NOTHING
    ahead = max(0, config.train.steps - state.step)
    seen = history.columns["tokens"][-1] if len(history) else 0.0
    total = seen + ahead * config.train.effective_batch * config.model.max_length
    return units.number(state.step), f"/ {units.number(config.train.steps)}", _tokens(seen, total), "text3"


def _tokens(seen: float, total: float) -> str:
    """ "1.63 of 2.62 B tokens": both in the unit of the whole."""
    whole = units.short(total)
    figure, _, letter = whole.partition(units.SPACE)
    done = units.number(seen / SIZES[letter], len(figure.partition(".")[2]))
    return f"{done} of {whole} tokens"


def trend(history: History) -> str:
    """How far the loss went over the last thousand (or hundred) steps, along a straight line through them.

    "" while there are fewer: a slope must not be stretched over steps that were never made.
    """
    for least, window, text, decimals in WINDOWS:
        if len(history) >= least:
            slope = linear_regression(history.steps[-window:], history.columns["loss"][-window:]).slope
            change = slope * window
            few = min(decimals, 1) if abs(change) >= 9.95 else decimals  # so that it fits into the tile
            return f"{_signed(change, few)} / {text} steps"
    return ""


def _signed(change: float, decimals: int) -> str:
    text = units.number(change, decimals)
    if not text.strip(f"{units.MINUS}0."):
        return "level"
    return text if change < 0 else f"+{text}"


def _validation(history: History) -> Shown:
    best = history.best_validation
    if best is None:
        return NOTHING
    step, loss = best
    latest = history.validation_losses[-1]
    bits = _bits(latest, history)
    if loss == latest:
        return units.loss(latest), "", f"best · {bits or f'step {units.number(step)}'}", "ok"
    return units.loss(latest), "", bits or f"best {units.loss(loss)} at {units.number(step)}", "text3"


def _bits(loss: float, history: History) -> str:
    """A loss that can be compared between tokenizers: "1.02 bits/byte"; "" where that is not known."""
    known = history.bytes_per_token
    return f"{units.number(bits_per_byte(loss, known), 2)} bits/byte" if known else ""


def _validation_explained(history: History) -> str:
    best = history.best_validation
    if best is None:
        return ""
    bits = _bits(best[1], history)
    told = f"{units.loss(best[1])} nats per token{f', {bits}' if bits else ''}"
    return f"Lowest at step {units.number(best[0])}: {told}."


def _speed(state: State, history: History) -> Shown:
    if not len(history):
        return NOTHING
    running = state.training and not state.training_paused
    caption = _steadiness(history) if running else "last measured"
    return units.short(history.columns["tokens_per_second"][-1]), "", caption, "text3"


def _steadiness(history: History) -> str:
    """How far single steps are from their mean speed; the recorded speed is an average already."""
    tokens, seconds = (history.columns[name][-STEADY - 1 :] for name in ("tokens", "seconds"))
    rates = [
        (after - before) / took
        for (before, after), took in zip(pairwise(tokens), (b - a for a, b in pairwise(seconds)), strict=True)
        if took > 0
    ]
    if len(rates) < ENOUGH:
        return "measuring"
    spread = pstdev(rates) / fmean(rates)
    word = "steady" if spread < STEADY_SPREAD else "varying"
    return f"{word} ±{units.percent(max(spread, 0.01))}"


def _rate(state: State, config: RunConfig) -> float:
    """The matrix FLOP/s of the device in the run's precision; 0 where not known, or the run was elsewhere."""
    here = state.device if state.seconds_per_step else None
    return here.rates.get(config.train.precision, 0.0) if here else 0.0


def _compute(config: RunConfig, history: History, rate: float) -> Shown:
    """Model FLOP/s achieved, as a share of the `rate` if there is one."""
    if not len(history):
        return NOTHING
    speed, flops = history.columns["tokens_per_second"][-1], flops_per_token(config.model)
    if rate:
        return units.percent(mfu(speed, flops, rate), 1), "", f"of {units.flops_rate(rate)}", "text3"
    value, _, unit = units.flops_rate(speed * flops).partition(units.SPACE)
    return value, unit, f"{config.train.precision}, model only", "text3"


def _left(state: State, ended: datetime | None) -> Shown:
    if state.training_paused:
        return units.UNKNOWN, "", "paused", "text3"
    if not state.training:
        how = "finished" if state.stopped_by == "finished" else "stopped"
        return units.UNKNOWN, "", f"{how} {ended:%H:%M}" if ended else "not running", "text3"
    if state.seconds_left is None:
        return units.UNKNOWN, "", "measuring", "text3"
    return units.duration(state.seconds_left), "", f"done {_when(state.seconds_left)}", "text3"


def _when(seconds: float) -> str:
    """ "at 18:42", with the day where it is another one: "Tue 18:42", "on Nov 29"."""
    now = datetime.now()
    then = now + timedelta(seconds=min(seconds, 3e9))
    days = (then.date() - now.date()).days
    if days == 0:
        return f"at {then:%H:%M}"
    return f"{then:%a %H:%M}" if days < 7 else f"on {then:%b} {then.day}"
