"""Parameters, memory and compute of a GPT by arithmetic: no tensor is made, so it is instant.

The training memory is the peak of a real step, found as the largest of the few moments at which the
peak can fall. Sizes are in bytes. In the comments N is the tokens of a batch, D the embedding size,
V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

from gpt_studio.core.config import GPTConfig, RunConfig

FP32 = 4
BF16 = 2
MB = 2**20

# What a process holds besides its tensors. CPU: measured, torch imported and one tiny step done.
# CUDA: an assumption until measured, a context, the matmul library's workspace and rounding.
OVERHEAD = {"cpu": 330 * MB, "cuda": 600 * MB}


@dataclass(frozen=True)
class Part:
    """One part of the memory, under the name its color goes by."""

    name: str
    label: str
    size: int


@dataclass(frozen=True)
class Memory:
    """Bytes by what they are for, at the moment when they are most."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    overhead: int

    @property
    def total(self) -> int:
        return sum(part.size for part in self)

    @property
    def tensors(self) -> int:
        """Without the overhead."""
        return self.total - self.overhead

    def __iter__(self) -> Iterator[Part]:
        """The parts, always in the same order."""
        return (Part(name, name.capitalize(), getattr(self, name)) for name in self.__dataclass_fields__)


@dataclass(frozen=True)
class Estimate:
    """What a run will take: bytes, and floating-point operations per token learned from."""

    parameters: int
    training: Memory
    generation: int
    flops_per_token: float
    tokens_per_step: int


def estimate(config: RunConfig, device: str = "cpu") -> Estimate:
    """Everything a person wants to know before starting; `device` is "cpu" or begins with "cuda"."""
    return Estimate(
        parameters=parameters(config.model),
        training=training_memory(config, device),
        generation=generation_memory(config.model),
        flops_per_token=flops_per_token(config.model),
        tokens_per_step=config.train.effective_batch * config.model.max_length,
    )


# ---------------------------------------------------------------- parameters


def parameter_shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of the model, under its name in `GPT(config).state_dict()`."""
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding.weight": (config.vocab_size, config.embed_size),
        "position_embedding.weight": (config.max_length, config.embed_size),
    }
    block = _block_shapes(config)
    for layer in range(config.num_layers):
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    shapes |= _norm("norm", config)
    if not config.tie_embeddings:
        shapes["head.weight"] = (config.vocab_size, config.embed_size)
    return shapes


def parameters(config: GPTConfig) -> int:
    """How many numbers the model learns, exactly."""
    tables = (1 if config.tie_embeddings else 2) * config.vocab_size + config.max_length
    norm = _count(_norm("norm", config))
    return tables * config.embed_size + config.num_layers * _count(_block_shapes(config)) + norm


def _block_shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    width, hidden = config.embed_size, config.forward_expansion * config.embed_size
    return {
        **_norm("attention_norm", config),
        **_linear("attention.qkv", width, 3 * width, config),
        **_linear("attention.projection", width, width, config),
        **_norm("feed_forward_norm", config),
        **_linear("feed_forward.expansion", width, hidden, config),
        **_linear("feed_forward.projection", hidden, width, config),
    }


def _linear(name: str, fan_in: int, fan_out: int, config: GPTConfig) -> dict[str, tuple[int, ...]]:
    bias = {f"{name}.bias": (fan_out,)} if config.bias else {}
    return {f"{name}.weight": (fan_out, fan_in), **bias}


def _norm(name: str, config: GPTConfig) -> dict[str, tuple[int, ...]]:
    width = (config.embed_size,)
    return {f"{name}.weight": width, f"{name}.bias": width} if config.bias else {f"{name}.weight": width}


def _count(shapes: dict[str, tuple[int, ...]]) -> int:
    return sum(prod(shape) for shape in shapes.values())


# ---------------------------------------------------------------- compute and generation


def flops_per_token(config: GPTConfig) -> float:
    """Training, forward and backward, per token: 6 per weight of a matrix product + 12 · layers · D · T.

    The count of PaLM (Chowdhery et al. 2022, appendix B), which MFU is based on: two operations per
    weight forward and four backward; attention as if every token saw the whole context; what
    checkpointing computes again is not counted.
    """
    width, layers = config.embed_size, config.num_layers
    weights = layers * (4 + 2 * config.forward_expansion) * width**2 + config.vocab_size * width
    return 6.0 * weights + 12.0 * layers * width * config.max_length


def generation_memory(config: GPTConfig) -> int:
    """One conversation in fp32: the weights, the keys and values of a full context, one token's logits."""
    cache = 2 * config.num_layers * config.max_length * config.embed_size
    return FP32 * (parameters(config) + cache + config.vocab_size)


# ---------------------------------------------------------------- training memory


def training_memory(config: RunConfig, device: str = "cpu") -> Memory:
    """The peak of a training step with AdamW, by part."""
    count = parameters(config.model)
    kind = "cuda" if device.startswith("cuda") else "cpu"
    moment = max(_Step(config, kind).moments(), key=lambda moment: moment.size)
    return Memory(
        weights=FP32 * count + moment.copies,
        gradients=moment.gradients,
        optimizer=2 * FP32 * count,
        activations=moment.activations,
        logits=moment.logits,
        overhead=OVERHEAD[kind],
    )


