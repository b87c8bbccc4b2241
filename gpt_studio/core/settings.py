"""Describe a field once for people: label, range, unit, help and cost.

Form, tooltip, file, checkpoint and command line all read the description from the dataclass field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Value = int | float | bool | str | tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """One of a setting's named options; only the value is ever stored."""

    value: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a person needs to know about one field of a config."""

    name: str
    label: str
    default: Value
    help: str
    cost: str = ""  # what more of it costs, in one clause
    low: float | None = None
    high: float | None = None
    stops: tuple[float, ...] = ()  # the useful values a slider snaps to; a field accepts any legal one
    prefix: str = ""
    decimals: int = 0
    scientific: bool = False  # shown and typed as 6e-4
    choices: tuple[Choice, ...] = ()
    shown: bool = True  # has a row in the form
    optional: bool = False  # 0 means "off" for numbers
    live: bool = False  # may change in the middle of a run, while it is paused
    items: str = "str"  # what a list holds: "str" or "float"

    @property
    def kind(self) -> str:
        """How it is edited: "switch", "choice", "int", "float", "text" or "list"."""
        if isinstance(self.default, bool):
            return "switch"
        if self.choices:
            return "choice"
        return {int: "int", float: "float", str: "text"}.get(type(self.default), "list")


@dataclass(frozen=True)
class Fix:
    """One click that repairs a problem: a button's label and the fields it sets."""

    label: str
    changes: Mapping[str, Value]


@dataclass(frozen=True)
class Problem:
    """Why a value cannot be used, in one sentence, and the clicks that would mend it.

    `hint` introduces the clicks where they are shown.
    """

    text: str
    fixes: tuple[Fix, ...] = ()
    hint: str = ""


def setting(default: Any, label: str, *, help: str, **description: Any) -> Any:
    """Make a dataclass field that carries its description for people."""
    metadata = {"default": default, "label": label, "help": help, **description}
    return dataclasses.field(default=default, metadata={"setting": metadata})


def settings_of(config_class: type) -> dict[str, Setting]:
    """The described fields of a config class, by name, in the order they are declared."""
    return _settings_of(config_class)


@cache
def _settings_of(config_class: type) -> dict[str, Setting]:
    return {
        field.name: Setting(name=field.name, **field.metadata["setting"])
        for field in dataclasses.fields(config_class)
    }


def number_text(setting: Setting, value: float) -> str:
    """A number as an editable field shows it: no thousands marks, as many decimals as the setting has."""
    if setting.scientific and value:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.{setting.decimals}f}"


def value_problem(setting: Setting, value: object) -> Problem | None:
    """Say what is wrong with one value on its own: its type, its range, its choices."""
    if setting.kind in ("int", "float"):
        return _number_problem(setting, value)
    if setting.choices and value not in [choice.value for choice in setting.choices]:
        options = ", ".join(choice.label for choice in setting.choices)
        return Problem(f"{setting.label} must be one of: {options}.", (_use(setting, setting.default),))
    wrong = isinstance(value, tuple) and not all(_fits(item, setting.items) for item in value)
    if wrong or type(value) is not type(setting.default):
        return Problem(f"{setting.label} has a value of the wrong kind.", (_use(setting, setting.default),))
    return None


def _fits(item: object, kind: str) -> bool:
    if kind == "str":
        return isinstance(item, str)
    return isinstance(item, int | float) and not isinstance(item, bool)


def _number_problem(setting: Setting, value: object) -> Problem | None:
    whole = setting.kind == "int"
    allowed = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed):
        noun = "a whole number" if whole else "a number"
        return Problem(f"{setting.label} must be {noun}.", (_use(setting, setting.default),))
    low = setting.low if setting.low is not None else value
    high = setting.high if setting.high is not None else value
    if low <= value <= high:  # false for nan too
        return None
    nearest = low if not value > high else high
    bounds = f"{number_text(setting, low)} and {number_text(setting, high)}"
    nearest = int(nearest) if whole else float(nearest)
    return Problem(f"{setting.label} must be between {bounds}.", (_use(setting, nearest),))


def _use(setting: Setting, value: Value) -> Fix:
    shown = number_text(setting, value) if isinstance(value, int | float) else str(value)
    return Fix(f"Use {shown}", {setting.name: value})
