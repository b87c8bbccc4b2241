"""The estimate follows every setting the right way, and adds up."""

from math import prod

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import (
    UNKNOWN_CPU,
    UNKNOWN_GPU,
    estimate,
    flops_per_token,
    generation_memory,
)
from gpt_studio.core.events import Device
from gpt_studio.core.presets import first_config, presets
from gpt_studio.core.shapes import parameter_shapes, parameters
from gpt_studio.core.step_memory import SHORT

PARTS = ["weights", "gradients", "optimizer", "activations", "logits", "workspace", "rounding", "overhead"]


@st.composite
def runs(draw):
    """Any config the form can hold, mended as the form mends it."""
    model = GPTConfig(
        num_layers=draw(st.integers(1, 96)),
        heads=draw(st.integers(1, 128)),
        embed_size=draw(st.integers(1, 4096)),
        forward_expansion=draw(st.integers(1, 16)),
        max_length=draw(st.integers(2, 8192)),
        dropout=draw(st.sampled_from([0.0, 0.1])),
        vocab_size=draw(st.sampled_from([2, 257, 50257])),
        gradient_checkpointing=draw(st.booleans()),
        tie_embeddings=draw(st.booleans()),
        bias=draw(st.booleans()),
    ).nearest_valid()
    train = TrainConfig(
        batch_size=draw(st.integers(1, 512)),
        accumulation=draw(st.sampled_from([1, 2, 8])),
        precision=draw(st.sampled_from(["fp32", "bf16"])),
        optimizer=draw(st.sampled_from(["adamw", "muon"])),
    )
    return RunConfig(model=model, train=train)


devices = st.sampled_from([UNKNOWN_CPU, UNKNOWN_GPU])


def test_the_presets_are_the_sizes_they_are_known_by():
    counts = {preset.name: parameters(preset.apply(RunConfig()).model) for preset in presets()}
    assert counts["gpt2-124m"] == 124_439_808
    assert counts["gpt2-355m"] == 354_823_168
    assert counts["gpt2-774m"] == 774_030_080
    assert counts["gpt2-1558m"] == 1_557_611_200
    assert len(counts) == 6
    assert parameters(first_config().model) == 853_248


@given(runs())
def test_parameters_are_the_sum_of_their_shapes(config):
    total = sum(prod(shape) for shape in parameter_shapes(config.model).values())
    assert total == parameters(config.model) == estimate(config).parameters


@given(runs(), devices)
def test_parts_come_in_order_and_add_up(config, device):
    memory = estimate(config, device).training
    assert [part.name for part in memory] == PARTS
    assert [part.label for part in memory] == [name.capitalize() for name in PARTS]
    assert all(part.size >= 0 for part in memory)
    assert sum(part.size for part in memory) == memory.total == memory.reserved + memory.overhead
    assert memory.reserved == memory.allocated + memory.rounding
    assert memory.allocated == memory.tensors + memory.workspace


@given(runs(), devices)
def test_memory_never_falls_below_what_must_be_there(config, device):
    memory, count = estimate(config, device).training, parameters(config.model)
    assert memory.weights >= 4 * count
    matrices = sum(
        prod(shape)
        for name, shape in parameter_shapes(config.model).items()
        if name.startswith("blocks.") and len(shape) == 2
    )
    if config.train.optimizer == "adamw":
        assert memory.optimizer == 8 * count
    else:  # and room to work in, if the peak is there
        assert memory.optimizer >= 8 * count - 4 * matrices
    assert memory.tensors >= 16 * count - (4 * matrices if config.train.optimizer == "muon" else 0)


@given(runs(), devices, st.integers(1, 64), st.sampled_from(["batch_size", "num_layers", "max_length"]))
def test_more_is_never_less(config, device, more, name):
    section = "train" if name == "batch_size" else "model"
    value = getattr(getattr(config, section), name)
    assume(not (name == "max_length" and value <= SHORT < value + more))  # there it takes another way
    larger = config.changed(section, {name: value + more})
    smaller, larger = estimate(config, device), estimate(larger, device)
    assert larger.training.total > smaller.training.total
    if section == "model":
        assert larger.generation > smaller.generation
        assert larger.flops_per_token > smaller.flops_per_token


@given(runs(), devices)
def test_accumulation_takes_no_less_memory(config, device):
    once = config.changed("train", {"accumulation": 1})
    often = config.changed("train", {"accumulation": 4})
    assert estimate(often, device).training.total >= estimate(once, device).training.total
    assert estimate(often).tokens_per_step == 4 * estimate(once).tokens_per_step


def test_what_people_do_to_save_memory_saves_memory():
    config = RunConfig(train=TrainConfig(batch_size=8))
    plain = estimate(config).training
    assert estimate(config.changed("train", {"precision": "bf16"})).training.total < plain.total
    checkpointed = estimate(config.changed("model", {"gradient_checkpointing": True})).training
    assert checkpointed.activations < 0.3 * plain.activations


def test_short_texts_keep_tables_of_attention_on_a_cpu_alone():
    def activations(context, device):
        model = GPTConfig(num_layers=1, heads=16, embed_size=64, max_length=context)
        return estimate(RunConfig(model=model), device).training.activations / context

    assert activations(SHORT, UNKNOWN_CPU) > 1.5 * activations(SHORT + 1, UNKNOWN_CPU)
    assert activations(SHORT, UNKNOWN_GPU) == pytest.approx(activations(SHORT + 1, UNKNOWN_GPU), rel=0.01)


def test_muon_saves_memory():
    config = RunConfig(train=TrainConfig(batch_size=8))
    muon = estimate(config.changed("train", {"optimizer": "muon"})).training
    saved = estimate(config).training.total - muon.total
    assert saved == 4 * 12 * 12 * 768**2  # one number for each of a matrix


def test_flops_of_gpt2_small_are_those_of_the_paper():
    # 6 N + 12 · layers · D · T, N without the positions' table, offsets and norms
    matrices = 12 * 12 * 768**2 + 50257 * 768
    assert flops_per_token(GPTConfig()) == 6 * matrices + 12 * 12 * 768 * 1024


def test_generating_holds_weights_cache_and_one_row_of_logits():
    config = GPTConfig()
    cache = 12 * 2 * 12 * 1024 * 64
    assert generation_memory(config, kind="cuda") == 4 * (124_439_808 + cache + 50257)
    packed = 12 * 12 * 768**2 + 50257 * 768
    assert generation_memory(config) == 4 * (124_439_808 + cache + 50257 + packed)
    half = generation_memory(config, "bf16")
    assert half == 4 * (124_439_808 + 50257) + 2 * (cache + packed)
    assert generation_memory(config, "int8") < half


@pytest.mark.parametrize("device", [Device(name, "", 0) for name in ("cuda:0", "cuda:3")])
def test_every_cuda_device_counts_as_one(device):
    assert estimate(RunConfig(), device) == estimate(RunConfig(), UNKNOWN_GPU)
    assert estimate(RunConfig(), device).training.overhead > estimate(RunConfig()).training.overhead
