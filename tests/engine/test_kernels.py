"""Kernels with a way back of their own give what torch's give."""

import pytest
import torch
from torch.nn import functional as F

from gpt_studio.engine import kernels
from gpt_studio.engine.kernels import LEAST, PIECE, gelu_

LARGE = LEAST * PIECE


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("precision", "digits"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)]
)
def test_gelu_and_its_slope_are_torch_s(precision, digits, monkeypatch):
    monkeypatch.setattr(kernels, "LEAST", 0)
    generator = torch.Generator().manual_seed(0)
    x = 4 * torch.randn(3, PIECE // 2 - 1, generator=generator)  # no whole number of pieces
    x[0, :4] = torch.tensor([0, 50, -50, 1e4])
    x = x.to(precision)
    outer = torch.randn(x.shape, generator=generator).to(precision)
    exact = x.double().requires_grad_()
    expected = F.gelu(exact, approximate="tanh")
    (slope,) = torch.autograd.grad(expected, exact, outer.double())
    read = x.requires_grad_()
    found = gelu_(read * 1)  # a layer's output, used up
    (found_slope,) = torch.autograd.grad(found, read, outer)
    assert found.dtype == found_slope.dtype == precision
    torch.testing.assert_close(found.double(), expected, rtol=digits, atol=digits)
    torch.testing.assert_close(found_slope.double(), slope, rtol=digits, atol=digits)


@pytest.mark.parametrize("numbers", [1000, LARGE])
def test_gelu_keeps_as_much_as_torch_s(numbers):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes), lambda _: None):
        gelu_(torch.ones(numbers, dtype=torch.bfloat16, requires_grad=True) + 1)
    assert kept == [2 * numbers]


def test_what_is_not_learned_from_is_left_as_it_was():
    x = torch.ones(LARGE)
    gelu_(x)
    assert torch.equal(x, torch.ones(LARGE))
