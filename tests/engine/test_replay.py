"""Killed at any moment and gone on with, again and again, a run is the one that was never interrupted."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.runs import RunFolder, parse_line, read_about, read_metrics, read_samples
from gpt_studio.engine.checkpoint import load

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a child for each life takes too long")

ROOT = Path(__file__).parents[2]
STEPS = 60
KILLED = -9


class Lives:
    """Trains one run whole, then others in child processes that may be killed."""

    def __init__(self, folder, precision):
        self.whole = RunFolder(folder / "whole")
        corpus = folder / "fox.txt"
        corpus.write_text("".join(f"{n} foxes saw {n * n} owls in the wood.\n" for n in range(300)))
        self.config = RunConfig(
            model=GPTConfig(num_layers=1, heads=2, embed_size=16, max_length=16, dropout=0.2, vocab_size=257),
            data=DataConfig(corpora=(str(corpus),), tokenizer="bytes"),
            train=TrainConfig(
                steps=STEPS, batch_size=2, accumulation=2, warmup=10, precision=precision,
                evaluate_every=12, sample_every=20, sample_prompt="1 fox|2 owls", save_every=4, keep=2,
            ),
        )  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.lives"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.seconds = self._ask({"folder": str(self.whole.path), "config": self.config.to_dict()})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate()

    def live(self, folder, delay=None, write=0):
        """Train until the end or the death; how it ended, and whether that was inside a save."""
        life = {"folder": str(folder.path), "config": self.config.to_dict(), "delay": delay, "write": write}
        ended = self._ask(life)
        assert ended["code"] in (0, KILLED)
        return ended["code"], ended["inside"]

    def _ask(self, life):
        self._process.stdin.write(json.dumps(life) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def learned(folder):
    """What must be the same, bit for bit."""
    history = read_metrics(folder.metrics)
    inside = load(folder.last)
    assert history.columns["loss"] == inside.history.columns["loss"]
    assert history.validation_losses == inside.history.validation_losses
    assert read_samples(folder.samples) == inside.history.samples
    weights = {name: parameter.tolist() for name, parameter in inside.model.named_parameters()}
    moments = {name: moment.tolist() for name, moment in inside.moments.items()}
    return {
        "steps": list(history.steps),
        "losses": list(history.columns["loss"]),
        "norms": list(history.columns["gradient_norm"]),
        "rates": list(history.columns["learning_rate"]),
        "validation": list(zip(history.validation_steps, history.validation_losses, strict=True)),
        "samples": read_samples(folder.samples),
        "weights": weights,
        "moments": moments,
        "best": load(folder.best).step,
    }


def losses_ever(folder):
    """Each loss that was ever written, those of steps that were trained again too."""
    lines = [parse_line(text) for text in folder.metrics.read_text().splitlines()]
    return {(line["step"], line["loss"]) for line in lines if line and "loss" in line}


def check(folder, whole, expected):
    assert learned(folder) == expected
    assert losses_ever(folder) == losses_ever(whole)
    assert list(folder.path.rglob("*.partial")) == []
    assert read_about(folder)["status"] == "finished"
    numbered = [path.name for path in folder.checkpoints()[2:]]
    assert numbered == [path.name for path in whole.checkpoints()[2:]]


def kill_and_go_on(folder, precision, kills):
    """Kill runs so often; check each that comes to its end; how many died inside a save."""
    dice = random.Random(kills)
    killed = inside = runs = 0
    with Lives(folder, precision) as lives:
        expected = learned(lives.whole)
        run = RunFolder(folder / "run 0")
        while killed < kills or runs == 0 or run.run.exists():
            at = (
                {"write": dice.randint(1, 400)}
                if killed % 3 == 2
                else {"delay": dice.random() * lives.seconds / 4}
            )
            code, was_inside = lives.live(run, **at if killed < kills else {})
            killed += code == KILLED
            inside += was_inside
            if code == 0:
                check(run, lives.whole, expected)
                runs += 1
                run = RunFolder(folder / f"run {runs}")
    return inside


def test_killed_8_times_it_comes_to_the_same(tmp_path):
    assert kill_and_go_on(tmp_path, "bf16", 8) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_50_times_it_comes_to_the_same(tmp_path):
    assert kill_and_go_on(tmp_path, "fp32", 50) > 5
