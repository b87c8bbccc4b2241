"""What a run suffers from, in plain words, from its curves alone; each finding with one change to try.

The rules follow what the field looks at: worse than the blind guess ln V, or dead from the start (Karpathy, "A
recipe for training neural networks", 2019); a loss that is lost again and rates that are too high or too low
(Goodfellow et al., "Deep learning", 2016, 8 and 11.4; Godbole et al., "Deep learning tuning playbook", 2023);
validation that rises while training falls (Prechelt, "Early stopping — but when?", 1998); texts that are read
too often (Muennighoff et al., "Scaling data-constrained language models", 2023). What is a usual rate is taken
from core.forecast, which was fitted to real runs. Thresholds were set on the runs of benchmarks.doctor, which
tells how often the doctor is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from gpt_studio.core import forecast
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.doctor_curves import RECENT, Block, Curves, curves, finite, middle
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import DataReport
from gpt_studio.core.findings import FEW_TOKENS, GOOD_PASSES, LEAST_STEPS, MANY_PASSES
from gpt_studio.core.metrics import History
from gpt_studio.core.settings import settings_of
from gpt_studio.core.shapes import parameters
from gpt_studio.core.units import number, rate

NAMES = ("diverging", "dead", "rate_high", "rate_low", "plateau", "overfitting", "little_data")

YOUNG = 30  # steps after which anything is said at all
SETTLED = 60  # steps after warm-up, or a change of plan, after which a plan is judged
WIDEST_FITTED = 96  # the width of the models core.forecast.TOO_FAST was fitted to; wider ones bear less
BLOWN_UP = 0.3  # nats above the blind guess
LOST = 0.25  # of what was learned, when it is called lost
RISEN = 0.08  # of what was learned, when the loss is called rising
STUCK = 0.003  # of the blind guess: less was learned than this
SILENT = 1e-7  # length of a gradient that says nothing
FLAT = 0.01  # of the loss, over a stretch in which the steps doubled
FAR = 0.8  # of the steps done, when the end is near
STEADY = 0.4  # of its earlier pace that a loss keeps which falls in a line
RISEN_LOOKS = 3  # validations in a row
WORSE = 0.02  # of the best validation loss


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what is seen in the curves (`title`, `text`), and the one change to try."""

    name: str  # one of NAMES
    title: str
    text: str
    remedy: Remedy | None = None


Rule = Callable[[Curves], Diagnosis | None]


def diagnose(config: RunConfig, history: History, report: DataReport | None = None) -> tuple[Diagnosis, ...]:
    """What is wrong with a run by now, the gravest first; nothing where it is healthy or too young to tell.

    At most one finding about how it learns, and one about the texts: others would follow from these.
    """
    seen = curves(config, history, report)
    if seen is None or seen.age < YOUNG:
        return ()
    grave = _first(seen, _diverging, _dead)
    if grave:
        return (grave,)
    unstable = _first(seen, _rate_high)
    of_texts = _first(seen, _little_data, _overfitting)
    found = (unstable or (None if of_texts else _first(seen, _rate_low, _plateau)), of_texts)
    return tuple(diagnosis for diagnosis in found if diagnosis)


def _first(seen: Curves, *rules: Rule) -> Diagnosis | None:
    return next((found for rule in rules if (found := rule(seen))), None)


# ---------------------------------------------------------------- learning


def _diverging(seen: Curves) -> Diagnosis | None:
    """The loss is worse than guessing blindly, or much of what was learned is lost and does not come back."""
    latest = seen.losses[-RECENT:]
    if not all(math.isfinite(loss) for loss in latest):
        text = "The loss is no longer a number: the weights moved so far that the model's arithmetic fails."
        return Diagnosis("diverging", "The loss has become infinite", text, _lower_rate(seen))
    if len(latest) == RECENT and min(latest) > seen.height + BLOWN_UP:
        text = (
            f"For {RECENT} steps the loss has been above {_nats(min(latest))}, now {_nats(seen.now)}. Guessing"
            f" blindly among all tokens gives {_nats(seen.blind)}: the model is further off than if it knew"
            " nothing, because each step goes too far."
        )
        return Diagnosis("diverging", "The run is diverging", text, _lower_rate(seen))
    if _rise(seen, LOST):
        best = min(seen.blocks, key=lambda block: block.loss)
        text = (
            f"The training loss was {_nats(best.loss)} at step {number(best.step)} and is {_nats(seen.now)} now:"
            f" {number(100 * (seen.now - best.loss) / (seen.height - best.loss))} % of what the model had learned"
            " is lost, and it does not come back."
        )
        return Diagnosis("diverging", "The run is diverging", text, _lower_rate(seen))
    return None


