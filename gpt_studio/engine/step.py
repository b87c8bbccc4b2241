"""One training step as tensors see it: the trainer runs, the footprint follows, calibration times it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gpt_studio.core.config import TrainConfig
from gpt_studio.engine.chunked_loss import chunked_loss
from gpt_studio.engine.device import fast_products
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import Optimizers

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
FIRST_SCALE = 2.0**16  # of fp16 losses: small gradients would become zero


class TrainingStep:
    """Adds up gradients batch by batch, then changes the weights.

    `compiled` lets torch.compile make kernels for the way to the loss and back: the first step takes many
    seconds longer. The model itself stays as it is, for those who write and compare with it. `scale` is the
    one fp16 losses had when the run stopped, 0 for a new run.
    """

    def __init__(
        self, model: GPT, optimizer: Optimizers, plan: TrainConfig, compiled: bool = False, scale: float = 0.0
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.plan = plan
        self.device = model.token_embedding.weight.device
        self.scale = (scale or FIRST_SCALE) if plan.precision == "fp16" else 1.0
        self.compiled = False
        self._hidden: Callable[[Tensor], Tensor] = model.hidden
        self._loss: Callable[[Tensor, Tensor], Tensor] = self._plain_loss
        if compiled:
            self.compile()
        model.attend_by(plan.attention)

    def compile(self) -> None:
        """Make kernels for the shapes of each batch when the first such one comes.

        Raises:
            Exception: torch cannot compile here; most of its reasons come up only with that batch.
        """
        if not self.compiled:
            self._hidden = torch.compile(self.model.hidden, dynamic=False)
            self._loss = torch.compile(self._plain_loss, dynamic=False)
            self.compiled = True

    def uncompile(self) -> None:
        """Do without kernels of its own, and give back what they take."""
        if self.compiled:
            torch.compiler.reset()
        self.compiled = False
        self._hidden, self._loss = self.model.hidden, self._plain_loss

    def begin(self) -> None:
        """Forget the gradients of the step before."""
        self.optimizer.zero_grad()

    @fast_products()
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean loss of token ids and the ids to come, each (B, T), wherever they are."""
        x, y = (ids.to(self.device, non_blocking=True) for ids in (x, y))
        learns = torch.is_grad_enabled()  # only for that kernels are made
        low = PRECISIONS.get(self.plan.precision)
        with torch.autocast(self.device.type, low or torch.bfloat16, enabled=low is not None):
            if self.plan.chunked_loss:
                hidden = self._hidden(x) if learns else self.model.hidden(x)
                return chunked_loss(hidden, self.model.head_weight, y, self.scale)
            return self._loss(x, y) if learns else self._plain_loss(x, y)

    def _plain_loss(self, x: Tensor, y: Tensor) -> Tensor:
        return loss(self.model(x), y)

    @fast_products()
    def backward(self, value: Tensor) -> None:
        """Add the loss's gradients to those there are; fp16 ones `scale` times as large."""
        torch.autograd.backward(value * (self.scale / self.plan.accumulation))

    def norm(self) -> Tensor:
        """The length of all gradients together, a scalar on the device."""
        return get_total_norm(self._gradients()) / self.scale

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.model.parameters() if p.grad is not None]

    def lower_scale(self) -> bool:
        """Take half the scale, for when gradients were too large for fp16; False if that cannot help."""
        if self.scale < 2:
            return False
        self.scale /= 2
        return True

    @fast_products()
    @torch.no_grad()
    def update(self, rate: float, norm: float) -> None:
        """Change the weights, all of them or none, by gradients of this length."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        clip = self.plan.gradient_clip
        shrink = (clip / norm if 0 < clip < norm else 1.0) / self.scale
        if shrink != 1:
            torch._foreach_mul_(self._gradients(), shrink)
        self.optimizer.step()


def why_plain(error: Exception) -> str:
    """A few words for why a model could not be compiled."""
    text = f"{type(error).__name__}: {error}".lower()
    reasons = {
        "python.h": "Python's header files are missing",
        "triton": "no working Triton here",
        "c++ compiler": "no C++ compiler here",
        "cxxcompiler": "no C++ compiler here",
        "compiler: cl": "no C++ compiler here",
        "not supported on": "not supported on this machine",
    }
    reason = next((reason for words, reason in reasons.items() if words in text), "torch.compile failed here")
    return f"Not compiled: {reason}"
