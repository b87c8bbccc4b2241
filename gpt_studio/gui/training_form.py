"""The form of a training plan: what everybody sets first, the rest folded, and the schedule as a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpt_studio.core import units
from gpt_studio.core.config import TrainConfig
from gpt_studio.core.section import Section
from gpt_studio.core.settings import Problem, settings_of
from gpt_studio.gui.form import Form, Part
from gpt_studio.gui.schedule_curve import ScheduleCurve


class TrainingForm(Form):
    """Edits a TrainConfig."""

    def __init__(self, explain: Callable[[str], str] = lambda name: "") -> None:
        super().__init__(TrainConfig, explain, PARTS)
        self.curve = ScheduleCurve()
        self.add_below(self.curve, "schedule")

    def show_config(self, config: Section, problems: Mapping[str, Problem]) -> None:
        super().show_config(config, problems)
        if isinstance(config, TrainConfig):
            self.curve.show_plan(config)

    def show_step(self, step: int) -> None:
        """Where the run is, 0 before its first step."""
        self.curve.show_step(step)


def _optimizer(plan: TrainConfig) -> str:
    """ "AdamW · decay 0.10 · clip 1.00"."""
    return _facts(
        (_label("optimizer", plan.optimizer), True),
        (f"decay {plan.weight_decay:.2f}", plan.weight_decay > 0),
        (f"clip {plan.gradient_clip:.2f}", plan.gradient_clip > 0),
    )


def _device(plan: TrainConfig) -> str:
    """ "bf16 · fused · compiled"."""
    return _facts(
        (plan.precision, True),
        (f"{plan.attention} attention", plan.attention != "auto"),
        ("chunked", plan.chunked_loss),
        ("compiled", plan.compile),
    )


def _checks(plan: TrainConfig) -> str:
    """ "every 100 steps"."""
    return _facts(
        (f"every {units.number(plan.evaluate_every)} steps", True),
        ("stops early", plan.patience > 0),
        ("TensorBoard", plan.tensorboard),
    )


def _facts(*facts: tuple[str, bool]) -> str:
    return " · ".join(text for text, holds in facts if holds)


def _label(name: str, value: str) -> str:
    """A choice as people read it."""
    choices = settings_of(TrainConfig)[name].choices
    return next((choice.label for choice in choices if choice.value == value), value)


PARTS = {
    "steps": Part(),
    "optimizer": Part("Optimizer", _optimizer),
    "precision": Part("Device", _device),
    "evaluate_every": Part("Checks and files", _checks),
    "seed": Part(),
}