def _dead(seen: Curves) -> Diagnosis | None:
    """Nothing is learned: no gradient, or the loss stays where it began, at the blind guess."""
    if seen.settled < SETTLED or seen.now < seen.blind / 2:
        return None
    silent = max(finite(seen.norms[-RECENT:]), default=1.0) < SILENT
    learned = seen.start - seen.now
    if not silent and (learned > STUCK * seen.blind or seen.now < 0.9 * seen.blind):
        return None
    what = (
        "The gradients are zero: nothing tells the weights where to go."
        if silent
        else "The weights hardly move, whatever the gradients tell them."
    )
    text = (
        f"After {number(seen.age)} steps the loss is {_nats(seen.now)}, as at the start ({_nats(seen.start)});"
        f" guessing blindly gives {_nats(seen.blind)}. {what}"
    )
    return Diagnosis("dead", "The model does not learn at all", text, _awaken(seen, silent))


def _rate_high(seen: Curves) -> Diagnosis | None:
    """Unstable, or hardly beyond the tokens' frequencies at a rate that is far above usual ones."""
    if seen.settled < SETTLED:
        return None
    title = "The learning rate is too high"
    if seen.now > seen.start:
        return None
    if _rise(seen, RISEN):
        best = min(seen.blocks, key=lambda block: block.loss)
        text = (
            f"The training loss has risen from {_nats(best.loss)} around step {number(best.step)} to"
            f" {_nats(seen.now)}, after the warm-up was over. Steps of {rate(seen.rate)} jump over what is to be"
            " found."
        )
        return Diagnosis("rate_high", title, text, _lower_rate(seen))
    if not seen.report or not seen.report.bigram or seen.config.train.learning_rate <= _usual(seen.config):
        return None
    if seen.settled >= SETTLED and seen.now > seen.report.bigram:
        text = (
            f"After {number(seen.age)} steps the loss is {_nats(seen.now)}. Knowing only how often each token"
            f" occurs gives {_nats(seen.report.unigram)}, knowing pairs {_nats(seen.report.bigram)}; models get"
            f" below that soon, but not at a rate of {rate(seen.config.train.learning_rate)}, whose steps jump"
            " over what is to be found."
        )
        return Diagnosis("rate_high", title, text, _lower_rate(seen))
    return None


