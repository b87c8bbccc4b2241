"""The one change to try for what the training doctor found, within the range of its setting."""

from __future__ import annotations

import math

from gpt_studio.core import forecast
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.doctor_curves import Curves
from gpt_studio.core.errors import Remedy
from gpt_studio.core.findings import GOOD_PASSES, LEAST_STEPS
from gpt_studio.core.settings import settings_of
from gpt_studio.core.units import number, rate

WIDEST_FITTED = 96  # the width of the models that core.forecast.TOO_FAST was fitted to
MOST_DROPOUT = 0.3
USUAL_DECAY, STRONG_DECAY = 0.1, 0.5
TINY_RATE, TINY_CLIP = 1e-5, 1e-2
SOLVED = 1.06  # times what the texts leave open: there is little more to learn


def usual(config: RunConfig) -> float:
    """The learning rate above which models do worse; wider ones bear less, about by the root of their width.

    That is about how rates fall with width in Brown et al., "Language models are few-shot learners", 2020,
    table 2.1, up to the width of a thousand and more.
    """
    return forecast.TOO_FAST * min(1.0, math.sqrt(WIDEST_FITTED / config.model.embed_size))


def lower_rate(seen: Curves) -> Remedy:
    """Half of it, or to where models learn, if that is far away."""
    now, good = seen.config.train.learning_rate, usual(seen.config) / 2
    if now > 4 * good:
        return _rate("Lower the learning rate", good)
    return _rate("Halve the learning rate", now / 2)


def raise_rate(config: RunConfig) -> Remedy:
    """To where models learn."""
    return _rate("Raise the learning rate", max(2 * config.train.learning_rate, usual(config) / 8))


def awaken(seen: Curves, silent: bool) -> Remedy | None:
    """For a run that does not learn; with no gradients at all other weights are the only way."""
    plan = seen.config.train
    if silent:
        return _train("Begin with other weights", seed=(plan.seed + 1) % 2**31)
    if plan.learning_rate < TINY_RATE:
        return raise_rate(seen.config)
    if 0 < plan.gradient_clip < TINY_CLIP:
        return _train("Clip gradients at 1", gradient_clip=1.0)
    return None


def move_on(seen: Curves) -> Remedy:
    """For a run that makes no progress: undo what holds it back, or end it, or find finer steps, or grow."""
    plan = seen.config.train
    if plan.weight_decay > STRONG_DECAY:
        return _train(f"Lower the weight decay to {USUAL_DECAY:g}", weight_decay=USUAL_DECAY)
    if plan.learning_rate < usual(seen.config) / 100:
        return raise_rate(seen.config)
    if seen.report and seen.now < SOLVED * seen.report.context:
        return _train(f"End at step {number(seen.step)}", steps=seen.step)
    if seen.report and seen.now > seen.report.bigram > 0:
        return _larger(seen.config, "embed_size", "Make a new model {} wide")
    if plan.schedule == "constant" or plan.learning_rate > usual(seen.config) / 4:
        return _rate("Halve the learning rate", plan.learning_rate / 2)
    return _larger(seen.config, "num_layers", "Make a new model of {} layers")


def _larger(config: RunConfig, name: str, label: str) -> Remedy:
    most = settings_of(GPTConfig)[name].high or math.inf
    value = int(min(2 * getattr(config.model, name), most))
    return Remedy(label.format(number(value)), "model", {name: value})


def less_by_heart(seen: Curves) -> Remedy:
    """More dropout, or to stop where validation was best."""
    dropout = seen.config.model.dropout
    if dropout < MOST_DROPOUT:
        more = round(dropout + 0.1, 2)
        return Remedy(f"Make a new model with dropout {more:g}", "model", {"dropout": more})
    best = min(seen.looks, key=lambda look: look[1])[0] if seen.looks else seen.step
    return _train(f"Train only {number(best)} steps", steps=best)


def read_less(seen: Curves) -> Remedy:
    """Something to see it by; or fewer steps, if enough are left; or what else helps against it."""
    if not seen.config.data.validation:
        return Remedy("Hold out 10 % of the text", "data", {"validation": 0.1})
    steps = int(seen.config.train.steps * GOOD_PASSES / max(1.0, seen.planned_passes))
    steps -= steps % 10 ** max(0, len(str(steps)) - 1)  # one digit and zeros
    if steps < LEAST_STEPS:
        return less_by_heart(seen)
    return _train(f"Train only {number(steps)} steps", steps=steps)


def _rate(what: str, value: float) -> Remedy:
    described = settings_of(TrainConfig)["learning_rate"]
    value = min(max(float(f"{value:.1e}"), described.low or 0.0), described.high or math.inf)
    return _train(f"{what} to {rate(value)}", learning_rate=value)


def _train(label: str, **changes: float) -> Remedy:
    return Remedy(label, "train", changes)
