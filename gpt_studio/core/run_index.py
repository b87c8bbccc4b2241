"""All runs on disk: one line about each, and its curves, read again only where files changed."""

from __future__ import annotations

import json
import math
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.line_file import Line, put_in_place
from gpt_studio.core.lock import is_held
from gpt_studio.core.metrics import History
from gpt_studio.core.run_file import read_json
from gpt_studio.core.runs import RunFolder, add_line, add_sample, explained
from gpt_studio.core.shapes import parameters
from gpt_studio.core.watched import NOTHING, Growing, Watched

DAY = re.compile(r"^\d{4}-\d\d-\d\d-(?=.)")  # a run's folder begins with it
SPARKS = 40  # points of a small curve
LEFT_OUT = 0.04  # of a small curve, at its beginning: there the loss falls from a height nobody compares
REMEMBERED = 8  # runs whose curves are kept in memory


@dataclass(frozen=True)
class RunSummary:
    """One run. A folder whose run.json cannot be used is there too, with `problem` and no config.

    `status` is "training" (a living process writes it), "interrupted" (one did, and was killed), "finished",
    "stopped", "early" or "failed". Losses are nan and counts 0 where there are none yet.
    """

    folder: Path
    name: str
    status: str
    config: RunConfig | None = None
    notes: str = ""
    parent: str = ""  # the folder's name of the run it was forked from
    parent_step: int = 0
    parameters: int = 0
    step: int = 0
    tokens: float = 0.0
    seconds: float = 0.0
    loss: float = float("nan")
    validation: float = float("nan")  # the best
    peak: int = 0  # bytes of memory that training took at most
    sparks: tuple[float, ...] = ()  # losses, evenly taken, the first ones left out
    begun: str = ""  # ISO 8601
    problem: str = ""
    checkpoints: tuple[Path, ...] = ()  # last, best, then numbered ones, the latest first


class RunIndex:
    """The runs below a folder. Reads files alone: any process may be writing them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runs: dict[str, _Run] = {}
        self._curves: OrderedDict[Path, _Curves] = OrderedDict()

    def look(self) -> tuple[RunSummary, ...]:
        """All runs as they are now, the latest first. Cheap where nothing changed."""
        try:
            with os.scandir(self.root) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except OSError:
            names = []
        known = self._runs
        self._runs = {name: known.get(name) or _Run(self.root / name) for name in names}
        found = [(run.began, summary) for run in self._runs.values() if (summary := run.look())]
        found.sort(key=lambda pair: (pair[0], pair[1].folder.name), reverse=True)
        return tuple(summary for _, summary in found)

    def history(self, folder: Path) -> History:
        """A run's curves as far as they are written; a growing file is read on from where it ended before.

        It is the caller's own: reading on does not change it.
        """
        curves = self._curves.setdefault(folder, _Curves(folder))
        self._curves.move_to_end(folder)
        while len(self._curves) > REMEMBERED:
            self._curves.popitem(last=False)
        return curves.read()


def name_of(folder: Path) -> str:
    """What a person called a run, else what its folder's name says besides the day."""
    return _text(_object(folder / "notes.json").get("name")) or DAY.sub("", folder.name)


def rename(folder: Path, name: str) -> None:
    """Give a run another name; its folder stays where it is. Without one it has that of its beginning.

    Raises:
        StudioError: it cannot be written.
    """
    _note(folder, "name", " ".join(name.split()))


def annotate(folder: Path, notes: str) -> None:
    """Keep what a person wrote about a run.

    Raises:
        StudioError: it cannot be written.
    """
    _note(folder, "notes", notes.strip())


def _note(folder: Path, key: str, text: str) -> None:
    path = folder / "notes.json"
    data = {**_object(path), key: text}
    partial = path.with_suffix(".partial")
    with explained(path):
        partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8", errors="replace")
        put_in_place(partial, path)


def _object(path: Path) -> Line:
    """A file's JSON object; empty where there is none."""
    try:
        return read_json(path)
    except StudioError:
        return {}


# ---------------------------------------------------------------- one run


