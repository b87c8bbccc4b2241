"""The GPT: token ids in, a score for every possible next token out. Reads top to bottom.

In the shape comments B is the batch, T the tokens of each text, D the embedding size, H the heads,
V the vocabulary, and P the tokens that a cache already holds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from gpt_studio.core.config import GPTConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.step_memory import attends_plainly
from gpt_studio.engine.device import kind_of
from gpt_studio.engine.kernels import gelu_


class SelfAttention(nn.Module):
    """Let every token gather information from itself and the tokens before it, with several heads.

    The weights of the attention are not dropped, only what comes of it (in the block): no fused kernel
    on a CPU drops them, and the plain one keeps several T × T tables per head for the way back.
    """

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        self.heads = config.heads
        self.layer = layer  # which part of a cache is its own
        self.kernel = "auto"  # or "plain", "fused": how to attend where no cache is read
        self.qkv = nn.Linear(config.embed_size, 3 * config.embed_size, bias=config.bias)
        self.projection = nn.Linear(config.embed_size, config.embed_size, bias=config.bias)

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        past = cache.length if cache else 0
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))  # (B, T, 3, H, D/H)
        q, k, v = (t.transpose(1, 2) for t in qkv.unbind(2))  # each (B, H, T, D/H)
        if cache:
            k, v = cache.append(self.layer, k, v)  # each (B, H, P + T, D/H)
        y = _attend(q, k, v, past, "auto" if cache else self.kernel)
        out: Tensor = self.projection(y.transpose(1, 2).flatten(2))  # heads side by side again: (B, T, D)
        return out


def _attend(q: Tensor, k: Tensor, v: Tensor, past: int, kernel: str = "auto") -> Tensor:
    """What T new tokens find in all up to themselves: q (B, H, T, D/H), k, v (B, H, P + T, D/H) -> as q"""
    length = q.size(2)
    if not past and attends_plainly(kernel, kind_of(q), length):
        return _attend_plainly(q, k, v)
    # Without a past the plain causal kernel is right and fastest. One new token may see everything.
    mask = _causal_mask(length, past, q.device) if past and length > 1 else None
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=not past)


def _attend_plainly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √(D/H) + mask) v, written out: each (B, H, T, D/H) -> the same

    On a CPU whole steps are up to 1.8 times faster so than with the fused kernel while texts are short
    (benchmarks/attention.py). The T × T tables it keeps would be too large for long texts.
    """
    shape = q.shape
    q, k, v = (t.flatten(0, 1) for t in (q, k, v))  # each (B·H, T, D/H)
    future = q.new_full((shape[2], shape[2]), -math.inf).triu(1)
    scores = torch.baddbmm(future, q, k.mT, alpha=1 / math.sqrt(shape[3]))  # (B·H, T, T)
    shares = scores.softmax(2, dtype=scores.dtype)  # or autocast would widen the tables on CUDA
    return (shares @ v).view(shape)


def _causal_mask(length: int, past: int, device: torch.device) -> Tensor:
    """(T, P + T): True where one of T new tokens may look, at all P cached ones and not past itself."""
    return torch.ones(length, past + length, dtype=torch.bool, device=device).tril(past)


