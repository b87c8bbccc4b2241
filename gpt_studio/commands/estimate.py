"""`gpt-studio estimate`: what a run would take, by arithmetic, at once."""

from __future__ import annotations

import argparse
import dataclasses
import re
from typing import Any

from gpt_studio.commands import options
from gpt_studio.commands.output import say, say_json
from gpt_studio.core import paths, units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import UNKNOWN_CPU, UNKNOWN_GPU, Estimate, estimate
from gpt_studio.core.events import Device
from gpt_studio.core.fitting import Fitted, fit, least
from gpt_studio.core.machine import remembered
from gpt_studio.core.run_file import check_usable
from gpt_studio.core.speed import Speed, energy, run_time, shape_of, tokens_per_second

WIDTH = 20  # of the first column
LEARNED = ("characters", "file")  # tokenizers whose vocabulary the texts decide
SIZES = {"": units.GB, "gb": units.GB, "mb": units.MB, "tb": 1024 * units.GB}
Rows = list[tuple[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train")
    parser.add_argument(
        "--memory", type=amount, metavar="8GB", help="say whether and how the run would fit into so much"
    )
    parser.add_argument(
        "--exact", action="store_true", help="find the exact peak too; takes seconds, for it loads torch"
    )
    options.add_json(parser)
    options.add_run(parser)


def amount(text: str) -> int:
    """Bytes of "8GB", "8 gb", "7.5" (GB) or "512MB"; 1 GB is 2³⁰ bytes."""
    read = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not read or read[2] not in SIZES or not float(read[1]):
        raise argparse.ArgumentTypeError(f"“{text}” is no amount of memory such as 8GB.")
    return round(float(read[1]) * SIZES[read[2]])


def run(chosen: argparse.Namespace) -> int:
    config = options.config_of(chosen)
    check_usable(config)
    device, speed = _known(chosen.device, config)
    found = estimate(config, device)
    fitted = fit(config, device, chosen.memory, speed) if chosen.memory else None
    exact = _exact(config, chosen.device) if chosen.exact else None
    if chosen.json:
        say_json(_data(config, found, speed, device, chosen.memory, fitted, exact))
        return 0
    rows = _table(config, found, chosen.device)
    rows += _time(config, speed) if speed else []
    rows += _fit(config, device, chosen.memory, fitted) if chosen.memory else []
    if exact:
        off = units.percent(abs(found.training.tensors - exact) / exact, 2)
        rows.append(("Exact", f"{units.memory(exact)} of tensors; the estimate is {off} off"))
    for name, text in rows:
        say(name.ljust(WIDTH) + text)
    return 0


def _known(kind: str, config: RunConfig) -> tuple[Device, Speed | None]:
    """What is remembered of a device of this kind, and how fast it does such steps."""
    for device, speeds in remembered(paths.data() / "machine.json"):
        if device.kind == kind:
            return device, next((speed for speed in speeds if speed.shape == shape_of(config)), None)
    return UNKNOWN_GPU if kind == "cuda" else UNKNOWN_CPU, None


def _exact(config: RunConfig, kind: str) -> int:
    from gpt_studio.engine.footprint import peak

    return peak(config, "cuda:0" if kind == "cuda" else "cpu")


def _table(config: RunConfig, found: Estimate, device: str) -> Rows:
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


def _time(config: RunConfig, speed: Speed) -> Rows:
    seconds = run_time(config, speed).total
    rows = [("Time", f"{units.about(seconds)}, {units.short(tokens_per_second(config, speed))} tokens/s")]
    drawn = energy(seconds, speed.watts)
    return [*rows, ("Energy", units.energy(drawn))] if drawn else rows


def _fit(config: RunConfig, device: Device, capacity: int, fitted: Fitted | None) -> Rows:
    room = units.memory(capacity)
    if fitted is None:
        return [(f"In {room}", f"does not fit: takes at least {units.memory(least(config, device))}")]
    if not fitted.changes:
        return [(f"In {room}", "fits")]
    return [(f"In {room}", f"fits with {fitted.way}: {units.memory(fitted.need)}, {fitted.cost}")]


def _data(
    config: RunConfig,
    found: Estimate,
    speed: Speed | None,
    device: Device,
    capacity: int | None,
    fitted: Fitted | None,
    exact: int | None,
) -> dict[str, Any]:
    """All of it for programs: bytes, seconds, kWh. What was not asked for, or is not known, is left out."""
    data: dict[str, Any] = dataclasses.asdict(found)
    if speed:
        seconds = run_time(config, speed).total
        data["time"] = {
            "seconds": seconds,
            "tokens_per_second": tokens_per_second(config, speed),
            "kwh": energy(seconds, speed.watts) or None,
        }
    if capacity:
        data["memory"] = {"capacity": capacity, "fits": found.training.total <= capacity}
        data["memory"]["least"] = least(config, device)
        if fitted:
            changed = {"model": fitted.config.model.to_dict(), "train": fitted.config.train.to_dict()}
            data["memory"]["fitted"] = {
                "changes": fitted.changes, "need": fitted.need, "price": fitted.price, **changed,
            }  # fmt: skip
    if exact:
        data["exact"] = exact
    return data
