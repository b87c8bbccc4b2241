"""A run in training: the trainer changes it, the keeper writes it down, wishes are met between steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import replace

from gpt_studio.core.config import RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event
from gpt_studio.core.run_events import (
    KeptAgain,
    Marked,
    MemoryMeasured,
    PlanChanged,
    Sampled,
    Step,
    StoppedEarly,
    TextsChanged,
)
from gpt_studio.core.runner import Ending, Job
from gpt_studio.engine.checkpoint import step_of
from gpt_studio.engine.data import Dataset
from gpt_studio.engine.generator import release
from gpt_studio.engine.keeper import RETRY, Keeper
from gpt_studio.engine.run import Run
from gpt_studio.engine.samples import samples
from gpt_studio.engine.trainer import Trainer


class Training:
    """One training job. Without a keeper nothing is written; `keep` is tried for one now and then."""

    def __init__(self, run: Run, dataset: Dataset, keeper: Keeper | None, keep: Callable[[], Keeper]) -> None:
        self._run = run
        self._keeper = keeper
        self._keep = keep
        self._tried = time.monotonic()
        self._early = False
        self._untold: list[Event] = []  # what became of the folder; told however training ends
        self.peak = 0  # bytes of memory, the most so far
        self._first = run.step + 1
        self._trainer = Trainer(
            run.model,
            run.optimizer,
            dataset,
            run.config,
            run.history,
            run.step,
            run.scale,
            self._release,
            self._last_good,
        )

    @property
    def representative(self) -> bool:
        """Whether the run was long enough for its peak of memory to tell what others will take."""
        return self.peak > 0 and self._run.step > self._first

    @property
    def config(self) -> RunConfig:
        return self._trainer.config

    def work(self, news: Iterable[Event]) -> Job:
        """Train to the end, after telling the news; however it ends, what was learned is kept."""
        release()  # copies of weights that are about to change are of no use
        try:
            for known in news:
                yield from self._taken(known)
            with closing(self._trainer.run()) as events:
                for event in events:
                    self._run.scale = self._trainer.scale
                    yield from self._taken(event)
            yield from self._closed("early" if self._early else "finished")
        except Ending:
            yield from self._closed("stopped")
        except GeneratorExit:
            list(self._closed("stopped"))
            raise
        except Exception:
            yield from self._closed("failed")
            raise

    def replan(self, plan: TrainConfig) -> Job:
        """Go on by another plan from the next step on."""
        mark = self._trainer.replan(plan)
        yield from self._taken(PlanChanged(self._trainer.config, mark))

    def sample(self) -> Job:
        """Write samples now. Each stands at the step it is whole at: others may have come meanwhile."""
        run = self._run
        for event in samples(run.model, run.tokenizer, run.config, run.step, lambda: run.step):
            if isinstance(event, Sampled):
                event = Sampled(replace(event.sample, step=run.step))
            yield from self._taken(event)

    def keep(self) -> Job:
        """Bring the folder's last checkpoint up to the step there is."""
        if self._keeper:
            yield from self._keeper.keep()

    def _taken(self, event: Event | None) -> Job:
        """Take an event in, write it down, and pass it on: nothing is passed on that was not written."""
        if event is None:
            yield None
            return
        if isinstance(event, StoppedEarly):
            self._early = True
            best = self._best()
            event = replace(event, checkpoint=best[0] if best and best[1] == event.best_step else "")
        if isinstance(event, MemoryMeasured):
            self.peak = event.peak
        if isinstance(event, Step):
            self._keep_if_possible()
        self._run.record(event)
        noted = Marked(self._run.texts_note) if isinstance(event, TextsChanged) else event
        if self._keeper:
            self._untold += self._keeper.hear(noted)
        yield event
        yield from self._told()

    def _release(self) -> None:
        if self._keeper:
            self._keeper.release()

    def _keep_if_possible(self) -> None:
        """Try again to write the run down, if that was not possible as it began."""
        now = time.monotonic()
        if self._keeper or now - self._tried < RETRY:
            return
        self._tried = now
        with suppress(StudioError):
            self._keeper = self._keep()
            self._untold += [self._run.begun, KeptAgain()]

    def _told(self) -> Job:
        while self._untold:
            yield self._untold.pop(0)

    def _closed(self, status: str) -> Job:
        if self._keeper:
            keeper, self._keeper = self._keeper, None
            self._untold += keeper.close(status)  # at once: nothing may end it halfway
        yield from self._told()

    def _best(self) -> tuple[str, int] | None:
        """The checkpoint of the lowest validation loss that could be kept, and its step."""
        path = self._run.folder.best if self._run.folder else None
        step = step_of(path) if path else 0
        return (str(path), step) if step else None

    def _last_good(self) -> tuple[str, int] | None:
        """The checkpoint to go back to, and its step."""
        return self._best() or (self._keeper.last_good() if self._keeper else None)
