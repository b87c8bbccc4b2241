"""Take requests from a queue, advance jobs in turn, post events in batches.

One thread runs it and owns everything the session owns, so nothing needs a lock. A job is a generator:
stop is ending it, pause is not advancing it. It yields events, or None to let others have a turn.
"""

from __future__ import annotations

import queue
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event, Failed, Finished, Paused, Resumed, Started, Stopped
from gpt_studio.core.requests import Advance, Order, Pause, Request, Resume, Stop
from gpt_studio.core.run_events import Step

Job = Generator[Event | None, None, None]
SLICE = 0.05  # seconds a job may run before the next has its turn, and between two batches
PRIORITY = (
    "file",
    "plan",
    "chat",
    "sample",
    "data",
    "batch",
    "compare",
    "check",
    "train",
    "calibrate",
)  # who comes first in each round
UNBROKEN = "file"  # done before a later wish begins, and before closing


class Session(Protocol):
    """Owns the one model; turns a request into a job."""

    def greet(self) -> Iterator[Event]: ...
    def start(self, request: Request) -> Job: ...


class Ending(BaseException):
    """Thrown into a job that is to end early: it may still say what becomes of its work."""


def ended(job: Job) -> Iterator[Event]:
    """End a job where it stands, and pass on its last events."""
    try:
        event = job.throw(Ending())
        while True:
            if event is not None:
                yield event
            event = next(job)
    except (Ending, StopIteration):
        pass
    finally:
        job.close()


class _Close:
    """The last order."""


class Runner:
    """Runs jobs in turns on the thread that calls `run()`."""

    def __init__(
        self,
        open_session: Callable[[], Session],
        post: Callable[[list[Event]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_session = open_session
        self._post = post
        self._clock = clock
        self._inbox: queue.SimpleQueue[Request | Order | _Close] = queue.SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._paused: set[str] = set()
        self._stepping: set[str] = set()  # of the paused, those that do one step more
        self._batch: list[Event] = []
        self._posted_at = clock()
        self._closing = False

    def submit(self, message: Request | Order) -> None:
        """Hand in a wish; may be called from any thread."""
        self._inbox.put(message)

    def close(self) -> None:
        """Ask `run()` to end its jobs and return; may be called from any thread."""
        self._inbox.put(_Close())

    def run(self) -> None:
        """Work until closed."""
        try:
            self._session = self._open_session()
            self._batch.extend(self._session.greet())
        except Exception as error:
            self._batch.append(failure("session", error))
            self._flush()
            return
        self._flush()
        self._take_messages()
        while not self._closing:
            for kind in [kind for kind in PRIORITY if kind in self._moving]:
                self._take_turn(kind)
                if self._clock() - self._posted_at >= SLICE:
                    self._flush()
            self._take_messages()
        self._finish(UNBROKEN)
        for kind in list(self._jobs):
            self._end(kind, Stopped(kind))
        self._flush()

    @property
    def _moving(self) -> set[str]:
        """The kinds of jobs that can advance."""
        return self._jobs.keys() - (self._paused - self._stepping)

    def _take_messages(self) -> None:
        """Handle everything in the inbox; wait for something when no job can advance."""
        if not self._moving:
            self._flush()
        elif self._inbox.empty():
            return
        self._handle(self._inbox.get())
        while not self._inbox.empty():
            self._handle(self._inbox.get())
        self._flush()  # what became of a wish is told before long work begins

    def _handle(self, message: Request | Order | _Close) -> None:
        match message:
            case _Close():
                self._closing = True
            case Request():
                self._start(message)
            case Pause(kind) if kind in self._jobs and kind not in self._paused:
                self._paused.add(kind)
                self._batch.append(Paused(kind))
            case Advance(kind) if kind in self._paused:
                self._stepping.add(kind)
            case Resume(kind) if kind in self._paused:
                self._rest_no_more(kind)
                self._batch.append(Resumed(kind))
            case Stop(kind) if kind in self._jobs:
                self._end(kind, Stopped(kind))

    def _start(self, request: Request) -> None:
        self._finish(UNBROKEN)  # what was wished before it: a model opened, then trained, is the opened one
        if request.kind in self._jobs:
            self._end(request.kind, Stopped(request.kind))
        self._batch.append(Started(request.kind))
        try:
            self._jobs[request.kind] = self._session.start(request)
        except Exception as error:
            self._batch.append(failure(request.kind, error))

    def _finish(self, kind: str) -> None:
        """Advance a job to its end without a pause for others."""
        while kind in self._jobs:
            self._flush()
            self._take_turn(kind)

    def _take_turn(self, kind: str) -> None:
        """Advance one job until its slice is over."""
        until = self._clock() + SLICE
        job = self._jobs[kind]
        try:
            for event in job:
                if event is not None:
                    self._batch.append(event)
                if isinstance(event, Step) and kind in self._stepping:
                    self._stepping.discard(kind)
                    return
                if self._clock() >= until:
                    return
        except Exception as error:
            self._end(kind, failure(kind, error))
        else:
            self._end(kind, Finished(kind))

    def _end(self, kind: str, event: Event) -> None:
        """End a job (it may still clean up, and tell) and say how it ended."""
        job = self._jobs.pop(kind)
        self._rest_no_more(kind)
        try:
            self._batch.extend(ended(job))
        except Exception as error:
            event = failure(kind, error)
        self._batch.append(event)

    def _rest_no_more(self, kind: str) -> None:
        self._paused.discard(kind)
        self._stepping.discard(kind)

    def _flush(self) -> None:
        if self._batch:
            self._post(self._batch)
            self._batch = []
        self._posted_at = self._clock()


def failure(kind: str, error: Exception) -> Failed:
    """An exception as text: a kept traceback keeps its tensors, and their memory never returns."""
    if isinstance(error, StudioError):
        return Failed(kind, error.what, error.kept, error.tries, remedies=error.remedies)
    name = type(error).__name__
    return Failed(kind, f"{name}: {error}", detail="".join(traceback.format_exception(error)))
