"""Decide what is learned and what is held out, by content alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from gpt_studio.engine.reading import Stream
from gpt_studio.engine.shards import Shard

LEARNED, HELD_OUT, SPLIT = 0, 1, 2  # what becomes of a document; a split one gives its end
Fates = npt.NDArray[np.int8]


def hold_out(digests: npt.NDArray[np.uint64], sizes: npt.NDArray[np.uint64], share: float) -> Fates:
    """Choose what is held out for validation: copies of a document share its fate.

    A document larger than all that is to be held out gives its end; others are held out whole. Digests fall
    like dice, the same way every time, so the first ones in their order are taken.

    Args:
        digests: of each document, (documents,).
        sizes: its bytes, (documents,).
    """
    if not share:
        return np.zeros(len(digests), np.int8)
    different, which = np.unique(digests, return_inverse=True)
    totals = np.bincount(which, sizes)  # of all copies together
    fates = np.full(len(different), LEARNED, np.int8)
    by_size = totals.argsort(kind="stable")
    rest = float(totals.sum())
    giants = 0
    while giants < len(by_size) and totals[by_size[-1 - giants]] > share * rest:
        rest -= totals[by_size[-1 - giants]]
        giants += 1
    fates[by_size[len(by_size) - giants :]] = SPLIT
    totals[fates == SPLIT] = 0
    middles = totals.cumsum() - totals / 2  # nearer to the share with it than without
    fates[(fates == LEARNED) & (middles < share * rest)] = HELD_OUT
    return fates[which]


def keep_some(fates: Fates, digests: npt.NDArray[np.uint64], corpora: Sequence[int]) -> None:
    """Let a corpus that is held out altogether give its ends instead: it was chosen to be learned.

    Args:
        fates, digests: of each document of all corpora, (documents,); the fates are changed.
        corpora: the documents of each corpus.
    """
    for first, last in pairwise([0, *accumulate(corpora)]):
        if np.all(fates[first:last] == HELD_OUT):
            fates[np.isin(digests, digests[first:last])] = SPLIT  # and their copies elsewhere


def sides(shard: Shard, fates: Fates, share: float) -> tuple[Stream, Stream]:
    """The tokens learned from and those held out; both sides of a split document have the end of text."""
    starts = np.asarray(shard.starts)
    begins, ends = starts[:-1], starts[1:]
    cuts = np.where(fates == HELD_OUT, begins, ends)  # where that begins which is held out
    split = fates == SPLIT
    cuts[split] = begins[split] + np.maximum(1, ((ends - begins - 1)[split] * (1 - share)).astype(np.int64))
    split &= cuts < ends - 1  # a single token is learned
    cuts[~split & (fates == SPLIT)] = ends[~split & (fates == SPLIT)]
    learned = _ranges(np.append(begins, ends[split] - 1), np.append(cuts, ends[split]))
    return Stream([shard.tokens], learned), Stream([shard.tokens], _ranges(cuts, ends))


def _ranges(begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Ranges of the one source, in their order: (ranges, 3)."""
    order = begins.argsort(kind="stable")
    return np.stack((np.zeros_like(begins), begins, ends), axis=1)[order]
