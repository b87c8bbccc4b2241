"""The learning rate rises, then falls as its schedule says."""

import pytest

from gpt_studio.core.config import TrainConfig
from gpt_studio.core.schedule import learning_rate


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