@dataclass(frozen=True)
class _Moment:
    """What lives at one moment of a step, beside the weights and the optimizer's state."""

    copies: int  # of weights, in bf16
    gradients: int
    activations: int
    logits: int = 0

    @property
    def size(self) -> int:
        return self.copies + self.gradients + self.activations + self.logits


class _Step:
    """The sizes of one training step's tensors, and the moments at which they can be most."""

    def __init__(self, config: RunConfig, kind: str) -> None:
        model, train = config.model, config.train
        low = train.precision == "bf16"
        width = model.embed_size
        self.layers = model.num_layers
        self.tied = model.tie_embeddings
        self.checkpointed = model.gradient_checkpointing
        self.rows = train.batch_size * model.max_length
        self.item = BF16 if low else FP32

        self.stream = FP32 * self.rows * width  # what the blocks add to stays in fp32
        self.act = self.item * self.rows * width  # what matrix products read and write
        self.hidden = model.forward_expansion * self.act
        masks = 0 if not model.dropout else 1 if kind == "cuda" else self.item
        self.mask = masks * self.rows * width
        self.statistics = 8 * self.rows  # of a layer norm
        self.log_sums = FP32 * self.rows * model.heads  # of fused attention

        self.matrix = width**2
        self.widening = model.forward_expansion * width**2
        self.table = model.vocab_size * width
        self.table_copy = BF16 * self.table if low else 0
        self.copies = BF16 * (4 * self.matrix + 2 * self.widening) if low else 0
        self.block_gradients = FP32 * _count(_block_shapes(model))
        self.all_gradients = FP32 * parameters(model)
        self.accumulates = train.accumulation > 1
        self.tokens = self.rows * model.vocab_size
        first_mask = self.mask * FP32 // self.item if kind == "cpu" else self.mask
        self.inputs = 16 * self.rows + first_mask  # ids and targets

    @cached_property
    def feed_forward(self) -> int:
        """Kept by half a block: its input, normalized, widened, bent."""
        return self.stream + self.statistics + self.act + 2 * self.hidden + self.mask

    @cached_property
    def attention(self) -> int:
        """Kept by the other half: its input, normalized, queries, keys and values, the result."""
        return self.stream + self.statistics + 5 * self.act + self.log_sums + self.mask

    @cached_property
    def block(self) -> int:
        return self.attention + self.feed_forward

    def moments(self) -> Iterator[_Moment]:
        kept = self.stream if self.checkpointed else self.block
        copies = self.layers * (0 if self.checkpointed else self.copies) + self.table_copy
        before = self.all_gradients if self.accumulates else 0
        forward = self.inputs + self.layers * kept + self.stream + self.act + self.statistics
        all_copies = self.layers * self.copies + self.table_copy
        once = 2 * FP32 + (BF16 if self.item == BF16 else 0)
        yield _Moment(all_copies, before, forward, once * self.tokens)  # loss, forward
        yield _Moment(copies, before, forward, 3 * FP32 * self.tokens)  # loss, backward
        yield _Moment(
            copies, before + self.item * self.table, forward + self.act, self.item * self.tokens
        )  # head
        if self.item == BF16:
            cast = (BF16 + FP32) * self.table
            yield _Moment(copies - self.table_copy, before + cast, forward - self.act + self.stream)
        for below in (self.layers, 1):
            yield from self._block_moments(below)
        yield self._last_moment()

    def _block_moments(self, below: int) -> Iterator[_Moment]:
        """The way back through one block with `below` blocks still to go, this one included."""
        head = FP32 * self.table
        if self.accumulates:
            done = self.all_gradients + (head if self.tied else 0)
        else:
            done = head + (self.layers - below) * self.block_gradients
        if self.checkpointed:
            kept, copies = (below - 1) * self.stream + self.block, self.copies
        else:
            kept, copies = below * self.block, below * self.copies
        kept += self.inputs + self.stream  # the gradient that comes from above
        low = self.item == BF16
        inner = self.act if low or self.mask else 0
        grown = 0 if self.accumulates else FP32 * self.widening

        # Feed-forward: the gradient of the hidden layer and of the second matrix
        yield _Moment(copies, done + self.item * self.widening, kept + inner - self.mask + self.hidden)
        # ... of the first matrix
        yield _Moment(
            copies - self.table_copy * 0 - (BF16 * self.widening if low else 0),
            done + grown + self.item * self.widening,
            kept - self.hidden - self.mask + self.act,
        )
        # Attention: the gradients of queries, keys and values
        yield _Moment(
            copies - (2 * BF16 * self.widening if low else 0),
            done + 2 * grown + (0 if self.accumulates else FP32 * self.matrix),
            kept - self.feed_forward + 4 * self.act,
        )

    def _last_moment(self) -> _Moment:
        """The embeddings' gradients: a tied table's is summed from its two uses."""
        tables = self.tied + self.accumulates + (self.tied and self.item == FP32)
        extra = FP32 * self.table * tables
        return _Moment(0, self.all_gradients + extra, self.inputs + self.stream)
