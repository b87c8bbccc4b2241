"""`gpt-studio estimate`: what a run would take, by arithmetic, at once."""

from __future__ import annotations

import argparse
import dataclasses

from gpt_studio.commands import options
from gpt_studio.commands.output import say, say_json
from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import UNKNOWN_CPU, UNKNOWN_GPU, Estimate, estimate
from gpt_studio.core.run_file import check_usable

WIDTH = 20  # of the first column
LEARNED = ("characters", "file")  # tokenizers whose vocabulary the texts decide


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train")
    options.add_json(parser)
    options.add_run(parser)


def run(chosen: argparse.Namespace) -> int:
    config = options.config_of(chosen)
    check_usable(config)
    found = estimate(config, UNKNOWN_GPU if chosen.device == "cuda" else UNKNOWN_CPU)
    if chosen.json:
        say_json(dataclasses.asdict(found))
    else:
        for name, text in _table(config, found, chosen.device):
            say(name.ljust(WIDTH) + text)
    return 0


def _table(config: RunConfig, found: Estimate, device: str) -> list[tuple[str, str]]:
    tokens = found.tokens_per_step * config.train.steps
    vocabulary = units.number(config.model.vocab_size)
    if config.data.tokenizer in LEARNED:
        vocabulary += ", as long as the texts are not read"
    total = found.training.total
    flops = found.flops_per_token
    return [
        ("Parameters", f"{units.parameters(found.parameters)} ({units.number(found.parameters)})"),
        ("Vocabulary", vocabulary),
        ("Training memory", f"{units.memory(total)} on {device}"),
        *((f"  {part.label}", units.memory(part.size)) for part in found.training),
        ("Generation memory", units.memory(found.generation)),
        ("Compute", f"{units.flops(flops)} per token, {units.flops(flops * tokens)} in all"),
        ("Tokens", f"{units.number(found.tokens_per_step)} per step, {units.short(tokens)} in all"),
    ]