class _Run:
    """One run's folder, and what was read of it."""

    def __init__(self, path: Path) -> None:
        folder = RunFolder(path)
        self.path, self._folder = path, folder
        self.began = 0.0  # seconds since 1970
        self._described = Watched(folder.run)
        self._noted = Watched(path / "notes.json")
        self._kept = Watched(folder.last.parent)
        self._metrics = Growing(folder.metrics)
        self._about: Line = {}
        self._notes: Line = {}
        self._config: RunConfig | None = None
        self._problem = ""
        self._checkpoints: tuple[Path, ...] = ()
        self._gist = _Gist()
        self._summary: RunSummary | None = None

    def look(self) -> RunSummary | None:
        """The run as it is now; None where there is none."""
        changed = [self._read_description(), self._read_notes(), self._read_kept(), self._read_metrics()]
        if self._described.sign == NOTHING:
            return None
        status = self._status()
        if self._summary is None or any(changed):
            self._summary = self._summarized(status)
        elif self._summary.status != status:
            self._summary = replace(self._summary, status=status)
        return self._summary

    def _read_description(self) -> bool:
        if not self._described.changed():
            return False
        self._about, self._config, self._problem = {}, None, ""
        try:
            data = read_json(self._described.path)
            self._about = _group(data, "about")
            self._config = RunConfig.from_dict(data)
        except StudioError as error:
            self._problem = error.what
        self.began = _moment(_text(self._about.get("begun"))) or self._described.sign[2] / 1e9
        return True

    def _read_notes(self) -> bool:
        if not self._noted.changed():
            return False
        self._notes = _object(self._noted.path)
        return True

    def _read_kept(self) -> bool:
        if not self._kept.changed():
            return False
        self._checkpoints = self._folder.checkpoints()
        return True

    def _read_metrics(self) -> bool:
        if not self._metrics.changed():
            return False
        if self._metrics.begins_anew():
            self._gist = _Gist()
        for line in self._metrics.lines():
            self._gist.add(line)
        return True

    def _status(self) -> str:
        if self._config is None:
            return "failed"
        told = self._about.get("status")
        if told in ("finished", "stopped", "early", "failed"):
            return str(told)
        if is_held(self._folder.lock):
            return "training"
        if told == "training":
            return "interrupted"
        return "finished" if self._gist.step >= self._config.train.steps else "stopped"

    def _summarized(self, status: str) -> RunSummary:
        about, gist, config = self._about, self._gist, self._config
        parent, memory = _group(about, "parent"), _group(about, "memory")
        return RunSummary(
            folder=self.path,
            name=_text(self._notes.get("name")) or DAY.sub("", self.path.name),
            status=status,
            config=config,
            notes=_text(self._notes.get("notes")),
            parent=_text(parent.get("run")),
            parent_step=_count(parent.get("step")),
            parameters=_count(about.get("parameters")) or (parameters(config.model) if config else 0),
            step=gist.step,
            tokens=gist.tokens,
            seconds=gist.seconds,
            loss=gist.loss,
            validation=gist.validation,
            peak=_count(memory.get("measured")),
            sparks=gist.sparks(),
            begun=_text(about.get("begun")),
            problem=self._problem,
            checkpoints=self._checkpoints,
        )


class _Gist:
    """What one line about a run needs of its metrics, in little room however long they are."""

    def __init__(self) -> None:
        self.step = 0
        self.loss = math.nan
        self.tokens = self.seconds = 0.0
        self._validations: list[tuple[int, float]] = []
        self._points: list[tuple[int, float]] = []  # the last of `_each` steps, and their mean loss
        self._each = 1
        self._waiting: list[float] = []  # losses that are no point yet

    def add(self, line: Line) -> None:
        step = line["step"]
        if "loss" in line:
            if step <= self.step:
                self._go_back(step)
            self.step, self.loss = step, _number(line["loss"])
            self.tokens, self.seconds = _positive(line.get("tokens")), _positive(line.get("seconds"))
            self._add_point(step)
        validation = _number(line.get("validation_loss"))
        if math.isfinite(validation):
            self._validations.append((step, validation))
        if line.get("mark") == "resumed" and step < self.step:
            self._go_back(step + 1)
            share = step / self.step  # near enough until the next step tells
            self.step, self.tokens, self.seconds = step, self.tokens * share, self.seconds * share
            self.loss = self._points[-1][1] if self._points else math.nan

    @property
    def validation(self) -> float:
        """The best."""
        return min((loss for _, loss in self._validations), default=math.nan)

    def sparks(self) -> tuple[float, ...]:
        points = self._points[int(LEFT_OUT * len(self._points)) :]
        shown = min(SPARKS, len(points))
        last = max(1, shown - 1)
        return tuple(points[i * (len(points) - 1) // last][1] for i in range(shown))

    def _go_back(self, step: int) -> None:
        """Forget all from a step on: it is trained again, from an earlier checkpoint."""
        for kept in (self._points, self._validations):
            while kept and kept[-1][0] >= step:
                kept.pop()
        self._waiting.clear()

    def _add_point(self, step: int) -> None:
        if math.isfinite(self.loss):
            self._waiting.append(self.loss)
        if len(self._waiting) < self._each:
            return
        self._points.append((step, sum(self._waiting) / len(self._waiting)))
        self._waiting.clear()
        if len(self._points) >= 4 * SPARKS:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [(end, (a + b) / 2) for (_, a), (end, b) in pairs]
            self._each *= 2


class _Curves:
    """One run's whole curves and samples, as far as they were read."""

    def __init__(self, path: Path) -> None:
        folder = RunFolder(path)
        self._folder = folder
        self._metrics, self._samples = Growing(folder.metrics), Growing(folder.samples)
        self._history = History()

    def read(self) -> History:
        if self._metrics.changed():
            if self._metrics.begins_anew():
                samples, self._history = self._history.samples, History()
                self._history.samples = samples
            for line in self._metrics.lines():
                add_line(self._history, line)
        if self._samples.changed():
            if self._samples.begins_anew():
                self._history.samples.clear()
            for line in self._samples.lines():
                add_sample(self._history.samples, line)
        if not self._history.bytes_per_token:
            self._history.bytes_per_token = self._told_bytes_per_token()
        return _copied(self._history)

    def _told_bytes_per_token(self) -> float:
        about = _group(_object(self._folder.run), "about")
        return _positive(_group(about, "data").get("bytes_per_token"))


def _copied(history: History) -> History:
    made = History()
    for name, value in vars(history).items():
        setattr(made, name, _copy(value))
    return made


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: column[:] for name, column in value.items()}
    return value if isinstance(value, float) else value[:]


# ---------------------------------------------------------------- values of any file


def _group(data: Line, name: str) -> Line:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    if isinstance(value, float):
        return value
    return float(value) if type(value) is int and abs(value) < 2**62 else math.nan


def _positive(value: object) -> float:
    number = _number(value)
    return number if 0 <= number < math.inf else 0.0


def _count(value: object) -> int:
    return int(_positive(value))


def _moment(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time; 0 if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
