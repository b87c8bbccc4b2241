"""What a run suffers from, in plain words, from its curves alone; each finding with one change to try.

The rules follow what the field looks at: a loss worse than the blind guess ln V, or one that stays there
(Karpathy, "A recipe for training neural networks", 2019); a loss that rises again, and rates that are too
high or too low (Goodfellow et al., "Deep learning", 2016, 8.3 and 11.4; Godbole et al., "Deep learning tuning
playbook", 2023); validation that rises while training falls (Prechelt, "Early stopping — but when?", 1998);
texts that are read too often (Muennighoff et al., "Scaling data-constrained language models", 2023). Which
rate is usual, core.forecast knows from real runs. Thresholds were set on the runs of benchmarks.doctor, which
tells how often the doctor is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gpt_studio.core.config import RunConfig
from gpt_studio.core.doctor_curves import RECENT, Block, Curves, curves, finite, middle
from gpt_studio.core.doctor_remedies import (
    awaken,
    less_by_heart,
    lower_rate,
    move_on,
    raise_rate,
    read_less,
    usual,
)
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import DataReport
from gpt_studio.core.findings import FEW_TOKENS, GOOD_PASSES, MANY_PASSES
from gpt_studio.core.metrics import History
from gpt_studio.core.shapes import parameters
from gpt_studio.core.units import number, percent, rate

NAMES = ("diverging", "dead", "rate_high", "rate_low", "plateau", "overfitting", "little_data")

YOUNG = 30  # steps after which anything is said at all
PATIENT, MORE_PATIENT = 1 / 50, 1 / 10  # of all steps, before a rate is called too high, too low
BLOWN_UP = 0.3  # nats above the blind guess
LEARNED = 0.5  # nats: with less there is nothing to lose
LOST = 0.25  # of what was learned, when it is called lost
RISEN = 0.12  # of what was learned, when the loss is called rising
STUCK = 0.005  # of the blind guess: less was learned than this
SILENT = 1e-7  # length of a gradient that says nothing
FAR_ABOVE = 5  # times the highest usual rate
LOW = 1 / 8  # of it
NEAR = 1.05  # times what counting tokens leaves open
SLOW = 0.5  # of the steps left that it takes at least to learn what counting tells
FLAT = 0.01  # of the loss, over a stretch in which the steps doubled
FAR = 0.8  # of the steps, when the end is near
STILL_HIGH = 0.3  # of the learning rate: below it the schedule is about to end
LOOKS = 3  # validations in a row
WORSE = 0.02  # of the best validation loss
GAP = 0.6  # of the validation loss, when the training loss is far below it


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what is seen in the curves (`title`, `text`), and the one change to try."""

    name: str  # one of NAMES
    title: str
    text: str  # its first sentence says what is seen, the rest why
    remedy: Remedy | None = None


Rule = Callable[[Curves], Diagnosis | None]


def diagnose(config: RunConfig, history: History, report: DataReport | None = None) -> tuple[Diagnosis, ...]:
    """What is wrong with a run by now, the gravest first; nothing where it is healthy or too young to tell.

    At most one finding is about how it learns, and one about its texts: others would follow from these.
    """
    seen = curves(config, history, report)
    if seen is None or seen.age < YOUNG:
        return ()
    if grave := _first(seen, _diverging, _dead):
        return (grave,)
    of_texts = _first(seen, _little_data, _overfitting)
    of_learning = _first(seen, _rate_high) if of_texts else _first(seen, _rate_high, _rate_low, _plateau)
    return tuple(found for found in (of_learning, of_texts) if found)


def _first(seen: Curves, *rules: Rule) -> Diagnosis | None:
    return next((found for rule in rules if (found := rule(seen))), None)


# ---------------------------------------------------------------- how it learns


def _diverging(seen: Curves) -> Diagnosis | None:
    """The loss is worse than guessing blindly, or much of what was learned is lost and does not come back."""
    latest = seen.losses[-RECENT:]
    if not all(math.isfinite(loss) for loss in latest):
        text = "The loss is no longer a number. The weights moved so far that the arithmetic fails."
    elif len(latest) == RECENT and min(latest) > seen.height + BLOWN_UP:
        text = (
            f"The loss has been above {_nats(min(latest))} for {RECENT} steps, where guessing blindly gives"
            f" {_nats(seen.blind)}. The model is further off than if it knew nothing: each step goes too far."
        )
    elif _is_up(seen, LOST):
        best = seen.best
        lost = (seen.now - best.loss) / (seen.height - best.loss)
        text = (
            f"The training loss was {_nats(best.loss)} at step {number(best.step)} and is {_nats(seen.now)}"
            f" now. {percent(lost)} of what the model had learned is lost, and it does not come back."
        )
    elif peak := _has_blown_up(seen):
        text = (
            f"The loss went up to {_nats(peak.loss)} around step {number(peak.step)} and is {_nats(seen.now)}"
            f" now, where counting tokens gives {_nats(seen.counted)}. It has not recovered from steps that"
            " went too far."
        )
    else:
        return None
    return Diagnosis("diverging", "The run is diverging", text, lower_rate(seen))