def _rate_low(seen: Curves) -> Diagnosis | None:
    """The loss falls, but so slowly that it is still above what the tokens' frequencies alone would tell."""
    plan = seen.config.train
    known = seen.report.unigram if seen.report and seen.report.unigram else 0.6 * seen.blind
    if seen.settled < max(SETTLED, plan.steps // 10) or seen.now <= 1.02 * known:
        return None
    if plan.learning_rate > _usual(seen.config) / 4 or seen.start < known:
        return None
    text = (
        f"The loss falls steadily but slowly: from {_nats(seen.start)} to {_nats(seen.now)} in"
        f" {number(seen.age)} steps. Knowing only how often each token occurs would give {_nats(known)}, which"
        f" models reach in their first steps at rates that suit them; this one is {rate(plan.learning_rate)}."
    )
    return Diagnosis("rate_low", "The learning rate is too low", text, _raise_rate(seen.config))


def _plateau(seen: Curves) -> Diagnosis | None:
    """No progress while the steps nearly doubled, though the end is far and the rate is not low yet."""
    plan = seen.config.train
    stretch = _stretch(seen)
    if not stretch or seen.share_done > FAR or seen.rate < 0.3 * plan.learning_rate:
        return None
    slope = _slope(stretch)
    span = math.log(stretch[-1].step / stretch[0].step)
    level = middle([block.loss for block in stretch])
    unsure = 2 * seen.noise / math.sqrt(4 * len(stretch))
    if -slope * span + unsure > FLAT * level or _validation_falls(seen, stretch[0].step):
        return None
    text = (
        f"The training loss has stayed at {_nats(level)} since step {number(stretch[0].step)}, though"
        f" {number(plan.steps - seen.step)} steps are still to come."
    )
    if seen.report and level < 1.06 * (seen.report.context or 0):
        text += " It is about what the texts allow: more steps bring little."
    return Diagnosis("plateau", "There is no progress any more", text, _move_on(seen))


def _rise(seen: Curves, share: float) -> bool:
    """Whether the loss has been up from its best by this share of what was learned, and is not coming down."""
    learned = seen.height - seen.best
    if learned < 0.5 or seen.settled < 2 * RECENT or len(seen.losses) < 3 * RECENT:
        return False
    levels = [middle(seen.losses[at : at + RECENT]) for at in range(0, 3 * RECENT, RECENT)]
    line = seen.best + max(share * learned, 2 * seen.noise)
    return min(levels) > line and levels[-1] > levels[0] - 0.1 * share * learned


def _stretch(seen: Curves) -> Sequence[Block]:
    """The blocks since half of what was done by now, if they are many and long enough."""
    begin = max(seen.step / 2, seen.step - seen.settled)
    found = [block for block in seen.planned if block.step > begin]
    long_enough = len(found) >= 8 and found[-1].step - found[0].step >= max(
        100, 0.15 * seen.config.train.steps
    )
    return found if long_enough else ()


def _slope(blocks: Sequence[Block]) -> float:
    """Of the loss over the logarithm of steps: the median slope of pairs, half of them apart (Theil 1950)."""
    half = len(blocks) // 2
    pairs = zip(blocks[:half], blocks[-half:], strict=True)
    return median((b.loss - a.loss) / math.log(b.step / a.step) for a, b in pairs)


def _validation_falls(seen: Curves, since: int) -> bool:
    before = [loss for step, loss in seen.looks if step <= since]
    after = [loss for step, loss in seen.looks if step > since]
    return bool(before and after) and min(after) < (1 - FLAT) * min(before)


# ---------------------------------------------------------------- texts


def _overfitting(seen: Curves) -> Diagnosis | None:
    """Validation is worse than its best, and has been for several looks, while the training loss fell."""
    best = _risen_since(seen)
    if best is None:
        return None
    step, loss = best
    return Diagnosis(
        "overfitting",
        "The model learns the text by heart",
        f"Validation has risen from {_nats(loss)} to {_nats(seen.looks[-1][1])} since step {number(step)} while"
        f" the training loss fell to {_nats(seen.now)}: it gets better at these texts, not at others like them.",
        _less_by_heart(seen),
    )


def _little_data(seen: Curves) -> Diagnosis | None:
    """The text is small for the model and is read many times, and it shows."""
    report = seen.report
    if not report or seen.passes < GOOD_PASSES or _planned_passes(seen) < MANY_PASSES:
        return None
    if report.train_tokens >= FEW_TOKENS * parameters(seen.config.model):
        return None
    risen = _risen_since(seen)
    by_heart = not seen.looks and report.context and seen.now < 0.5 * report.context
    if not risen and not by_heart:
        return None
    gap = (
        f"Training is at {_nats(seen.now)}, but validation has risen from {_nats(risen[1])} to"
        f" {_nats(seen.looks[-1][1])}."
        if risen
        else f"Training is at {_nats(seen.now)}, less than the text itself leaves open."
    )
    text = (
        f"The model has read its {number(report.train_tokens)} tokens {number(seen.passes)} times by now. {gap}"
        " It knows them by heart: add text, or read it less often."
    )
    return Diagnosis("little_data", "There is too little text", text, _read_less(seen))


def _risen_since(seen: Curves) -> tuple[int, float] | None:
    """The best look, if the last ones all were worse than it, and the training loss fell since."""
    if len(seen.looks) <= RISEN_LOOKS:
        return None
    at = min(range(len(seen.looks)), key=lambda index: seen.looks[index][1])
    step, best = seen.looks[at]
    latest = [loss for _, loss in seen.looks[-RISEN_LOOKS:]]
    if at >= len(seen.looks) - RISEN_LOOKS or min(latest) < (1 + WORSE) * best or latest[-1] < latest[0]:
        return None
    then = [block.loss for block in seen.blocks if block.step <= step]
    return (step, best) if then and seen.now < then[-1] else None


def _planned_passes(seen: Curves) -> float:
    return seen.passes * seen.config.train.steps / max(1, seen.step)


# ---------------------------------------------------------------- remedies


def _usual(config: RunConfig) -> float:
    """The rate above which models do worse; wider ones bear less, about with the root of their width."""
    return forecast.TOO_FAST * min(1.0, math.sqrt(WIDEST_FITTED / config.model.embed_size))


def _train(label: str, **changes: float) -> Remedy:
    return Remedy(label, "train", changes)


def _rate(label: str, value: float) -> Remedy:
    described = settings_of(TrainConfig)["learning_rate"]
    value = min(max(float(f"{value:.1e}"), described.low or 0.0), described.high or math.inf)
    return _train(f"{label} to {rate(value)}", learning_rate=value)


def _lower_rate(seen: Curves) -> Remedy:
    now, usual = seen.config.train.learning_rate, _usual(seen.config) / 2
    return (
        _rate("Lower the learning rate", usual)
        if now > 4 * usual
        else _rate("Halve the learning rate", now / 2)
    )


def _raise_rate(config: RunConfig) -> Remedy:
    return _rate("Raise the learning rate", min(30 * config.train.learning_rate, _usual(config) / 4))


def _awaken(seen: Curves, silent: bool) -> Remedy | None:
    plan = seen.config.train
    if plan.learning_rate < 1e-5:
        return _rate("Raise the learning rate", _usual(seen.config) / 8)
    if 0 < plan.gradient_clip < 0.01:
        return _train("Clip gradients at 1", gradient_clip=1.0)
    return _train("Begin with other weights", seed=(plan.seed + 1) % 2**31) if silent else None


def _move_on(seen: Curves) -> Remedy:
    plan, model = seen.config.train, seen.config.model
    if plan.weight_decay > 0.5:
        return _train("Lower the weight decay to 0.1", weight_decay=0.1)
    if plan.learning_rate < _usual(seen.config) / 100:
        return _raise_rate(seen.config)
    if seen.report and seen.now < 1.06 * seen.report.context:
        return _train(f"Train {number(seen.step)} steps", steps=seen.step)
    if plan.schedule == "constant" or plan.learning_rate > _usual(seen.config) / 4:
        return _rate("Halve the learning rate", plan.learning_rate / 2)
    most = settings_of(GPTConfig)["num_layers"].high or math.inf
    layers = int(min(2 * model.num_layers, most))
    return Remedy(f"Use {layers} layers in a new model", "model", {"num_layers": layers})


def _less_by_heart(seen: Curves) -> Remedy:
    dropout = seen.config.model.dropout
    if dropout < 0.3:
        more = round(dropout + 0.1, 2)
        return Remedy(f"Use dropout {more:g} in a new model", "model", {"dropout": more})
    step = min(seen.looks, key=lambda look: look[1])[0]
    return _train(f"Train only {number(step)} steps", steps=step)


def _read_less(seen: Curves) -> Remedy:
    """Fewer steps, as many as read the text often enough; then dropout, then something held out."""
    if seen.report and not seen.report.validation_tokens and not seen.config.data.validation:
        return Remedy("Hold out 10 % to see it", "data", {"validation": 0.1})
    steps = int(seen.config.train.steps * GOOD_PASSES / max(1.0, _planned_passes(seen)))
    steps -= steps % 10 ** max(0, len(str(steps)) - 1)
    return (
        _train(f"Train only {number(steps)} steps", steps=steps)
        if steps >= LEAST_STEPS
        else _less_by_heart(seen)
    )


def _nats(loss: float) -> str:
    return number(loss, 2)
