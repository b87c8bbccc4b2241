"""Keep a run on disk while it is trained: its lines as they come, its checkpoints on a thread of their own.

A checkpoint is made when all that belongs to a step is there (validation, exams, samples), so that whoever
goes on from it misses nothing. Training never ends because something cannot be written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpt_studio.core import world
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event
from gpt_studio.core.lock import Lock
from gpt_studio.core.metrics import Mark
from gpt_studio.core.run_events import (
    Evaluated,
    Examined,
    Kept,
    KeptAgain,
    Marked,
    MemoryMeasured,
    NotKept,
    PlanChanged,
    Sampled,
    Step,
)
from gpt_studio.core.run_writer import RunWriter
from gpt_studio.core.runs import RunFolder
from gpt_studio.engine.checkpoint import Checkpoint
from gpt_studio.engine.device import out_of_memory_explained
from gpt_studio.engine.samples import prompts
from gpt_studio.engine.saving import Saving
from gpt_studio.engine.shortage import no_room_to_save
from gpt_studio.engine.tensorboard import TensorBoard

AT_LEAST = 300.0  # seconds between two checkpoints
FIRST = 20.0  # seconds until the first, without which an interrupted run could not go on
RETRY = 3.0  # seconds between two tries to write what could not be written
LOCK_TRIES = 10  # who looks whether a run is being written holds its lock for a moment
LEARNED = Step | Evaluated | Examined | Sampled | Marked | PlanChanged  # what a checkpoint has to have


class Keeper:
    """Writes one run's folder, and nobody else does."""

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        snapshot: Callable[[], Checkpoint],
        about: Mapping[str, Any],
        bytes_per_token: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin, or go on with what is there.

        `snapshot` gives the run as it is, with all that was heard; `about` is what is known of how it is
        made, for run.json.

        Raises:
            StudioError: somebody else writes it, or it cannot be written.
        """
        self._folder = folder
        self._config = config
        self._snapshot = snapshot
        self._clock = clock
        begun = snapshot()
        best = begun.history.best_validation
        self._step = begun.step
        self._best = self._best_kept = best[1] if best else math.inf  # the second is in the file already
        self._loss = math.inf  # of the latest validation
        self._seconds = begun.history.row(-1)["seconds"] if begun.history else 0.0
        self._to_come: list[type[Event]] = []  # after the step there is
        self._holds_out = True  # texts, as far as is known
        self._is_best = self._is_numbered = False  # the step there is, not saved as such yet
        self._is_new = self._is_due = False
        self._saving: Saving | None = None
        self._saving_step = 0
        self._began_waiting = self._waited = 0.0
        self._saved_at = clock()
        self._kept_step = begun.step if folder.last.exists() else 0
        self._shows = config.train.tensorboard
        self._board: TensorBoard | None = None
        self._bytes_per_token = bytes_per_token
        self._unwritten = self._unsaved = self._told = False  # what there is to make up for
        self._tried = -math.inf

        folder.make()
        self._lock = _locked(folder)
        try:
            _remove_partials(folder)
            self._writer = RunWriter(folder, config, bytes_per_token, lambda: snapshot().history)
            self._know(**about)
            self._writer.describe(config, status="training")
            self._rotate()
        except BaseException:
            self._lock.release()
            raise

    # ------------------------------------------------------------ what happens

    def hear(self, event: Event) -> Iterator[Event]:
        """Write an event down and save what is due; tell what became of it."""
        self._note(event)
        yield from self._show(event)
        yield from self._write()
        yield from self._finish()
        if isinstance(event, Step | Evaluated | Examined | Sampled) and not self._to_come:
            yield from self._save_if_due()

    def release(self) -> None:
        """The weights are about to change: what is not written of them yet is copied first."""
        if self._saving:
            self._saving.release()

    def keep(self) -> Iterator[Event]:
        """Bring the last checkpoint up to the step there is, and wait for it."""
        yield from self._write(now=True)
        yield from self._finish(wait=True)
        if self._is_new:
            yield from self._save()
            yield from self._finish(wait=True)

    def close(self, status: str) -> Iterator[Event]:
        """Save what is new, say in run.json how the run ended, and let others write it."""
        try:
            yield from self.keep()
            self._know(
                status=status, seconds={"measured": self._seconds}
            )  # who is killed before has not ended
            yield from self._write(now=True)
        finally:
            if self._saving:
                self._saving.release()
            if self._board:
                with suppress(StudioError):
                    self._board.close()
            self._lock.release()

    def last_good(self) -> tuple[str, int] | None:
        """The path and the step of the last checkpoint there is."""
        return (str(self._folder.last), self._kept_step) if self._kept_step else None

    def _note(self, event: Event) -> None:
        match event:
            case Step(step, values):
                self._begin_step(step)
                self._seconds = values["seconds"]
            case Evaluated(_, loss):
                self._holds_out = self._is_due = True
                self._is_best, self._loss = loss < self._best, loss
            case Marked(mark) if mark.kind == "texts":
                self._best = self._best_kept = math.inf  # losses on other texts are no measure
            case PlanChanged(config):
                self._config = config
                self._writer.know(config)
            case MemoryMeasured(peak) if peak > self._writer.about.get("memory", {}).get("measured", 0):
                self._know(memory={"measured": peak})
        if type(event) in self._to_come:
            self._to_come.remove(type(event))
        self._writer.note(event)
        self._is_new |= isinstance(event, LEARNED)

    def _begin_step(self, step: int) -> None:
        """See what is to follow a step, by the plan, and what the step is to be saved as."""
        if Evaluated in self._to_come:
            self._holds_out = False  # it should have come
        plan = self._config.train
        self._step = step
        last = step >= plan.steps
        looks = last or step % plan.evaluate_every == 0
        samples = plan.sample_every > 0 and (last or step % plan.sample_every == 0)
        self._to_come = [Evaluated] * (looks and self._holds_out)
        self._to_come += [Examined] * (looks and world.NAME in self._config.data.corpora)
        self._to_come += [Sampled] * (samples * len(prompts(plan.sample_prompt)))
        self._is_due |= looks
        self._is_numbered = plan.save_every > 0 and step % plan.save_every == 0
        self._is_best = False

    def _show(self, event: Event) -> Iterator[Event]:
        """Let TensorBoard know, from the first event on, as long as it can."""
        if not self._shows:
            return
        try:
            if self._board is None:
                first = self._step - isinstance(event, Step)
                self._board = TensorBoard(self._folder.path, first, self._bytes_per_token)
            self._board.hear(event)
        except StudioError as error:
            self._shows = False
            mark = Marked(Mark(self._step, "tensorboard", error.what))
            self._writer.note(mark)
            yield mark

    def _know(self, **facts: Any) -> None:
        """Add to what run.json says of the run, and to groups of facts in it; 0 is what is not known yet."""
        for name, fact in facts.items():
            before = self._writer.about.get(name)
            if isinstance(before, dict) and isinstance(fact, dict):
                fact = {**fact, **before, **{key: value for key, value in fact.items() if value}}
            self._writer.know(None, **{name: fact})

    # ------------------------------------------------------------ checkpoints

    def _save_if_due(self) -> Iterator[Event]:
        late = self._clock() - self._saved_at >= (AT_LEAST if self._kept_step else FIRST)
        exactly = self._is_best or self._is_numbered  # this step and no later one
        if not (self._is_due or exactly or late):
            return
        self._is_due = True
        if self._saving and exactly:
            yield from self._finish(wait=True)
        if not self._saving and (self._may_retry() or not self._unsaved):
            yield from self._save()

    def _save(self) -> Iterator[Event]:
        """Begin to write the step there is."""
        before = time.perf_counter()
        try:
            if self._unsaved:
                self._restore()
            names = self._names()
            with out_of_memory_explained(no_room_to_save):
                self._saving = Saving(self._folder.last, self._snapshot(), names)
        except StudioError as error:
            yield from self._not_saved(error)
            return
        self._saving_step = self._step
        self._is_due = self._is_new = False
        self._waited = time.perf_counter() - before

    def _names(self) -> list[Path]:
        """What the step is to be called beside “last”, once all of it is there."""
        names = []
        if self._is_best and not self._to_come:
            names.append(self._folder.best)
            self._is_best, self._best = False, self._loss
        if self._is_numbered and not self._to_come:
            self._is_numbered = False
            path = self._folder.numbered(self._step)
            if self._step in self._made() or not path.exists():  # else a person made it
                names.append(path)
                others = [step for step in self._made() if step != self._step]
                self._writer.describe(numbered=[*others, self._step])
        return names

    def _made(self) -> list[int]:
        """The steps of the numbered checkpoints that were made here and are there still, the oldest first."""
        steps = self._writer.about.get("numbered", [])
        return [step for step in steps if self._folder.numbered(step).exists()]

    def _finish(self, wait: bool = False) -> Iterator[Event]:
        """Tell what became of a checkpoint that is written."""
        saving = self._saving
        if saving is None or not (wait or saving.done()):
            return
        before = time.perf_counter()
        try:
            size = saving.wait()
        except StudioError as error:
            self._saving = None
            yield from self._not_saved(error)
            return
        self._saving = None
        waited = self._waited + saving.waited + time.perf_counter() - before
        self._saved_at, self._kept_step, self._unsaved = self._clock(), self._saving_step, False
        self._best_kept = self._best
        self._rotate()
        yield Kept(str(self._folder.last), self._kept_step, size, waited)
        yield from self._say_if_well()

    def _rotate(self) -> None:
        """Remove the oldest of the numbered checkpoints that were made here."""
        for step in self._made()[: -self._config.train.keep]:
            with suppress(OSError):
                self._folder.numbered(step).unlink()

    # ------------------------------------------------------------ what cannot be written

    def _write(self, now: bool = False) -> Iterator[Event]:
        """Write the lines there are."""
        if self._unwritten and not (now or self._may_retry()):
            return
        try:
            if self._unwritten:
                self._restore()
            self._writer.write()
        except StudioError as error:
            self._unwritten = True
            yield from self._say_once(error)
        else:
            self._unwritten = False
            yield from self._say_if_well()

    def _may_retry(self) -> bool:
        return self._clock() - self._tried >= RETRY

    def _restore(self) -> None:
        """Make again what was removed of the folder.

        Raises:
            StudioError: it cannot be made.
        """
        self._folder.make()
        if not self._folder.lock.exists():
            self._lock.release()
            self._lock = _locked(self._folder)
        if not self._folder.run.exists():
            self._writer.know()
        if self._kept_step and not self._folder.last.exists():
            self._kept_step = 0
            self._is_new = self._is_due = self._unsaved = True

    def _not_saved(self, error: StudioError) -> Iterator[Event]:
        self._unsaved = self._is_due = self._is_new = True
        self._best = self._best_kept
        yield from self._say_once(error)

    def _say_once(self, error: StudioError) -> Iterator[Event]:
        self._tried = self._clock()
        if not self._told:
            self._told = True
            yield NotKept(error.what, error.tries)

    def _say_if_well(self) -> Iterator[Event]:
        if self._told and not (self._unwritten or self._unsaved):
            self._told = False
            yield KeptAgain()


def _locked(folder: RunFolder) -> Lock:
    """The right to write a run.

    Raises:
        StudioError: somebody else has it, or the folder cannot be written.
    """
    for _ in range(LOCK_TRIES):
        try:
            return Lock(folder.lock)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError as error:
            raise StudioError(
                f"“{folder.path}” cannot be written: {error.strerror}",
                tries="Make room on the disk, or let this program write there again.",
            ) from error
    raise StudioError(
        f"The run “{folder.path.name}” is being trained already, by another window or program.",
        kept="It goes on there.",
        tries="Stop it there, or fork one of its checkpoints into a run of its own.",
    )


def _remove_partials(folder: RunFolder) -> None:
    """Remove what a killed writer left half written."""
    for file in (*folder.path.glob("*.partial"), *folder.last.parent.glob("*.partial")):
        with suppress(OSError):
            file.unlink()