def _dead(seen: Curves) -> Diagnosis | None:
    """Nothing is learned: there is no gradient, or the loss stays where it began, at the blind guess."""
    silent = max(finite(seen.norms[-RECENT:]), default=1.0) < SILENT and seen.now > seen.blind / 2
    if not silent and not (seen.is_settled() and _is_stuck(seen)):
        return None
    why = (
        "The gradients are zero: nothing tells the weights where to go."
        if silent
        else "The weights hardly move, whatever the gradients tell them."
    )
    text = (
        f"After {number(seen.age)} steps the loss is {_nats(seen.now)}, as at the start; guessing blindly"
        f" gives {_nats(seen.blind)}. {why}"
    )
    return Diagnosis("dead", "The model does not learn at all", text, awaken(seen, silent))


def _is_stuck(seen: Curves) -> bool:
    """Whether the loss has been at the blind guess all the time."""
    levels = [block.loss for block in seen.blocks] or [seen.start]
    return max(levels) - min(levels) < STUCK * seen.blind and seen.now > 0.9 * seen.blind


def _rate_high(seen: Curves) -> Diagnosis | None:
    """The loss is up again, or pairs of tokens are not learned, at a rate that is far above usual ones."""
    plan = seen.config.train
    if _is_up(seen, RISEN):
        best = seen.best
        text = (
            f"The training loss has risen from {_nats(best.loss)} around step {number(best.step)} to"
            f" {_nats(seen.now)}. At a rate of {rate(seen.rate)} each step jumps over what is to be found."
        )
    elif seen.report and seen.is_settled(PATIENT) and _learns_no_pairs(seen, seen.report):
        text = (
            f"After {number(seen.age)} steps the loss is {_nats(seen.now)}, where counting pairs of tokens"
            f" gives {_nats(seen.report.bigram)}. Models get below that soon, but at a rate of"
            f" {rate(plan.learning_rate)} each step jumps over what is to be found. For this width rates up"
            f" to about {rate(usual(seen.config))} are usual."
        )
    else:
        return None
    return Diagnosis("rate_high", "The learning rate is too high", text, lower_rate(seen))


def _rate_low(seen: Curves) -> Diagnosis | None:
    """The loss falls, but will long be above what counting tokens tells, where models come by soon."""
    plan, counted = seen.config.train, seen.counted
    is_low = plan.learning_rate < LOW * usual(seen.config)
    if not is_low or not seen.is_settled(MORE_PATIENT) or not min(seen.start, seen.now) > NEAR * counted:
        return None
    pace = seen.pace()
    left = (seen.now - counted) / pace if pace > 0 else math.inf
    if left < SLOW * (plan.steps - seen.step):
        return None
    text = (
        f"In {number(seen.age)} steps the loss fell only from {_nats(seen.start)} to {_nats(seen.now)},"
        f" where counting how often each token occurs gives {_nats(counted)}. Models learn that in their"
        f" first steps at a rate that suits them; {rate(plan.learning_rate)} is far below."
    )
    return Diagnosis("rate_low", "The learning rate is too low", text, raise_rate(seen.config))


def _plateau(seen: Curves) -> Diagnosis | None:
    """No progress while the steps nearly doubled, though the end is far and the rate is still high."""
    plan, stretch = seen.config.train, seen.stretch()
    if not stretch or seen.step > FAR * plan.steps or seen.rate < STILL_HIGH * plan.learning_rate:
        return None
    first, level = stretch[0], middle([block.loss for block in stretch])
    unsure = seen.noise / math.sqrt(len(stretch))
    if seen.progress(stretch) + unsure > FLAT * level or _validation_falls(seen, first):
        return None
    text = (
        f"The training loss has stayed at {_nats(level)} since step {number(first.step)}, with"
        f" {number(plan.steps - seen.step)} steps still to come. More of the same will hardly help."
    )
    return Diagnosis("plateau", "There is no progress any more", text, move_on(seen))


