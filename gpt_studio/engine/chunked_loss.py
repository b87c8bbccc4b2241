"""The loss of hidden states, a chunk of rows at a time, so that all logits are never there at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gpt_studio.core.step_memory import CHUNK
from gpt_studio.engine.device import kind_of


def chunked_loss(
    hidden: Tensor, weight: Tensor, targets: Tensor, scale: float = 1.0, chunk: int | None = None
) -> Tensor:
    """Mean surprise in nats at `targets` (B, T): hidden (B, T, D), weight (V, D) -> scalar.

    The logits of `chunk` rows become their gradient at once, and that the gradients of the hidden states
    and the weight, in forward already: no product is done twice (Hsu et al. 2024, "Liger Kernel").
    Gradients are worked out `scale` times as large, as the loss will be scaled, and divided on the way back:
    in fp16 small ones would become zero. The way back works in place and can be gone once.
    """
    rows, expected = hidden.flatten(0, -2), targets.flatten()
    chunk = chunk or CHUNK[kind_of(hidden)]
    if torch.is_grad_enabled():
        value: Tensor = _ChunkedLoss.apply(rows, weight, expected, scale, chunk)  # type: ignore[no-untyped-call]
        return value
    low = _compute_type(hidden)
    table = weight.to(low)
    surprise = [
        -_known(_log_chances(rows[part].to(low), table), expected[part]).sum()
        for part in _slices(len(expected), chunk)
    ]
    return torch.stack(surprise).sum() / len(expected)


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, scale: float, chunk: int
    ) -> Tensor:
        """hidden (N, D), weight (V, D), targets (N,) -> scalar"""
        low = _compute_type(hidden)
        table = weight.to(low)
        hidden_gradient, weight_gradient = torch.empty_like(hidden), torch.zeros_like(weight)
        surprise = hidden.new_zeros((), dtype=torch.float32)
        for rows in _slices(len(targets), chunk):
            h, y = hidden[rows].to(low), targets[rows]
            chances = _log_chances(h, table)
            surprise -= _known(chances, y).sum()
            gradient = _logits_gradient(chances, y, scale / len(targets), low)
            del chances
            hidden_gradient[rows] = gradient @ table
            _add_product(weight_gradient, gradient.mT, h)
            del gradient
        ctx.scale = scale
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        return surprise / len(targets)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden_gradient, weight_gradient = ctx.saved_tensors
        factor = outer[0] / ctx.scale
        return hidden_gradient.mul_(factor), weight_gradient.mul_(factor), None, None, None


def _compute_type(hidden: Tensor) -> torch.dtype:
    """What products are done in: autocast does not reach into a function of its own."""
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _slices(count: int, chunk: int) -> Iterator[slice]:
    return (slice(start, start + chunk) for start in range(0, count, chunk))


def _log_chances(hidden: Tensor, table: Tensor) -> Tensor:
    """The logarithm of every token's probability: (n, D), (V, D) -> (n, V), float32"""
    return F.linear(hidden, table).log_softmax(1, dtype=torch.float32)


def _known(chances: Tensor, targets: Tensor) -> Tensor:
    """Those of the tokens that came: (n, V), (n,) -> (n,)"""
    return chances.gather(1, targets[:, None])[:, 0]


def _logits_gradient(chances: Tensor, targets: Tensor, factor: float, low: torch.dtype) -> Tensor:
    """What was expected minus what came, times `factor`: (n, V) -> the same. Overwrites `chances`."""
    chances.exp_()
    chances[torch.arange(len(targets), device=targets.device), targets] -= 1
    chances *= factor
    return chances.to(low)


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a @ b in place."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    elif kind_of(total) == "cpu":
        total += (a @ b).to(total.dtype)  # what a CPU does anyway, and can be seen so
    else:
        total += a @ b
