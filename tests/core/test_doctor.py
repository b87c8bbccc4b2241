"""What the training doctor tells of real runs, and what it never does."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.doctor import HEALTHY, Visit, precision, recall, runs, visit
from gpt_studio.core.config import RunConfig
from gpt_studio.core.doctor import NAMES, diagnose
from gpt_studio.core.metrics import METRICS, History, Mark
from gpt_studio.core.presets import presets

RUNS = runs()
BY_NAME = {run.name: run for run in RUNS}


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    return visit(RUNS)


# ---------------------------------------------------------------- real runs


def test_there_are_enough_runs_of_each_kind():
    labels = [run.label for run in RUNS]
    assert all(labels.count(name) >= 3 for name in NAMES)
    assert labels.count(HEALTHY) >= 20
    assert sum(run.held_out for run in RUNS) >= 15


@pytest.mark.parametrize("held_out", [False, True])
def test_nine_illnesses_in_ten_are_told_and_nine_alarms_in_ten_are_right(visits, held_out):
    part = [one for one in visits if one.run.held_out == held_out]
    assert recall(part) >= 0.9
    assert precision(part) >= 0.9


def test_each_illness_is_told_of_most_runs_that_have_it(visits):
    for name in NAMES:
        sick = [one for one in visits if one.run.label == name]
        assert sum(one.is_found for one in sick) > len(sick) / 2, name


def test_no_preset_is_alarmed_at_any_step():
    made_small = [run for run in RUNS if "made small" in run.name]
    assert {run.name.split(" made")[0] for run in made_small} == {preset.label for preset in presets()}
    for run in made_small:
        assert run.alarms(every=1) == {}, run.name


@pytest.mark.parametrize(
    "name", ["rate / 10", "rate × 15, Muon", "went on at half the rate", "as long as Tiny"]
)
def test_what_is_unusual_but_learns_is_left_alone(name):
    assert BY_NAME[name].alarms() == {}


def test_each_finding_says_numbers_and_one_change_that_can_be_made():
    for run in RUNS:
        for _, diagnosis in run.alarms(every=20).values():
            assert any(character.isdigit() for character in diagnosis.text)
            assert diagnosis.remedy
            assert len(diagnosis.remedy.changes) == 1
            changed = run.config.changed(diagnosis.remedy.section, diagnosis.remedy.changes)
            assert changed != run.config
            assert not changed.problems()


@pytest.mark.parametrize(
    ("name", "section", "field"),
    [
        ("rate × 30", "train", "learning_rate"),
        ("rate / 100", "train", "learning_rate"),
        ("gradients clipped to 1e-10", "train", "gradient_clip"),
        ("all weights 0", "train", "seed"),
        ("24 kB, Muon", "model", "dropout"),
        ("2 kB, nothing held out", "data", "validation"),
    ],
)
def test_the_change_is_of_what_made_it_ill(name, section, field):
    run = BY_NAME[name]
    _, diagnosis = run.alarms()[run.label]
    assert diagnosis.remedy.section == section
    (value,) = diagnosis.remedy.changes.values()
    assert list(diagnosis.remedy.changes) == [field]
    if field == "learning_rate":
        better = 1e-3 <= value <= 4e-3
        assert better, value


def test_texts_that_changed_make_another_run():
    """What was before a change of texts is no evidence: neither of a loss that rose, nor of age."""
    run = BY_NAME["24 kB, Muon"]
    *_, (config, history) = run.visits()
    assert diagnose(config, history, run.report)
    history.marks.append(Mark(history.steps[-1] - 20, "texts", ""))
    assert not diagnose(config, history, run.report)


def test_a_plan_that_changed_is_judged_anew():
    run = BY_NAME["rate × 30"]
    *_, (config, history) = run.visits()
    assert [found.name for found in diagnose(config, history, run.report)] == ["rate_high"]
    history.marks.append(Mark(history.steps[-1] - 40, "resumed", ""))
    assert diagnose(config, history, run.report)
    history.marks.append(Mark(history.steps[-1] - 40, "plan", ""))
    assert not diagnose(config, history, run.report)


def test_a_report_on_other_texts_is_not_used():
    run = BY_NAME["rate × 30"]
    *_, (config, history) = run.visits()
    other = dataclasses.replace(run.report, data=run.config.data.changed(validation=0.3))
    assert diagnose(config, history, run.report)
    assert diagnose(config, history, other) == diagnose(config, history, None)


# ---------------------------------------------------------------- what it never does

losses = st.floats(allow_nan=True, allow_infinity=True, width=32)
configs = st.builds(
    lambda preset, train, model: preset.alone().changed("train", train).changed("model", model),
    st.sampled_from(presets()),
    st.fixed_dictionaries(
        {},
        optional={
            "steps": st.integers(1, 10**7), "warmup": st.integers(0, 10**6),
            "learning_rate": st.floats(1e-8, 1.0), "schedule": st.sampled_from(["cosine", "constant"]),
            "gradient_clip": st.floats(0, 1000),
        },
    ),
    st.fixed_dictionaries({}, optional={"vocab_size": st.integers(2, 10**6), "dropout": st.floats(0, 0.9)}),
)  # fmt: skip
reports = st.sampled_from([None, *(run.report for run in RUNS[::7])])


@st.composite
def histories(draw, size: int = 400) -> History:
    """Curves of any shape: levels that are held for a while, with now and then anything at all."""
    history = History()
    step = draw(st.integers(0, 10**6))
    for level, length in draw(st.lists(st.tuples(losses, st.integers(1, size // 4)), max_size=6)):
        for _ in range(length):
            step += draw(st.sampled_from([1, 1, 1, 10]))
            history.add_step(step, dict.fromkeys((metric.name for metric in METRICS), level))
        history.add_validation(step, draw(losses))
    for kind in draw(st.lists(st.sampled_from(["plan", "texts", "resumed", "memory", "fork"]), max_size=3)):
        history.marks.append(Mark(draw(st.integers(0, 10**6)), kind, ""))
    return history


@settings(max_examples=150)
@given(config=configs, history=histories(), report=reports)
def test_it_never_fails_and_tells_at_most_one_finding_of_learning_and_one_of_texts(config, history, report):
    if report:
        config = dataclasses.replace(config, data=report.data)
    names = [found.name for found in diagnose(config, history, report)]
    assert len(names) == len(set(names)) <= 2
    assert sum(name in ("overfitting", "little_data") for name in names) <= 1


@settings(max_examples=100)
@given(config=configs, values=st.lists(losses, min_size=10, max_size=29), report=reports)
def test_it_says_nothing_in_the_first_steps_whatever_happens(config, values, report):
    history = History()
    for step, loss in enumerate(values, 1):
        history.add_step(step, dict.fromkeys((metric.name for metric in METRICS), loss))
        history.add_validation(step, loss)
    assert diagnose(config, history, report) == ()


def test_it_says_nothing_of_no_steps():
    assert diagnose(RunConfig(), History()) == ()


def test_losses_that_are_no_numbers_are_told():
    history = History()
    for step in range(1, 100):
        loss = 5.0 if step < 90 else math.nan
        history.add_step(step, dict.fromkeys((metric.name for metric in METRICS), loss))
    assert [found.name for found in diagnose(RunConfig(), history)] == ["diverging"]


def test_a_spike_that_passes_is_no_illness():
    run = BY_NAME["Tiny made small, world"]
    spiked = list(run.losses)
    spiked[200:215] = [loss + 3 for loss in spiked[200:215]]
    assert dataclasses.replace(run, losses=spiked).alarms() == {}
