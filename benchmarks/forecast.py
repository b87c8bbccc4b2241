"""How often a run's loss ends in the band that was told: python -m benchmarks.forecast

Fits the constants of `gpt_studio.core.forecast` to the runs kept in data/forecast_runs.json, and looks how
often runs that were not fitted, most of them on texts that no fitted run had, ended in the band, and how
wide it was. `--train 20 --texts PATH …` makes new runs on these texts first (benchmarks.forecast_runs).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpt_studio.core import forecast as core
from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import DataReport, TextFacts
from gpt_studio.core.forecast import Guess, bend, causes, forecast, room, slope, unsure
from gpt_studio.core.metrics import METRICS, History

RUNS = Path(__file__).parent / "data" / "forecast_runs.json"
LOOKS = (0.0, 0.1, 0.25, 0.5, 0.75)  # shares of a run after which the band is looked at
FITTED = (0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.9)  # after which the curve's constants are fitted
RIDGE = 0.03  # how strongly effects are pulled to zero
CLAIMED = 0.9


@dataclass(frozen=True)
class Run:
    """A run that came to its end."""

    text: str
    held_out: bool  # not to be fitted
    config: RunConfig
    report: DataReport
    validation: tuple[tuple[int, float], ...]  # steps and losses
    training: tuple[tuple[int, float], ...]  # means of some steps each

    @property
    def end(self) -> float:
        return self.validation[-1][1]

    def until(self, share: float) -> History:
        """The curves as they were after this share of the steps."""
        history, last = History(), share * self.config.train.steps
        for step, loss in self.training:
            if step <= last:
                history.add_step(step, dict.fromkeys((metric.name for metric in METRICS), loss))
        for step, loss in self.validation:
            if step <= last:
                history.add_validation(step, loss)
        return history


def runs(path: Path = RUNS) -> list[Run]:
    """All that were kept."""
    return [_run(row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _run(row: dict[str, Any]) -> Run:
    config = RunConfig.from_dict({"version": 1, "sample": {}, **row["config"]})
    curves = (tuple((step, loss) for step, loss in row[name]) for name in ("validation", "training"))
    return Run(row["text"], row["held_out"], config, _report(config, **row["report"]), *curves)


def _report(config: RunConfig, **known: Any) -> DataReport:
    """What a forecast looks at, and nothing else."""
    return DataReport(
        data=config.data, fingerprint="", corpora=(), vocab_size=config.model.vocab_size, vocab_used=0,
        characters=0, size=0, documents=0, validation_documents=0, token_lengths=(), facts=TextFacts(0),
        previews=(), seconds=0, cached=True, **known,
    )  # fmt: skip


# ---------------------------------------------------------------- fit


@dataclass(frozen=True)
class Fit:
    """The constants of core.forecast."""

    effects: dict[str, float]
    prior_error: float
    slope_kept: float
    curve_error: float
    width: float


def fit(known: list[Run]) -> Fit:
    """The constants that suit these runs.

    Each run's guess before its start is made without the runs on its text, as for texts never seen.
    """
    guesses = [_change(run, effects([other for other in known if other.text != run.text])) for run in known]
    misses = [(_target(run) - guess) / unsure(run.report) for run, guess in zip(known, guesses, strict=True)]
    prior_error = _typical(misses)

    looks = [_look(run, share) for run in known for share in FITTED if run.until(share).validation_losses]
    kept = sum(look.slope * look.still / look.ahead for look in looks) / sum(look.slope**2 for look in looks)
    curve_error = _typical(
        [
            _missed(
                look.still, Guess(kept * look.slope * look.ahead, bend(look.slope, look.ahead), look.below)
            )
            for look in looks
        ]
    )

    ratios = [abs(miss) / prior_error for miss in misses] * len(FITTED)  # as often as during a run
    for share in FITTED:
        for run, guess in zip(known, guesses, strict=True):
            if run.until(share).validation_losses:
                look = _look(run, share)
                before = Guess(
                    math.log(run.report.unigram / look.loss) + guess, prior_error * unsure(run.report)
                )
                error = core.NOISE + curve_error * bend(look.slope, look.ahead)
                curve = Guess(kept * look.slope * look.ahead, error, look.below)
                both = before.corrected(curve)
                ratios.append(_missed(look.still, both))
    return Fit(effects(known), prior_error, kept, curve_error, float(np.quantile(ratios, CLAIMED)))


class _Look(NamedTuple):
    """A run on its way."""

    loss: float
    slope: float  # of log loss over log steps, not of a sudden drop
    ahead: float  # e-folds of steps
    still: float  # what the log of the loss still changed
    below: float  # how many times as far it may be wrong on the lower side


def _look(run: Run, share: float) -> _Look:
    history = run.until(share)
    step, loss = history.validation_steps[-1], history.validation_losses[-1]
    return _Look(
        loss, max(slope(history), -core.STEEPEST), math.log(run.config.train.steps / step),
        math.log(run.end / loss), 1 + core.SUDDEN * room(run.report, loss),
    )  # fmt: skip


def effects(known: list[Run]) -> dict[str, float]:
    """Ridge regression of log (end / unigram entropy) on the causes; the first of them, 1, is not pulled."""
    found = [causes(run.config, run.report) for run in known]
    names = list(found[0])
    table = np.array([[row[name] for name in names] for row in found])
    pull = np.diag([0.0] + [RIDGE] * (len(names) - 1))
    weights = np.linalg.solve(table.T @ table + pull, table.T @ np.array([_target(run) for run in known]))
    return dict(zip(names, weights.tolist(), strict=True))


def _target(run: Run) -> float:
    return math.log(run.end / run.report.unigram)


def _change(run: Run, effects: dict[str, float]) -> float:
    return sum(effects[name] * value for name, value in causes(run.config, run.report).items())


def _missed(end: float, guess: Guess) -> float:
    """In errors of this side."""
    miss = (end - guess.mean) / guess.error
    return max(miss, -miss / guess.below)


def _typical(misses: list[float]) -> float:
    """The standard deviation of a normal distribution with as many of its values as near."""
    return float(np.quantile(np.abs(misses), CLAIMED)) / statistics.NormalDist().inv_cdf((1 + CLAIMED) / 2)


# ---------------------------------------------------------------- coverage


@dataclass(frozen=True)
class Coverage:
    """How bands did that were told after one share of each run."""

    share: float
    runs: int
    held: float  # share of the ends that were in the band
    width: float  # median, in nats
    of_drop: float  # median of width / the drop from knowing nothing (the vocabulary's logarithm) to the end


def coverage(among: list[Run], share: float) -> Coverage:
    """Looks at the band of every run after this share of it."""
    inside, widths, relative = [], [], []
    for run in among:
        band = forecast(run.config, run.report, run.until(share))
        assert band
        inside.append(band.low <= run.end <= band.high)
        widths.append(band.high - band.low)
        relative.append(widths[-1] / (math.log(run.report.vocab_size) - run.end))
    return Coverage(
        share, len(among), statistics.fmean(inside), statistics.median(widths), statistics.median(relative)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, metavar="COUNT", default=0, help="new runs to make first")
    parser.add_argument("--texts", nargs="*", default=["world", "python-reference", "python-library"])
    chosen = parser.parse_args()
    if chosen.train:
        from benchmarks.forecast_runs import add_runs

        add_runs(RUNS, chosen.train, chosen.texts)
    everything = runs()
    known = [run for run in everything if not run.held_out]
    others = [run for run in everything if run.held_out]
    found = fit(known)
    print(f"Fitted to {len(known)} runs on {len({run.text for run in known})} texts:")
    print("EFFECTS = {")
    for name, effect in found.effects.items():
        print(f'    "{name}": {effect:.3f},')
    print(f"}}\nPRIOR_ERROR = {found.prior_error:.3f}\nSLOPE_KEPT = {found.slope_kept:.2f}")
    print(f"CURVE_ERROR = {found.curve_error:.3f}\nWIDTH = {found.width:.2f}\n")
    new = {run.text for run in others} - {run.text for run in known}
    print(f"The constants in use, on {len(others)} other runs, {sum(run.text in new for run in others)} of")
    print(f"them on {len(new)} texts that were not fitted:\n")
    print("| of the run | ends in the band | median width, nats | of the loss's drop |\n|---|---|---|---|")
    for share in LOOKS:
        seen = coverage(others, share)
        print(f"| {share:.0%} | {seen.held:.0%} | {seen.width:.2f} | {seen.of_drop:.0%} |")


if __name__ == "__main__":
    main()