def _has_blown_up(seen: Curves) -> Block | None:
    """Where the loss was worse than guessing blindly under this plan, if it knows no more than counts yet."""
    peak = max(seen.followed, key=lambda block: block.loss, default=None)
    known = seen.report.bigram if seen.report and seen.report.bigram else seen.counted
    if not peak or peak.loss < seen.height + BLOWN_UP or not seen.is_settled() or seen.now < known:
        return None
    return peak


def _learns_no_pairs(seen: Curves, report: DataReport) -> bool:
    """Whether the rate is above usual ones and the loss not half way to what counting pairs tells.

    With a rate that is far above, not all of the way.
    """
    above = seen.config.train.learning_rate / usual(seen.config)
    line = report.bigram if above > FAR_ABOVE else (report.unigram + report.bigram) / 2
    return above > 1 and report.bigram > 0 and seen.now > line


def _is_up(seen: Curves, share: float) -> bool:
    """Whether the loss is above its best by this share of what was learned, and is not coming down.

    A validation in the meantime that is as good as ever speaks against it.
    """
    learned = seen.height - seen.best.loss
    if learned < LEARNED or seen.settled < 2 * RECENT or len(seen.losses) < 3 * RECENT:
        return False
    if seen.looks and seen.looks[-1][0] > seen.step - 2 * RECENT:
        best = min(loss for _, loss in seen.looks)
        if seen.looks[-1][1] < (1 + WORSE) * best:
            return False
    levels = [middle(seen.losses[at : at + RECENT]) for at in range(0, 3 * RECENT, RECENT)]
    line = seen.best.loss + max(share * learned, 2 * seen.noise)
    return min(levels) > line and levels[-1] > levels[0] - 0.1 * share * learned


def _validation_falls(seen: Curves, since: Block) -> bool:
    before = [loss for step, loss in seen.looks if step <= since.step]
    after = [loss for step, loss in seen.looks if step > since.step]
    return bool(before and after) and min(after) < (1 - FLAT) * min(before)


# ---------------------------------------------------------------- its texts


def _overfitting(seen: Curves) -> Diagnosis | None:
    """Validation is worse than its best for several looks, and rises, while the training loss falls."""
    best = _risen_since(seen)
    if not best:
        return None
    text = (
        f"Validation has risen from {_nats(best[1])} to {_nats(seen.looks[-1][1])} since step"
        f" {number(best[0])} while the training loss fell to {_nats(seen.now)}. The model learns these texts"
        " by heart and gets worse at others like them."
    )
    return Diagnosis("overfitting", "The model is overfitting", text, less_by_heart(seen))


def _little_data(seen: Curves) -> Diagnosis | None:
    """The text is small for the model and is read many times, and it shows."""
    report = seen.report
    if not report or seen.passes < GOOD_PASSES or seen.planned_passes < MANY_PASSES:
        return None
    gap = _gap(seen, report)
    if not gap or report.train_tokens >= FEW_TOKENS * parameters(seen.config.model):
        return None
    text = (
        f"The model has read its {number(report.train_tokens)} tokens {number(seen.passes)} times: training"
        f" is at {_nats(seen.now)}, but {gap}. It knows them by heart and little beyond. Add text, or read it"
        " less often."
    )
    return Diagnosis("little_data", "There is too little text", text, read_less(seen))


def _gap(seen: Curves, report: DataReport) -> str:
    """How far training is below what other texts would give, in words; empty if it is not far."""
    if risen := _risen_since(seen):
        return f"validation has risen from {_nats(risen[1])} to {_nats(seen.looks[-1][1])}"
    if seen.looks and seen.now < GAP * seen.looks[-1][1]:
        return f"validation at {_nats(seen.looks[-1][1])}"
    if not seen.looks and seen.now < GAP * report.context:
        return f"counting long sequences leaves {_nats(report.context)}"
    return ""


def _risen_since(seen: Curves) -> tuple[int, float] | None:
    """The best look, if the last ones all are worse and rise, and the training loss fell since."""
    if len(seen.looks) <= LOOKS:
        return None
    step, best = min(seen.looks, key=lambda look: look[1])
    latest = [loss for _, loss in seen.looks[-LOOKS:]]
    if min(latest) < (1 + WORSE) * best or latest[-1] < latest[0]:
        return None
    then = [block.loss for block in seen.blocks if block.step <= step]
    fell = max(WORSE * best, seen.noise)
    return (step, best) if then and seen.now < then[-1] - fell else None


def _nats(loss: float) -> str:
    return number(loss, 2)
