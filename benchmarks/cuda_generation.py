"""Greedy writing on a GPU, one text at a time, as a share of what memory bandwidth allows."""

from __future__ import annotations

import torch

from benchmarks import writing
from benchmarks.cuda import Setting
from benchmarks.cuda_device import bandwidth
from benchmarks.measuring import Report, Row
from benchmarks.peers import OURS, Writer, installed
from gpt_studio.core.config import GPTConfig
from gpt_studio.core.shapes import parameters

BYTES = {"fp32": 4.0, "bf16": 2.0, "int8": 1.0}  # of a weight


def run(report: Report, setting: Setting) -> None:
    config = writing.TOY if setting.toy else writing.SMALL
    prompt_size, count = (4, 8) if setting.toy else (32, 128)
    prompt = torch.randint(config.vocab_size, (prompt_size,), device=setting.device)
    speed, _ = bandwidth(setting.device, 2**20 if setting.toy else 2**32)
    for precision in ("bf16", "fp32", "int8"):
        writers: dict[str, Writer] = {}
        for name in (OURS, *(installed() if precision != "int8" else ())):
            if setting.deadline.over:
                report.remark(f"generation: no time was left for {name}, {precision}.")
                continue
            try:
                writers[name] = writing.make_writer(name, config, precision, setting.device)
                writing.check(writers[name], prompt, count)  # compiles or records what it needs
            except Exception as error:
                writers.pop(name, None)
                report.remark(f"generation: {name}, {precision} failed: {type(error).__name__}: {error}")
        if writers:
            seconds = max(1.0, min(12.0, setting.deadline.left))
            rates, spread = writing.measure(writers, prompt, count, 3 if setting.toy else 7, seconds)
            _show(report, setting, precision, rates, spread, limit(config, precision, speed))


def limit(config: GPTConfig, precision: str, speed: float) -> float:
    """Tokens per second if nothing took time but reading each weight once; half a cache counts too."""
    unread = config.max_length * config.embed_size  # of the positions one row is read
    weights = (parameters(config) - unread) * BYTES[precision]
    held = 2 * config.num_layers * 96 * config.embed_size * max(2.0, BYTES[precision])  # in the middle
    return speed / (weights + held)


def _show(
    report: Report, setting: Setting, precision: str, rates: dict[str, float], spread: float, most: float
) -> None:
    for name, rate in rates.items():
        row: Row = {"precision": precision, "written by": name, "tokens/s": rate}
        report.row("Generation", row | {"limit": most, "of the limit %": 100 * rate / most})
    report.remark(f"generation, {precision}: spread {100 * spread:.0f} %.")
    if setting.toy or precision != "bf16" or OURS not in rates:
        return
    report.goal("generation, bf16: of the bandwidth's limit", 100 * rates[OURS] / most, least=60, unit=" %")
    if "transformers" in rates:
        ratio = rates[OURS] / rates["transformers"]
        report.goal("generation, bf16: to transformers", ratio, least=3)
