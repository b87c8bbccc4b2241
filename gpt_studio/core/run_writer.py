"""Writes a run's files as its events come in, and later what could not be written at once."""

from __future__ import annotations

import contextlib
import heapq
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from gpt_studio import __version__
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event
from gpt_studio.core.line_file import Line, LineFile, last_lines, put_in_place
from gpt_studio.core.metrics import History, bits_per_byte
from gpt_studio.core.run_events import Evaluated, Examined, Marked, PlanChanged, Resources, Sampled, Step
from gpt_studio.core.runs import RunFolder, explained, parse_line, read_about

LIBRARIES = ("torch", "numpy", "tiktoken", "safetensors")


def made_with() -> Line:
    """What a run was made with, to tell later what may have changed."""
    versions = {"gpt-studio": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    begun = datetime.now().astimezone().isoformat(timespec="seconds")
    return {"begun": begun, "versions": versions, "system": f"{sys.platform} {platform.machine()}"}


class RunWriter:
    """Writes a run's files as its events come in; one that is there already is gone on with.

    What cannot be written waits, and is written before anything later.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        bytes_per_token: float = 0.0,
        history: Callable[[], History] = History,
    ) -> None:
        """Open the files of a run, and make what is not there.

        `history` is what the run has in memory, with all that was noted: what its files lack of that, a
        fork's all of them, is written.

        Raises:
            StudioError: they cannot be written; so may its other methods.
        """
        folder.make()
        self._folder = folder
        self._config = config
        self._bytes_per_token = bytes_per_token
        self._history = history
        self.about: Line = _about_before(folder) or made_with()
        self._described = True
        with explained(folder.path):
            self._metrics = LineFile(folder.metrics, self._metric_lines)
            self._samples = LineFile(folder.samples, self._sample_lines)
            self._catch_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.write()

    def describe(self, config: RunConfig | None = None, **facts: Any) -> None:
        """Write run.json anew with the config that is used and more that is known about the run."""
        self.know(config, **facts)
        self.write()

    def know(self, config: RunConfig | None = None, **facts: Any) -> None:
        """Let what run.json is to say wait to be written."""
        self._config = config or self._config
        self.about |= facts
        self._described = False

    def record(self, event: Event) -> Line | None:
        """Add what a fact of training says, if it belongs into a file; return what was added."""
        line = self.note(event)
        self.write()
        return line

    def note(self, event: Event) -> Line | None:
        """Let what a fact of training says wait to be written, if it belongs into a file."""
        line = line_of(event, self._bytes_per_token)
        if line:
            (self._samples if isinstance(event, Sampled) else self._metrics).add(line)
        return line

    def write(self) -> None:
        """Write all that waits."""
        with explained(self._folder.path):
            if not self._described:
                self._write_run()
            self._metrics.write()
            self._samples.write()

    def _write_run(self) -> None:
        data = {**self._config.to_dict(), "about": self.about}
        partial = self._folder.run.with_suffix(".partial")
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        put_in_place(partial, self._folder.run)
        self._described = True

    def _catch_up(self) -> None:
        """Let the lines that the files lack wait, from the last step on that they have."""
        history = self._history()
        known = _last_step(self._folder.metrics)
        if history.steps and history.steps[-1] > known:
            for line in self._metric_lines(known):
                self._metrics.add(line)
        known = _last_step(self._folder.samples)
        if history.samples and history.samples[-1].step > known:
            for line in self._sample_lines(known):
                self._samples.add(line)

    def _metric_lines(self, first: int = 0) -> Iterator[Line]:
        return _lines_of(events_of(self._history(), first), self._bytes_per_token)

    def _sample_lines(self, first: int = 0) -> Iterator[Line]:
        return _lines_of(Sampled(sample) for sample in self._history().samples if sample.step >= first)


def line_of(event: Event, bytes_per_token: float = 0.0) -> Line | None:
    """What a run's files say about a fact of training; None if that is nothing."""
    match event:
        case Step(step, values):
            return {"step": step, **_finite(values)}
        case Evaluated(step, loss):
            bits = {"bits_per_byte": bits_per_byte(loss, bytes_per_token)} if bytes_per_token > 0 else {}
            return {"step": step, **_finite({"validation_loss": loss, **bits})}
        case Examined(exam):
            return {"step": exam.step, "exam": _finite(exam.scores)}
        case Resources(step, values):
            return {"step": step, "resources": _finite(values)}
        case Marked(mark) | PlanChanged(mark=mark):
            return {"step": mark.step, "mark": mark.kind, "text": mark.text}
        case Sampled(sample):
            tokens = {"tokens": [list(token) for token in sample.tokens]} if sample.tokens else {}
            return {"step": sample.step, "prompt": sample.prompt, "text": sample.text, **tokens}
    return None


def events_of(history: History, first: int = 0) -> Iterator[Event]:
    """What made these curves, in order, from a step on."""
    streams: tuple[Iterable[tuple[int, Event]], ...] = (
        ((step, Step(step, history.row(n))) for n, step in enumerate(history.steps)),
        zip(
            history.validation_steps,
            map(Evaluated, history.validation_steps, history.validation_losses),
            strict=True,
        ),
        ((exam.step, Examined(exam)) for exam in history.exams),
        (
            (step, Resources(step, {name: column[n] for name, column in history.resources.items()}))
            for n, step in enumerate(history.resource_steps)
        ),
        ((mark.step, Marked(mark)) for mark in history.marks),
    )
    for step, event in heapq.merge(*streams, key=lambda pair: pair[0]):
        if step >= first:
            yield event


def _lines_of(events: Iterable[Event], bytes_per_token: float = 0.0) -> Iterator[Line]:
    return (line for event in events if (line := line_of(event, bytes_per_token)))


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _about_before(folder: RunFolder) -> Line:
    """What an earlier writer knew; nothing where its run.json was spoiled."""
    with contextlib.suppress(StudioError):
        return read_about(folder)
    return {}


def _last_step(path: Path) -> int:
    """The latest step that a file of lines ends with; 0 where there is none."""
    lines = [parse_line(text) for text in last_lines(path)]
    return next(
        (line["step"] for line in reversed(lines) if line and ("loss" in line or "prompt" in line)), 0
    )
