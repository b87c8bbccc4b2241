"""The training step as tensors see it: its attention, its precision and its scale, plain and compiled."""

import math

import pytest
import torch

from gpt_studio.core import step_memory
from gpt_studio.core.config import GPTConfig, TrainConfig
from gpt_studio.engine import model as model_module
from gpt_studio.engine.model import GPT, KVCache
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.step import TrainingStep

SMALL = GPTConfig(num_layers=2, heads=2, embed_size=16, max_length=12, vocab_size=29)
RATE = 3e-3


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def made(compiled=False, **plan):
    torch.manual_seed(7)
    model = GPT(SMALL).train()
    config = TrainConfig(batch_size=3, **plan)
    return TrainingStep(model, make_optimizer(model, config), config, compiled=compiled)


def learn(step, steps=6):
    """The loss at each step; one whose gradients were too large is done again, as the trainer does."""
    losses = []
    for seed in range(steps):
        ids = torch.randint(29, (3, 13), generator=torch.Generator().manual_seed(seed % 2))
        norm = math.inf
        while not math.isfinite(norm):
            step.begin()
            value = step.forward(ids[:, :-1], ids[:, 1:])
            step.backward(value)
            norm = float(step.norm())
            assert math.isfinite(norm) or step.lower_scale()
        step.update(RATE, norm)
        losses.append(value.item())
    return losses


# ---------------------------------------------------------------- attention


@pytest.mark.parametrize(("asked", "plainly"), [("auto", True), ("plain", True), ("fused", False)])
def test_the_plan_decides_how_to_attend(monkeypatch, asked, plainly):
    seen = []
    plain = model_module._attend_plainly
    monkeypatch.setattr(model_module, "_attend_plainly", lambda *qkv: seen.append(1) or plain(*qkv))
    learn(made(attention=asked), 1)
    assert bool(seen) == plainly


def test_plain_attention_is_there_for_long_texts_too(monkeypatch):
    monkeypatch.setattr(step_memory, "SHORT", 4)
    monkeypatch.setattr(model_module.F, "scaled_dot_product_attention", None)
    learn(made(attention="plain"), 1)


def test_both_ways_to_attend_learn_the_same():
    assert learn(made(attention="plain")) == pytest.approx(learn(made(attention="fused")), rel=1e-4)


def test_writing_with_a_cache_keeps_its_own_way(monkeypatch):
    step = made(attention="plain")
    monkeypatch.setattr(step_memory, "SHORT", 4)
    monkeypatch.setattr(model_module, "_attend_plainly", None)
    with torch.inference_mode():
        step.model(torch.zeros(1, 8, dtype=torch.long), KVCache(step.model))


# ---------------------------------------------------------------- precision and scale


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_learn_as_32_do(precision):
    assert learn(made(precision=precision)) == pytest.approx(learn(made()), rel=0.01)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_same_steps_give_the_same_weights(precision):
    runs = [made(precision=precision, gradient_clip=0.1) for _ in range(2)]
    assert learn(runs[0]) == learn(runs[1])
    pairs = zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def test_too_large_a_scale_is_lowered_until_gradients_fit():
    step, usual = made(precision="fp16"), made(precision="fp16")
    step.scale = 2.0**24
    assert learn(step) == pytest.approx(learn(usual), rel=2e-3)
    assert 1 <= step.scale < 2.0**24


def test_a_scale_below_one_helps_no_more():
    step = made(precision="fp16")
    step.scale = 2.0
    assert step.lower_scale()
    assert not step.lower_scale()


@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.parametrize("clip", [0.0, 0.05, 1e3])
def test_gradients_are_brought_to_size_as_torch_does(clip, scale):
    step = made(precision="fp32", gradient_clip=clip)
    step.scale = scale
    ids = torch.arange(39).view(3, 13) % 29
    step.backward(step.forward(ids[:, :-1], ids[:, 1:]))
    expected = [p.grad / scale for p in step.model.parameters()]
    norm = torch.nn.utils.get_total_norm(expected)
    assert float(step.norm()) == pytest.approx(float(norm), rel=1e-5)
    if clip:
        expected = [g * min(1.0, clip / float(norm)) for g in expected]
    step.update(RATE, float(step.norm()))
    for p, g in zip(step.model.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, g, rtol=1e-4, atol=1e-9)


def test_a_run_with_a_lowered_scale_can_be_replayed():
    runs = []
    for _ in range(2):
        step = made(precision="fp16")
        step.scale = 2.0**24
        runs.append((learn(step), step.scale))
    assert runs[0] == runs[1]


# ---------------------------------------------------------------- compiled


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of torch's compiler
@pytest.mark.parametrize("chunked", [False, True])
def test_compiled_steps_learn_the_same(chunked):
    compiled = learn(made(compiled=True, chunked_loss=chunked), 3)
    assert compiled == pytest.approx(learn(made(chunked_loss=chunked), 3), rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of torch's compiler
@pytest.mark.parametrize("more", [{}, {"dropout": 0.2}, {"gradient_checkpointing": True}])
def test_the_whole_way_to_the_loss_is_compiled_at_once(more):
    """What a compiler cannot look into would cut the model in pieces, of which few are faster."""
    torch.manual_seed(7)
    model = GPT(SMALL.changed(**more)).train()
    config = TrainConfig(batch_size=3)
    step = TrainingStep(model, make_optimizer(model, config), config)
    traced = torch.compile(step._plain_loss, fullgraph=True, backend="eager")
    ids = torch.arange(39).view(3, 13) % 29
    x, y = ids[:, :-1], ids[:, 1:]
    torch.manual_seed(1)
    expected = step._plain_loss(x, y).item()
    torch.manual_seed(1)
    assert traced(x, y).item() == pytest.approx(expected, rel=1e-5)
    torch.compiler.reset()


def test_validating_and_uncompiled_steps_need_no_kernels(monkeypatch):
    def compiled(*ids):
        raise AssertionError("this is no step")

    monkeypatch.setattr(torch, "compile", lambda function, **more: compiled)
    step = made(compiled=True)
    ids = torch.arange(39).view(3, 13) % 29
    with torch.inference_mode():
        value = step.forward(ids[:, :-1], ids[:, 1:])
    with pytest.raises(AssertionError, match="no step"):
        step.forward(ids[:, :-1], ids[:, 1:])
    step.uncompile()
    assert not step.compiled
    assert step.forward(ids[:, :-1], ids[:, 1:]).item() == pytest.approx(value.item())
