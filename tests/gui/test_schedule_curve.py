"""The schedule as a small curve: drawn as it will be followed, told in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QColor

from gpt_studio.core.config import TrainConfig
from gpt_studio.core.schedule import learning_rate
from gpt_studio.core.units import SPACE
from gpt_studio.gui.schedule_curve import ScheduleCurve, in_words
from gpt_studio.gui.theme import DARK, LIGHT, color, look

PLAN = TrainConfig(steps=1000, warmup=100, learning_rate=1e-3)
SCHEDULES = ("cosine", "wsd", "linear", "constant")


@pytest.fixture
def curve(qtbot):
    curve = ScheduleCurve()
    qtbot.addWidget(curve)
    curve.resize(280, curve.height())
    curve.show_plan(PLAN)
    curve.show()
    return curve


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, f"Rises over 100 steps to 1e−3, falls along a cosine to 1e−4 at step 1{SPACE}000."),
        (
            {"schedule": "wsd"},
            f"Rises over 100 steps to 1e−3, stays there to step 820, falls to 1e−4 at step 1{SPACE}000.",
        ),
        (
            {"schedule": "linear", "warmup": 0},
            f"Begins at 1e−3, falls in a straight line to 1e−4 at step 1{SPACE}000.",
        ),
        (
            {"schedule": "constant", "warmup": 1},
            f"Rises over 1 step to 1e−3, stays there to step 1{SPACE}000.",
        ),
        (
            {"warmup": 2000},
            f"Rises to 5e−4 at step 1{SPACE}000: the warm-up takes all steps.",
        ),
    ],
)
def test_it_is_told_in_words(curve, changes, words):
    curve.show_plan(PLAN.changed(**changes))
    assert curve.toolTip() == curve.accessibleDescription() == words


@pytest.mark.parametrize("warmup", [0, 7, 100, 950])
def test_words_name_the_step_from_which_wsd_falls(warmup):
    plan = PLAN.changed(schedule="wsd", warmup=warmup)
    rates = [learning_rate(plan, step) for step in range(1001)]
    stays = max(step for step in range(1001) if rates[step] > 0.9999 * plan.learning_rate)
    assert f"stays there to step {stays}, falls" in in_words(plan)


def ink_at(image, x: float, rows: range) -> list[int]:
    """The rows in which a line is painted at a column."""
    ground = image.pixelColor(image.width() - 1, 1)
    return [y for y in rows if distance(image.pixelColor(round(x), y), ground) > 120]


def distance(one: QColor, other: QColor) -> int:
    return sum(abs(getattr(one, part)() - getattr(other, part)()) for part in ("red", "green", "blue"))


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_line_is_where_the_rate_is(curve, theme, schedule):
    look.apply(theme)
    plan = PLAN.changed(schedule=schedule)
    curve.show_plan(plan)
    image, area = curve.grab().toImage(), curve.area()
    rows = range(round(area.top()) - 3, round(area.bottom()) + 4)
    for step in (150, 400, 700, 850, 950):
        x = area.left() + (step - 1) / 999 * area.width()
        y = area.bottom() - learning_rate(plan, step) / plan.learning_rate * area.height()
        painted = ink_at(image, x, rows)
        assert painted, step
        assert min(painted) - 2 <= y <= max(painted) + 3, step


def test_a_dot_is_where_the_run_is(curve):
    before = curve.grab().toImage()
    curve.show_step(400)
    assert curve.toolTip().endswith(" Now at step 400: 7.8e−4.")
    image, place = curve.grab().toImage(), curve.place(400).toPoint()
    assert distance(image.pixelColor(place), color("accent")) < 40
    assert distance(before.pixelColor(place.x(), place.y() + 2), color("accent")) > 100
    to_come, been = curve.place(800), curve.place(250)
    accent = (QColor(color("accent")).hue(),)
    assert abs(image.pixelColor(been.toPoint()).hue() - accent[0]) < 20
    assert image.pixelColor(to_come.toPoint()).saturation() < image.pixelColor(been.toPoint()).saturation()
    curve.show_step(0)
    assert "Now" not in curve.toolTip()
    assert curve.grab().toImage() == before


def test_beyond_the_last_step_the_dot_stays_at_the_end(curve):
    curve.show_step(5000)
    assert curve.step() == 1000
    assert f"Now at step 1{SPACE}000: 1e−4." in curve.toolTip()


def test_a_plan_that_cannot_be_followed_leaves_the_last_one(curve):
    before = curve.grab().toImage()
    curve.show_plan(PLAN.changed(steps=0, warmup=-5))
    assert curve.grab().toImage() == before
    curve.show_plan(PLAN.changed(steps=2000))
    assert curve.grab().toImage() != before


@settings(max_examples=40)
@given(
    st.integers(1, 10_000_000),
    st.integers(0, 1_000_000),
    st.floats(1e-8, 1.0),
    st.sampled_from(SCHEDULES),
    st.integers(0, 10_000_000),
)
def test_any_plan_is_drawn_inside_its_area(qapp, steps, warmup, rate, schedule, now):
    curve = ScheduleCurve()
    curve.resize(236, curve.height())
    curve.show_plan(TrainConfig(steps=steps, warmup=warmup, learning_rate=rate, schedule=schedule))
    curve.show_step(now)
    area = curve.area().adjusted(-0.01, -0.01, 0.01, 0.01)
    assert area.height() >= look.px(30)
    assert all(area.contains(point) for point in curve._points(1, steps))
    curve.grab()
