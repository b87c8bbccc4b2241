"""One training step as tensors see it: the trainer runs, the footprint follows, calibration times it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from gpt_studio.core.config import TrainConfig
from gpt_studio.engine.chunked_loss import chunked_loss
from gpt_studio.engine.device import fast_products
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import Optimizers

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
FIRST_SCALE = 2.0**16  # of fp16 losses: small gradients would become zero


class TrainingStep:
    """Adds up gradients batch by batch, then changes the weights."""

    def __init__(self, model: GPT, optimizer: Optimizers, plan: TrainConfig) -> None:
        self.model = model
        self.optimizer = optimizer
        self.plan = plan
        self.device = model.token_embedding.weight.device
        self.scale = FIRST_SCALE if plan.precision == "fp16" else 1.0

    def begin(self) -> None:
        """Forget the gradients of the step before."""
        self.optimizer.zero_grad()

    @fast_products()
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean loss of token ids and the ids to come, each (B, T), wherever they are."""
        x, y = (ids.to(self.device, non_blocking=True) for ids in (x, y))
        low = PRECISIONS.get(self.plan.precision)
        with torch.autocast(self.device.type, low or torch.bfloat16, enabled=low is not None):
            if self.plan.chunked_loss:
                return chunked_loss(self.model.hidden(x), self.model.head_weight, y, self.scale)
            return loss(self.model(x), y)

    @fast_products()
    def backward(self, value: Tensor) -> None:
        """Add the loss's gradients to those there are; fp16 ones `scale` times as large."""
        torch.autograd.backward(value * (self.scale / self.plan.accumulation))

    def norm(self) -> Tensor:
        """The length of all gradients together, a scalar on the device."""
        found = [p.grad for p in self.model.parameters() if p.grad is not None]
        return get_total_norm(found) / self.scale

    def lower_scale(self) -> bool:
        """Take half the scale, for when gradients were too large for fp16; False if that cannot help."""
        self.scale /= 2
        return self.scale >= 1

    @fast_products()
    @torch.no_grad()
    def update(self, rate: float, norm: float) -> None:
        """Change the weights, all of them or none, by gradients of this length."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        clip = self.plan.gradient_clip
        if self.scale != 1:
            for p in self.model.parameters():
                assert p.grad is not None
                p.grad.div_(self.scale)
        if 0 < clip < norm:
            clip_grads_with_norm_(self.model.parameters(), clip, torch.tensor(norm))
        self.optimizer.step()
