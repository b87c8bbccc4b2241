"""Choose the next token: temperature, top-k, top-p and repetition penalty, one small function each.

Each takes and gives float32 logits of shape (V,); a token that is out of the draw has logit −inf.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gpt_studio.core.config import SampleConfig

COLDEST = 1e-6  # a temperature below it would divide zero by zero in float32


def penalize_repetition(logits: Tensor, penalty: float, recent_ids: Sequence[int]) -> Tensor:
    """Make tokens that already occur less likely (above 1) or more (below): weaken their logits."""
    if penalty == 1 or not recent_ids:
        return logits
    ids = torch.tensor(sorted(set(recent_ids)), device=logits.device)
    seen = logits[ids]
    return logits.index_copy(0, ids, torch.where(seen > 0, seen / penalty, seen * penalty))


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Sharpen (below 1) or flatten (above 1) the differences; 0 leaves the likeliest token alone."""
    if temperature == 0:
        return torch.full_like(logits, -math.inf).index_fill(0, logits.argmax(), 0.0)
    return (logits - logits.max()) / max(temperature, COLDEST)


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k likeliest tokens; 0 keeps all."""
    if k == 0 or k >= logits.numel():
        return logits
    kept, ids = logits.topk(k)
    return torch.full_like(logits, -math.inf).index_copy(0, ids, kept)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest likeliest tokens whose probabilities together reach p: always at least one."""
    if p >= 1:
        return logits
    ids = torch.nonzero(logits > -math.inf).flatten()  # sorting few is quick
    ordered, order = logits[ids].sort(descending=True, stable=True)
    shares = ordered.softmax(0)
    beyond = shares.cumsum(0) - shares >= p  # the tokens before it already reach p
    return logits.index_fill(0, ids[order[beyond]], -math.inf)


def probabilities(logits: Tensor, config: SampleConfig, recent_ids: Sequence[int] = ()) -> Tensor:
    """The chances (V,) that each token is drawn next; they add up to 1."""
    logits = penalize_repetition(logits.float(), config.repetition, recent_ids)
    logits = apply_temperature(logits, config.temperature)
    logits = keep_top_k(logits, config.top_k)
    return keep_top_p(logits, config.top_p).softmax(0)


def draw(chances: Tensor, generator: torch.Generator) -> int:
    """One token id, drawn with the caller's own random numbers."""
    ids = torch.nonzero(chances).flatten()  # drawing from few is quick
    return int(ids[torch.multinomial(chances[ids], 1, generator=generator)])
