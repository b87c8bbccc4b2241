"""Say in plain words what stands in the way of learning from the chosen texts, before a run begins.

Arithmetic on what was noticed when the texts were read, so that it follows every edit of the form at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import DataReport
from gpt_studio.core.presets import presets
from gpt_studio.core.shapes import parameters
from gpt_studio.core.units import number, percent, short
from gpt_studio.core.units import parameters as parameters_text

Severity = Literal["warn", "info"]

USUAL_TOKENS = 20  # per parameter: Hoffmann et al., "Training compute-optimal large language models", 2022
FEW_TOKENS = 1  # per parameter, so few that the model has room for all of them
# Reading a text again teaches less and less, from about the 16th time on little: Muennighoff et al., "Scaling
# data-constrained language models", 2023. By the 40th, small models were seen to know it by heart.
GOOD_PASSES = 16
MANY_PASSES = 40
FEW_CONTEXTS = 4
USUAL_CONTEXTS = 16  # that the text has at the context proposed
LEAST_CONTEXT = 8
USUAL_SHARE = 0.1  # held out
LEAST_STEPS = 100
REPEATED = 0.1  # of the text
REPEATED_SHORT = 0.3  # where documents are short: short ones are often alike by nature
SHORT = 200  # bytes
OVERLAP = 0.1  # of what is held out
CONTROL = 1e-5  # of all characters
DOMINATING = 0.5  # of all bytes
NAMED = 3  # files


@dataclass(frozen=True)
class Finding:
    """One thing that may spoil a run: what it means, what to do about it, and clicks that do it."""

    name: str
    text: str
    severity: Severity
    remedies: tuple[Remedy, ...] = ()


def findings(report: DataReport, config: RunConfig) -> tuple[Finding, ...]:
    """Everything found in the texts of a report for a run with this config, the weightiest first."""
    found = (
        _too_short(report, config) or _few_tokens(report, config),
        _validation_too_short(report, config),
        _near_duplicates(report) or _overlap(report),
        _encoding(report),
        _control_characters(report),
        _dominating(report),
    )
    return tuple(finding for finding in found if finding)


# ---------------------------------------------------------------- the amount of text


def _too_short(report: DataReport, config: RunConfig) -> Finding | None:
    tokens, context = report.train_tokens, config.model.max_length
    if tokens > FEW_CONTEXTS * context:
        return None
    text = (
        f"The text to learn from has {number(tokens)} tokens, and one context is {number(context)} of them. "
    )
    if tokens > context:
        text += "The model would see the same few places again and again. "
    else:
        text += "That is too little to begin. "
    return _short_finding(text, "Add text, or use a shorter context.", tokens // USUAL_CONTEXTS)


def _validation_too_short(report: DataReport, config: RunConfig) -> Finding | None:
    tokens, context = report.validation_tokens, config.model.max_length
    if tokens > context or not report.data.validation or report.train_tokens <= FEW_CONTEXTS * context:
        return None
    text = (
        f"Only {number(tokens)} tokens are held out, fewer than one context of {number(context)}, so nothing"
        " can be validated. "
    )
    usual = Remedy(f"Hold out {percent(USUAL_SHARE)}", "data", {"validation": USUAL_SHARE})
    enough = report.data.validation < USUAL_SHARE and report.tokens * USUAL_SHARE > 2 * context
    return _short_finding(
        text, "Hold out more, add text, or use a shorter context.", tokens - 1, (usual,) if enough else ()
    )


def _short_finding(what: str, tries: str, room: int, remedies: tuple[Remedy, ...] = ()) -> Finding:
    """One about too little text, with the longest context within some room as a remedy."""
    context = 1 << max(room, 1).bit_length() - 1
    if context >= LEAST_CONTEXT:
        remedies += (Remedy(f"Use context {context}", "model", {"max_length": context}),)
    return Finding("too_short", what + tries, "warn", remedies)


def _few_tokens(report: DataReport, config: RunConfig) -> Finding | None:
    """A model with a parameter for every token, which it meets many times, learns them by heart."""
    if not _is_learned_by_heart(report, config):
        return None
    passes = _passes(report, config)
    text = (
        f"The model has {parameters_text(_parameters(report, config))} parameters for"
        f" {short(report.train_tokens)} tokens of text, which it reads {number(passes)} times: it will learn"
        " them by heart, not how to write like that. Add text (about"
        f" {USUAL_TOKENS} tokens for each parameter are usual), train fewer steps, or use a smaller model."
    )
    remedies = _fewer_steps(config, passes) + _smaller_model(report, config)
    return Finding("few_tokens", text, "warn", remedies)


def _passes(report: DataReport, config: RunConfig) -> float:
    """How often a run reads the text it learns from."""
    seen = config.train.steps * config.train.effective_batch * config.model.max_length
    return seen / max(1, report.train_tokens)


def _parameters(report: DataReport, config: RunConfig) -> int:
    """Of the model with the vocabulary that the texts turned out to have."""
    return parameters(config.model.changed(vocab_size=report.vocab_size))


def _is_learned_by_heart(report: DataReport, config: RunConfig) -> bool:
    few = report.train_tokens < FEW_TOKENS * _parameters(report, config)
    return few and _passes(report, config) > MANY_PASSES


def _fewer_steps(config: RunConfig, passes: float) -> tuple[Remedy, ...]:
    steps = int(config.train.steps * GOOD_PASSES / passes)
    steps -= steps % 10 ** (len(str(steps)) - 1)  # one digit and zeros
    if steps < LEAST_STEPS:
        return ()
    return (Remedy(f"Train {number(steps)} steps", "train", {"steps": steps}),)


def _smaller_model(report: DataReport, config: RunConfig) -> tuple[Remedy, ...]:
    """The largest ready-made model that does not learn the text by heart."""
    for preset in reversed(presets()):
        shape = dict(preset.sections["model"])
        other = config.changed("model", shape)
        is_smaller = _parameters(report, other) < _parameters(report, config)
        if is_smaller and not _is_learned_by_heart(report, other):
            return (Remedy(f"Use {preset.label}", "model", shape),)
    return ()


# ---------------------------------------------------------------- what repeats


def _near_duplicates(report: DataReport) -> Finding | None:
    facts = report.facts
    is_short = report.size < SHORT * facts.documents
    if facts.repeated < (REPEATED_SHORT if is_short else REPEATED):
        return None
    text = (
        f"{number(facts.near_duplicates)} of {number(facts.documents)} documents nearly repeat an earlier"
        f" one, {percent(facts.repeated)} of the text. The model learns by heart what repeats, and validation"
        " may look better than it is: leave the copies out."
    )
    return Finding("near_duplicates", text, "warn")


def _overlap(report: DataReport) -> Finding | None:
    share = report.facts.overlap
    if share < OVERLAP:
        return None
    text = (
        f"{percent(share)} of the text held out is nearly the same as text the model learns from, so"
        " validation will look better than it is: leave the copies out."
    )
    return Finding("overlap", text, "warn")


# ---------------------------------------------------------------- characters


def _encoding(report: DataReport) -> Finding | None:
    files = report.facts.misencoded
    if not files:
        return None
    names = ", ".join(f"“{name}”" for name in files[:NAMED])
    if len(files) > NAMED:
        names += f" and {number(len(files) - NAMED)} more"
    subject = "1 file is" if len(files) == 1 else f"{number(len(files))} files are"
    them = "it" if len(files) == 1 else "them"
    text = (
        f"{subject} not in UTF-8: {names}. What did not fit was read as Windows-1252, so some letters may be"
        f" wrong; save {them} as UTF-8."
    )
    return Finding("encoding", text, "warn")


def _control_characters(report: DataReport) -> Finding | None:
    count = report.facts.control
    if not count or count < CONTROL * report.characters:
        return None
    amount = "1 control character" if count == 1 else f"{number(count)} control characters"
    text = (
        f"The text has {amount}, such as the color codes of a terminal, which nobody sees. The model learns"
        " to write them too: remove them from the files."
    )
    return Finding("control_characters", text, "info")


# ---------------------------------------------------------------- one of many


def _dominating(report: DataReport) -> Finding | None:
    name, share = report.facts.largest
    corpora = report.data.corpora
    has_shares = len(corpora) > 1 and report.data.weights  # then sizes do not decide what is read
    if share <= DOMINATING or report.facts.documents < 3 or has_shares:
        return None
    text = (
        f"One document (“{name}”) is {percent(share)} of the text, more than the other"
        f" {number(report.facts.documents - 1)} together: the model will mostly write like it."
    )
    if len(corpora) == 1:
        return Finding("dominating", f"{text} Add others, or shorten it.", "info")
    even = Remedy("Mix evenly", "data", {"weights": (1.0,) * len(corpora)})
    return Finding("dominating", f"{text} Give each corpus its share, or shorten it.", "info", (even,))