class FeedForward(nn.Module):
    """Let every token think for itself: widen, bend, narrow."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        hidden = config.forward_expansion * config.embed_size
        self.expansion = nn.Linear(config.embed_size, hidden, bias=config.bias)
        self.projection = nn.Linear(hidden, config.embed_size, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        out: Tensor = self.projection(gelu_(self.expansion(x)))
        return out


class TransformerBlock(nn.Module):
    """Attention, then feed-forward, each normalizing its input and adding its output to the stream."""

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.embed_size, bias=config.bias)
        self.attention = SelfAttention(config, layer)
        self.feed_forward_norm = nn.LayerNorm(config.embed_size, bias=config.bias)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        x = x + self.dropout(self.attention(self.attention_norm(x), cache))
        out: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return out


class GPT(nn.Module):
    """A decoder-only transformer. `GPT()` is GPT-2 small: 124 439 808 parameters.

    Raises:
        StudioError: the config has problems.
    """

    def __init__(self, config: GPTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GPTConfig()
        for problem in config.problems().values():
            raise StudioError(problem.text, tries=" or ".join(fix.label for fix in problem.fixes) + ".")
        self.token_embedding = nn.Embedding(config.vocab_size, config.embed_size)
        self.position_embedding = nn.Embedding(config.max_length, config.embed_size)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(TransformerBlock(config, layer) for layer in range(config.num_layers))
        self.norm = nn.LayerNorm(config.embed_size, bias=config.bias)
        if not config.tie_embeddings:
            self.head = nn.Linear(config.embed_size, config.vocab_size, bias=False)
        self._initialize()

    def attend_by(self, kernel: str) -> None:
        """How texts are attended to where no cache is read: "plain", "fused", or "auto", the faster one."""
        for module in self.modules():
            if isinstance(module, SelfAttention):
                module.kernel = kernel

    def forward(self, ids: Tensor, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
        """(B, T) -> logits (B, T, V), or (B, 1, V) of the last token alone.

        With a cache the ids continue the text it holds, and are added to it. Feeding a text in pieces
        gives the same logits as feeding it whole.

        Raises:
            StudioError: text and cache together are longer than `max_length`.
        """
        return F.linear(self.hidden(ids, cache, last_only), self.head_weight)

    def hidden(self, ids: Tensor, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
        """As `forward`, but what the logits are made from: (B, T, D), or (B, 1, D)."""
        x = self.embed(ids, cache.length if cache else 0)
        for block in self.blocks:
            if self.config.gradient_checkpointing and self.training and torch.is_grad_enabled():
                x = checkpoint(block, x, cache, use_reentrant=False)  # replays the random state for dropout
            else:
                x = block(x, cache)
        if cache:
            cache.length += ids.size(1)
        out: Tensor = self.norm(x[:, -1:] if last_only else x)
        return out

    def embed(self, ids: Tensor, past: int = 0) -> Tensor:
        """What each token means plus where it stands, after `past` earlier ones: (B, T) -> (B, T, D)"""
        end = past + ids.size(1)
        if end > self.config.max_length:
            raise StudioError(
                f"The text is {end} tokens long, but this model's context holds {self.config.max_length}.",
                tries="Shorten the text, or build a model with a longer context.",
            )
        positions = torch.arange(past, end, device=ids.device)
        x: Tensor = self.dropout(self.token_embedding(ids) + self.position_embedding(positions))
        return x

    def unembed(self, x: Tensor) -> Tensor:
        """A score for every token of the vocabulary to come next: (B, T, D) -> (B, T, V)"""
        return F.linear(self.norm(x), self.head_weight)

    @property
    def head_weight(self) -> Tensor:
        """The table that hidden states are compared with to score tokens: (V, D)"""
        table: Tensor = (self.token_embedding if self.config.tie_embeddings else self.head).weight
        return table

    @torch.no_grad()
    def _initialize(self) -> None:
        """As GPT-2: normal(0, 0.02), offsets 0, norms 1.

        Two projections per layer add to the stream, so they start smaller, and the sum of all of them
        keeps its size however deep the model is.
        """
        residual = 0.02 / math.sqrt(2 * self.config.num_layers)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:
                nn.init.normal_(parameter, std=residual if "projection" in name else 0.02)


class KVCache:
    """Keys and values of the text read so far, so that each new token costs one token's work.

    All memory is taken at once, for `max_length` tokens. `length` tokens are held. A full cache takes
    no more: the model raises. Positions are absolute, so the text cannot slide in place: to go on, set
    `length` to 0 and feed the last part of the text again.
    """

    def __init__(self, model: GPT, batch: int = 1) -> None:
        config = model.config
        width = config.embed_size // config.heads
        shape = (config.num_layers, 2, batch, config.heads, config.max_length, width)
        self.entries = model.token_embedding.weight.new_empty(shape)
        self.length = 0

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep new keys and values (B, H, T, D/H) of a layer; return all of them: (B, H, P + T, D/H)."""
        held = self.entries[layer, ..., : self.length + k.size(2), :]  # (2, B, H, P + T, D/H)
        held[0, :, :, self.length :] = k.detach()
        held[1, :, :, self.length :] = v.detach()
        return held[0], held[1]


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean surprise at the true next tokens, in nats: logits (B, T, V), targets (B, T) -> scalar."""
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def main() -> None:
    """Print the size of GPT-2 small, what training it takes, and the shape of what it says."""
    from gpt_studio.core import units
    from gpt_studio.core.config import RunConfig, TrainConfig
    from gpt_studio.core.estimate import estimate

    model = GPT()
    config = RunConfig(model=model.config, train=TrainConfig(batch_size=1))
    memory = estimate(config).training.total / units.GB
    with torch.inference_mode():
        logits = model(torch.randint(model.config.vocab_size, (1, 20)))
    print(f"Parameters: {sum(p.numel() for p in model.parameters()):,}")
    print(f"Estimated training memory (AdamW, fp32, 1 × {model.config.max_length} tokens): {memory:.2f} GB")
    print(f"Output shape: {tuple(logits.shape)}")


if __name__ == "__main__":
    main()
