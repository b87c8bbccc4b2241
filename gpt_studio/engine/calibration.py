"""How fast a device does the parts of a training step, timed in a few seconds on small pieces of the model.

Pieces are models of the run's own shapes that lack something: one has a few blocks and nothing to tell
apart, one has that too but no blocks, one has no blocks but the whole vocabulary. They are trained by the
same code as the run; the differences are the times of a block and of the ends.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.events import Calibrated
from gpt_studio.core.shapes import block_shapes, count
from gpt_studio.core.speed import Speed, parameters_outside, shape_of
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.reading import Tokens, batch
from gpt_studio.engine.step import TrainingStep

Work = Generator[Calibrated | None, None, None]

FEW = 2  # the vocabulary of a piece that is to have nearly none
LARGE = 2**22  # parameters of a block too large to stay in a cache until it is used again
SECONDS = 0.8  # for each piece's repetitions
LONGEST = 0.25  # for one repetition: of larger ones only a part is timed
LEAST, MOST = 3, 12  # repetitions
FIRST_TOKENS = 64  # of the first, smallest part tried


@dataclass(frozen=True)
class Times:
    """Seconds that parts of a training step take."""

    forward: float
    backward: float
    update: float

    @property
    def whole(self) -> float:
        return self.forward + self.backward + self.update

    def __sub__(self, other: Times) -> Times:
        return Times(
            max(0.0, self.forward - other.forward),
            max(0.0, self.backward - other.backward),
            max(0.0, self.update - other.update),
        )

    def by(self, batch: float, update: float = 1.0) -> Times:
        """Those of another amount of text, and of other weights."""
        return Times(self.forward * batch, self.backward * batch, self.update * update)


class _Piece:
    """A part of a run's model with its optimizer, and random texts to learn from."""

    def __init__(self, model: GPTConfig, plan: TrainConfig, device: str, blocks: int) -> None:
        self.plan = plan.changed(accumulation=1)
        self.config = model.changed(num_layers=max(1, blocks), gradient_checkpointing=False)
        with torch.device("meta"):
            self.model = GPT(self.config)
        if not blocks:
            self.model.blocks = nn.ModuleList()
        self.model.to_empty(device=device)
        _fill(self.model)
        self.step = TrainingStep(self.model, make_optimizer(self.model, self.plan), self.plan)
        self.clock = _Clock(torch.device(device))
        self.texts = Tokens.of(_random_ids(model.vocab_size, 4 * model.max_length + 2**14))
        self.index = 0

    def learn(self, rows: int, length: int) -> Times:
        """The time of one training step with so many texts of such a length."""
        step, clock = self.step, self.clock
        with _own_random_state(step.device):
            clock.start()
            step.begin()
            self.model.train()
            torch.manual_seed(self.index)
            x, y = batch(self.texts, length, rows, self.plan.seed, self.index)
            value = step.forward(x, y)
            clock.lap()
            step.backward(value)
            clock.lap()
            _, norm = torch.stack((value.detach(), step.norm())).tolist()
            step.update(0.0, norm)
            self.index += 1
            return Times(*clock.stop())


def calibrate(config: RunConfig, device: str) -> Work:
    """Time the parts of a run's training step; yields None often, the Speed last."""
    model, plan = config.model, config.train
    few = model.changed(vocab_size=FEW)
    blocks = min(model.num_layers, 1 if count(block_shapes(model)) > LARGE else 3)

    rest = yield from _timed(_Piece(few, plan, device, 0), plan.batch_size)
    kernels = _kernels(config, device)
    found = {}
    for kernel in kernels:
        piece = _Piece(few, plan.changed(attention=kernel), device, blocks)
        whole = yield from _timed(piece, plan.batch_size)
        found[kernel] = (whole - rest).by(1 / blocks, 1 / blocks)
    kernel = min(kernels, key=lambda kernel: found[kernel].whole)
    block = found[kernel]
    ends = yield from _timed(_Piece(model, plan, device, 0), plan.batch_size)
    yield Calibrated(
        Speed(
            device=device,
            shape=shape_of(config),
            attention=kernel,
            block=block.forward + block.backward,
            again=block.forward,
            ends=ends.forward + ends.backward,
            scoring=ends.forward,
            block_update=block.update,
            update=ends.update / parameters_outside(model.changed(tie_embeddings=True)),
        )
    )


def _timed(piece: _Piece, batch_size: int) -> Generator[None, None, Times]:
    """The time of a step of a piece with a whole batch, or by arithmetic what a part of it lets expect."""
    rows, length = 1, min(FIRST_TOKENS, piece.config.max_length)
    while True:
        once = piece.learn(rows, length)
        yield None
        larger = _larger(rows, length, batch_size, piece.config.max_length)
        if larger is None or 2 * once.whole > LONGEST:
            break
        rows, length = larger
    spent, found = 0.0, []
    while len(found) < LEAST or (spent < SECONDS and len(found) < MOST):
        found.append(piece.learn(rows, length))
        spent += found[-1].whole
        yield None
    share = batch_size * piece.config.max_length / (rows * length)
    return _low(found).by(share)


def _low(found: list[Times]) -> Times:
    best = sorted(found, key=lambda times: times.whole)[: max(1, len(found) // 3)]
    n = len(best)
    return Times(sum(t.forward for t in best) / n, sum(t.backward for t in best) / n, sum(t.update for t in best) / n)


def _larger(rows: int, length: int, most_rows: int, most_length: int) -> tuple[int, int] | None:
    """About twice as much text: longer, else more texts; None where it is all already."""
    if length < most_length:
        return rows, min(2 * length, most_length)
    return (min(2 * rows, most_rows), length) if rows < most_rows else None


def _kernels(config: RunConfig, device: str) -> tuple[str, ...]:
    return ("plain", "fused") if config.train.attention == "auto" else (config.train.attention,)


class _Clock:
    """Laps in seconds, on the device's own clock where it works by itself."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.device = device
        self.laps: list[float] = []
        self.events: list[torch.cuda.Event] = []

    def start(self) -> None:
        self.laps, self.events = [], []
        if self.cuda:
            torch.cuda.synchronize(self.device)
        self.lap()

    def lap(self) -> None:
        if self.cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self.device))
            self.events.append(event)
        else:
            self.laps.append(time.perf_counter())

    def stop(self) -> list[float]:
        """The seconds between the laps, this one the last."""
        self.lap()
        if self.cuda:
            self.events[-1].synchronize()
            return [a.elapsed_time(b) / 1000 for a, b in zip(self.events, self.events[1:])]
        return [b - a for a, b in zip(self.laps, self.laps[1:])]


@contextmanager
def _own_random_state(device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


@torch.no_grad()
def _fill(model: GPT) -> None:
    """Small numbers over and over: drawing millions of them would take longer than the timing."""
    some = torch.randn(2**16 - 1, generator=torch.Generator().manual_seed(0)) * 0.02
    for p in model.parameters():
        some = some.to(p.device)
        p.copy_(some.repeat(-(-p.numel() // len(some)))[: p.numel()].view_as(p))


def _random_ids(vocab_size: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, vocab_size, size, np.uint32)
