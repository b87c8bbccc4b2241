"""Tokens to batches: what lies scattered over the disk read as one, in an order that can begin anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.units import number
from gpt_studio.engine.tokenizers import Ids

Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint64]
Batch = tuple[torch.Tensor, torch.Tensor]  # inputs and targets, each (B, T) int64

BLOCK = 1000  # windows in which a mixture keeps its shares
ROUNDS = 6


class Stream:
    """Ranges of several arrays of tokens, read as if they were one that is closed to a ring."""

    def __init__(self, sources: Sequence[Ids], ranges: npt.NDArray[np.int64]) -> None:
        """`ranges` has a row for each range: which source, its first token, the one after its last."""
        source, begins, ends = ranges[ranges[:, 1] < ranges[:, 2]].T
        apart = np.ones(len(source), bool)  # those that go on where the one before ends are one with it
        apart[1:] = (source[1:] != source[:-1]) | (begins[1:] != ends[:-1])
        last = np.flatnonzero(np.append(apart[1:], True)) if len(source) else np.flatnonzero(apart)
        self._sources = [np.asarray(tokens) for tokens in sources]
        self._source, self._begins = source[apart], begins[apart]
        self._ends = (ends[last] - self._begins).cumsum()  # in the stream
        self._shifts = self._begins - np.append(0, self._ends[:-1])[: len(last)]
        self.dtype: np.dtype[Any] = self._sources[0].dtype

    @classmethod
    def of(cls, tokens: Ids) -> Stream:
        """All of one array."""
        return cls([tokens], np.array([[0, 0, len(tokens)]]))

    @classmethod
    def joined(cls, streams: Sequence[Stream]) -> Stream:
        """One stream after the other."""
        sources: list[Ids] = []
        ranges = []
        for stream in streams:
            lengths = np.diff(stream._ends, prepend=0)
            row = (stream._source + len(sources), stream._begins, stream._begins + lengths)
            ranges.append(np.stack(row, axis=1))
            sources += stream._sources
        return cls(sources, np.concatenate(ranges))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def take(self, positions: Places) -> Ids:
        """The tokens at these positions, in their shape; after the last comes the first."""
        positions = positions % max(1, len(self))
        found = np.searchsorted(self._ends, positions, "right")
        places = positions + self._shifts[found]
        if len(self._sources) == 1:
            only: Ids = self._sources[0][places]
            return only
        sources = self._source[found]
        ids = np.empty(positions.shape, self.dtype)
        for index in np.unique(sources):
            here = sources == index
            ids[here] = self._sources[index][places[here]]
        return ids

    def windows(self, starts: Places, length: int) -> Ids:
        """The tokens from each start on: (starts, length)."""
        starts = starts % max(1, len(self))
        found = np.searchsorted(self._ends, starts, "right")
        inside = starts + length <= self._ends[found]
        ids = np.empty((len(starts), length), self.dtype)
        places = starts + self._shifts[found]
        for row in np.flatnonzero(inside):
            ids[row] = self._sources[self._source[found[row]]][places[row] : places[row] + length]
        if not inside.all():
            ids[~inside] = self.take(starts[~inside, None] + np.arange(length))
        return ids


class Tokens:
    """What is read: one stream, or several of which each has a share of every block of windows."""

    def __init__(self, streams: Sequence[Stream], weights: Sequence[float] = ()) -> None:
        """With weights, one for each stream; without, the streams are read as one."""
        self._whole = Stream.joined(streams)
        self.streams: Sequence[Stream] = (self._whole,)
        self.shares: tuple[int, ...] = (BLOCK,)  # windows of a block
        self.parts = tuple(len(stream) / max(1, len(self)) for stream in streams)  # of all that is read
        if weights and len(self):
            some = [place for place, stream in enumerate(streams) if len(stream)]
            self.streams = [streams[place] for place in some]
            self.shares = apportion(BLOCK, [weights[place] for place in some], least=1)
            shares = dict(zip(some, self.shares, strict=True))
            self.parts = tuple(shares.get(place, 0) / BLOCK for place in range(len(streams)))

    @classmethod
    def of(cls, tokens: Ids) -> Tokens:
        """All of one array."""
        return cls([Stream.of(tokens)])

    def __len__(self) -> int:
        return len(self._whole)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._whole.dtype

    def take(self, positions: Places) -> Ids:
        """The tokens at these positions, one stream after the other; after the last comes the first."""
        return self._whole.take(positions)

    def drawn(self, windows: Places, seed: int) -> Iterator[tuple[Stream, npt.NDArray[np.bool_], Places]]:
        """Who gives the windows with these numbers of an endless reading.

        Yields:
            A stream, which of the windows it gives, and their numbers in its own endless reading.
        """
        if len(self.streams) == 1:
            yield self.streams[0], np.ones(len(windows), bool), windows
            return
        blocks, slots = np.divmod(windows, sum(self.shares))
        givers, numbers = np.empty_like(windows), np.empty_like(windows)
        for block in np.unique(blocks):
            here = blocks == block
            order, turns = _block(seed, int(block), self.shares)
            givers[here] = order[slots[here]]
            numbers[here] = block * np.array(self.shares)[givers[here]] + turns[slots[here]]
        for giver in np.unique(givers):
            given = givers == giver
            yield self.streams[giver], given, numbers[given]


@lru_cache(maxsize=8)
def _block(seed: int, block: int, shares: tuple[int, ...]) -> tuple[Places, Places]:
    """Which stream gives each window of a block, and the how-manieth of its own that is."""
    random = np.random.default_rng((seed, block))
    order = random.permutation(np.repeat(np.arange(len(shares)), shares))
    turns = np.empty_like(order)
    for giver, share in enumerate(shares):
        turns[order == giver] = np.arange(share)
    return order, turns


def apportion(
    total: int, weights: Sequence[float], limits: Sequence[int] = (), least: int = 0
) -> tuple[int, ...]:
    """Whole numbers in proportion to weights that add up to `total`, none over its limit.

    Given out one by one to whoever is furthest behind (Sainte-Laguë); each has `least` from the beginning.
    """
    counts = np.full(len(weights), least)
    most = np.array(limits) if limits else np.full(len(weights), total)
    for _ in range(min(total, int(most.sum())) - int(counts.sum())):
        counts[np.argmax(np.where(counts < most, np.array(weights) / (2 * counts + 1), -1))] += 1
    return tuple(counts.tolist())


# ---------------------------------------------------------------- the order of windows


def shuffled(places: Places, count: int, key: tuple[int, ...]) -> Places:
    """Where each place of `count` comes in an order drawn with a key; no order is kept in memory.

    A Feistel network permutes the numbers of some bits; a result that is too large is permuted again until
    it fits (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
    """
    bits = max(2, (count - 1).bit_length())
    keys = _round_keys(key)
    found = _permuted(places.astype(np.uint64), bits, keys)
    while (large := found >= count).any():
        found[large] = _permuted(found[large], bits, keys)
    return found.astype(np.int64)


def _permuted(numbers: Numbers, bits: int, keys: Numbers) -> Numbers:
    """One of the permutations of all numbers with so many bits."""
    low, high = bits // 2, bits - bits // 2
    for key in keys:  # the halves change places, so their widths do
        right = numbers & np.uint64(2**low - 1)
        mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        left = (numbers >> np.uint64(low)) ^ (mixed >> np.uint64(64 - high))
        numbers = (right << np.uint64(high)) | left
        low, high = high, low
    return numbers


@lru_cache(maxsize=64)
def _round_keys(key: tuple[int, ...]) -> Numbers:
    return np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64).astype(np.uint64)


# ---------------------------------------------------------------- batches


def batch(tokens: Tokens, context: int, batch_size: int, seed: int, index: int) -> Batch:
    """One batch of an endless, shuffled reading: the same arguments always give the same batch.

    In each epoch of a stream its tokens, closed to a ring, are cut at a random phase into windows of one
    context, and every window is seen once. Each id's target is the id after it.

    Raises:
        StudioError: there are no more tokens than one context.
    """
    check_length(tokens, context)
    ids = np.empty((batch_size, context + 1), np.int64)
    rows = index * batch_size + np.arange(batch_size)
    for stream, given, numbers in tokens.drawn(rows, seed):
        ids[given] = stream.windows(_starts(len(stream), context, seed, numbers), context + 1)
    return _pair(ids)


def _starts(length: int, context: int, seed: int, numbers: Places) -> Places:
    """Where the windows with these numbers of an endless reading start."""
    windows = max(1, length // context)
    epochs, places = np.divmod(numbers, windows)
    starts = np.empty_like(numbers)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        key = (seed, int(epoch))
        phase = int(_round_keys((*key, 0))[0] % np.uint64(length))
        starts[here] = phase + shuffled(places[here], windows, key) * context
    return starts


def validation_batches(tokens: Tokens, context: int, batch_size: int, count: int) -> list[Batch]:
    """Always the same windows, evenly spread and not overlapping: at most `count` batches.

    All batches have one size, so that the mean of their losses is the loss. A mixture keeps its shares, as
    far as there is enough of each. None for too few tokens.
    """
    limits = [max(0, len(stream) - 1) // context for stream in tokens.streams]
    size = min(batch_size, sum(limits))
    if size < 1:
        return []
    shares = apportion(size * min(count, sum(limits) // size), tokens.shares, limits)
    ids = np.concatenate(
        [
            stream.windows(np.linspace(0, len(stream) - 1 - context, n).astype(np.int64), context + 1)
            for stream, n in zip(tokens.streams, shares, strict=True)
            if n
        ]
        or [np.empty((0, context + 1))]
    ).astype(np.int64)
    return [_pair(ids[first : first + size]) for first in range(0, len(ids), size)]


def _pair(ids: npt.NDArray[np.int64]) -> Batch:
    """Inputs and their targets, one further on: (B, T) each."""
    rows = torch.from_numpy(ids)  # (B, T + 1)
    return rows[:, :-1], rows[:, 1:]


def check_length(tokens: Tokens, context: int) -> None:
    """Make sure that there is something to learn at this context.

    Raises:
        StudioError: there are no more tokens than one context.
    """
    if len(tokens) > context:
        return
    needed = max(context, len(tokens) + 1)
    fits = 1 << max(len(tokens) - 1, 0).bit_length() >> 1  # a power of two with one token after it
    what = f"The corpus is shorter than one context ({number(len(tokens))} of {number(needed)} tokens)."
    if fits < 2:
        raise StudioError(what, kept="Nothing was changed.", tries="Add text.")
    raise StudioError(
        what,
        kept="Nothing was changed.",
        tries=f"Add text, or use context {fits}.",
        remedies=(Remedy(f"Train with context {fits}", "model", {"max_length": fits}, train=True),),
    )
