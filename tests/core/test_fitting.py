"""Making a run fit: it does, it learns the same, and nothing dearer is done than has to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core import fitting
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import training_memory
from gpt_studio.core.events import Device
from gpt_studio.core.fitting import fit, least
from gpt_studio.core.presets import presets
from gpt_studio.core.speed import Speed, seconds_per_step, shape_of
from gpt_studio.core.units import GB, MB

GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * GB, bf16=True)
BY_NAME = {preset.name: preset for preset in presets()}


def config_of(preset="gpt2-124m", model=None, **train):
    config = BY_NAME[preset].apply(RunConfig())
    return config.changed("train", train).changed("model", model or {})


def way(config):
    return config.train.chunked_loss, config.model.gradient_checkpointing


def need(config):
    return training_memory(config, GPU).total


@st.composite
def wishes(draw):
    return config_of(
        draw(st.sampled_from(["tiny", "small", "gpt2-124m"])),
        {"gradient_checkpointing": draw(st.booleans()), "dropout": draw(st.sampled_from([0.0, 0.1]))},
        batch_size=draw(st.integers(1, 48)),
        accumulation=draw(st.sampled_from([1, 2, 3, 8])),
        precision=draw(st.sampled_from(["fp32", "bf16"])),
        chunked_loss=draw(st.booleans()),
        optimizer=draw(st.sampled_from(["adamw", "muon"])),
    )


@given(wishes(), st.floats(0.0, 1.1))
def test_what_is_found_fits_learns_the_same_and_is_the_cheapest(config, share):
    smallest, wished = least(config, GPU), need(config)
    capacity = round(smallest + share * (wished - smallest))
    found = fit(config, GPU, capacity)
    assert found is not None
    assert found.need == need(found.config) <= capacity
    assert found.config.train.effective_batch == config.train.effective_batch
    assert found.config.problems() == {}
    assert (found.changes == ()) == (found.config == config) == (wished <= capacity)
    assert found.config.train.batch_size <= config.train.batch_size
    for cheaper in everything_before(found.config, config):
        assert need(cheaper) > capacity


def everything_before(found, config):
    """The ways that should have been tried before the one found was."""
    chunked, checkpointed = way(config)
    ways = list(dict.fromkeys([(chunked, checkpointed), (True, checkpointed), (True, True)]))
    sizes = [
        size for size in range(1, config.train.batch_size + 1) if config.train.effective_batch % size == 0
    ]
    order = [(*one, -size) for one in ways for size in sizes]
    rank = {key: (ways.index(key[:2]), key[2]) for key in order}
    for chunked, checkpointed, size in order:
        if rank[chunked, checkpointed, size] < rank[(*way(found), -found.train.batch_size)]:
            plan = {"batch_size": -size, "accumulation": config.train.effective_batch // -size}
            yield config.changed("train", {**plan, "chunked_loss": chunked}).changed(
                "model", {"gradient_checkpointing": checkpointed}
            )


@given(wishes())
def test_only_what_is_less_than_everything_saved_is_too_little(config):
    smallest = least(config, GPU)
    assert fit(config, GPU, smallest).need == smallest
    assert fit(config, GPU, smallest - 1) is None
    one = config.changed("train", {"batch_size": 1, "accumulation": config.train.effective_batch})
    saved = one.changed("train", {"chunked_loss": True}).changed("model", {"gradient_checkpointing": True})
    assert smallest <= need(saved)  # where gradients are not added up, a batch of two may take less


def test_what_changes_is_said_in_the_order_of_its_cost():
    config = config_of(batch_size=16, accumulation=1)
    assert fit(config, GPU, need(config)).changes == ()
    seen = [fit(config, GPU, capacity).changes for capacity in range(need(config), least(config, GPU), -GB)]
    assert ("micro-batch 8 × 2",) in seen
    kinds = [tuple(change.split(" ")[0] for change in changes) for changes in seen]
    assert kinds == sorted(kinds, key=lambda kind: ("chunked" in kind, "checkpointing" in kind))
    assert fit(config, GPU, least(config, GPU)).changes == (
        "micro-batch 1 × 16", "chunked loss", "checkpointing",
    )  # fmt: skip


def test_a_batch_that_cannot_be_parted_enough_goes_no_further():
    assert fitting._micro_batches(config_of("tiny", batch_size=4096, accumulation=1024)) == [(4096, 1024)]


def test_the_price_of_checkpointing_is_a_forward_pass_of_the_blocks():
    config = config_of(batch_size=1, accumulation=1, chunked_loss=True)
    found = fit(config, GPU, need(config) - 1)
    assert found.changes == ("checkpointing",)
    assert found.price == pytest.approx(
        1 + (1 - 0.27) / 3, abs=0.03
    )  # the head is a quarter of the computing


def test_accumulation_is_free_and_chunks_nearly():
    config = config_of(batch_size=16)
    assert fit(config, GPU, need(config) - MB).price == 1
    one = config_of(batch_size=1, accumulation=1)
    found = fit(one, GPU, need(one) - MB)
    assert found.changes == ("chunked loss",)
    assert 1 < found.price < 1.05


def test_a_measured_speed_makes_the_price_exact():
    config = config_of(batch_size=1, accumulation=1, chunked_loss=True)
    speed = Speed("cuda:0", shape_of(config), "fused", 3e-3, 1e-3, 12e-3, 3e-3, 0.0, 0.0)
    found = fit(config, GPU, need(config) - 1, speed)
    exact = seconds_per_step(found.config, speed) / seconds_per_step(config, speed)
    assert found.price == exact
    assert exact == pytest.approx(1.25, abs=0.02)  # 12 blocks and the ends: 60 of 48 ms
    other = Speed("cuda:0", (*speed.shape[:-1], False), "fused", 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    assert fit(config, GPU, need(config) - 1, other).price == fit(config, GPU, need(config) - 1).price


def test_the_ways_are_as_many_as_the_batch_has_divisors():
    config = config_of(batch_size=12, accumulation=5)
    assert fitting._micro_batches(config) == [
        (12, 5), (10, 6), (6, 10), (5, 12), (4, 15), (3, 20), (2, 30), (1, 60),
    ]  # fmt: skip
