"""A loss in chunks is the loss, with the same gradients."""

import pytest
import torch
from torch.nn import functional as F

from gpt_studio.core.config import GPTConfig, TrainConfig
from gpt_studio.engine.chunked_loss import chunked_loss
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.step import TrainingStep

NEAR = {"fp32": 1e-5, "bf16": 1e-2, "fp16": 2e-3}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def given(seed=0):
    torch.manual_seed(seed)
    hidden = torch.randn(3, 11, 8, requires_grad=True)
    weight = torch.randn(29, 8, requires_grad=True)
    return hidden, weight, torch.randint(29, (3, 11))


@pytest.mark.parametrize("chunk", [1, 4, 11, 32, 33, 1000])
def test_any_chunk_gives_the_loss_and_its_gradients(chunk):
    hidden, weight, targets = given()
    plain = F.cross_entropy((hidden @ weight.mT).flatten(0, 1), targets.flatten())
    expected = torch.autograd.grad(plain, (hidden, weight))
    found = chunked_loss(hidden, weight, targets, chunk=chunk)
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(torch.autograd.grad(found, (hidden, weight)), expected)


def test_without_gradients_none_are_worked_out():
    hidden, weight, targets = given()
    found = chunked_loss(hidden, weight, targets, chunk=5)
    with torch.inference_mode():
        torch.testing.assert_close(chunked_loss(hidden, weight, targets, chunk=5), found.detach())


def test_a_scaled_loss_gives_scaled_gradients():
    hidden, weight, targets = given()
    once = torch.autograd.grad(chunked_loss(hidden, weight, targets), (hidden, weight))
    scaled = chunked_loss(hidden, weight, targets, scale=1024.0) * 512
    for small, large in zip(once, torch.autograd.grad(scaled, (hidden, weight)), strict=True):
        torch.testing.assert_close(large, 512 * small)


def trained(precision, tied, chunked):
    """The loss and the gradients of two batches added up, by the real step."""
    torch.manual_seed(0)
    shape = GPTConfig(
        num_layers=2, heads=2, embed_size=32, max_length=50, vocab_size=300, tie_embeddings=tied
    )
    model = GPT(shape).train()
    plan = TrainConfig(batch_size=30, precision=precision, accumulation=2, chunked_loss=chunked)
    step = TrainingStep(model, make_optimizer(model, plan), plan)
    for _ in range(2):
        ids, targets = torch.randint(300, (2, 30, 50))
        value = step.forward(ids, targets)
        step.backward(value)
    return value.detach(), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_training_step_learns_the_same(precision, tied):
    loss, gradients = trained(precision, tied, chunked=False)
    chunked_value, chunked_gradients = trained(precision, tied, chunked=True)
    torch.testing.assert_close(chunked_value, loss, rtol=NEAR[precision], atol=0)
    for name, gradient in gradients.items():
        assert (chunked_gradients[name] - gradient).norm() <= NEAR[precision] * gradient.norm(), name
