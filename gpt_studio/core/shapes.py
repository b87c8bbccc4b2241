"""The parameters of a GPT by arithmetic: the shape of every tensor, and how many numbers there are."""

from __future__ import annotations

from math import prod

from gpt_studio.core.config import GPTConfig


def parameter_shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of the model, under its name in `GPT(config).state_dict()`."""
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding.weight": (config.vocab_size, config.embed_size),
        "position_embedding.weight": (config.max_length, config.embed_size),
    }
    block = block_shapes(config)
    for layer in range(config.num_layers):
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    shapes |= _norm("norm", config)
    if not config.tie_embeddings:
        shapes["head.weight"] = (config.vocab_size, config.embed_size)
    return shapes


def parameters(config: GPTConfig) -> int:
    """How many numbers the model learns, exactly."""
    tables = (1 if config.tie_embeddings else 2) * config.vocab_size + config.max_length
    norm = count(_norm("norm", config))
    return tables * config.embed_size + config.num_layers * count(block_shapes(config)) + norm


def block_shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of one block."""
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


def count(shapes: dict[str, tuple[int, ...]]) -> int:
    """How many numbers tensors of these shapes hold."""
    return sum(prod(shape) for shape in shapes.values())
