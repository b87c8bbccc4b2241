"""A plan may change in the middle of a run, within limits, and the change is told in few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.plan_changes import SETTINGS, check_replan, in_words, smaller_batch

PLAN = TrainConfig(steps=1000, batch_size=16, learning_rate=1e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"learning_rate": 5e-4}, "Learning rate 1e−3 → 5e−4"),
        ({"steps": 12000, "weight_decay": 0.05}, "Steps 1 000 → 12 000 · Weight decay 0.1 → 0.05"),
        ({"patience": 3, "gradient_clip": 0.0}, "Gradient clip 1 → off · Stop early after off → 3"),
        ({"schedule": "wsd"}, "Schedule Cosine → WSD"),
        ({"compile": True}, "Compile the model off → on"),
        ({"sample_prompt": "Once upon a time | In the beginning"}, "Sample prompt changed"),
    ],
)
def test_changes_in_words(changes, words):
    assert in_words(PLAN, PLAN.changed(**changes)).replace("\u202f", " ") == words


@pytest.mark.parametrize("name", SETTINGS)
def test_only_live_settings_may_change(name):
    setting = SETTINGS[name]
    others = {
        "switch": lambda value: not value,
        "choice": lambda value: next(c.value for c in setting.choices if c.value != value),
        "int": lambda value: value + 1,
        "float": lambda value: value / 2,
        "text": lambda value: value + "!",
    }
    after = PLAN.changed(**{name: others[setting.kind](getattr(PLAN, name))})
    if setting.live:
        check_replan(PLAN, after, 10)
        return
    with pytest.raises(StudioError, match=setting.label) as failure:
        check_replan(PLAN, after, 10)
    assert failure.value.kept
    assert failure.value.tries


def test_fewer_steps_than_are_done_are_refused():
    check_replan(PLAN, PLAN.changed(steps=500), 500)
    with pytest.raises(StudioError, match="500 steps are done already") as failure:
        check_replan(PLAN, PLAN.changed(steps=499), 500)
    assert failure.value.remedies[0].changes == {"steps": 500}


def test_values_that_cannot_be_used_are_refused():
    with pytest.raises(StudioError, match="Learning rate must be between"):
        check_replan(PLAN, PLAN.changed(learning_rate=7.0), 0)


@given(st.integers(1, 4096), st.integers(1, 64))
def test_a_smaller_batch_is_the_largest_that_keeps_the_effective_one(batch_size, accumulation):
    plan = PLAN.changed(batch_size=batch_size, accumulation=accumulation)
    less = smaller_batch(plan)
    if batch_size == 1:
        assert not less
        return
    assert plan.changed(**less).effective_batch == plan.effective_batch
    assert less["batch_size"] < batch_size
    assert not [n for n in range(less["batch_size"] + 1, batch_size) if batch_size % n == 0]
