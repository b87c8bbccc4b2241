"""How gradients change the weights: AdamW for all of them, or Muon for the blocks' matrices.

Everything an optimizer remembers goes by "<parameter>.<moment>"; its shapes follow from the parameter.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

from gpt_studio.core.config import TrainConfig
from gpt_studio.core.step_memory import MUON_BATCH
from gpt_studio.engine.model import GPT

ADAMW = ("step", "exp_avg", "exp_avg_sq")  # what AdamW remembers about each parameter
MUON = ("momentum",)
MOMENTUM = 0.95  # of Muon: the share of its memory that stays at each step


class Muon(Optimizer):
    """Momentum made orthogonal, so that a matrix moves alike in all directions (Jordan et al. 2024).

    A step is as large as AdamW's usually is (Liu et al. 2025, "Muon is scalable for LLM training"), so one
    learning rate and weight decay serve both. Unlike torch's own it computes in the precision of the run
    (where a CPU has no bf16 products they take seconds a step), and small matrices of one shape together.
    """

    def __init__(
        self, matrices: Iterable[Tensor], lr: float, weight_decay: float, precision: torch.dtype
    ) -> None:
        groups = [{"params": batch} for batch in _batches(matrices)]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the weights; every one has a gradient."""
        for group in self.param_groups:
            self._move(group["params"], group["lr"], group["weight_decay"])

    def _move(self, matrices: list[Parameter], rate: float, weight_decay: float) -> None:
        for p, update in zip(matrices, orthogonal(self._ahead(matrices)), strict=True):
            p.mul_(1 - rate * weight_decay)
            p.add_(update, alpha=-rate * 0.2 * math.sqrt(max(p.shape)))

    def _ahead(self, matrices: list[Parameter]) -> Tensor:
        """Add the gradients to the momentum and look one step ahead, as Nesterov: (N, m, n)."""
        directions = []
        for p in matrices:
            gradient = p.grad
            assert gradient is not None
            momentum = self.state[p]["momentum"].lerp_(gradient, 1 - MOMENTUM)
            directions.append(gradient.lerp(momentum, MOMENTUM).to(self.precision))
        return torch.stack(directions)


def orthogonal(x: Tensor) -> Tensor:
    """Nearly the orthogonal matrices nearest to these: (N, m, n) -> (N, m, n). Overwrites `x`.

    Five rounds of Newton–Schulz with the coefficients of Jordan et al. (2024): singular values come to
    lie between about 0.7 and 1.2, which is near enough.
    """
    tall = x.size(1) > x.size(2)
    x = x.mT if tall else x  # the products are smaller
    x /= x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        squares = x @ x.mT  # (N, m, m)
        change = torch.baddbmm(squares, squares, squares, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, change, x, beta=3.4445)
    return x.mT if tall else x


def _batches(matrices: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Matrices of one shape, as many at once as have MUON_BATCH numbers: small ones are faster together."""
    alike = defaultdict(list)
    for matrix in matrices:
        alike[matrix.shape].append(matrix)
    for shape, same in alike.items():
        count = max(1, MUON_BATCH // shape.numel())
        yield from (same[start : start + count] for start in range(0, len(same), count))


class Optimizers:
    """Several optimizers as one, each for its own parameters."""

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]
        self.state = {p: part.state[p] for part in parts for g in part.param_groups for p in g["params"]}

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        for part in self.parts:
            part.step()


def make_optimizer(
    model: GPT, config: TrainConfig, remembered: Mapping[str, Tensor] | None = None
) -> Optimizers:
    """AdamW, with Muon for the blocks' matrices if wished; weight decay pulls on no offsets and norms.

    All its memory is taken here, on the parameters' device, and not inside the first step, where a failure
    would leave half of it. `remembered` are the moments to go on with; those of another optimizer are of no
    use, and it starts anew.
    """
    named = dict(model.named_parameters())
    matrices = [p for name, p in named.items() if _by_muon(name, p.shape, config.optimizer)]
    others = [p for name, p in named.items() if not _by_muon(name, p.shape, config.optimizer)]
    groups = [
        {"params": [p for p in others if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.dim() < 2], "weight_decay": 0.0},
    ]
    parts: list[Optimizer] = [AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)]
    if matrices:
        precision = torch.float32 if config.precision == "fp32" else torch.bfloat16
        parts.append(Muon(matrices, config.learning_rate, config.weight_decay, precision))
    optimizer = Optimizers(*parts)

    shapes = moment_shapes(named, config.optimizer)
    known = remembered if remembered and remembered.keys() == shapes.keys() else {}
    for key, shape in shapes.items():
        name, moment = key.rsplit(".", 1)
        p = named[name]
        value = known[key].to(p.device) if known else torch.zeros(shape, device=p.device)
        optimizer.state[p][moment] = value
    return optimizer


def decay_weights_by(optimizer: Optimizers, weight_decay: float) -> None:
    """Let the pull on the matrices be another one from now on."""
    for group in optimizer.param_groups:
        if any(p.dim() >= 2 for p in group["params"]):
            group["weight_decay"] = weight_decay


def moment_shapes(parameters: Mapping[str, Tensor], optimizer: str) -> dict[str, torch.Size]:
    """The shape of all that an optimizer remembers about these parameters."""
    return {
        f"{name}.{moment}": torch.Size() if moment == "step" else p.shape
        for name, p in parameters.items()
        for moment in (MUON if _by_muon(name, p.shape, optimizer) else ADAMW)
    }


def moments(model: GPT, optimizer: Optimizers) -> dict[str, Tensor]:
    """What the optimizer remembers."""
    return {
        f"{name}.{moment}": value
        for name, parameter in model.named_parameters()
        for moment, value in optimizer.state[parameter].items()
    }


def _by_muon(name: str, shape: torch.Size, optimizer: str) -> bool:
    """Muon is for what acts as a matrix; tables of tokens and positions are rows to look up."""
    return optimizer == "muon" and name.startswith("blocks.") and len(shape) == 2
