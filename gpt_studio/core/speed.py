"""How long training takes, by arithmetic on what a device was measured to need for the parts of a step."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_studio.core.config import RunConfig

Shape = tuple[int | float | str | bool, ...]


@dataclass(frozen=True)
class Speed:
    """Seconds for each part of a training step of one shape on one device."""

    device: str
    shape: Shape  # of the steps it is true for
    attention: str  # the faster kernel: "plain" or "fused"
    block: float  # one block, forward and backward, of one micro-batch
    again: float  # its forward pass once more, as checkpointing needs
    ends: float  # embedding, last norm, logits and loss of one micro-batch, forward and backward
    update: float  # norm of the gradients and the optimizer, per parameter
    watts: float = 0.0  # what the device drew meanwhile; 0 where no meter tells


def shape_of(config: RunConfig) -> Shape:
    """What the speed of a step depends on besides layers, steps and accumulation, which arithmetic covers."""
    model, plan = config.model, config.train
    return (
        model.vocab_size,
        model.embed_size,
        model.heads,
        model.forward_expansion,
        model.max_length,
        model.dropout > 0,
        model.bias,
        plan.batch_size,
        plan.precision,
        plan.optimizer,
        plan.attention,
        plan.chunked_loss,
    )


def seconds_per_step(config: RunConfig, speed: Speed) -> float:
    """Predicted time of one step, validation and samples not counted."""
    raise NotImplementedError
