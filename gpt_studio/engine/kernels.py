"""Parts of the model whose way back is written by hand, where that is faster on a CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gpt_studio.engine.device import kind_of

PIECE = 2**15  # numbers that a thread's GELU works on at once: they stay in the processor's cache
LEAST = 8  # pieces from which on that pays
LINEAR = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715 * LINEAR


def gelu_(x: Tensor) -> Tensor:
    """GELU in its tanh form (Hendrycks and Gimpel 2016), of any shape. It may overwrite `x`."""
    if torch.compiler.is_compiling():  # it makes kernels itself, and cannot look into what follows
        return F.gelu(x, approximate="tanh")
    pays = x.numel() >= LEAST * _piece() and kind_of(x) == "cpu"
    if not (pays and x.requires_grad and torch.is_grad_enabled()):
        return F.gelu(x, approximate="tanh")
    y: Tensor = _GELU.apply(x)  # type: ignore[no-untyped-call]
    return y


def _piece() -> int:
    """Numbers that all threads work on at once."""
    return PIECE * torch.get_num_threads()


class _GELU(torch.autograd.Function):
    """Puts its derivative in place of what it reads, so that the way back is one product.

    With u = √(2/π) (x + 0.044715 x³) and s = σ(2u) it is x (1 + tanh u) / 2 = x s, and as σ' = σ (1 - σ)
    its derivative is s + (1 - s) x s (2u)'.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        one = x.new_ones((), dtype=torch.float32)
        pieces = (torch.split(tensor.view(-1), _piece()) for tensor in (x, y))
        for piece, y_piece in zip(*pieces, strict=True):
            wide = piece.to(torch.float32, copy=True)
            square = wide * wide
            s = (square * CUBIC).add_(LINEAR).mul_(wide).sigmoid_()
            y_piece.copy_(wide.mul_(s))
            piece.copy_(s.lerp_(one, square.mul_(3 * CUBIC).add_(LINEAR).mul_(wide)))
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        slope: Tensor
        (slope,) = ctx.saved_tensors
        return outer[0] * slope
