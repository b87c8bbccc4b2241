"""Make the training doctor's sick and healthy runs: python -m benchmarks.doctor_runs

Real runs of the real engine, one for each of benchmarks.doctor_cases, kept in data/doctor_runs.json: what was
measured, rounded to four digits, and what the doctor asks of the report on the texts. Runs that are there
already are not made again. All of them take one core about fifteen minutes.

A label is the cause a run was given, and stays only where the curve shows it: each was looked at as medians
of twelfths of the run (`--show` prints them) before the doctor saw it. Where cause and curve did not agree,
the case was changed: 24 kB of text read 28 times were not learned by heart yet, Muon learned best of all at a
rate 15 times AdamW's, and rates of 0.5 only stopped AdamW from learning where Muon blew up. Such runs were
left out, or have the label of what is seen.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import pydoc_data.topics
import random
import sys
import tempfile
import unicodedata
import zlib
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch

from benchmarks.doctor_cases import Case, cases
from gpt_studio.core.config import RunConfig
from gpt_studio.core.corpora import is_built_in
from gpt_studio.core.errors import StudioError
from gpt_studio.core.metrics import History
from gpt_studio.core.run_events import Evaluated, Step
from gpt_studio.engine.data import Dataset, prepare
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.trainer import Trainer

T = TypeVar("T")

RUNS = Path(__file__).parent / "data" / "doctor_runs.json"
PARTS = 12  # of a run that are printed
KNOWN = ("vocab_size", "train_tokens", "validation_tokens", "unigram", "bigram", "context")  # of the report


def make(path: Path = RUNS) -> None:
    """Make the runs that are missing."""
    torch.set_num_threads(1)
    rows = {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))} if path.exists() else {}
    wanted = cases()
    with tempfile.TemporaryDirectory() as folder:
        for case in wanted:
            if case.name in rows:
                rows[case.name].update(label=case.label, held_out=case.held_out)
                continue
            rows[case.name] = run(case, Path(folder))
            print(f"{case.label:12} {case.name}: {rows[case.name]['loss'][-1]:.3f}", flush=True)
            _write(path, [rows[case.name] for case in wanted if case.name in rows])
    _write(path, [rows[case.name] for case in wanted])


def show(path: Path = RUNS) -> None:
    """Print every curve, to judge its label by."""
    for row in json.loads(path.read_text(encoding="utf-8")):
        report = row["report"]
        print(f"\n{row['label']}: {row['name']}, {len(row['loss'])} steps, {row['failed'] or 'finished'}")
        print(f"  ln V {math.log(report['vocab_size']):.2f}, counted {report['unigram']:.2f},", end=" ")
        print(f"pairs {report['bigram']:.2f}, sequences {report['context']:.2f}")
        for name in ("loss", "norm"):
            size = -(-len(row[name]) // PARTS)
            parts = (row[name][first : first + size] for first in range(0, len(row[name]), size))
            print(f"  {name:10}", *(f"{median(part):.4g}" for part in parts))
        looks = row["validation"]
        print("  validation", *(f"{loss:.3f}" for _, loss in looks[:: -(-len(looks) // PARTS) or 1]))


def run(case: Case, folder: Path) -> dict[str, Any]:
    """Train one, and keep what the doctor looks at."""
    text = case.text if is_built_in(case.text) else str(_text_file(case.text, folder))
    config = case.config(text, zlib.crc32(case.name.encode()) % 10_000)
    data = _result(prepare(config.data))
    data.check(config.model.max_length)
    config = config.changed("model", {"vocab_size": data.tokenizer.vocab_size})
    history, failed = _trained(case, config, data)
    plain = config.to_dict()
    return {
        "name": case.name,
        "label": case.label,
        "held_out": case.held_out,
        "text": case.text,
        "model": plain["model"],
        "data": {**plain["data"], "corpora": [case.text]},
        "train": plain["train"],
        "later": case.later,
        "failed": failed,
        "report": {name: getattr(data.report, name) for name in KNOWN},
        "loss": [_rounded(value) for value in history.columns["loss"]],
        "norm": [_rounded(value) for value in history.columns["gradient_norm"]],
        "validation": list(
            zip(history.validation_steps, map(_rounded, history.validation_losses), strict=True)
        ),
    }


def _trained(case: Case, config: RunConfig, data: Dataset) -> tuple[History, str]:
    """The run, in two parts where it has a break, and why it failed if it did."""
    torch.manual_seed(config.train.seed)
    model = GPT(config.model)
    _harm(model, case.harm)
    optimizer = make_optimizer(model, config.train)
    history = History()
    trainer = Trainer(model, optimizer, data, config, history)
    try:
        if case.later:
            pause, changes = case.later
            _follow(trainer, history, pause)
            if changes:
                trainer.replan(config.train.changed(**changes))
            else:
                trainer = Trainer(model, optimizer, data, config, history, step=pause)
        _follow(trainer, history)
    except StudioError as error:
        return history, error.what
    return history, ""


def _follow(trainer: Trainer, history: History, until: int = 0) -> None:
    """Train to the end, or until the texts held out were looked at after a step."""
    for event in trainer.run():
        if isinstance(event, Step):
            history.add_step(event.step, event.values)
        elif isinstance(event, Evaluated):
            history.add_validation(event.step, event.loss)
            if event.step == until:
                return


@torch.no_grad()
def _harm(model: GPT, harm: str) -> None:
    if harm == "zeros":
        for parameter in model.parameters():
            parameter.zero_()
    elif harm == "frozen":
        for parameter in model.norm.parameters():
            parameter.zero_()
            parameter.requires_grad_(False)


# ---------------------------------------------------------------- texts that every interpreter has


def _text_file(name: str, folder: Path) -> Path:
    """A text by its name, "docstrings" or the first kilobytes of it, "docstrings-24k", as a file."""
    kind, _, size = name.partition("-")
    text = {
        "reference": _reference, "library": _library, "docstrings": _docstrings, "names": _names,
        "dice": _dice, "letters": _letters,
    }[kind]()  # fmt: skip
    if size:
        text = text[: 1000 * int(size.removesuffix("k"))]
    path = folder / f"{name}.txt"
    path.write_text(text, encoding="utf-8")
    return path


def _reference() -> str:
    return "\n".join(pydoc_data.topics.topics.values())


def _library() -> str:
    return inspect.getsource(argparse)


def _docstrings() -> str:
    """English about the standard library."""
    modules = (import_module(name) for name in sorted(sys.stdlib_module_names & set(_DOCUMENTED)))
    found = (
        inspect.getdoc(value) or ""
        for module in modules
        for _, value in sorted(vars(module).items())
        if inspect.isroutine(value) or inspect.isclass(value)
    )
    return "\n\n".join(dict.fromkeys(found))


_DOCUMENTED = (
    "argparse", "ast", "asyncio", "bisect", "calendar", "collections", "csv", "datetime", "decimal",
    "difflib", "email", "enum", "fractions", "functools", "heapq", "inspect", "io", "itertools", "json",
    "logging", "math", "os", "pathlib", "pickle", "random", "re", "shutil", "socket", "sqlite3", "statistics",
    "string", "subprocess", "sys", "tempfile", "textwrap", "threading", "time", "types", "typing", "unittest",
)  # fmt: skip


def _names() -> str:
    """The names of characters, a line each: short, formulaic English."""
    found = (unicodedata.name(chr(code), "") for code in range(0x30000))
    return "\n".join(name for name in found if name and not name.startswith("CJK"))[:600_000]


def _dice() -> str:
    """Words drawn one by one: after each anything may follow, so little can be learned."""
    dice = random.Random(1)
    words = ["".join(dice.choices("abcdefghij", k=dice.choice((2, 3, 4, 6)))) for _ in range(2000)]
    return " ".join(dice.choices(words, k=100_000))


def _letters() -> str:
    """Letters drawn one by one, some more often than others."""
    return "".join(random.Random(2).choices("abcdefghijklmnop", range(1, 17), k=300_000))


# ---------------------------------------------------------------- files and pictures


def _rounded(value: float) -> float:
    return float(f"{value:.4g}") if math.isfinite(value) else value


def _result(work: Generator[Any, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    partial = path.with_suffix(".partial")
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    partial.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print the curves there are, and make none")
    if parser.parse_args().show:
        show()
    else:
        make()


if __name__ == "__main__":
    main()
