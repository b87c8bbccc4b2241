"""What counting leaves open of the next token: the losses that a model has to get below."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpt_studio.engine.reading import Tokens

COUNTED = 1_000_000  # tokens counted at most, so that it takes no longer for a larger text
SCORED = 200_000
SPAN = 250  # neighboring tokens taken together
LEAST = 1000  # tokens; of fewer nothing is said
DISCOUNT = 0.75  # of each count, for what was never seen (Ney, Essen and Kneser, 1994)

Numbers = npt.NDArray[np.int64]
Odds = npt.NDArray[np.float64]


def entropies(train: Tokens, validation: Tokens, vocab_size: int) -> tuple[float, float]:
    """Nats per token of held-out text left open by how often tokens, and by how often pairs occur.

    They are what these counts score on text that was not counted, as a validation loss is. The entropy of
    the counts themselves is far too low where a large vocabulary meets a short text. So what never occurred
    has a probability, too: a part of each count is given to what the next smaller model says (absolute
    discounting), pairs to tokens, and tokens to the vocabulary. Where nothing is held out, every second
    part of the text is not counted but scored. (0, 0) where there is too little text.
    """
    counted, scored = _spans(train, COUNTED), _spans(validation, SCORED)
    if scored.size < LEAST:
        counted, scored = counted[::2], counted[1::2]
    if min(counted.size, scored.size) < LEAST:
        return 0.0, 0.0
    counts = np.bincount(counted.ravel(), minlength=vocab_size)
    single = _discounted(counts, np.full(1, counted.size), int(np.count_nonzero(counts)), 1 / vocab_size)
    targets = scored[:, 1:].ravel()
    paired = _after(_pairs(counted, vocab_size), _pairs(scored, vocab_size), single[targets], vocab_size)
    return _surprise(single[targets]), _surprise(paired)


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


def _pairs(spans: Numbers, vocab_size: int) -> Numbers:
    """Each token with the one after it, as one number."""
    return (spans[:, :-1] * vocab_size + spans[:, 1:]).ravel()


def _after(counted: Numbers, scored: Numbers, single: Odds, vocab_size: int) -> Odds:
    """The probability of the second token of each scored pair after its first."""
    pairs, counts = np.unique(counted, return_counts=True)
    firsts = pairs // vocab_size
    total = np.bincount(firsts, counts, vocab_size)[scored // vocab_size]
    kinds = np.bincount(firsts, minlength=vocab_size)[scored // vocab_size]
    places = np.minimum(np.searchsorted(pairs, scored), len(pairs) - 1)
    count = np.where(pairs[places] == scored, counts[places], 0)
    known = _discounted(count, np.maximum(total, 1), kinds, single)
    return np.asarray(np.where(total > 0, known, single))


def _discounted(counts: Numbers, total: Odds | Numbers, kinds: Numbers | int, smaller: Odds | float) -> Odds:
    """Counts as probabilities, with what is taken from each of the `kinds` given to a smaller model."""
    return np.asarray((np.maximum(counts - DISCOUNT, 0) + DISCOUNT * kinds * smaller) / total)


def _surprise(odds: Odds) -> float:
    return float(-np.log(odds).mean())
