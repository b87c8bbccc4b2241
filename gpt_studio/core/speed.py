"""How long training takes, by arithmetic on what a device was measured to need for the parts of a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gpt_studio.core.config import GPTConfig, RunConfig
from gpt_studio.core.shapes import block_shapes, count, parameters

Shape = tuple[int | float | str | bool, ...]

VALIDATION_TOKENS = 16_384  # looked at in each validation
SAMPLE_TOKENS = 128  # written in each sample while learning
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Speed:
    """Seconds for each part of a training step of one shape on one device."""

    device: str
    shape: Shape  # of the steps it is true for
    attention: str  # the faster kernel: "plain" or "fused"
    block: float  # one block, forward and backward, of one micro-batch
    again: float  # its forward pass once more, as checkpointing and validation need
    ends: float  # reading texts, embedding, last norm, logits and loss of one micro-batch, there and back
    scoring: float  # their forward pass alone
    block_update: float  # one block's share in the norm of the gradients and in the optimizer's step
    update: float  # the same for all else, per parameter
    token: float = 0.0  # one block's share in writing one token
    token_ends: float = 0.0  # what writing one takes besides, without the drawing of it
    watts: float = 0.0  # what the device drew meanwhile; 0 where no meter tells


@dataclass(frozen=True)
class RunTime:
    """Predicted seconds of a whole run: what is learned in, and what looking at it takes.

    Not counted: exams of the small world, reading the texts before, saving, and chatting meanwhile.
    """

    steps: float
    validation: float
    samples: float

    @property
    def total(self) -> float:
        return self.steps + self.validation + self.samples


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


def resolved(config: RunConfig, speed: Speed | None) -> RunConfig:
    """The config as it is trained: attention left to the device is the one measured to be faster."""
    if speed is None or config.train.attention != "auto":
        return config
    return config.changed("train", {"attention": speed.attention})


def seconds_per_step(config: RunConfig, speed: Speed) -> float:
    """Predicted time of one step, validation and samples not counted, at a speed measured for its shape."""
    model, plan = config.model, config.train
    block = speed.block + (speed.again if model.gradient_checkpointing else 0.0)
    batch = model.num_layers * block + speed.ends
    update = model.num_layers * speed.block_update + parameters_outside(model) * speed.update
    return plan.accumulation * batch + update


def tokens_per_second(config: RunConfig, speed: Speed) -> float:
    """Predicted throughput, as a run shows it."""
    tokens = config.train.effective_batch * config.model.max_length
    return tokens / max(seconds_per_step(config, speed), 1e-12)


def run_time(config: RunConfig, speed: Speed) -> RunTime:
    """Predicted time of a whole run. With little text held out, validation is shorter."""
    model, plan = config.model, config.train
    batches = math.ceil(VALIDATION_TOKENS / (plan.batch_size * model.max_length))
    once = batches * (model.num_layers * speed.again + speed.scoring)
    written = SAMPLE_TOKENS * (model.num_layers * speed.token + speed.token_ends)
    return RunTime(
        steps=plan.steps * seconds_per_step(config, speed),
        validation=once * _times(plan.steps, plan.evaluate_every),
        samples=written * _times(plan.steps, plan.sample_every),
    )


def energy(seconds: float, watts: float) -> float:
    """kWh drawn in so many seconds; 0 where the power is not known."""
    return seconds * watts / JOULES_PER_KWH


def mfu(tokens_per_second: float, flops_per_token: float, rate: float) -> float:
    """The share of a device's matrix FLOP/s that training makes use of (Chowdhery et al. 2022); 0 if unknown.

    The base `rate` is what the device was measured to reach at most in the run's precision.
    """
    return tokens_per_second * flops_per_token / rate if rate > 0 else 0.0


def parameters_outside(model: GPTConfig) -> int:
    """How many numbers are learned outside the blocks: tables, last norm and head."""
    return parameters(model) - model.num_layers * count(block_shapes(model))


def _times(steps: int, every: int) -> int:
    """How often in so many steps something is due that comes at an interval, and at the end. 0 is off."""
    return math.ceil(steps / every) if every else 0
