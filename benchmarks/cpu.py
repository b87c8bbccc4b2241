"""The engine on this CPU beside its peers, and how its cost grows: python -m benchmarks.cpu [--quick]

Training steps and greedy writing, everyone in turn, medians; what was wished is held against it last.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import growth
from benchmarks.elsewhere import Elsewhere
from benchmarks.measuring import Deadline, Report, Row, Times, fastest, machine, take_turns
from benchmarks.peers import OURS, PEERS, chosen, installed
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import estimate
from gpt_studio.core.presets import presets
from gpt_studio.engine.device import devices, memory_limit, use_threads

PARTS = ("training", "generation", "growth")
SLOWEST = 60.0  # seconds that a step may take
TRAINING = "Training, tokens per second"


@dataclass(frozen=True)
class Case:
    """A shape to train at, and how many times the fastest peer's speed is wished for, by precision."""

    name: str
    config: RunConfig
    wished: tuple[float, float] = (1.0, 1.0)  # fp32, bf16
    compiled: bool = False  # peers are also compiled
    seconds: float = 40.0  # of measuring, for each precision


def shape(layers: int, width: int, context: int, batch: int, heads: int) -> RunConfig:
    """With the 65 characters of the plays that small trainers are usually shown with."""
    model = GPTConfig(num_layers=layers, embed_size=width, max_length=context, heads=heads, vocab_size=65)
    return RunConfig(model=model, train=TrainConfig(batch_size=batch))


A = Case("A: 4 layers, 128 wide, context 64, batch 12", shape(4, 128, 64, 12, 4), (1.6, 2.0), True)
B = Case("B: 6 layers, 384 wide, context 256, batch 8", shape(6, 384, 256, 8, 6), (1.6, 1.4), True)
TOY = Case("toy: 1 layer, 32 wide, context 16, batch 2", shape(1, 32, 16, 2, 2))


def cases(quick: bool) -> Iterator[Case]:
    """A, B and the presets; the large ones with one shorter text, so that a step takes seconds."""
    yield A
    yield B
    for preset in presets()[: 3 if quick else None]:
        config = preset.alone()
        config = config.changed("train", {"optimizer": "adamw", "accumulation": 1})
        estimated = estimate(config).parameters
        if estimated > 5e7:
            context = 256 if estimated < 2e8 else 128 if estimated < 5e8 else 64
            config = config.changed("train", {"batch_size": 1}).changed("model", {"max_length": context})
        size = f"context {config.model.max_length}, batch {config.train.batch_size}"
        yield Case(f"{preset.label}: {size}", config)


# ---------------------------------------------------------------- training


def training(report: Report, options: argparse.Namespace) -> None:
    """Steps of every case in every precision the CPU has."""
    slowest = 0.0  # FLOP/s of the slowest way so far
    for case in [TOY] if options.toy else cases(options.quick):
        if options.shapes and not any(case.name.startswith(name) for name in options.shapes):
            continue
        for precision, wished in zip(("fp32", "bf16"), case.wished, strict=True):
            if precision not in devices()[-1].precisions:
                report.remark(f"{case.name}: no bf16, this CPU has none.")
                continue
            config = case.config.changed("train", {"precision": precision})
            estimated = estimate(config)
            flops = estimated.flops_per_token * estimated.tokens_per_step
            if slowest and flops / slowest > SLOWEST:
                report.remark(
                    f"{case.name}, {precision}: skipped, a step would take {flops / slowest:.0f} s."
                )
                continue
            ways = [OURS, *installed()]
            if case.compiled and not options.quick:
                ways += [f"{name} compiled" for name in installed()]
            seconds = 6.0 if options.quick else case.seconds
            times, what = _steps(report, case, config, ways, seconds)
            if OURS not in times:
                continue
            rates = {name: estimated.tokens_per_step / taken.median for name, taken in times.items()}
            slowest = min(flops * rate / estimated.tokens_per_step for rate in rates.values())
            ratio = fastest(rates, OURS)
            _show(report, case, precision, rates, times, ratio, what)
            if ratio and not options.toy:
                report.goal(f"training {case.name}, {precision}: to the fastest peer", ratio, least=wished)


def _steps(
    report: Report, case: Case, config: RunConfig, ways: list[str], seconds: float
) -> tuple[dict[str, Times], str]:
    """The times of each way, and what ours has chosen: all in turn, or one by one where memory is short."""
    where = f"{case.name}, {config.train.precision}"
    need = estimate(config).training.tensors
    free = 0.8 * memory_limit()
    if need > free:
        report.remark(f"{where}: skipped, it needs {need / 1e9:.0f} GB.")
        return {}, ""

    def failed(name: str, error: Exception) -> None:
        report.remark(f"{where}: {name} failed: {type(error).__name__}: {str(error).splitlines()[0][:120]}")

    turns = [ways] if need * len(ways) <= free else [[name] for name in ways]
    if len(turns) > 1:
        report.remark(f"{where}: one after the other, not in turn: together they need too much memory.")
    times: dict[str, Times] = {}
    for names in turns:
        steps = {name: Elsewhere(name, config) for name in names}
        deadline = Deadline(seconds * len(names) / len(ways))
        times |= take_turns(steps, 21 if len(turns) == 1 else 3, 2, deadline, failed)
        for step in steps.values():
            step.close()
    return times, chosen(config)


def _show(
    report: Report,
    case: Case,
    precision: str,
    rates: dict[str, float],
    times: dict[str, Times],
    ratio: float | None,
    what: str,
) -> None:
    row: Row = {"shape": case.name, "precision": precision}
    row |= {name: round(rates[name], 1) if name in rates else None for name in (OURS, *PEERS)}
    compiled = [rate for name, rate in rates.items() if name.endswith(" compiled")]
    row |= {"best compiled peer": max(compiled, default=None), "ratio": ratio}
    row |= {"spread %": 100 * max(taken.spread for taken in times.values()), "chosen": what}
    report.row(TRAINING, row)


# ---------------------------------------------------------------- all


def generation(report: Report, options: argparse.Namespace) -> None:
    from benchmarks import writing

    writing.run(report, quick=options.quick, toy=options.toy)


def cost_growth(report: Report, options: argparse.Namespace) -> None:
    seconds = 30 if options.quick else 120
    growth.run(report, options.plot, seconds, rounds=2 if options.toy else 9, toy=options.toy)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts alone")
    parser.add_argument("--quick", action="store_true", help="fewer shapes and rounds: under 3 minutes")
    parser.add_argument(
        "--shapes", nargs="+", metavar="NAME", help="training: those that begin so, e.g. A Tiny"
    )
    parser.add_argument("--toy", action="store_true", help="tiny shapes, to see that all of it works")
    parser.add_argument("--threads", type=int, help="of torch; by default, as many as there are cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go")
    parser.add_argument("--plot", type=Path, default=growth.RESULTS / "growth.png", help="cost growth, drawn")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    return parser.parse_args(words)


def main() -> int:
    options = arguments()
    use_threads()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    report = Report(options.json)
    report.machine = machine()
    missing = [name for name in PEERS if name not in installed()]
    for name in missing:
        report.remark(f"{name} is not installed.")
    parts = {"training": training, "generation": generation, "growth": cost_growth}
    failures = 0
    for name in options.only:
        print(name, flush=True)
        try:
            parts[name](report, options)
        except Exception:  # the other parts are worth having
            traceback.print_exc()
            report.remark(f"{name} failed.")
            failures += 1
    print("\n" + report.text(options.markdown))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
