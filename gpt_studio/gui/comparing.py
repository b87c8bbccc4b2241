"""What two or more runs can be compared by: their curves over tokens, steps or time, and who leads. No Qt."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gpt_studio.core import units
from gpt_studio.core.config import DataConfig
from gpt_studio.core.metrics import History, bits_per_byte
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui.plotting import Floats, Series, Smoother, decay_of

ACROSS = {"tokens": "Tokens", "steps": "Steps", "seconds": "Time"}
KINDS = {"validation": "Validation", "train": "Train"}
SMOOTHING = 0.4  # of the train loss, as charts begin with
LONGEST = 18  # letters of a short name
LEVEL = 0.0005  # nats: a lead that rounds to nothing is none


@dataclass(frozen=True)
class Compared:
    """A run beside others: its short name, and the place of its color and mark."""

    run: RunSummary
    name: str
    slot: int
    history: History = field(default_factory=History)


def curve(history: History, kind: str, across: str) -> Series:
    """A run's losses in nats, "validation" or "train" (smoothed), over "tokens", "steps" or "seconds"."""
    made, places = Series(), _places(history, across)
    if not len(places):
        return made
    steps = _floats(history.steps)
    if kind == "train":
        losses = _floats(history.columns["loss"])
        fine = np.isfinite(losses)
        made.append(places[fine], Smoother(decay_of(SMOOTHING)).extend(losses[fine]))
    else:
        at = np.interp(_floats(history.validation_steps), steps, places)
        made.append(at, _floats(history.validation_losses))
    return made


def place_of(history: History, step: float, across: str) -> float | None:
    """Where a step lies on that axis, between two in proportion; None in a run without steps.

    The crosshair asks at every move: the whole of a long run is not gone through.
    """
    if not history:
        return None
    column = history.steps if across == "steps" else history.columns[across]
    at = min(bisect_left(history.steps, step), len(column) - 1)
    beside = slice(max(0, at - 1), at + 1)
    return float(np.interp(step, history.steps[beside], np.nan_to_num(_floats(column[beside]))))


def _places(history: History, across: str) -> Floats:
    """Of every step; what cannot go back never does."""
    column = history.steps if across == "steps" else history.columns[across]
    return np.maximum.accumulate(np.nan_to_num(_floats(column))) if len(column) else np.empty(0)


def _floats(column: Sequence[float]) -> Floats:
    return np.asarray(column, dtype=float)


def value_at(series: Series, x: float) -> float | None:
    """The loss at a place, between two points in proportion; None before the first and after the last."""
    if not len(series) or not series.steps[0] <= x <= series.steps[-1]:
        return None
    return float(np.interp(x, series.steps, series.values))


def factors(runs: Sequence[Compared]) -> list[float]:
    """What makes the runs' losses comparable, one factor each: 1 while all have one tokenizer, else what
    turns nats per token into bits per byte. None at all where that is not known."""
    if len({_tokenizer(run) for run in runs}) <= 1:
        return [1.0 for _ in runs]
    known = [run.history.bytes_per_token for run in runs]
    return [bits_per_byte(1.0, size) for size in known] if all(size > 0 for size in known) else []


def _tokenizer(run: Compared) -> tuple[object, ...]:
    """Whatever two runs with the same tokenizer have in common."""
    config = run.run.config
    data = config.data if config else DataConfig()
    own = {
        "file": (data.tokenizer_file,),
        "characters": (data.corpora,),
        "bpe": (data.corpora, data.bpe_size),
    }
    return data.tokenizer, *own.get(data.tokenizer, ())


def verdict(runs: Sequence[Compared], across: str) -> str:
    """Who leads whom, in one sentence, where both are equally far."""
    if len(runs) < 2:
        return "Check another run to compare it." if runs else ""
    scales = factors(runs)
    if not scales:
        return "These runs have different tokenizers: their losses cannot be compared."
    curves = [curve(run.history, "validation", across) for run in runs]
    there = [
        (float(series.values.min()) * scale, run, series, scale)
        for run, series, scale in zip(runs, curves, scales, strict=True)
        if len(series)
    ]
    if len(there) < 2:
        return "Fewer than two of these runs were validated by now."
    there.sort(key=lambda found: found[0])
    lead = _lead(there[0][1:], there[1][1:], across, "" if scales[0] == 1.0 else " bits per byte")
    texts = {run.run.config.data.corpora for _, run, _, _ in there[:2] if run.run.config}
    return lead if len(texts) < 2 else f"{lead.removesuffix('.')}, but they read different texts."


Entry = tuple[Compared, Series, float]


def _lead(one: Entry, other: Entry, across: str, unit: str) -> str:
    """Of the two best, at the last place that both reached."""
    place = min(float(entry[1].steps[-1]) for entry in (one, other))
    where = f"at equal {ACROSS[across].lower()}"
    found = []
    for run, series, scale in (one, other):
        value = value_at(series, place)
        if value is None:
            return f"{one[0].name} and {other[0].name} have nothing in common by {ACROSS[across].lower()}."
        found.append((value * scale, run.name))
    (low, leader), (high, follower) = sorted(found)
    if high - low < LEVEL:
        return f"{leader} and {follower} are level {where}"
    return f"{leader} leads {follower} by {units.loss(high - low)}{unit} {where}"


def short_names(names: Sequence[str]) -> list[str]:
    """What tells the names of several runs apart: without the beginnings that some of them share, and with
    an end that is cut where they are long."""
    parts = [re.findall(r"[^-_ ]*[-_ ]*", name)[:-1] or [name] for name in names]
    short = ["".join(own[_shared(own, parts) :]).strip("-_ ") or "".join(own) for own in parts]
    for candidates in ([_cut(name) for name in short], short):
        if len(set(candidates)) == len(candidates):
            return candidates
    return list(names)


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip()}…"


def _shared(own: list[str], every: list[list[str]]) -> int:
    """How many parts at the beginning are no help; what is left begins with a letter, if there is one."""
    others = [other for other in every if other is not own]
    most = max((_common(own, other) for other in others), default=0)
    most = min(most, len(own) - 1)
    while most and own[most].strip("-_ ").isdigit():
        most -= 1
    return most


def _common(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a.strip("-_ ") != b.strip("-_ "):
            break
        count += 1
    return count
