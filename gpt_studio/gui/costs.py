"""What settings cost here: the nearest config that can be calculated, and the price of one step further."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import Estimate, estimate
from gpt_studio.core.events import Device
from gpt_studio.core.settings import Problem, Setting, Value, number_text, settings_of


def repaired(config: RunConfig, problems: Mapping[str, Problem]) -> RunConfig:
    """The config with its model and training problems ("section.field") mended by their first fixes."""
    config = dataclasses.replace(config, model=config.model.nearest_valid())
    for where, problem in problems.items():
        if where.startswith("train.") and problem.fixes:
            config = config.changed("train", problem.fixes[0].changes)
    return config


def next_step_cost(config: RunConfig, section: str, name: str, device: Device) -> str:
    """Such as "Layers 16: +28.4 M parameters, +1.60 GB, +26 % computing per step"; "" if nothing changes.

    The config must have no problems.
    """
    setting = settings_of(type(getattr(config, section)))[name]
    value = _next_value(config, section, setting)
    if value is None:
        return ""
    before = estimate(config, device)
    after = estimate(config.changed(section, {name: value}), device)
    changes = ", ".join(_changes(before, after))
    return f"{setting.label} {_shown(setting, value)}: {changes}" if changes else ""


def _next_value(config: RunConfig, section: str, setting: Setting) -> Value | None:
    """The nearest useful value above, or below if there is none, that makes no problem."""
    part = getattr(config, section)
    now = getattr(part, setting.name)
    if setting.kind == "switch":
        return not now
    if setting.kind == "choice":
        return next(choice.value for choice in setting.choices if choice.value != now)
    above = [stop for stop in setting.stops if stop > now]
    below = [stop for stop in reversed(setting.stops) if stop < now]
    return next((stop for stop in above + below if not part.changed(**{setting.name: stop}).problems()), None)


def _shown(setting: Setting, value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{setting.prefix}{number_text(setting, value)}"
    return next(choice.label for choice in setting.choices if choice.value == value)


def _changes(before: Estimate, after: Estimate) -> list[str]:
    parameters = after.parameters - before.parameters
    memory = after.training.total - before.training.total
    step = after.flops_per_token * after.tokens_per_step / (before.flops_per_token * before.tokens_per_step)
    found = []
    if parameters:
        found.append(f"{_sign(parameters)}{units.parameters(abs(parameters))} parameters")
    if memory:
        found.append(f"{_sign(memory)}{units.memory(abs(memory))}")
    if abs(step - 1) >= 0.005:
        found.append(f"{_sign(step - 1)}{units.percent(abs(step - 1))} computing per step")
    return found


def _sign(value: float) -> str:
    return "+" if value > 0 else units.MINUS
