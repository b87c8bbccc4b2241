"""A run is a folder: where its files are, and how their lines are read (core.run_writer writes them).

`run.json` is a run file (core.run_file): the whole config and, under "about", how the run was made.
`metrics.jsonl` and `samples.jsonl` only ever grow. Who is killed may leave a torn line, and who goes on
from an earlier checkpoint writes some steps again: a torn line is left out, a step written again (and a mark
that says from where it goes on) replaces what came after it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gpt_studio.core.errors import StudioError
from gpt_studio.core.line_file import Line, put_in_place
from gpt_studio.core.metrics import METRICS, RESOURCES, Exam, History, Mark, Sample
from gpt_studio.core.run_file import read_json

MOST_STEPS = 2**62  # a larger number is no step


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
    def lock(self) -> Path:
        """Held by who writes the run."""
        return self.path / "run.lock"

    @property
    def last(self) -> Path:
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.path / "checkpoints" / "best.safetensors"

    def numbered(self, step: int) -> Path:
        return self.path / "checkpoints" / f"step-{step:06}.safetensors"

    def checkpoints(self) -> tuple[Path, ...]:
        """Those there are: the last, the best, then numbered ones, the latest first."""
        numbered = [path for path in self.last.parent.glob("step-*.safetensors") if _step_of(path) >= 0]
        named = [path for path in (self.last, self.best) if path.exists()]
        return (*named, *sorted(numbered, key=_step_of, reverse=True))

    def make(self) -> None:
        """Make the folders.

        Raises:
            StudioError: they cannot be made.
        """
        with explained(self.path):
            self.last.parent.mkdir(parents=True, exist_ok=True)


def _step_of(path: Path) -> int:
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1


def name_again(path: Path, name: Path) -> None:
    """Give a checkpoint a second name: the same file where that works, else a copy of it.

    Raises:
        OSError: it cannot be written.
    """
    partial = name.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(path, partial)  # a checkpoint is always replaced, never written over
    except OSError:
        shutil.copyfile(path, partial)
    put_in_place(partial, name)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say in words why a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise StudioError(
            f"“{path}” cannot be written: {error.strerror}",
            tries="Make room on the disk, or let this program write there again.",
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
        _forget_looks(history, step)
        history.add_validation(step, _number(line["validation_loss"]))
    if isinstance(line.get("exam"), dict):
        _forget_exams(history, step)
        history.exams.append(Exam(step, {skill: _number(score) for skill, score in line["exam"].items()}))
    if isinstance(values := line.get("resources"), dict):
        known = {metric.name: _number(values.get(metric.name)) for metric in RESOURCES}
        history.add_resources(step, known)
    if isinstance(kind := line.get("mark"), str):
        if kind == "resumed":
            _go_back(history, step + 1)
        history.marks.append(Mark(step, kind, str(line.get("text", ""))))


def read_samples(path: Path) -> list[Sample]:
    """The texts of a samples.jsonl."""
    samples: list[Sample] = []
    for line in _lines(path):
        add_sample(samples, line)
    return samples


def add_sample(samples: list[Sample], line: Line) -> None:
    """Add the text of one line of a samples.jsonl; a step written again replaces what came after it.

    Of one step there is a text for each prompt.
    """
    step, prompt = line["step"], str(line.get("prompt", ""))
    while samples and samples[-1].step > step:
        samples.pop()
    found = Sample(step, prompt, str(line.get("text", "")), _tokens(line.get("tokens")))
    place = len(samples)
    while place and samples[place - 1].step == step:
        place -= 1
        if samples[place].prompt == prompt:
            samples[place] = found
            return
    samples.append(found)


def _tokens(found: object) -> tuple[tuple[str, float], ...]:
    pairs = found if isinstance(found, list) else []
    return tuple(
        (str(pair[0]), _number(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2
    )


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
    _forget_looks(history, step)
    _forget_exams(history, step)
    place = bisect_left(history.resource_steps, step)
    del history.resource_steps[place:]
    for column in history.resources.values():
        del column[place:]
    while history.marks and history.marks[-1].step >= step:
        history.marks.pop()


def _forget_looks(history: History, step: int) -> None:
    while history.validation_steps and history.validation_steps[-1] >= step:
        history.validation_steps.pop()
        history.validation_losses.pop()


def _forget_exams(history: History, step: int) -> None:
    while history.exams and history.exams[-1].step >= step:
        history.exams.pop()
