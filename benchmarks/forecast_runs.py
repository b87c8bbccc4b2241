"""Small training runs of all kinds, kept for benchmarks.forecast: each draws its own model and plan."""

from __future__ import annotations

import json
import random
import statistics
import zlib
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.run_events import Evaluated, Step
from gpt_studio.engine.data import prepare
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.trainer import Trainer

T = TypeVar("T")

LOOKS = 20  # validations of a run
POINTS = 80  # of the train losses at most; each is the mean of some steps
NEW = 0.4  # share of the texts that are held out with all runs on them

Curve = list[tuple[int, float]]


def add_runs(path: Path, count: int, texts: Sequence[str]) -> None:
    """Make runs on these texts, built-in names or paths, and add them to the file."""
    torch.set_num_threads(1)
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for seed in range(len(rows), len(rows) + count):
        dice = random.Random(seed)
        text = dice.choice(list(texts))
        try:
            rows.append({**_row(text, drawn(dice, text, seed)), "held_out": _held_out(text, rows)})
        except StudioError as error:
            print(f"{text}: {error}")
            continue
        partial = path.with_suffix(".partial")
        partial.write_text(_lines(rows), encoding="utf-8")
        partial.replace(path)
        print(f"{Path(text).name}: {rows[-1]['validation'][-1][1]:.3f} nats", flush=True)


def drawn(dice: random.Random, text: str, seed: int) -> RunConfig:
    """A model and a plan: mostly sensible learning rates, and now and then one far off."""
    width = dice.choice((32, 48, 64, 96, 128))
    steps = round(250 * 12 ** dice.random(), -1)
    rate = 10 ** (dice.uniform(-3.3, -2) if dice.random() < 0.75 else dice.uniform(-4.3, -1.5))
    return RunConfig(
        model=GPTConfig(
            num_layers=dice.choice((1, 2, 3, 4)),
            heads=width // 16,
            embed_size=width,
            max_length=dice.choice((32, 64, 128)),
            dropout=dice.choice((0, 0, 0, 0.1, 0.2)),
        ),
        data=DataConfig(
            corpora=(text,),
            tokenizer=dice.choice(("characters", "bytes", "bpe", "bpe", "bpe")),
            bpe_size=dice.choice((512, 1024, 2048, 4096)),
        ),
        train=TrainConfig(
            steps=int(steps),
            batch_size=dice.choice((2, 4, 8, 16)),
            learning_rate=float(f"{rate:.2g}"),
            warmup=int(steps) // dice.choice((3, 5, 10, 20)),
            optimizer=dice.choice(("adamw", "adamw", "muon")),
            schedule=dice.choice(("cosine", "cosine", "linear", "constant")),
            weight_decay=dice.choice((0.0, 0.1, 0.1, 0.3)),
            precision="bf16",
            evaluate_every=max(1, int(steps) // LOOKS),
            sample_every=0,
            seed=seed,
        ),
    )


def _row(text: str, config: RunConfig) -> dict[str, Any]:
    """Train, and keep what a forecast and its check need."""
    data = _result(prepare(config.data))
    data.check(config.model.max_length)
    config = config.changed("model", {"vocab_size": data.tokenizer.vocab_size})
    torch.manual_seed(config.train.seed)
    model = GPT(config.model)
    training: Curve = []
    validation: Curve = []
    for event in Trainer(model, make_optimizer(model, config.train), data, config).run():
        if isinstance(event, Step):
            training.append((event.step, event.values["loss"]))
        elif isinstance(event, Evaluated):
            validation.append((event.step, round(event.loss, 4)))
    known = ("train_tokens", "validation_tokens", "unigram", "bigram", "context")
    return {
        "text": Path(text).name,
        "config": {
            "model": asdict(config.model),
            "data": {"tokenizer": config.data.tokenizer, "bpe_size": config.data.bpe_size},
            "train": asdict(config.train),
        },
        "report": {name: getattr(data.report, name) for name in known},
        "validation": validation,
        "training": _thinned(training),
    }


def _held_out(text: str, rows: list[dict[str, Any]]) -> bool:
    """As its text was before; a text that is new is drawn by its name."""
    name = Path(text).name
    fates = [row["held_out"] for row in rows if row["text"] == name]
    return all(fates) if fates else zlib.crc32(name.encode()) % 100 < 100 * NEW


def _thinned(curve: Curve) -> Curve:
    """Means of neighboring steps."""
    size = -(-len(curve) // POINTS)
    parts = [curve[first : first + size] for first in range(0, len(curve), size)]
    return [(part[len(part) // 2][0], round(statistics.fmean(loss for _, loss in part), 3)) for part in parts]


def _result(work: Generator[Any, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result


def _lines(rows: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
