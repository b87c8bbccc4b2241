"""The exact memory of a training step: the real one, on tensors without data."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from gpt_studio.core.config import RunConfig
from gpt_studio.engine.device import assumed, fast_products
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.step import TrainingStep

ATEN = torch.ops.aten
FIRST_WEIGHTS = (ATEN.uniform_.default, ATEN.normal_.default)
FLASH_WIDTH = 256  # of a head: wider ones are not for the flash kernel


def peak(config: RunConfig, device: str = "cpu") -> int:
    """The most bytes that tensors hold at once in a step of `config` on "cpu" or "cuda", any but the first.

    Takes the time of some thousand Python calls and no memory to speak of: nothing is computed. Any device
    can be asked for on any machine: the tensors without data are on the CPU, and the step takes the
    kernels it would take on CUDA. What kernels hold only while they work is not seen.
    """
    with fast_products():  # tries out matrix products, which no tensor without data can
        pass
    live = _LiveTensors()
    with torch.random.fork_rng(devices=[]), ExitStack() as stack:
        if torch.device(device).type == "cuda":
            stack.enter_context(_as_on_cuda())
        else:
            stack.enter_context(patch.object(torch, "get_rng_state", live.random_state))
        stack.enter_context(FakeTensorMode())
        stack.enter_context(live)
        step = _warm(config)
        ids = torch.zeros(config.train.batch_size, config.model.max_length, dtype=torch.long)
        targets = torch.zeros_like(ids)
        live.peak = 0
        _run(step, ids, targets)
    return live.peak


def _warm(config: RunConfig) -> TrainingStep:
    """As after a first step: the optimizer has its state, and gradients are gone."""
    model = GPT(config.model).train()
    return TrainingStep(model, make_optimizer(model, config.train), config.train)


def _run(step: TrainingStep, ids: Tensor, targets: Tensor) -> None:
    """As the trainer does it; of batches added up the last, when all gradients are there."""
    step.begin()
    if step.plan.accumulation > 1:
        for parameter in step.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
    value = step.forward(ids, targets)
    step.backward(value)
    step.norm()
    step.update(step.plan.learning_rate, 2 * step.plan.gradient_clip)


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the birth and death of every storage."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if operation in FIRST_WEIGHTS:  # nothing to fill
            return args[0]
        made = operation(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self._follow(tensor.untyped_storage())
        # While a mode looks on, gradients are summed into a new tensor; otherwise in place, if no view.
        if operation is not ATEN.add.Tensor or args[0]._is_view():
            self.peak = max(self.peak, self.now)
        return made

    def random_state(self) -> Tensor:
        """That of the CPU's random numbers, which checkpointing keeps; it is made past this mode."""
        state: Tensor = torch.default_generator.get_state()
        self._follow(state.untyped_storage())
        return state

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key not in self._known:
            self._known[key] = weakref.ref(storage, lambda _: self._forget(key, size))
            self.now += size

    def _forget(self, key: int, size: int) -> None:
        del self._known[key]
        self.now -= size


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """One kernel that keeps a mask of one byte each."""
    return ATEN.native_dropout(x, p, training)[0] if training and p else x


def _attention(q: Tensor, k: Tensor, v: Tensor, is_causal: bool = False, **_: Any) -> Tensor:
    """Flash attention for 16-bit numbers, memory-efficient attention for fp32: each (B, H, T, D/H)"""
    if torch.is_autocast_enabled("cpu"):
        q, k, v = (t.to(torch.get_autocast_dtype("cpu")) for t in (q, k, v))
    width = q.size(3)
    if q.dtype == torch.float32 or width > FLASH_WIDTH:
        found: Tensor = ATEN._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, is_causal)[0]
        return found
    wider = -width % 8  # heads have to be as wide as a multiple of 8
    if wider:
        q, k, v = (F.pad(t, (0, wider)) for t in (q, k, v))
    found = ATEN._scaled_dot_product_flash_attention(q, k, v, 0.0, is_causal, False)[0]
    return found[..., :width]


@contextmanager
def _as_on_cuda() -> Iterator[None]:
    """Take the ways and kernels that are taken on CUDA."""
    with (
        assumed("cuda"),
        patch.object(F, "scaled_dot_product_attention", _attention),
        patch.object(F, "dropout", _dropout),
    ):
        yield
