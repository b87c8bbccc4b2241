"""What may change in the middle of a run, and the change in a few words."""

from __future__ import annotations

from gpt_studio.core import units
from gpt_studio.core.config import TrainConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.settings import Setting, Value, settings_of

SETTINGS = settings_of(TrainConfig)


def in_words(before: TrainConfig, after: TrainConfig) -> str:
    """What differs: "Learning rate 1e−3 → 5e−4 · Steps 1 000 → 2 000"; nothing for the same plan."""
    return " · ".join(
        _change(SETTINGS[name], getattr(before, name), getattr(after, name))
        for name in changed_settings(before, after)
    )


def changed_settings(before: TrainConfig, after: TrainConfig) -> list[str]:
    """The names of the settings that differ, in the order of the form."""
    return [name for name in SETTINGS if getattr(before, name) != getattr(after, name)]


def _change(setting: Setting, before: Value, after: Value) -> str:
    if setting.kind in ("text", "list"):  # too long to be told beside others
        return f"{setting.label} changed"
    return f"{setting.label} {_shown(setting, before)} → {_shown(setting, after)}"


def _shown(setting: Setting, value: Value) -> str:
    if setting.choices:
        return next((choice.label for choice in setting.choices if choice.value == value), str(value))
    if setting.kind == "switch" or (setting.optional and not value):
        return "on" if value else "off"
    if setting.scientific and isinstance(value, int | float):
        return units.rate(value)
    return units.number(value) if isinstance(value, int) else f"{value:g}"


def check_replan(before: TrainConfig, after: TrainConfig, done: int) -> None:
    """Make sure that a run with so many steps done can go on by another plan.

    Raises:
        StudioError: a value cannot be used, a setting holds for a whole run, or too few steps are left.
    """
    as_it_was = "The run is as it was."
    for problem in after.problems().values():
        raise StudioError(problem.text, kept=as_it_was)
    for name in changed_settings(before, after):
        if not SETTINGS[name].live:
            raise StudioError(
                f"“{SETTINGS[name].label}” cannot change in the middle of a run.",
                kept=as_it_was,
                tries="Put it back, or stop and train again with it.",
            )
    if after.steps < done:
        raise StudioError(
            f"{units.number(done)} steps are done already.",
            kept=as_it_was,
            tries=f"Take at least {units.number(done)} steps.",
            remedies=(Remedy(f"Use {units.number(done)} steps", "train", {"steps": done}),),
        )


def smaller_batch(plan: TrainConfig) -> dict[str, Value]:
    """Settings for the same steps with less at a time; none where that is not possible."""
    if plan.batch_size == 1:
        return {}
    size = next(n for n in range(plan.batch_size // 2, 0, -1) if plan.batch_size % n == 0)
    return {"batch_size": size, "accumulation": plan.effective_batch // size}
