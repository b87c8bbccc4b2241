"""How fast a device does the parts of a training step, timed in a few seconds on small pieces of the model.

Pieces are models of the run's own shapes that lack something: one has a few blocks and nothing to tell
apart, one has that too but no blocks, one has no blocks but the whole vocabulary. They are trained by the
same code as the run; the differences are the times of a block and of the ends.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.events import Calibrated, Device
from gpt_studio.core.shapes import block_shapes, count
from gpt_studio.core.speed import Speed, parameters_outside, shape_of
from gpt_studio.engine.device import fast_products
from gpt_studio.engine.model import GPT, KVCache
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.power import PowerMeter
from gpt_studio.engine.reading import Tokens, batch
from gpt_studio.engine.step import PRECISIONS, TrainingStep
from gpt_studio.engine.tokenizers import Ids

Work = Generator[Calibrated | None, None, None]

FEW = 2  # the vocabulary of a piece that is to have nearly none
LARGE = 2**22  # parameters of a block too large to stay in a cache until it is used again
MOST_SCORES = 2**24  # parameters of the table that scores tokens: of a larger one a part is timed
LONG = 1024  # tokens of a text from which plain attention is not tried
SECONDS = 0.8  # for the repetitions of pieces that take turns
LONGEST = 0.6  # for the texts of a piece's step: of larger batches a part is timed
LONGEST_PART = 0.25
MAPPED = 2**23  # numbers of a tensor for which memory is fetched anew each time, which costs much
MOST_FIXED = 0.25  # share of that part's time that can be no larger for a whole batch
LEAST, MOST = 2, 12  # repetitions
MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns of the products that show what a device can do
RATE_SECONDS = 0.3
TOKENS = 4  # written
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

    def __add__(self, other: Times) -> Times:
        return Times(self.forward + other.forward, self.backward + other.backward, self.update + other.update)

    def __sub__(self, other: Times) -> Times:
        """What is more of each; never less than nothing, which only chance would make it."""
        return Times(*(max(0.0, mine - its) for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, factor: float) -> Times:
        return Times(self.forward * factor, self.backward * factor, self.update * factor)


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
        self.update = 0.0  # seconds of the latest; a slow one is not repeated
        self.weights = sum(p.numel() for p in self.model.parameters() if p.dim() == 2)
        self.weights -= self.model.position_embedding.weight.numel()

    def work(self, rows: int, length: int) -> float:
        """Nearly the operations of a step with so much text, as `flops_per_token` counts them."""
        attention = 2 * len(self.model.blocks) * self.config.embed_size * length
        return rows * length * (self.weights + attention)

    def largest(self, rows: int, length: int) -> int:
        """The numbers in the largest tensor of a step with so much text."""
        return (
            rows
            * length
            * max(self.config.vocab_size, self.config.forward_expansion * self.config.embed_size)
        )

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
            if self.update <= LONGEST:
                norm, _ = torch.stack((step.norm(), value.detach())).tolist()  # as the run waits for both
                step.update(0.0, norm)
            forward, backward, update = clock.stop()
            if self.update <= LONGEST:
                self.update = update
            self.index += 1
            return Times(forward, backward, self.update)

    @torch.inference_mode()
    def write(self) -> float:
        """The time of writing one token in the middle of a text, as samples while learning are written."""
        self.model.eval()
        cache = KVCache(self.model)
        cache.entries.zero_()
        ids = torch.zeros(1, 1, dtype=torch.long, device=self.step.device)
        seconds = []
        for _ in range(TOKENS):
            cache.length = self.config.max_length // 2
            self.clock.start()
            self.model(ids, cache, last_only=True)[0, -1].float().softmax(0).topk(1).indices.tolist()
            seconds += self.clock.stop()
        return min(seconds)


def calibrate(config: RunConfig, device: str) -> Work:
    """Time the parts of a run's training step; yields None often, the Speed last.

    Takes no more memory than the run would, and leaves other models and the random state alone.
    """
    model, plan = config.model, config.train
    meter = PowerMeter(device)
    nearly_none = model.changed(vocab_size=FEW)
    blocks = min(model.num_layers, 1 if count(block_shapes(model)) > LARGE else 3)
    rest = _Piece(nearly_none, plan, device, 0)

    kernels = _kernels(config, device)
    plans = [plan.changed(attention=kernel) for kernel in kernels]
    pieces = [_Piece(nearly_none, each, device, blocks) for each in plans]
    without, *found = yield from _whole_batches([rest, *pieces], plan.batch_size)
    kernel, block = min(zip(kernels, found, strict=True), key=lambda pair: pair[1].whole)
    block = (block - without) * (1 / blocks)
    token_without = rest.write()
    token = max(0.0, pieces[0].write() - token_without) / blocks
    yield None
    del pieces

    part = model.changed(vocab_size=max(FEW, min(model.vocab_size, MOST_SCORES // model.embed_size)))
    scoring = _Piece(part, plan, device, 0)
    without, ends = yield from _whole_batches([rest, scoring], plan.batch_size)
    larger = model.vocab_size / part.vocab_size
    ends = without + (ends - without) * larger
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
            token=token,
            token_ends=token_without + max(0.0, scoring.write() - token_without) * larger,
            watts=meter.watts(),
        )
    )


def matrix_rates(device: Device) -> Generator[None, None, dict[str, float]]:
    """FLOP/s of the fastest of some large matrix products, by precision: the base of MFU."""
    rates = {}
    for precision in device.precisions:
        dtype = PRECISIONS.get(precision, torch.float32)
        size = MATRIX[device.kind]
        a, b = torch.randn(2, size, size, generator=_generator(device.name), device=device.name).to(dtype)
        clock = _Clock(torch.device(device.name))
        seconds: list[float] = []
        while len(seconds) < LEAST or sum(seconds) < RATE_SECONDS:
            with fast_products():
                clock.start()
                a @ b
                seconds += clock.stop()
            yield None
        rates[precision] = 2 * size**3 / min(seconds)
    return rates


def _generator(device: str) -> torch.Generator:
    return torch.Generator(device).manual_seed(0)


def _whole_batches(pieces: list[_Piece], batch_size: int) -> Generator[None, None, list[Times]]:
    """The time of each piece's step with a whole batch.

    Where that would take too long: what a part of the batch and a quarter of that part let expect.
    """
    context = pieces[-1].config.max_length
    rows, length = yield from _size(pieces[-1], batch_size)
    found = yield from _times(pieces, rows, length)
    if (rows, length) == (batch_size, context):
        return found
    smaller = (rows // 4, length) if rows >= 4 else (1, rows * length // 4)
    smalls = yield from _times(pieces, *smaller)
    return [
        _extrapolated(
            small, part, [piece.work(*size) for size in (smaller, (rows, length), (batch_size, context))]
        )
        for piece, small, part in zip(pieces, smalls, found, strict=True)
    ]


def _size(piece: _Piece, batch_size: int) -> Generator[None, None, tuple[int, int]]:
    """How many texts of what length to time: the whole batch, if that does not take too long."""
    context = piece.config.max_length
    rows, length = 1, min(FIRST_TOKENS, context)
    while True:
        once = piece.learn(rows, length)
        yield None
        seconds = once.forward + once.backward
        whole = seconds * piece.work(batch_size, context) / piece.work(rows, length)
        if whole <= LONGEST:
            return batch_size, context
        mapped = piece.largest(rows, length) >= min(MAPPED, piece.largest(batch_size, context))
        if seconds > LONGEST or (2 * seconds > LONGEST_PART and mapped):
            return rows, length
        rows, length = (
            (1, min(2 * length, context)) if length < context else (min(2 * rows, batch_size), length)
        )


def _times(pieces: list[_Piece], rows: int, length: int) -> Generator[None, None, list[Times]]:
    """The time of each piece's step; they take turns, so that what else happens falls on all alike."""
    found: list[list[Times]] = [[] for _ in pieces]
    spent, rounds = 0.0, 0
    while rounds <= LEAST or (spent < SECONDS and rounds <= MOST):
        for piece, times in zip(pieces, found, strict=True):
            once = piece.learn(rows, length)
            yield None
            spent += once.whole
            if rounds:  # the first makes room and kernels
                times.append(once)
        rounds += 1
    return [_low(times) for times in found]


