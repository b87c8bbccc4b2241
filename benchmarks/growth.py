"""How the cost of a token grows with layers, width, context and batch: python -m benchmarks.growth

Seconds per token of whole training steps, beside the arithmetic: FLOPs per token, attention included. What is
fixed for each step or block weighs less in larger models, so costs grow slower than FLOPs, never faster.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import torch

from benchmarks.measuring import Deadline, Report, Times, exponent, machine, take_turns
from benchmarks.peers import OURS, make_trainer
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import flops_per_token
from gpt_studio.engine.device import use_threads

RESULTS = Path(__file__).parent / "results"
BASE = GPTConfig(num_layers=4, heads=4, embed_size=256, max_length=128, vocab_size=256)
BATCH = 4
SWEEPS: dict[str, tuple[int, ...]] = {
    "num_layers": (1, 2, 4, 8, 16),
    "embed_size": (64, 128, 256, 512),
    "max_length": (64, 128, 256, 512, 1024),
    "batch_size": (1, 2, 4, 8, 16),
}
LABELS = {"num_layers": "layers", "embed_size": "width", "max_length": "context", "batch_size": "batch"}
TOLERANCE = 0.1  # of an exponent: a tenth is 7 % for twice the size
TABLE = "Cost growth"


def config_with(name: str, value: int, toy: bool) -> RunConfig:
    """The base with one of its sizes changed."""
    shape = {"embed_size": 32, "num_layers": 1, "max_length": 16} if toy else {}
    sizes = {"batch_size": BATCH, **shape, name: value}
    batch = sizes.pop("batch_size")
    return RunConfig(model=BASE.changed(**sizes), train=TrainConfig(batch_size=batch))


def measure(name: str, values: Iterable[int], rounds: int, deadline: Deadline, toy: bool) -> dict[int, Times]:
    """Seconds of a step at each value."""
    ways = {}
    for value in values:
        config = config_with(name, value, toy)
        trainer = make_trainer(OURS, config)
        x, y = torch.randint(BASE.vocab_size, (2, config.train.batch_size, config.model.max_length))
        ways[str(value)] = lambda trainer=trainer, x=x, y=y: trainer.step(x, y)
    return {int(value): times for value, times in take_turns(ways, rounds, 2, deadline).items()}


def run(report: Report, plot: Path | None, seconds: float, rounds: int = 9, toy: bool = False) -> None:
    """All sweeps, a row of the report for each; the picture at the end."""
    curves: dict[str, tuple[list[int], list[float], list[float]]] = {}
    for name, sizes in SWEEPS.items():
        values = sizes[: 2 if toy else None]
        times = measure(name, values, rounds, Deadline(seconds / len(SWEEPS)), toy)
        configs = [config_with(name, value, toy) for value in values]
        tokens = [config.train.batch_size * config.model.max_length for config in configs]
        costs = [times[value].median / count for value, count in zip(values, tokens, strict=True)]
        flops = [flops_per_token(config.model) for config in configs]
        curves[name] = (list(values), costs, flops)
        measured, arithmetic = exponent(values, costs), exponent(values, flops)
        report.row(
            TABLE,
            {
                "against": LABELS[name],
                "from": values[0],
                "to": values[-1],
                "µs per token at first": 1e6 * costs[0],
                "µs per token at last": 1e6 * costs[-1],
                "exponent": round(measured, 2),
                "exponent of the FLOPs": round(arithmetic, 2),
                "spread %": 100 * max(t.spread for t in times.values()),
            },
        )
        if not toy:
            what = f"cost of a token against {LABELS[name]}: exponent beyond the FLOPs'"
            report.goal(what, round(measured - arithmetic, 2), most=TOLERANCE)
    if plot:
        draw(curves, plot, report)


def draw(curves: dict[str, tuple[list[int], list[float], list[float]]], path: Path, report: Report) -> None:
    """One chart for each sweep: what was measured, and the FLOPs through its largest point."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        report.remark("No picture of the cost growth: matplotlib is not installed.")
        return
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle("Training: microseconds per token")
    for axes, (name, (values, costs, flops)) in zip(figure.subplots(2, 2).flat, curves.items(), strict=True):
        scale = 1e6 * costs[-1] / flops[-1]
        axes.loglog(values, [scale * count for count in flops], "--", color="0.6", label="as the FLOPs")
        axes.loglog(values, [1e6 * cost for cost in costs], "o-", color="#2f6fde", label="measured")
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.minorticks_off()
        axes.set_xlabel(LABELS[name])
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    report.remark(f"Cost growth is drawn in {path.name}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, default=RESULTS / "growth.png", help="where the picture goes")
    parser.add_argument("--seconds", type=float, default=120, help="time for all of it")
    options = parser.parse_args()
    use_threads()
    report = Report()
    report.machine = machine()
    run(report, options.plot, options.seconds)
    print("\n" + report.text())


if __name__ == "__main__":
    main()
