"""The time of steps and runs follows from the parts measured, by arithmetic."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import flops_per_token
from gpt_studio.core.shapes import parameters
from gpt_studio.core.speed import (
    VALIDATION_TOKENS,
    Speed,
    energy,
    mfu,
    parameters_outside,
    run_time,
    seconds_per_step,
    shape_of,
    tokens_per_second,
)


def small(**changes):
    model = {"num_layers": 2, "heads": 2, "embed_size": 8, "max_length": 16, "vocab_size": 11}
    plan = {"batch_size": 4, "steps": 10, "evaluate_every": 4, "sample_every": 5}
    names = GPTConfig.__dataclass_fields__
    return RunConfig(
        model=GPTConfig(**model | {name: value for name, value in changes.items() if name in names}),
        train=TrainConfig(**plan | {name: value for name, value in changes.items() if name not in names}),
    )


def speed_of(config, **changes):
    parts = {"block": 3.0, "again": 1.0, "ends": 2.0, "scoring": 0.5, "block_update": 0.25, "update": 0.0}
    return Speed("cpu", shape_of(config), "plain", **parts | changes)


def test_a_step_is_the_sum_of_its_parts():
    config = small()
    assert seconds_per_step(config, speed_of(config)) == 2 * 3 + 2 + 2 * 0.25
    outside = 11 * 8 + 16 * 8 + 2 * 8
    assert parameters_outside(config.model) == outside
    assert seconds_per_step(config, speed_of(config, update=1.0)) == 2 * 3 + 2 + 2 * 0.25 + outside
    assert tokens_per_second(config, speed_of(config)) == 4 * 16 / 8.5


def test_checkpointing_does_each_block_s_forward_pass_once_more():
    config = small()
    dearer = small(gradient_checkpointing=True)
    assert shape_of(config) == shape_of(dearer)  # one measurement serves both
    assert seconds_per_step(dearer, speed_of(config)) - seconds_per_step(config, speed_of(config)) == 2 * 1


def test_accumulation_takes_whole_batches_but_one_update():
    config = small(accumulation=3)
    assert shape_of(config) == shape_of(small())
    assert seconds_per_step(config, speed_of(config)) == 3 * (2 * 3 + 2) + 2 * 0.25


@given(
    layers=st.integers(1, 96),
    accumulation=st.integers(1, 64),
    steps=st.integers(1, 10_000),
    times=st.lists(st.floats(1e-9, 1e3), min_size=6, max_size=6),
)
def test_more_of_anything_never_takes_less_time(layers, accumulation, steps, times):
    config = small(num_layers=layers, accumulation=accumulation, steps=steps)
    names = ("block", "again", "ends", "scoring", "block_update", "update")
    speed = speed_of(config, **dict(zip(names, times, strict=True)))
    now = seconds_per_step(config, speed)
    assert now > 0
    for section, change in (
        ("model", {"num_layers": layers + 1}),
        ("model", {"gradient_checkpointing": True}),
        ("model", {"tie_embeddings": False}),
        ("train", {"accumulation": accumulation + 1}),
    ):
        assert seconds_per_step(config.changed(section, change), speed) >= now
    whole = run_time(config, speed)
    assert whole.total >= whole.steps == steps * now


def test_a_run_s_validation_and_samples_take_time_too():
    config = small(steps=10, evaluate_every=4, sample_every=5)
    taken = run_time(config, speed_of(config, token=0.125, token_ends=0.5))
    assert taken.steps == 10 * 8.5
    batches = VALIDATION_TOKENS / (4 * 16)
    assert taken.validation == 3 * batches * (2 * 1 + 0.5)  # after steps 4, 8 and 10
    assert taken.samples == 2 * 128 * (2 * 0.125 + 0.5)  # after steps 5 and 10
    assert run_time(small(sample_every=0), speed_of(config, token=1.0)).samples == 0


def test_validation_looks_at_as_much_as_the_trainer_does():
    from gpt_studio.engine import trainer

    assert trainer.VALIDATION_TOKENS == VALIDATION_TOKENS


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 12},
        {"embed_size": 16},
        {"heads": 4},
        {"max_length": 32},
        {"dropout": 0.1},
        {"bias": False},
        {"batch_size": 5},
        {"precision": "bf16"},
        {"optimizer": "muon"},
        {"attention": "fused"},
        {"chunked_loss": True},
    ],
)
def test_what_changes_a_step_s_parts_changes_its_shape(change):
    assert shape_of(small(**change)) != shape_of(small())


def test_a_gpt2_outside_its_blocks():
    gpt2 = GPTConfig()
    assert parameters_outside(gpt2) == 50257 * 768 + 1024 * 768 + 2 * 768
    untied = gpt2.changed(tie_embeddings=False)
    assert parameters_outside(untied) - parameters_outside(gpt2) == parameters(untied) - parameters(gpt2)


def test_energy_is_power_for_a_time():
    assert energy(3600, 1000) == 1  # kWh
    assert energy(3600, 0) == 0


def test_mfu_is_a_share_of_its_base():
    flops = flops_per_token(GPTConfig())
    assert mfu(1000, flops, 1000 * flops * 2) == 0.5
    assert mfu(1000, flops, 0) == 0


def test_a_speed_of_nothing_is_no_division_by_zero():
    nothing = dataclasses.replace(speed_of(small()), block=0.0, ends=0.0, block_update=0.0)
    assert math.isfinite(tokens_per_second(small(), nothing))
