"""The band of the final validation loss: right often enough, narrow enough, and silent where it should be."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.forecast import LOOKS, coverage, fit, runs
from gpt_studio.core import forecast as module
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.forecast import MUON, distance, extrapolation, forecast, learned
from gpt_studio.core.metrics import History
from gpt_studio.core.presets import first_config
from gpt_studio.core.schedule import learning_rate

ALL = runs()
HELD_OUT = [run for run in ALL if run.held_out]
FITTED = [run for run in ALL if not run.held_out]
RUN = HELD_OUT[0]


def validated(*points):
    history = History()
    for step, loss in points:
        history.add_validation(step, loss)
    return history


def width(band):
    assert band
    return math.log(band.high / band.low)


# ---------------------------------------------------------------- runs that were not fitted


@pytest.mark.parametrize("share", LOOKS)
def test_at_least_four_of_five_held_out_runs_end_in_the_band(share):
    assert len(HELD_OUT) >= 30
    assert coverage(HELD_OUT, share).held >= 0.8


def test_the_band_is_narrow_enough_to_be_of_use():
    for share, most in ((0, 0.7), (0.25, 0.55), (0.5, 0.35), (0.75, 0.15)):
        assert coverage(HELD_OUT, share).of_drop < most, share


def test_most_held_out_runs_are_on_texts_of_their_own():
    known = {run.text for run in FITTED}
    assert sum(run.text not in known for run in HELD_OUT) > len(HELD_OUT) / 2


@pytest.mark.parametrize("share", LOOKS)
def test_so_do_the_runs_that_most_people_start(share):
    """The smallest preset, with whichever steps and optimizer, on texts that are built in."""
    model = first_config().model
    started = [run for run in HELD_OUT if run.config.model == model.changed(vocab_size=run.report.vocab_size)]
    assert len(started) >= 6
    assert coverage(started, share).held >= 0.8


def test_the_constants_are_those_of_the_fit():
    found = fit(FITTED)
    assert found.effects == pytest.approx(module.EFFECTS, abs=0.002)
    constants = (module.PRIOR_ERROR, module.SLOPE_KEPT, module.CURVE_ERROR, module.WIDTH)
    assert constants == pytest.approx(
        (found.prior_error, found.slope_kept, found.curve_error, found.width), abs=0.01
    )


# ---------------------------------------------------------------- before and during a run


def test_the_bands_narrow_as_runs_go_on():
    """Most of them, from the first quarter on: a first look that surprises may widen one."""
    widths = [coverage(HELD_OUT, share).width for share in LOOKS if share != 0.1]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 3


def test_nothing_but_steps_done_is_as_before_the_run():
    assert forecast(RUN.config, RUN.report, History()) == forecast(RUN.config, RUN.report)
    early = RUN.until(0.9 / len(RUN.validation))  # steps, and no validation yet
    assert len(early)
    assert forecast(RUN.config, RUN.report, early) == forecast(RUN.config, RUN.report)


def test_at_the_end_the_band_is_the_loss():
    band = forecast(RUN.config, RUN.report, RUN.until(1))
    assert band
    assert band.low < RUN.end < band.high < RUN.end * 1.02


def test_more_steps_promise_less_loss():
    longer = RUN.config.changed("train", {"steps": RUN.config.train.steps * 10})
    near, far = forecast(RUN.config, RUN.report), forecast(longer, RUN.report)
    assert near
    assert far
    assert far.high < near.high


def test_the_band_follows_a_run_that_diverges():
    """It was well below; now it is far above what anybody expected."""
    steps = RUN.config.train.steps
    lost = validated(*((steps * part // 10, 2 + part) for part in range(1, 10)))
    band = forecast(RUN.config, RUN.report, lost)
    assert band
    assert band.low > 8


def test_a_drop_may_come_while_sequences_are_not_known():
    """The curve may end further below than above, and the more so the more they would tell."""
    sudden = []
    for context in (2.0, 1.0, 0.5):
        known = replace(RUN.report, bigram=3.0, context=context)
        guess = extrapolation(RUN.config, known, validated((RUN.config.train.steps // 2, 2.0)))
        assert guess
        sudden.append(guess.below)
    assert sudden[0] == 1
    assert sudden == sorted(set(sudden))


def test_a_sudden_drop_is_not_carried_on():
    steps = RUN.config.train.steps
    curves = [
        validated(*((steps * k // 20, 5 * (k / 10) ** -power) for k in range(5, 11))) for power in (1, 3)
    ]
    steep, steeper = (extrapolation(RUN.config, None, curve) for curve in curves)
    assert steep
    assert steeper
    assert steeper.mean == pytest.approx(steep.mean, abs=0.01)


def test_what_is_learned_comes_from_rates_tokens_and_the_optimizer():
    plan = TrainConfig(steps=100, warmup=0, schedule="constant", learning_rate=1e-3, batch_size=8)
    config = RunConfig(train=plan, model=GPTConfig(max_length=125))
    assert learned(config) == pytest.approx(0.1, rel=0.01)  # 100 steps of 0.001, a thousand tokens each
    for changes, times in (({"batch_size": 16}, 2), ({"accumulation": 3}, 3), ({"optimizer": "muon"}, MUON)):
        assert learned(config.changed("train", changes)) == pytest.approx(times * learned(config))


# ---------------------------------------------------------------- where too little is known


def with_report(**changes):
    return replace(RUN.report, **changes)


def test_of_texts_too_short_to_count_nothing_is_said_before_the_run():
    short = with_report(unigram=0.0, bigram=0.0, context=0.0)
    assert forecast(RUN.config, short) is None
    assert forecast(RUN.config, None) is None


def test_without_anything_held_out_there_is_no_loss_to_forecast():
    assert forecast(RUN.config, with_report(validation_tokens=0)) is None
    assert forecast(RUN.config, with_report(validation_tokens=RUN.config.model.max_length)) is None


def test_the_curve_alone_tells_something():
    """A checkpoint was opened: its curve is there, its texts may not be read yet."""
    band = forecast(RUN.config, None, RUN.until(0.5))
    both = forecast(RUN.config, RUN.report, RUN.until(0.5))
    assert width(both) < width(band)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0])
def test_a_loss_that_is_no_number_is_not_carried_on(loss):
    steps = RUN.config.train.steps
    broken = validated((steps // 4, 3.0), (steps // 2, loss))
    assert forecast(RUN.config, None, broken) is None
    assert forecast(RUN.config, RUN.report, broken) is None


def test_a_run_resumed_past_its_plan_ends_where_it_is():
    band = forecast(RUN.config, RUN.report, validated((RUN.config.train.steps * 2, 3.0)))
    assert band
    assert band.low == pytest.approx(3, rel=0.01)


# ---------------------------------------------------------------- arithmetic

plans = st.builds(
    TrainConfig,
    steps=st.integers(1, 3000),
    warmup=st.integers(0, 3000),
    learning_rate=st.floats(1e-6, module.RATE),
    schedule=st.sampled_from(("cosine", "linear", "constant")),
)


@given(plans)
def test_the_distance_is_the_sum_of_the_rates(plan):
    rates = sum(learning_rate(plan, step) for step in range(1, plan.steps + 1))
    assert distance(plan) == pytest.approx(rates, abs=1.1 * plan.learning_rate)


@given(plans, st.lists(st.tuples(st.integers(1, 5000), st.floats(1e-4, 100)), max_size=12))
def test_a_band_is_finite_and_around_something(plan, points):
    config = RunConfig(train=plan)
    history = validated(*sorted(dict(points).items()))
    band = forecast(config, None, history)
    assert (band is None) == (not points)
    if band:
        assert 0 < band.low < band.high < math.inf


@pytest.mark.parametrize(("loss", "silent"), [(1.5, True), (math.nan, True), (1.0, False)])
def test_nothing_is_expected_of_a_run_that_has_blown_up(loss, silent):
    config = first_config()
    history = History()
    for step in range(1, 41):
        values = dict.fromkeys(history.columns, 0.0) | {"loss": loss * math.log(config.model.vocab_size)}
        history.add_step(step, values)
    assert forecast(RUN.config, RUN.report)
    found = forecast(replace(RUN.config, model=config.model), RUN.report, history)
    assert (found is None) is silent
