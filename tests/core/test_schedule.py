"""The learning rate rises, then falls as its schedule says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import TrainConfig
from gpt_studio.core.schedule import DECAY, LOWEST, learning_rate


@pytest.mark.parametrize(("schedule", "end"), [("cosine", 0.1), ("linear", 0.1), ("constant", 1.0)])
def test_schedules_rise_then_fall_to_a_tenth(schedule, end):
    plan = TrainConfig(steps=100, warmup=10, learning_rate=0.5, schedule=schedule)
    rates = [learning_rate(plan, step) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.05)
    assert rates[9] == max(rates) == 0.5
    assert rates[-1] == pytest.approx(0.5 * end)
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    halfway = rates[54]
    assert halfway == pytest.approx(0.5 * (1 + end) / 2)


@pytest.mark.parametrize("warmup", [0, 1, 10, 100])
def test_warm_up_may_be_absent_or_longer_than_the_run(warmup):
    plan = TrainConfig(steps=10, warmup=warmup, learning_rate=0.5)
    assert all(0 < learning_rate(plan, step) <= 0.5 for step in range(1, 11))


plans = st.builds(
    TrainConfig,
    steps=st.integers(1, 500),
    warmup=st.integers(0, 500),
    learning_rate=st.floats(1e-8, 1.0),
    schedule=st.just("wsd"),
)


@given(plans)
def test_wsd_never_exceeds_its_rate_and_never_jumps(plan):
    """It rises, stays, falls: each change is as small as its slope allows."""
    rates = [learning_rate(plan, step) for step in range(1, plan.steps + 1)]
    assert 0 < min(rates) <= max(rates) <= plan.learning_rate * (1 + 1e-12)
    rise = 1 / max(1, plan.warmup)
    fall = (1 - LOWEST) / (DECAY * max(1, plan.steps - plan.warmup))
    for one, two in pairwise(rates):
        assert -fall - 1e-9 <= (two - one) / plan.learning_rate <= rise + 1e-9


@given(plans)
def test_wsd_stays_at_its_height_and_falls_in_the_last_fifth(plan):
    after = max(1, plan.steps - plan.warmup)
    for step in range(plan.warmup, plan.steps + 1):
        rate = learning_rate(plan, step) / plan.learning_rate
        if step and step - plan.warmup <= (1 - DECAY) * after - 1e-6:
            assert rate == pytest.approx(1.0)
        elif step - plan.warmup > (1 - DECAY) * after + 1e-6:
            assert rate < 1
    if plan.warmup < plan.steps:
        assert learning_rate(plan, plan.steps) == pytest.approx(LOWEST * plan.learning_rate)


def test_steps_added_before_wsd_falls_change_nothing_so_far():
    plan = TrainConfig(steps=1000, warmup=50, schedule="wsd")
    longer = plan.changed(steps=5000)
    assert all(learning_rate(plan, step) == learning_rate(longer, step) for step in range(1, 810))
    assert learning_rate(plan, 900) < learning_rate(longer, 900)
