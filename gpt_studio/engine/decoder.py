"""Write one text fast: the weights packed once at a precision, then one token at a time.

At batch 1 a token costs the reading of all weights from memory, so what counts is how few bytes they
take, and that little else is done: packed matrices, few operations, no copies. In the shape comments
T is the new tokens, P the positions there are, D the embedding size, H the heads, V the vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gpt_studio.core.estimate import LEAST_INT8
from gpt_studio.engine.linears import Int8, Linear, Packed, Plain, int8_works, packed_works
from gpt_studio.engine.model import GPT, TransformerBlock

log = logging.getLogger(__name__)

SHORTEST = 128  # a CUDA graph looks at this many positions, or twice, four times ... as many


class Decoder:
    """A model's weights as they are now, at a precision, and the one text read with them.

    It keeps a copy of the weights (none of float32 ones on a GPU) and no hold on the model.
    `precision` is what it really has: a device that cannot do one falls back to the nearest, and the
    log says so. `length` tokens of the text named `text` are held.
    """

    @torch.inference_mode()
    def __init__(self, model: GPT, precision: str = "fp32") -> None:
        config = model.config
        self.text: object = None
        self.length = 0
        self.context = config.max_length
        self._device = model.token_embedding.weight.device
        self.precision = _possible(precision, self._device, config.embed_size, config.forward_expansion)
        self._dtype = torch.float32 if self.precision == "fp32" else torch.bfloat16
        self._heads = config.heads
        self._tokens = model.token_embedding.weight.detach()
        self._positions = model.position_embedding.weight.detach()
        self._layers = [_Layer(block, self._norm, self._linear) for block in model.blocks]  # type: ignore[arg-type]
        self._final = self._norm(model.norm)
        head = model.token_embedding if config.tie_embeddings else model.head
        self._head = self._linear(head)
        shape = (config.num_layers, 2, config.heads, config.max_length, config.embed_size // config.heads)
        self._cache = torch.zeros(shape, dtype=self._dtype, device=self._device)
        self._graphs = _Graphs(self.context, self._device) if self._device.type == "cuda" else None

    def begin(self, text: object) -> None:
        """Forget the text held, and name the next one."""
        self.text, self.length = text, 0

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Tensor:
        """Go on with the text held; what comes next: logits (V,), float32 on the CPU.

        Several tokens at once begin a text; they cannot go on with one.
        """
        past, end = self.length, self.length + len(ids)
        if end > self.context or (past and len(ids) > 1):
            raise ValueError(f"{len(ids)} tokens after {past} in a context of {self.context}")
        if self._graphs and past:
            logits = self._graphs.read(self._step, ids[0], past)
        else:
            logits = self._read(ids, past, end)
        self.length = end
        return logits.float().cpu()

    def _read(self, ids: Sequence[int], past: int, end: int) -> Tensor:
        tokens = self._tokens[ids[0]][None] if len(ids) == 1 else self._tokens[list(ids)]
        x = (tokens + self._positions[past:end]).to(self._dtype)
        return self._forward(x, lambda layer, qkv: self._attend(layer, qkv, past, end))

    def _forward(self, x: Tensor, attend: Callable[[int, Tensor], Tensor]) -> Tensor:
        """(T, D) -> logits of the last token (V,). `attend` takes a layer's number and its (T, 3 D)."""
        for number, layer in enumerate(self._layers):
            y = attend(number, layer.qkv(layer.attention_norm(x)))
            x = layer.projection.add(y, x)
            x = layer.narrow.add(layer.widen.gelu(layer.feed_forward_norm(x)), x)
        return self._head(self._final(x[-1:]))[0]

    def _attend(self, layer: int, qkv: Tensor, past: int, end: int) -> Tensor:
        """Keep the new keys and values, and look at all there are: (T, 3 D) -> (T, D)"""
        split = qkv.view(end - past, 3, self._heads, -1).permute(1, 2, 0, 3)  # (3, H, T, D/H)
        held = self._cache[layer, :, :, :end]  # (2, H, P + T, D/H)
        held[:, :, past:] = split[1:]
        y = F.scaled_dot_product_attention(split[:1], held[:1], held[1:], is_causal=not past)
        return y[0].transpose(0, 1).reshape(end - past, -1)

    def _step(self, id: Tensor, position: Tensor, positions: int) -> Tensor:
        """One token (1,) at a position (1,), both on the device, with the same work wherever it is.

        It looks at the first `positions` of the cache; those to come are masked. -> logits (V,)
        """
        seen = (torch.arange(positions, device=self._device) <= position)[None, None, None]

        def attend(layer: int, qkv: Tensor) -> Tensor:
            split = qkv.view(3, self._heads, 1, -1)
            held = self._cache[layer]  # (2, H, P, D/H)
            held.index_copy_(2, position, split[1:])
            k, v = held[:1, :, :positions], held[1:, :, :positions]
            return F.scaled_dot_product_attention(split[:1], k, v, attn_mask=seen).view(1, -1)

        x = (self._tokens[id] + self._positions[position]).to(self._dtype)
        return self._forward(x, attend)

    def _norm(self, norm: nn.LayerNorm) -> Norm:
        weight, bias = norm.weight.to(self._dtype), None if norm.bias is None else norm.bias.to(self._dtype)
        shape, eps = [norm.weight.numel()], norm.eps
        return lambda x: torch.layer_norm(x, shape, weight, bias, eps)

    def _linear(self, layer: nn.Linear | nn.Embedding) -> Linear:
        """A layer's weights in the form that is read fastest here."""
        bias: Tensor | None = getattr(layer, "bias", None)
        bias = None if bias is None else bias.detach().to(self._dtype)
        if self.precision == "int8" and layer.weight.numel() >= LEAST_INT8:
            return Int8(layer.weight.detach(), bias)
        weight = layer.weight.detach().to(self._dtype)
        packs = self._device.type == "cpu" and packed_works(self._dtype, weight.size(1))
        return Packed(weight, bias) if packs else Plain(weight, bias)


Norm = Callable[[Tensor], Tensor]
Step = Callable[[Tensor, Tensor, int], Tensor]


class _Layer:
    """The parts of a block, ready to be called."""

    def __init__(
        self,
        block: TransformerBlock,
        norm: Callable[[nn.LayerNorm], Norm],
        linear: Callable[[nn.Linear], Linear],
    ) -> None:
        self.attention_norm = norm(block.attention_norm)
        self.qkv = linear(block.attention.qkv)
        self.projection = linear(block.attention.projection)
        self.feed_forward_norm = norm(block.feed_forward_norm)
        self.widen = linear(block.feed_forward.expansion)
        self.narrow = linear(block.feed_forward.projection)


def _possible(precision: str, device: torch.device, width: int, expansion: int) -> str:
    """The precision, or the nearest one this device can do."""
    possible = precision
    if possible == "int8" and not all(int8_works(device.type, size) for size in (width, width * expansion)):
        possible = "bf16"
    if possible == "bf16" and not _has_bf16(device, width):
        possible = "fp32"
    if possible != precision:
        log.warning("%s weights cannot be had on %s: writing with %s", precision, device, possible)
    return possible


def _has_bf16(device: torch.device, width: int) -> bool:
    """Whether products of bf16 numbers are fast and right here."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8  # older ones only emulate them
    return packed_works(torch.bfloat16, width)


class _Graphs:
    """A decoder's step recorded for the GPU, which then runs it without waiting for Python.

    A recording has fixed shapes, so there is one for each power of two of positions looked at.
    """

    def __init__(self, context: int, device: torch.device) -> None:
        self._context = context
        self._id = torch.zeros(1, dtype=torch.long, device=device)
        self._position = torch.zeros_like(self._id)
        self._recorded: dict[int, tuple[Callable[[], None], Tensor]] = {}

    def read(self, step: Step, id: int, position: int) -> Tensor:
        """The logits (V,) after a token at a position; the next call overwrites them."""
        self._id.fill_(id)
        self._position.fill_(position)
        positions = looked_at(position + 1, self._context)
        if positions not in self._recorded:
            self._recorded[positions] = self._record(step, positions)
        replay, logits = self._recorded[positions]
        replay()
        return logits

    def _record(self, step: Step, positions: int) -> tuple[Callable[[], None], Tensor]:
        """Run the step once so that all libraries are ready, then record it."""
        aside = torch.cuda.Stream(self._id.device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._id.device))
        with torch.cuda.stream(aside):
            step(self._id, self._position, positions)
        torch.cuda.current_stream(self._id.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            logits = step(self._id, self._position, positions)
        return graph.replay, logits


def looked_at(length: int, context: int) -> int:
    """How many positions a recorded step looks at for a text of this length."""
    positions = SHORTEST
    while positions < length:
        positions *= 2
    return min(positions, context)
