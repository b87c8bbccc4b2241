"""Where the loss will end: a band, from the texts, the model's size, the plan and the curve so far.

What is known before the run (`prior`) and what the curve tells (`extrapolation`) are two guesses at the
logarithm of the last validation loss, each with an error of known size; they are weighed by it. Every
constant was fitted by `python -m benchmarks.forecast`, which also tells how often the end was in the band.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gpt_studio.core.config import RunConfig, TrainConfig
from gpt_studio.core.events import DataReport
from gpt_studio.core.metrics import History
from gpt_studio.core.schedule import LOWEST
from gpt_studio.core.shapes import block_shapes, count

# How the logarithm of loss / unigram entropy depends on each of `causes`.
EFFECTS = {
    "one": 0.010,
    "pairs": 0.812,
    "context": -0.310,
    "much": -0.127,
    "learning": 1.119,
    "size": 0.098,
    "vocabulary": 0.062,
    "too fast": 0.112,
}
PRIOR_ERROR = 0.164  # standard deviation of that guess on texts not fitted, times `unsure`
SLOPE_KEPT = 0.75  # of the slope of log loss over log steps, on average, until the end
CURVE_ERROR = 0.040  # standard deviation of that guess, an e-fold of steps before the end, if flat
STEEP = 4.0  # how much larger it is at a slope of 1, as steep ones change most
BENT = 1.25  # the power of the e-folds it grows with, as slopes change
NOISE = 0.004  # standard deviation with none to come
BLOWN_UP = 1.1  # times the blind guess
RECENT = 20  # steps it is seen over
WIDTH = 1.59  # standard deviations on each side that hold nine ends in ten

STEEPEST = 1.0  # a slope steeper than this is of a sudden drop, which ends
SUDDEN = 3.0  # how much further down a curve may end, for each e-fold such a drop could still bring

HALF = 2.0  # what `learned` is when half of what can be learned is
MUON = 1.5  # steps of AdamW a step of Muon is worth
RATE = 4e-3  # learning rates above it bring a model no further,
TOO_FAST = 8e-3  # and above this one they harm
LEAST = 3  # points of a slope
MOST = 256  # points looked at


@dataclass(frozen=True)
class Band:
    """Nats per token of held-out text that the final validation loss lies between, nine times in ten."""

    low: float
    high: float


@dataclass(frozen=True)
class Guess:
    """The logarithm of a loss, and the standard deviation of what is wrong with it."""

    mean: float
    error: float
    below: float = 1.0  # how many times as far it may be wrong on the lower side

    def corrected(self, seen: Guess) -> Guess:
        """This guess and one from what was seen, weighed by their precision.

        The further they are apart, measured by both errors, the less this one counts.
        """
        apart = abs(self.mean - seen.mean) / math.hypot(self.error, seen.error)
        mine, others = (self.error * max(1.0, apart)) ** -2, seen.error**-2
        share = others / (mine + others)
        return Guess(
            self.mean + share * (seen.mean - self.mean),
            (mine + others) ** -0.5,
            self.below + share * (seen.below - self.below),
        )


def forecast(config: RunConfig, report: DataReport | None, history: History | None = None) -> Band | None:
    """The band before a run, or during one with the `history` so far; None where nothing can be said.

    `report` is of the run's texts. Without one, or with too little text to count, the curve alone tells.
    """
    if report and report.validation_tokens <= config.model.max_length:
        return None  # no loss will be measured
    if history and _blown_up(config, history):
        return None
    guesses = [guess for guess in (prior(config, report), extrapolation(config, report, history)) if guess]
    if not guesses:
        return None
    guess = guesses[0] if len(guesses) == 1 else guesses[0].corrected(guesses[1])
    if not math.isfinite(guess.mean):
        return None
    reach = WIDTH * guess.error
    return Band(math.exp(guess.mean - reach * guess.below), math.exp(guess.mean + reach))


def _blown_up(config: RunConfig, history: History) -> bool:
    """Whether it is far worse than guessing blindly by now: no curve that was seen goes on from there."""
    recent = history.columns["loss"][-RECENT:]
    return len(recent) == RECENT and not median(recent) < BLOWN_UP * math.log(config.model.vocab_size)


# ---------------------------------------------------------------- before the run


def prior(config: RunConfig, report: DataReport | None) -> Guess | None:
    """What texts, model and plan tell; None where the texts are too short to count."""
    if not report or not report.unigram or not report.bigram or not report.context:
        return None
    found = causes(config, report)
    change = sum(effect * found[name] for name, effect in EFFECTS.items())
    return Guess(math.log(report.unigram) + change, PRIOR_ERROR * unsure(report))


def causes(config: RunConfig, report: DataReport) -> dict[str, float]:
    """What moves the loss away from the unigram entropy, where every model comes by in its first steps.

    The further its weights travel, the nearer it comes to what counting long sequences would tell; where
    they tell very much, not to all of it.
    """
    model, plan = config.model, config.train
    context = math.log(report.context / report.unigram)
    done = learned(config)
    size = math.log(model.num_layers * count(block_shapes(model)) / 1e5)
    return {
        "one": 1.0,
        "pairs": math.log(report.bigram / report.unigram),
        "context": context,
        "much": context**2,
        "learning": done / (done + HALF) * context,
        "size": size * context,
        "vocabulary": math.log(report.vocab_size / 1000),
        "too fast": max(0.0, math.log(plan.learning_rate / TOO_FAST)),
    }


def unsure(report: DataReport) -> float:
    """How errors grow with what long sequences tell: a model may learn that early, late, or not."""
    return math.sqrt(max(0.2, math.log(report.unigram / report.context)))


def learned(config: RunConfig) -> float:
    """How far the weights travel, times the thousands of tokens that each step of the way looks at."""
    model, plan = config.model, config.train
    tokens = plan.effective_batch * model.max_length
    return distance(plan) * tokens / 1000 * (MUON if plan.optimizer == "muon" else 1.0)


def distance(plan: TrainConfig) -> float:
    """The sum of all learning rates of a run, each at most RATE."""
    rising = min(plan.warmup, plan.steps)
    height = rising / max(1, plan.warmup)  # reached of the learning rate
    level = 1.0 if plan.schedule == "constant" else (1 + LOWEST) / 2  # the mean of cosine and line alike
    return min(plan.learning_rate, RATE) * (rising * height / 2 + (plan.steps - rising) * level + 0.5)


# ---------------------------------------------------------------- during the run


def extrapolation(config: RunConfig, report: DataReport | None, history: History | None) -> Guess | None:
    """The last validation loss, and the slope before it carried on; None before the first one."""
    if history is None or not history.validation_losses:
        return None
    step, loss = history.validation_steps[-1], history.validation_losses[-1]
    ahead = max(0.0, math.log(config.train.steps / max(1, step)))
    falling = max(slope(history), -STEEPEST)
    mean = math.log(loss) + SLOPE_KEPT * falling * ahead if loss > 0 else math.nan
    return Guess(mean, NOISE + CURVE_ERROR * bend(falling, ahead), 1 + SUDDEN * room(report, loss))


def bend(slope: float, ahead: float) -> float:
    """How errors grow with the e-folds ahead; a slope of exactly 0 is one that is not known yet."""
    return (1 + STEEP * (abs(slope) or STEEPEST)) * math.pow(ahead, BENT)


def room(report: DataReport | None, loss: float) -> float:
    """How far the log loss may suddenly drop: from what pairs tell, or the loss, to what sequences do.

    A model knows pairs early; of when it finds out about sequences, its curve so far does not tell.
    """
    if not report or not report.bigram or not report.context or not loss > report.context:
        return 0.0
    return max(0.0, math.log(min(loss, report.bigram) / report.context))


def slope(history: History) -> float:
    """Of log loss over log steps, in the second half of what was run until the last validation.

    The validation losses tell; where there are fewer than LEAST, the train losses. 0 without either.
    """
    last = history.validation_steps[-1]
    train = history.columns["loss"]
    for steps, losses in ((history.validation_steps, history.validation_losses), (history.steps, train)):
        begin, end = bisect_left(steps, last / 2), bisect_left(steps, last + 1)
        if end - begin >= LEAST:
            stride = -(-(end - begin) // MOST)
            return _slope(steps[begin:end:stride], losses[begin:end:stride])
    return 0.0


def _slope(steps: Sequence[int], losses: Sequence[float]) -> float:
    """Least squares of the logarithms."""
    xs = [math.log(step) for step in steps]
    ys = [math.log(max(loss, 1e-9)) for loss in losses]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread
