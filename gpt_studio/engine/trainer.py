"""Train a model step by step, repeatable.

Everything random in step n follows from the seed and n alone: the texts, and what dropout drops. So a run
that stops and goes on gives the same weights as one that never stopped, whatever ran in between: bit for
bit on a CPU; on CUDA up to the order of sums, which the attention kernels leave open.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from gpt_studio.core import units, world
from gpt_studio.core.config import RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event, Progress
from gpt_studio.core.metrics import Exam, History, Mark
from gpt_studio.core.plan_changes import check_replan, in_words, smaller_batch
from gpt_studio.core.run_events import (
    Evaluated,
    Examined,
    Marked,
    MemoryMeasured,
    PlanChanged,
    Resources,
    Step,
    StoppedEarly,
)
from gpt_studio.core.runner import SLICE
from gpt_studio.core.schedule import learning_rate
from gpt_studio.core.speed import VALIDATION_TOKENS
from gpt_studio.core.training_errors import not_finite, out_of_memory, spoiled
from gpt_studio.engine.data import Batch, Dataset, batch, validation_batches
from gpt_studio.engine.device import PeakMemory, is_out_of_memory, out_of_memory_explained, return_memory
from gpt_studio.engine.exams import examine
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import Optimizers, decay_weights_by
from gpt_studio.engine.resources import readings
from gpt_studio.engine.samples import samples
from gpt_studio.engine.step import TrainingStep, why_plain

log = logging.getLogger(__name__)

Work = Generator[Event | None, None, None]
Result = TypeVar("Result")

SMOOTHING = 20  # steps the throughput is averaged over
MEMORY_EVERY = 2.0  # seconds between two readings


class Trainer:
    """One run under way.

    It goes on after `step` steps; how many tokens they took, how long, and what validation found is in
    `history`, to which the caller adds every event. `scale` is the one of fp16's loss at that moment, from
    `Trainer.scale`. `release` is called before each change of weights and of what the optimizer remembers:
    whoever still reads them can copy them there. `last_good` tells the path and step of a checkpoint.
    """

    def __init__(
        self,
        model: GPT,
        optimizer: Optimizers,
        dataset: Dataset,
        config: RunConfig,
        history: History | None = None,
        step: int = 0,
        scale: float = 0.0,
        release: Callable[[], None] = lambda: None,
        last_good: Callable[[], tuple[str, int] | None] = lambda: None,
    ) -> None:
        self._history = history = History() if history is None else history
        last = history.row(-1) if history else {"tokens": 0.0, "seconds": 0.0}
        self._config = config
        self._dataset = dataset
        self._step = TrainingStep(model, optimizer, config.train, scale=scale)
        self._release = release
        self._last_good = last_good
        self._current = self._done = step  # steps: begun, and finished
        looked = (*history.validation_steps, *(exam.step for exam in history.exams))
        self._evaluated = max(looked, default=0)  # the latest step after which it was
        self._sampled = max((sample.step for sample in history.samples), default=0)
        self._futile = False  # to go on
        self._compiling = False  # before the first step, and before the first with smaller batches
        self._tokens = int(last["tokens"])
        self._stopwatch = Stopwatch(last["seconds"])
        self._recent: deque[float] = deque(maxlen=SMOOTHING)  # seconds of each step
        self._memory = PeakMemory(self._step.device)
        self._memory_read = -math.inf  # when
        self._peak = 0

    @property
    def config(self) -> RunConfig:
        """The one in force: a plan may change on the way."""
        return self._config

    @property
    def scale(self) -> float:
        """By how much losses are scaled, so that small gradients do not become zero; 1 if not in fp16."""
        return self._step.scale

    @property
    def _plan(self) -> TrainConfig:
        return self._config.train

    def run(self) -> Work:
        """Train to the last step.

        Yields Step after each step, Evaluated, Examined and Sampled at their intervals and at the end,
        MemoryMeasured and Resources now and then, PlanChanged, Marked and StoppedEarly when they happen, and
        None where others may have a turn: never between two parts of one change of weights.

        Raises:
            StudioError: the loss or a gradient is not finite, or memory ran out; the last whole step stays.
        """
        self._compiling = self._plan.compile
        try:
            with out_of_memory_explained(self._out_of_memory):
                readings(self._step.device)  # what is used is counted from here on
                yield from self._look_if_due()  # where a run stopped before it could
                while self._done < self._plan.steps and not self._futile:
                    yield from self._learn()
                    yield from self._look_if_due()
                yield from self._look()
                yield from self._say_if_early()
        finally:
            for parameter in self._step.model.parameters():  # give their gradients' memory back
                parameter.grad = None
            self._step.uncompile()

    def replan(self, plan: TrainConfig) -> Mark:
        """Go on by another plan, from the next change of weights on.

        Raises:
            StudioError: the plan cannot be used, or differs where a run cannot change.
        """
        check_replan(self._plan, plan, self._done)
        mark = Mark(self._done, "plan", in_words(self._plan, plan))
        self._follow(plan)
        return mark

    def _follow(self, plan: TrainConfig) -> None:
        self._config = self._config.changed("train", plan.to_dict())
        self._step.plan = plan
        decay_weights_by(self._step.optimizer, plan.weight_decay)

    # ------------------------------------------------------------ one step

    def _learn(self) -> Work:
        """One step; none if the plan ends before it by the time its gradients are there."""
        self._current = self._done + 1
        before = self._stopwatch.seconds
        loss, norm = yield from self._gradients()
        if self._done >= self._plan.steps:
            return
        self._release()
        with self._stopwatch.running():
            rate = self._update(norm)
        taken = self._stopwatch.seconds - before
        self._recent.append(taken)
        yield Step(self._done, self._measured(loss, norm, rate))
        if self._compiling:
            self._compiling = False
            self._recent.clear()  # no measure of what comes
            yield Marked(Mark(self._done, "compiled", f"Compiled · {units.duration(taken)}"))
        yield from self._report_resources()

    def _gradients(self) -> Generator[Event | None, None, tuple[float, float]]:
        """Add up the gradients of the step's batches; return the mean loss and the gradients' norm."""
        scale = self._step.scale
        while True:
            mean, length = yield from self._survive(self._attempt)
            if math.isfinite(mean) and math.isfinite(length):
                return mean, length
            if not (math.isfinite(mean) and self._step.lower_scale()):
                self._step.scale = scale
                raise self._not_finite(mean)

    def _survive(
        self, attempt: Callable[[], Generator[Event | None, None, Result]]
    ) -> Generator[Event | None, None, Result]:
        """What an attempt returns that changes no weights: with less at a time if it takes too much memory,
        not compiled if that fails."""
        while True:
            try:
                return (yield from attempt())
            except Exception as error:
                event = self._way_on(error)
                if event is None:
                    raise
            self._step.begin()  # what the attempt left; the error, which held the rest, is gone
            return_memory()
            yield event

    def _way_on(self, error: Exception) -> Event | None:
        """Change what made an attempt fail, and say so; None where nothing can be changed."""
        if is_out_of_memory(error):
            less = smaller_batch(self._plan)
            if not less:
                return None
            self._follow(self._plan.changed(**less))
            self._compiling = self._compiling or self._step.compiled
            text = f"Batch {self._plan.batch_size} × {self._plan.accumulation} from here: memory ran out"
            return PlanChanged(self._config, Mark(self._done, "memory", text))
        if (self._compiling or self._step.compiled) and not isinstance(error, StudioError):
            log.warning("The model could not be compiled", exc_info=error)
            self._compiling = False
            self._step.uncompile()
            return Marked(Mark(self._done, "plain", why_plain(error)))
        return None

    def _attempt(self) -> Generator[Event | None, None, tuple[float, float]]:
        """One go at it: in fp16 gradients may turn out too large, and are worked out again, smaller."""
        if self._compiling:
            yield Progress("train", "Compiling the model")
            yield from _one_turn()  # what takes long is told before it begins
            self._step.compile()
        self._step.begin()
        plan, losses = self._plan, list[Tensor]()
        for index in range((self._current - 1) * plan.accumulation, self._current * plan.accumulation):
            if losses:
                yield None
            with self._stopwatch.running():
                losses.append(self._backward(index))
        with self._stopwatch.running():
            both = torch.stack((torch.stack(losses).mean(), self._step.norm()))
            mean, length = both.tolist()  # waits for the device
        return mean, length

    def _backward(self, index: int) -> Tensor:
        """Read one batch and add its gradients to those there are; return its loss."""
        plan = self._plan
        self._step.model.train()  # a job that writes may have run in between
        torch.manual_seed((plan.seed * 1_000_003 + index) % 2**32)  # what dropout drops
        x, y = batch(self._dataset.train, self._config.model.max_length, plan.batch_size, plan.seed, index)
        value = self._step.forward(x, y)
        self._memory.look()
        self._step.backward(value)
        return value.detach()

    def _update(self, norm: float) -> float:
        """Change the weights, all of them or none; return the learning rate."""
        rate = learning_rate(self._plan, self._current)
        self._step.update(rate, norm)
        self._done = self._current
        self._tokens += self._plan.effective_batch * self._config.model.max_length
        return rate

    def _measured(self, loss: float, norm: float, rate: float) -> dict[str, float]:
        tokens = self._plan.effective_batch * self._config.model.max_length
        return {
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": tokens * len(self._recent) / max(sum(self._recent), 1e-9),
            "tokens": float(self._tokens),
            "seconds": self._stopwatch.seconds,
        }

    # ------------------------------------------------------------ what is told besides

    def _report_resources(self) -> Iterator[Event]:
        """What is taken of the machine, and the most memory so far, if it grew; reading takes a while."""
        now = time.monotonic()
        if now - self._memory_read < MEMORY_EVERY:
            return
        self._memory_read = now
        peak = self._memory.read()
        if peak > self._peak:
            self._peak = peak
            yield MemoryMeasured(peak)
        yield Resources(self._done, readings(self._step.device))

    def _look_if_due(self) -> Work:
        """Validate and sample where the intervals say so."""
        every = self._plan.sample_every
        samples = every > 0 and self._done % every == 0
        yield from self._look(self._done % self._plan.evaluate_every == 0, samples)

    def _look(self, evaluates: bool = True, samples: bool = True) -> Work:
        """How good the model is, unless that was looked at after this step already."""
        if evaluates and self._evaluated < self._done:
            self._evaluated = self._done
            yield from self._evaluate()
            yield from self._examine()
        if samples and self._plan.sample_every and self._sampled < self._done:
            self._sampled = self._done
            yield from self._sample()

    def _evaluate(self) -> Work:
        """The mean loss on held-out text; nothing when there is none."""
        loss = yield from self._survive(self._validated)
        if loss is not None:
            yield Evaluated(self._done, loss)
            self._futile = self._patience_ended()

    def _validated(self) -> Generator[None, None, float | None]:
        """On the same windows whatever the batch size is: losses of several runs, and of one whose batches
        had to become smaller, can be compared."""
        context, size = self._config.model.max_length, self._plan.batch_size
        count = math.ceil(VALIDATION_TOKENS / context)
        windows = validation_batches(self._dataset.validation, context, 1, count)  # (1, T) each
        total = 0.0
        for first in range(0, len(windows), size):
            x, y = (torch.cat(part) for part in zip(*windows[first : first + size], strict=True))  # (B, T)
            total += len(x) * self._validation_loss((x, y))
            yield None
        return total / len(windows) if windows else None

    @torch.inference_mode()
    def _validation_loss(self, pair: Batch) -> float:
        self._step.model.eval()
        return float(self._step.forward(*pair))

    def _examine(self) -> Work:
        """Which skills the model has learned, where it learns from the small world."""
        data = self._config.data
        if world.NAME in data.corpora:
            scores = yield from examine(self._step.model, self._dataset.tokenizer, data.template)
            yield Examined(Exam(self._done, scores))

    def _sample(self) -> Work:
        return samples(self._step.model, self._dataset.tokenizer, self._config, self._done)

    def _patience_ended(self) -> bool:
        """Whether the latest looks at the texts held out, as many as it lasts for, found nothing better."""
        best = self._history.best_validation
        later = sum(step > best[0] for step, _ in self._history.looks) if best else 0
        return 0 < self._plan.patience <= later

    def _say_if_early(self) -> Iterator[Event]:
        best = self._history.best_validation
        if best and self._futile and self._done < self._plan.steps:
            step, loss = best
            yield StoppedEarly(self._done, step, loss)
            yield Marked(Mark(self._done, "early", f"Stopped early · best at {units.number(step)}"))

    # ------------------------------------------------------------ failures

    def _out_of_memory(self) -> StudioError:
        return out_of_memory(self._plan, self._current, self._done, self._step.device.type)

    def _not_finite(self, value: float) -> StudioError:
        """What to say when a loss, or else a gradient, is not finite."""
        if not all(p.isfinite().all() for p in self._step.model.parameters()):
            return spoiled(self._plan, self._done, self._last_good())
        what = "a gradient" if math.isfinite(value) else "the loss"
        return not_finite(what, self._plan, self._done, self._last_good())


def _one_turn() -> Iterator[None]:
    """Let so much time pass that the others have theirs, and what was said is posted."""
    until = time.monotonic() + SLICE
    while time.monotonic() < until:
        yield None


class Stopwatch:
    """Adds up the time of training proper: not of pauses, of chat, or of looking at how well it goes."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started
