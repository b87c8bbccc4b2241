"""A run is a folder: where its files are, and how its lines are written and read.

`run.json` is a run file (core.run_file): the whole config and, under "about", how the run was made.
`metrics.jsonl` and `samples.jsonl` only ever grow. Who is killed may leave a torn line, and who goes on
from an earlier checkpoint writes some steps again: a torn line is left out, a step written again replaces
what came after it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import re
import shutil
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self, TextIO

from gpt_studio import __version__
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event
from gpt_studio.core.metrics import METRICS, Exam, History, Sample, bits_per_byte
from gpt_studio.core.run_events import Evaluated, Examined, Sampled, Step
from gpt_studio.core.run_file import read_json

LIBRARIES = ("torch", "numpy", "tiktoken", "safetensors")
MOST_STEPS = 2**62  # a larger number is no step
Line = dict[str, Any]  # an object of JSON


@dataclass(frozen=True)
class RunFolder:
    """The names of a run's files."""

    path: Path

    @property
    def run(self) -> Path:
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def last(self) -> Path:
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.path / "checkpoints" / "best.safetensors"

    def make(self) -> None:
        """Make the folders.

        Raises:
            StudioError: they cannot be made.
        """
        with explained(self.path):
            self.last.parent.mkdir(parents=True, exist_ok=True)

    def keep_best(self) -> None:
        """Let the last checkpoint be the best one too: the same file under a second name where that works.

        Raises:
            StudioError: it cannot be written.
        """
        partial = self.best.with_suffix(".partial")
        with explained(self.best):
            partial.unlink(missing_ok=True)
            try:
                os.link(self.last, partial)  # the last one is always replaced, never written over
            except OSError:
                shutil.copyfile(self.last, partial)
            partial.replace(self.best)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say in words why a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise StudioError(
            f"“{path}” cannot be written: {error.strerror}", tries="Make room, or choose another folder."
        ) from error


def new_folder(parent: Path, name: str, corpora: Sequence[str]) -> RunFolder:
    """A folder that was not there yet, such as 2026-11-22-tiny-world; made at once, so nobody else takes it.

    Raises:
        StudioError: it cannot be made.
    """
    words = [name, *(Path(corpus).stem for corpus in corpora[:2])]
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")[:60]
    stem = f"{datetime.now():%Y-%m-%d}-{slug}"
    with explained(parent / stem):
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = parent / (stem if number == 1 else f"{stem}-{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return RunFolder(path)
            number += 1


# ---------------------------------------------------------------- writing


def made_with() -> Line:
    """What a run was made with, to tell later what may have changed."""
    versions = {"gpt-studio": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    begun = datetime.now().astimezone().isoformat(timespec="seconds")
    return {"begun": begun, "versions": versions, "system": f"{sys.platform} {platform.machine()}"}


class RunWriter:
    """Writes a run's files as its events come in; one that is there already is gone on with."""

    def __init__(self, folder: RunFolder, config: RunConfig, bytes_per_token: float = 0.0) -> None:
        """Open the files of a run, and make what is not there.

        Raises:
            StudioError: they cannot be written; so may all its methods.
        """
        folder.make()
        self._folder = folder
        self._config = config
        self._bytes_per_token = bytes_per_token
        self.about: Line = read_about(folder) or made_with()
        self._metrics = _appending(folder.metrics)
        self._samples = _appending(folder.samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for file in (self._metrics, self._samples):
            with contextlib.suppress(OSError):  # of a line that was refused already
                file.close()

    def describe(self, config: RunConfig | None = None, **facts: Any) -> None:
        """Write run.json anew with the config that is used and more that is known about the run."""
        self._config = config or self._config
        self.about |= facts
        data = {**self._config.to_dict(), "about": self.about}
        partial = self._folder.run.with_suffix(".partial")
        with explained(self._folder.run):
            partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            partial.replace(self._folder.run)

    def record(self, event: Event) -> Line | None:
        """Add what a fact of training says, if it belongs into a file; return what was added."""
        line = self._line(event)
        if line:
            file = self._samples if isinstance(event, Sampled) else self._metrics
            with explained(Path(file.name)):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return line

    def _line(self, event: Event) -> Line | None:
        match event:
            case Step(step, values):
                return {"step": step, **_finite(values)}
            case Evaluated(step, loss):
                known = self._bytes_per_token > 0
                bits = {"bits_per_byte": bits_per_byte(loss, self._bytes_per_token)} if known else {}
                return {"step": step, **_finite({"validation_loss": loss, **bits})}
            case Examined(exam):
                return {"step": exam.step, "exam": _finite(exam.scores)}
            case Sampled(sample):
                return {"step": sample.step, "prompt": sample.prompt, "text": sample.text}
        return None


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _appending(path: Path) -> TextIO:
    """Open for whole lines at the end; after a torn one, on a new line."""
    with explained(path):
        file = path.open("a", encoding="utf-8", errors="replace", buffering=1, newline="\n")
    if not _ends_whole(path):
        file.write("\n")
    return file


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


# ---------------------------------------------------------------- reading


def read_about(folder: RunFolder) -> Line:
    """What run.json says about how the run was made; empty when there is none."""
    about = read_json(folder.run).get("about") if folder.run.exists() else None
    return about if isinstance(about, dict) else {}


def read_metrics(path: Path) -> History:
    """The curves and exams of a metrics.jsonl."""
    history = History()
    for line in _lines(path):
        add_line(history, line)
    return history


def add_line(history: History, line: Line) -> None:
    """Add what one line of a metrics.jsonl says; a step written again replaces what came after it."""
    step = line["step"]
    if "loss" in line:
        _go_back(history, step)
        history.add_step(step, {metric.name: _number(line.get(metric.name)) for metric in METRICS})
    if "validation_loss" in line:
        history.add_validation(step, _number(line["validation_loss"]))
    if isinstance(line.get("exam"), dict):
        history.exams.append(Exam(step, {skill: _number(score) for skill, score in line["exam"].items()}))


def read_samples(path: Path) -> list[Sample]:
    """The texts of a samples.jsonl."""
    samples: list[Sample] = []
    for line in _lines(path):
        add_sample(samples, line)
    return samples


def add_sample(samples: list[Sample], line: Line) -> None:
    """Add the text of one line of a samples.jsonl; a step written again replaces what came after it."""
    step = line["step"]
    while samples and samples[-1].step >= step:
        samples.pop()
    samples.append(Sample(step, str(line.get("prompt", "")), str(line.get("text", ""))))


def _lines(path: Path) -> Iterator[Line]:
    """The whole lines of a file; none if it is not there."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            line = parse_line(text)
            if line:
                yield line


def parse_line(text: str | bytes) -> Line | None:
    """The object a line holds; None if it is torn, or no line of a run."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    step = line.get("step") if isinstance(line, dict) else None
    return line if type(step) is int and 0 <= step <= MOST_STEPS else None


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.nan


def _go_back(history: History, step: int) -> None:
    """Forget all from a step on: it is trained again, from an earlier checkpoint."""
    place = bisect_left(history.steps, step)
    del history.steps[place:]
    for column in history.columns.values():
        del column[place:]
    place = bisect_left(history.validation_steps, step)
    del history.validation_steps[place:]
    del history.validation_losses[place:]
    while history.exams and history.exams[-1].step >= step:
        history.exams.pop()