def _low(found: list[Times]) -> Times:
    """The mean of the faster third: what else a machine does only ever takes time."""
    best = sorted(found, key=lambda times: times.whole)[: max(1, len(found) // 3)]
    return sum(best[1:], best[0]) * (1 / len(best))


def _extrapolated(small: Times, part: Times, work: Sequence[float]) -> Times:
    """The time of much work from that of less and of little: a share of it grows, the rest does not."""
    little, less, much = work
    each = (part - small) * (1 / (less - little))
    growing = each * less
    fixed = min(
        max(0.0, 1 - (growing.forward + growing.backward) / (part.forward + part.backward)), MOST_FIXED
    )
    whole = part * (fixed + (1 - fixed) * much / less)
    return replace(whole, update=part.update)


def _kernels(config: RunConfig, device: str) -> tuple[str, ...]:
    """The ways of attention to try. Tables of long texts on a CPU, and any on a GPU, are never faster."""
    if config.train.attention != "auto":
        return (config.train.attention,)
    return ("fused", "plain") if device == "cpu" and config.model.max_length <= LONG else ("fused",)


class _Clock:
    """Laps in seconds, on the device's own clock where it works by itself."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.device = device
        self.laps: list[float] = []
        self.events: list[Any] = []

    def start(self) -> None:
        self.laps, self.events = [], []
        if self.cuda:
            torch.cuda.synchronize(self.device)
        self.lap()

    def lap(self) -> None:
        if self.cuda:
            event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self.device))
            self.events.append(event)
        else:
            self.laps.append(time.perf_counter())

    def stop(self) -> list[float]:
        """The seconds between the laps, this one the last."""
        self.lap()
        if self.cuda:
            self.events[-1].synchronize()
            return [a.elapsed_time(b) / 1000 for a, b in pairwise(self.events)]
        return [b - a for a, b in pairwise(self.laps)]


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


def _random_ids(vocab_size: int, size: int) -> Ids:
    ids: Ids = np.random.default_rng(0).integers(0, vocab_size, size, np.uint32)
    return ids
