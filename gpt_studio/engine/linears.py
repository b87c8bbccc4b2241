"""Matrix-vector products of frozen weights: as they are, packed for oneDNN, or rounded to 8 bits.

Both packed kinds use operations that torch calls internal. So each is tried on a small product first and
held against the plain one; where it is missing or wrong, the plain one does the work.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

log = logging.getLogger(__name__)

ONEDNN: Any = torch.ops.mkldnn
INT8: Any = torch.ops.aten._weight_int8pack_mm
VECTOR = 32  # 8-bit numbers that a kernel may take at once
ROWS = 49  # of the product that is tried: no round number
NEAR = {torch.float32: 1e-5, torch.bfloat16: 2e-2}  # relative errors that rounding may make


class Linear(Protocol):
    """A linear layer (D) -> (N), alone or with what follows it, for x of shape (T, D)."""

    def __call__(self, x: Tensor) -> Tensor:
        """x Wᵀ + b"""

    def gelu(self, x: Tensor) -> Tensor:
        """gelu(x Wᵀ + b)"""

    def add(self, x: Tensor, to: Tensor) -> Tensor:
        """to + x Wᵀ + b"""


class Plain:
    """The weights as they are."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self._weight, self._bias)

    def gelu(self, x: Tensor) -> Tensor:
        return F.gelu(self(x), approximate="tanh")

    def add(self, x: Tensor, to: Tensor) -> Tensor:
        return to + self(x)


class Packed:
    """oneDNN's own order of the weights, which it reads at the speed of memory; what follows is fused."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = ONEDNN._reorder_linear_weight(weight)
        self._bias = bias
        self._linear = ONEDNN._linear_pointwise.default
        self._binary = ONEDNN._linear_pointwise.binary

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self._linear(x, self._weight, self._bias, "none", [], "")
        return out

    def gelu(self, x: Tensor) -> Tensor:
        out: Tensor = self._linear(x, self._weight, self._bias, "gelu", [], "tanh")
        return out

    def add(self, x: Tensor, to: Tensor) -> Tensor:
        out: Tensor = self._binary(x, to, self._weight, self._bias, "add")
        return out


class Int8:
    """Weights rounded to 8 bits, with one scale for each row: W ≈ scale · rounded; x is bf16."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = (weight.float().abs().amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
        scale = scale.bfloat16()
        self._weight = (weight.float() / scale.float()[:, None]).round_().clamp_(-127, 127).to(torch.int8)
        self._scale = scale
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = INT8(x, self._weight, self._scale)
        return out if self._bias is None else out.add_(self._bias)

    def gelu(self, x: Tensor) -> Tensor:
        return F.gelu(self(x), approximate="tanh")

    def add(self, x: Tensor, to: Tensor) -> Tensor:
        return self(x).add_(to)


@cache
def packed_works(dtype: torch.dtype, width: int) -> bool:
    """Whether oneDNN packs here and multiplies rows of this width as it should, alone and fused."""
    return _agrees(Packed, dtype, "cpu", width)


@cache
def int8_works(device: str, width: int) -> bool:
    """Whether torch has a right product with 8-bit weights on a type of device, for this width.

    Its kernel reads past the end of rows that do not fill a vector, so those are not even tried.
    """
    return width % VECTOR == 0 and _agrees(Int8, torch.bfloat16, device, width)


@torch.inference_mode()
def _agrees(kind: type[Packed] | type[Int8], dtype: torch.dtype, device: str, width: int) -> bool:
    """Whether a small product comes out as the plain one."""
    dice = torch.Generator().manual_seed(0)
    weight = torch.randint(-127, 128, (ROWS, width), generator=dice).to(device, dtype)
    weight[:, 0] = 127  # a scale of exactly 1: nothing is rounded
    bias = torch.randn(ROWS, generator=dice).to(device, dtype)
    plain = Plain(weight, bias)
    try:
        packed = kind(weight, bias)
        for rows in (1, 5):
            x = torch.randn(rows, width, generator=dice).to(device, dtype)
            to = torch.randn(rows, ROWS, generator=dice).to(device, dtype)
            found = torch.cat((packed(x), packed.gelu(x), packed.add(x, to))).float()
            right = torch.cat((plain(x), plain.gelu(x), plain.add(x, to))).float()
            if not float((found - right).norm()) <= NEAR[dtype] * float(right.norm()):
                log.info("%s products of %s on %s are not right", kind.__name__, dtype, device)
                return False
    except (RuntimeError, AttributeError, TypeError, NotImplementedError) as error:
        log.info("%s products of %s on %s cannot be had: %s", kind.__name__, dtype, device, error)
        return False
    return True
