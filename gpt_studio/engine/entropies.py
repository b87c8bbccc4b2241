"""What counting leaves open of the next token: the losses that a model has to get below."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gpt_studio.engine.reading import Tokens

COUNTED = 400_000  # tokens counted at most, so that it takes no longer for a larger text
SCORED = 100_000
SPAN = 250  # neighboring tokens taken together
LEAST = 1000  # tokens; of fewer nothing is said
CONTEXTS = (1, 3, 6)  # tokens before the one that is scored
DISCOUNT = 0.75  # of each count, for what was never seen (Ney, Essen and Kneser, 1994)

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Odds = npt.NDArray[np.float64]


def entropies(train: Tokens, validation: Tokens, vocab_size: int) -> tuple[float, float, float]:
    """Nats per token of held-out text left open by counts of tokens, of pairs, and of longer sequences.

    They are what these counts score on text that was not counted, as a validation loss is. The entropy of
    the counts themselves is far too low where a large vocabulary meets a short text. So what never occurred
    has a probability, too: a part of each count is given to what the next shorter sequence says (absolute
    discounting), down to single tokens, and these give to the vocabulary. Where nothing is held out, every
    second part of the text is not counted but scored. (0, 0, 0) where there is too little text.
    """
    counted, scored = _spans(train, COUNTED), _spans(validation, SCORED)
    if scored.size < LEAST:
        counted, scored = counted[::2], counted[1::2]
    if min(counted.size, scored.size) < LEAST:
        return 0.0, 0.0, 0.0
    counts = np.bincount(counted.ravel(), minlength=vocab_size)
    single = _discounted(counts, counted.size, int(np.count_nonzero(counts)), 1 / vocab_size)
    odds = [single[scored[:, 1:].ravel()]]
    for length in CONTEXTS:
        odds.append(_after(length, counted, scored, odds[-1], vocab_size))
    return _surprise(odds[0]), _surprise(odds[1]), min(map(_surprise, odds))


def _spans(tokens: Tokens, most: int) -> Numbers:
    """Parts from all over what is read, of each stream as much as its share: (parts, SPAN)."""
    total = min(most, len(tokens))
    found = [np.empty((0, SPAN), np.int64)]
    for stream, share in zip(tokens.streams, tokens.shares, strict=True):
        if len(stream) >= SPAN:
            parts = total * share // (sum(tokens.shares) * SPAN)
            starts = np.linspace(0, len(stream) - SPAN, parts).astype(np.int64)
            found.append(stream.windows(starts, SPAN).astype(np.int64))
    return np.concatenate(found)


def _after(length: int, counted: Numbers, scored: Numbers, shorter: Odds, vocab_size: int) -> Odds:
    """The probability of each scored token after so many others, all of a span but its first."""
    contexts, numbers = np.unique(_contexts(counted, length), return_inverse=True)
    pairs, counts = np.unique(numbers * vocab_size + counted[:, 1:].ravel(), return_counts=True)
    first = pairs // vocab_size
    number, known = _found(contexts, _contexts(scored, length))
    place, seen = _found(pairs, number * vocab_size + scored[:, 1:].ravel())
    total, kinds = np.bincount(first, counts)[number], np.bincount(first)[number]
    odds = _discounted(np.where(seen, counts[place], 0), total, kinds, shorter)
    return np.asarray(np.where(known, odds, shorter))


def _contexts(spans: Numbers, length: int) -> Hashes:
    """A number for the tokens before each of a span but its first: the same for the same tokens."""
    parts, size = spans.shape
    before = np.zeros((parts, length), np.uint64)  # there is nothing before the span
    ids = np.concatenate((before, spans.astype(np.uint64) + np.uint64(1)), axis=1)
    found = np.zeros((parts, size - 1), np.uint64)
    for first in range(1, length + 1):
        found = (found + ids[:, first : first + size - 1]) * MULTIPLIER
        found ^= found >> np.uint64(29)
    return found.ravel()


def _found(among: Any, wanted: Any) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Where each wanted number is in an ordered array, and whether it is there at all."""
    places = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    return places, among[places] == wanted


def _discounted(counts: Numbers, total: Numbers | int, kinds: Numbers | int, smaller: Odds | float) -> Odds:
    """Counts as probabilities, with what is taken from each of the `kinds` given to a smaller model."""
    return np.asarray((np.maximum(counts - DISCOUNT, 0) + DISCOUNT * kinds * smaller) / total)


def _surprise(odds: Odds) -> float:
    return float(-np.log(odds).mean())
