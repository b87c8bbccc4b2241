"""How often the training doctor is right: python -m benchmarks.doctor

Replays the runs kept in data/doctor_runs.json (made by benchmarks.doctor_runs) as the window would see them,
asks `gpt_studio.core.doctor` every few steps, and counts. An alarm is a name told at any moment of a run; it
is right if it is the run's illness. Recall is the share of sick runs whose illness was told, precision the
share of alarms that were right. `--all` tells each run.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gpt_studio.core.config import RunConfig
from gpt_studio.core.doctor import NAMES, Diagnosis, diagnose
from gpt_studio.core.events import DataReport, TextFacts
from gpt_studio.core.metrics import History, Mark
from gpt_studio.core.schedule import learning_rate

RUNS = Path(__file__).parent / "data" / "doctor_runs.json"
HEALTHY = "healthy"
EVERY = 5  # steps between two visits


@dataclass(frozen=True)
class Run:
    """A run that was made, and what it suffers from."""

    name: str
    label: str  # HEALTHY or one of NAMES
    held_out: bool  # no rule was made with it
    config: RunConfig
    report: DataReport
    losses: Sequence[float]
    norms: Sequence[float]
    validation: dict[int, float]
    later: tuple[int, dict[str, Any]] | None  # a break after a step, and what was changed in the plan

    @property
    def steps(self) -> int:
        return len(self.losses)

    def visits(self, every: int = EVERY) -> Iterator[tuple[RunConfig, History]]:
        """The run as it was after so many steps, and so many more; always the same history, growing."""
        history, config = History(), self.config
        tokens = config.train.effective_batch * config.model.max_length
        for step, (loss, norm) in enumerate(zip(self.losses, self.norms, strict=True), 1):
            values = {
                "loss": loss, "gradient_norm": norm, "learning_rate": learning_rate(config.train, step),
                "tokens_per_second": 1.0, "tokens": float(tokens * step), "seconds": float(step),
            }  # fmt: skip
            history.add_step(step, values)
            if step in self.validation:
                history.add_validation(step, self.validation[step])
            if self.later and step == self.later[0]:
                changes = self.later[1]
                history.marks.append(Mark(step, "plan" if changes else "resumed", ""))
                config = config.changed("train", changes)
            if step % every == 0 or step == self.steps:
                yield config, history

    def alarms(self, every: int = EVERY) -> dict[str, tuple[int, Diagnosis]]:
        """What was told at any moment: the step it was told first, and what was said then."""
        found: dict[str, tuple[int, Diagnosis]] = {}
        for config, history in self.visits(every):
            for diagnosis in diagnose(config, history, self.report):
                found.setdefault(diagnosis.name, (history.steps[-1], diagnosis))
        return found


def runs(path: Path = RUNS) -> list[Run]:
    """All that were kept."""
    return [_run(row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _run(row: dict[str, Any]) -> Run:
    config = RunConfig.from_dict(
        {"version": 1, "sample": {}, **{part: row[part] for part in ("model", "data", "train")}}
    )
    report = DataReport(
        data=config.data, fingerprint="", corpora=(), vocab_used=0, characters=0, size=0, documents=0,
        validation_documents=0, token_lengths=(), facts=TextFacts(0), previews=(), seconds=0, cached=True,
        **row["report"],
    )  # fmt: skip
    later = (row["later"][0], row["later"][1]) if row["later"] else None
    return Run(
        row["name"], row["label"], row["held_out"], config, report, row["loss"], row["norm"],
        dict(row["validation"]), later,
    )  # fmt: skip


# ---------------------------------------------------------------- counting


@dataclass(frozen=True)
class Visit:
    """A run, and what the doctor told at any moment of it: names, and the steps they were told first."""

    run: Run
    told: dict[str, int]

    @property
    def is_found(self) -> bool:
        return self.run.label in self.told

    @property
    def wrong(self) -> list[str]:
        return [name for name in self.told if name != self.run.label]


def visit(among: Iterable[Run], every: int = EVERY) -> list[Visit]:
    """Ask the doctor about all of them."""
    return [Visit(run, {name: step for name, (step, _) in run.alarms(every).items()}) for run in among]


def recall(visits: Sequence[Visit]) -> float:
    """The share of sick runs whose illness was told."""
    sick = [one for one in visits if one.run.label != HEALTHY]
    return sum(one.is_found for one in sick) / len(sick) if sick else math.nan


def precision(visits: Sequence[Visit]) -> float:
    """The share of alarms that were right."""
    told = sum(len(one.told) for one in visits)
    return sum(one.is_found for one in visits) / told if told else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="tell each run")
    chosen = parser.parse_args()
    visits = visit(runs())
    for held_out, title in ((False, "The rules were made with these runs"), (True, "These were held out")):
        part = [one for one in visits if one.run.held_out == held_out]
        sick = sum(one.run.label != HEALTHY for one in part)
        print(f"{title}: {sick} sick, {len(part) - sick} healthy.")
        print(f"Recall {recall(part):.0%}, precision {precision(part):.0%}.\n")
        _print_table(part)
    if chosen.all:
        for one in visits:
            print(f"{one.run.label:12} {one.run.name}: {one.told or 'nothing'}")


def _print_table(visits: Sequence[Visit]) -> None:
    print("| illness | runs | recall | precision | told after, median of steps and of the run |")
    print("|---|---|---|---|---|")
    for name in NAMES:
        sick = [one for one in visits if one.run.label == name]
        told = sum(name in one.told for one in visits)
        found = [one for one in sick if one.is_found]
        right = f"{len(found) / told:.0%}" if told else "—"
        when = "—"
        if found:
            shares = median(one.told[name] / one.run.steps for one in found)
            when = f"{median(one.told[name] for one in found):.0f}, {shares:.0%}"
        print(f"| {name} | {len(sick)} | {len(found) / len(sick):.0%} | {right} | {when} |")
    alarmed = [one for one in visits if one.run.label == HEALTHY and one.told]
    healthy = sum(one.run.label == HEALTHY for one in visits)
    print(f"\n{len(alarmed)} of {healthy} healthy runs had an alarm.\n")


if __name__ == "__main__":
    main()
