"""Greedy writing at GPT-2 small's shape, one text at a time, beside the peers: python -m benchmarks.writing

A prompt of 32 random ids, 128 new ones, random weights: speed does not depend on what is said. Every way
writes the whole text in turn; the time holds the reading of the prompt too.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from benchmarks.measuring import Deadline, Report, Row, fastest, machine, take_turns
from benchmarks.peers import OURS, PEERS, Writer, installed, our_writer, peer_writer
from gpt_studio.core.config import GPTConfig
from gpt_studio.engine.device import devices, use_threads

TABLE = "Generation, tokens per second"
SMALL = GPTConfig()  # 124 M, GPT-2's
TOY = GPTConfig(num_layers=1, heads=2, embed_size=32, max_length=32, vocab_size=65)
WISHED = 1.6  # times the fastest peer


def run(report: Report, quick: bool = False, toy: bool = False, device: str = "cpu") -> None:
    """A row for each precision that a device writes in."""
    config = TOY if toy else SMALL
    prompt_size, count = (4, 8) if toy else (32, 32 if quick else 128)
    prompt = torch.randint(config.vocab_size, (prompt_size,), device=device)
    fast = next(one for one in devices() if one.name.startswith(device)).bf16
    for precision in ("fp32", *(("bf16",) if fast else ()), "int8"):
        writers: dict[str, Writer] = {}
        for name in (OURS, *(installed() if precision != "int8" else ())):
            try:
                writers[name] = make_writer(name, config, precision, device)
                check(writers[name], prompt, count)
            except Exception as error:
                writers.pop(name, None)
                report.remark(f"generation, {precision}: {name} failed: {type(error).__name__}: {error}")
        rates, spread = measure(writers, prompt, count, rounds=3 if quick or toy else 7)
        ratio = fastest(rates, OURS)
        row: Row = {"precision": precision}
        row |= {name: round(rates[name], 1) if name in rates else None for name in (OURS, *PEERS)}
        report.row(TABLE, row | {"ratio": ratio, "spread %": 100 * spread})
        if ratio and not toy and device == "cpu":
            report.goal(f"generation, {precision}: to the fastest peer", ratio, least=WISHED)


def make_writer(name: str, config: GPTConfig, precision: str, device: str) -> Writer:
    make = our_writer if name == OURS else lambda *rest: peer_writer(name, *rest)
    return make(config, precision, device)


def check(writer: Writer, prompt: Tensor, count: int) -> None:
    """Does it write as many tokens as it is told to?"""
    written = writer(prompt, count).numel()
    if written != count:
        raise ValueError(f"It wrote {written} tokens and not {count}.")


def measure(
    writers: dict[str, Writer], prompt: Tensor, count: int, rounds: int = 7, seconds: float = 60
) -> tuple[dict[str, float], float]:
    """New tokens per second of each, and the largest spread."""
    ways = {name: lambda writer=writer: writer(prompt, count) for name, writer in writers.items()}
    times = take_turns(ways, rounds, 1, Deadline(seconds))
    rates = {name: count / taken.median for name, taken in times.items()}
    return rates, max((taken.spread for taken in times.values()), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tokens and rounds")
    options = parser.parse_args()
    use_threads()
    report = Report()
    report.machine = machine()
    run(report, options.quick)
    print("\n" + report.text())


if __name__ == "__main__":
    main()
