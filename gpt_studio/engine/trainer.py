"""Train a model step by step, repeatable.

Everything random in step n follows from the seed and n alone: the texts, and what dropout drops. So a run
that stops and goes on gives the same weights as one that never stopped, whatever ran in between: bit for
bit on a CPU; on CUDA up to the order of sums, which the attention kernels leave open, and in fp16 up to what
the scale of the loss, which begins anew, makes of the smallest gradients.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gpt_studio.core import units, world
from gpt_studio.core.config import RunConfig, TrainConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.events import Event, Token
from gpt_studio.core.metrics import Exam, Sample
from gpt_studio.core.requests import Generate
from gpt_studio.core.run_events import Evaluated, Examined, MemoryMeasured, Sampled, Step
from gpt_studio.core.schedule import learning_rate
from gpt_studio.core.speed import SAMPLE_TOKENS, VALIDATION_TOKENS
from gpt_studio.engine.data import Batch, Dataset, batch, validation_batches
from gpt_studio.engine.device import PeakMemory, out_of_memory_explained
from gpt_studio.engine.exams import examine
from gpt_studio.engine.generator import generate
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import Optimizers
from gpt_studio.engine.step import TrainingStep

Work = Generator[Event | None, None, None]

SMOOTHING = 20  # steps the throughput is averaged over
MEMORY_EVERY = 2.0  # seconds between two readings


def train(
    model: GPT,
    optimizer: Optimizers,
    dataset: Dataset,
    config: RunConfig,
    start: int = 0,
    tokens: int = 0,
    seconds: float = 0.0,
) -> Work:
    """Go on training after `start` steps, which saw so many tokens in so many seconds.

    Yields Step after each step, Evaluated, Examined and Sampled at their intervals and at the end,
    MemoryMeasured now and then, and None where others may have a turn: never between two parts of one
    change of weights.

    Raises:
        StudioError: the loss or a gradient is not finite, or memory ran out; the last whole step stays.
    """
    trainer = _Trainer(model, optimizer, dataset, config, start, tokens, seconds)
    try:
        with out_of_memory_explained(trainer.out_of_memory):
            for step in range(start + 1, config.train.steps + 1):
                yield from trainer.step(step)
    finally:
        for parameter in model.parameters():  # give their gradients' memory back
            parameter.grad = None


class _Trainer:
    """One run under way."""

    def __init__(
        self,
        model: GPT,
        optimizer: Optimizers,
        dataset: Dataset,
        config: RunConfig,
        done: int,
        tokens: int,
        seconds: float,
    ) -> None:
        self.model = model
        self.tensors = TrainingStep(model, optimizer, config.train)
        self.dataset = dataset
        self.config = config
        self.plan = config.train
        self.device = self.tensors.device
        self.memory = PeakMemory(self.device)
        self.current = self.done = done  # steps: begun, and finished
        self.tokens = tokens
        self.stopwatch = Stopwatch(seconds)
        self.recent: deque[float] = deque(maxlen=SMOOTHING)  # seconds of each step
        self.memory_read = -math.inf  # when
        self.peak = 0

    def step(self, step: int) -> Work:
        """One step and what is due after it."""
        self.current = step
        before = self.stopwatch.seconds
        train_loss, norm = yield from self.gradients(step)
        with self.stopwatch.running():
            rate = self.update(step, norm)
        self.recent.append(self.stopwatch.seconds - before)
        yield Step(step, self.measured(train_loss, norm, rate))
        yield from self.report_memory()
        last = step == self.plan.steps
        if last or step % self.plan.evaluate_every == 0:
            yield from self.evaluate(step)
            yield from self.examine(step)
        if self.plan.sample_every and (last or step % self.plan.sample_every == 0):
            yield from self.sample(step)

    def gradients(self, step: int) -> Generator[None, None, tuple[float, float]]:
        """Add up the gradients of the step's batches; return the mean loss and the gradients' norm."""
        while True:
            mean, length = yield from self.attempt(step)
            if math.isfinite(mean) and math.isfinite(length):
                return mean, length
            if not (math.isfinite(mean) and self.tensors.lower_scale()):
                raise _not_finite(self.plan, step, mean)

    def attempt(self, step: int) -> Generator[None, None, tuple[float, float]]:
        """One go at it: in fp16 gradients may turn out too large, and are worked out again, smaller."""
        self.tensors.begin()
        losses: list[Tensor] = []
        for index in range((step - 1) * self.plan.accumulation, step * self.plan.accumulation):
            if losses:
                yield None
            with self.stopwatch.running():
                losses.append(self.backward(index))
        with self.stopwatch.running():
            both = torch.stack((torch.stack(losses).mean(), self.tensors.norm()))
            mean, length = both.tolist()  # waits for the device
        return mean, length

    def backward(self, index: int) -> Tensor:
        """Read one batch and add its gradients to those there are; return its loss."""
        self.model.train()  # a job that writes may have run in between
        torch.manual_seed((self.plan.seed * 1_000_003 + index) % 2**32)  # what dropout drops
        x, y = batch(
            self.dataset.train, self.config.model.max_length, self.plan.batch_size, self.plan.seed, index
        )
        value = self.tensors.forward(x, y)
        self.memory.look()
        self.tensors.backward(value)
        return value.detach()

    def update(self, step: int, norm: float) -> float:
        """Change the weights, all of them or none; return the learning rate."""
        rate = learning_rate(self.plan, step)
        self.tensors.update(rate, norm)
        self.done = step
        self.tokens += self.plan.effective_batch * self.config.model.max_length
        return rate

    def measured(self, train_loss: float, norm: float, rate: float) -> dict[str, float]:
        tokens = self.plan.effective_batch * self.config.model.max_length
        return {
            "loss": train_loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": tokens * len(self.recent) / max(sum(self.recent), 1e-9),
            "tokens": float(self.tokens),
            "seconds": self.stopwatch.seconds,
        }

    def report_memory(self) -> Iterator[Event]:
        """The most memory so far, if it grew; reading it takes a while on some devices."""
        now = time.monotonic()
        if now - self.memory_read < MEMORY_EVERY:
            return
        self.memory_read = now
        peak = self.memory.read()
        if peak > self.peak:
            self.peak = peak
            yield MemoryMeasured(peak)

    def evaluate(self, step: int) -> Work:
        """The mean loss on held-out text; nothing when there is none."""
        context, size = self.config.model.max_length, self.plan.batch_size
        count = math.ceil(VALIDATION_TOKENS / (context * size))
        losses = []
        for x, y in validation_batches(self.dataset.validation, context, size, count):
            losses.append(self.validation_loss((x, y)))
            yield None
        if losses:
            yield Evaluated(step, sum(losses) / len(losses))

    @torch.inference_mode()
    def validation_loss(self, pair: Batch) -> float:
        self.model.eval()
        return float(self.tensors.forward(*pair))

    def examine(self, step: int) -> Work:
        """Which skills the model has learned, where it learns from the small world."""
        if world.NAME in self.config.data.corpora:
            scores = yield from examine(self.model, self.dataset.tokenizer, self.config.data.template)
            yield Examined(Exam(step, scores))

    def sample(self, step: int) -> Work:
        """Write the same way each time, so that samples can be compared."""
        settings = self.config.sample.changed(max_tokens=SAMPLE_TOKENS, fixed_seed=True, seed=self.plan.seed)
        prompt = self.plan.sample_prompt
        said = []
        for event in generate(self.model, self.dataset.tokenizer, Generate(prompt, settings)):
            if isinstance(event, Token):
                said.append(event.text)
            yield None
        yield Sampled(Sample(step, prompt, "".join(said)))

    def out_of_memory(self) -> StudioError:
        """What to say when memory runs out: before the weights of the step changed, or after."""
        place = "the GPU" if self.device.type == "cuda" else "this machine"
        return StudioError(
            f"Training stopped at step {units.number(self.current)} — {place} ran out of memory",
            kept=f"The weights of step {units.number(self.done)} and the charts.",
            tries="Use a smaller batch with more accumulation, or gradient checkpointing.",
            remedies=_smaller_batch(self.plan),
        )


class Stopwatch:
    """Adds up the time of training proper: not of pauses, of chat, or of looking at how well it goes."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


def _not_finite(plan: TrainConfig, step: int, value: float) -> StudioError:
    what = "the loss" if not math.isfinite(value) else "a gradient"
    slower = plan.learning_rate / 2
    return StudioError(
        f"Training stopped at step {units.number(step)} — {what} became infinite",
        kept=f"The weights as they were after step {units.number(step - 1)}, and the charts.",
        tries="Halve the learning rate, or make the warm-up longer.",
        remedies=(
            Remedy(f"Resume with rate {units.rate(slower)}", "train", {"learning_rate": slower}, train=True),
        ),
    )


def _smaller_batch(plan: TrainConfig) -> tuple[Remedy, ...]:
    """The same steps with less at a time, where that is possible."""
    if plan.batch_size == 1:
        return ()
    size = next(n for n in range(plan.batch_size // 2, 0, -1) if plan.batch_size % n == 0)
    changes = {"batch_size": size, "accumulation": plan.effective_batch // size}
    return (Remedy(f"Resume with batch size {size}", "train", changes, train=True),)
