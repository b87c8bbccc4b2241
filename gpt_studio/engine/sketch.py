"""Find documents that nearly repeat one another, from a sketch of 64 bytes of each.

A document is the set of all its pieces of 16 bytes. A hash function puts each piece into one of 64 bins, and
the sketch is one byte of the smallest hash in every bin: two sketches agree in about as many bytes as the
Jaccard similarity of the two sets says. That is MinHash (Broder, "On the resemblance and containment of
documents", 1997) with one permutation (Li, Owen and Zhang, "One permutation hashing", 2012) and few bits of
each minimum (Li and König, "b-bit minwise hashing", 2010).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Sketch = npt.NDArray[np.uint64]  # (documents, 8): 64 bins of one byte each
Hashes = npt.NDArray[np.uint64]
Sizes = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]  # of documents: there may be millions, so small numbers save memory

BINS = 64
WINDOW = 16  # bytes of a piece
SHORT = 200  # bytes; documents with fewer have too few pieces, and only repeat one that equals them
SIMILAR = 48  # bins in which near duplicates agree: three of four, found at a similarity of 0.8 and more
BANDS = 16  # of four bins; near duplicates agree in at least one of them
ALONE = 2**12  # bytes; documents with fewer are hashed together
BLOCK = 2**16  # bytes hashed at a time: fits into a processor's cache
ROWS = 2**14  # pairs compared at a time

_EMPTY = np.uint64(2**64 - 1)  # no piece fell into the bin
_FIRST, _SECOND, _MIX, _LAST = (
    np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD)
)


class Sketcher:
    """Sketches documents one after the other, large ones piece by piece.

    Small documents wait until there are enough of them to be hashed together.
    """

    def __init__(self) -> None:
        self._rows: list[Sketch] = []
        self._waiting: list[bytes] = []  # whole documents
        self._size = 0  # bytes of those
        self._open = bytearray()  # what was not hashed yet of the document that goes on
        self._smallest: Hashes | None = None  # of what was hashed of it

    def add(self, piece: bytes, ends: bool = True) -> None:
        """Take the next piece of a document; `ends` says that it is the last one."""
        self._open += piece
        if not ends:
            if len(self._open) >= BLOCK:
                self._hash_open()
        elif self._smallest is None and len(self._open) < ALONE:
            self._waiting.append(bytes(self._open))
            self._size += len(self._open)
            self._open.clear()
            if self._size >= BLOCK:
                self._hash_waiting()
        else:
            self._rows.append(_fingerprints(self._hash_open()))
            self._open.clear()
            self._smallest = None

    def finish(self) -> Sketch:
        """The sketches of all documents since the last time, in their order: (documents, 8)."""
        self._hash_waiting()
        found, self._rows = self._rows, []
        return np.concatenate([np.empty((0, BINS // 8), np.uint64), *found])

    def _hash_waiting(self) -> None:
        if self._waiting:
            self._rows.append(sketch(self._waiting))
            self._waiting, self._size = [], 0

    def _hash_open(self) -> Hashes:
        """The smallest hashes so far of the document that goes on."""
        self._hash_waiting()  # the rows keep the order of the documents
        found = _smallest([bytes(self._open)])
        if self._smallest is not None:
            found = np.minimum(found, self._smallest)
        self._smallest = found
        del self._open[: -(WINDOW - 1)]  # the next pieces begin in what is left
        return found


def sketch(documents: Sequence[bytes]) -> Sketch:
    """The sketch of each document, all hashed together: (documents, 8)."""
    rows = _fingerprints(_smallest(documents))
    for index, document in enumerate(documents):
        if len(document) < SHORT:
            rows[index] = np.frombuffer(hashlib.blake2b(document).digest(), "<u8")
    return rows


def _smallest(documents: Sequence[bytes]) -> Hashes:
    """The smallest hash in each bin of each document: (documents, bins)."""
    found = np.full((len(documents) + 1, BINS), _EMPTY)  # the last row takes what lies across two documents
    sizes = np.array([len(document) for document in documents])
    inside = np.maximum(sizes - (WINDOW - 1), 0)
    owners = np.full((len(documents), 2), len(documents))
    owners[:, 0] = np.arange(len(documents))
    owner = np.repeat(owners.ravel(), np.stack((inside, sizes - inside), 1).ravel())  # of each place
    text = b"".join(documents)
    for start in range(0, len(text), BLOCK):
        hashes = _hashes(text[start : start + BLOCK + WINDOW - 1])
        bins = (hashes >> np.uint64(58)).astype(np.int64)
        bins += owner[start : start + len(hashes)] * BINS
        np.minimum.at(found.ravel(), bins, hashes)
    return found[:-1]


def _hashes(text: bytes) -> Hashes:
    """A hash of the 16 bytes that begin at each place of a text."""
    if len(text) < WINDOW:
        return np.empty(0, np.uint64)
    eights = np.ndarray((len(text) - 7,), "<u8", text, strides=(1,))  # the 8 bytes at each place
    mixed = eights[:-8] * _FIRST
    mixed += eights[8:] * _SECOND
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    return mixed


def _fingerprints(smallest: Hashes) -> Sketch:
    """One byte of each bin's smallest hash, that says nothing of how small it is: (documents, 8)."""
    mixed = (smallest ^ (smallest >> np.uint64(29))) * _LAST
    return (mixed >> np.uint64(56)).astype(np.uint8).reshape(-1, BINS).view(np.uint64)


@dataclass(frozen=True)
class Repeats:
    """What repeats among documents that are learned or held out."""

    documents: int  # those that nearly repeat an earlier one
    share: float  # of all bytes, in those
    overlap: float  # of the bytes held out, in documents nearly the same as one that is learned


def repeats(sketches: Sketch, sizes: Sizes, held_out: npt.NDArray[np.float64]) -> Repeats:
    """Sum up the near duplicates of documents with these sketches, bytes, and bytes of them held out."""
    found = near_duplicates(sketches)
    repeated = found >= 0
    places = np.arange(len(found), dtype=np.int32)
    kinds = np.where(repeated, found, places)  # near duplicates are of one kind
    learned = np.zeros(len(found), bool)
    learned[kinds[held_out == 0]] = True
    return Repeats(
        documents=int(np.count_nonzero(repeated)),
        share=float(sizes[repeated].sum() / max(1, sizes.sum())),
        overlap=float(held_out[learned[kinds]].sum() / max(1, held_out.sum())),
    )


def near_duplicates(sketches: Sketch) -> Indices:
    """The first document that each one nearly repeats, or -1: (documents,).

    Those that agree in a band of bins are compared in all bins: with the first that has this band, and with
    the one before. What is alike by way of a third one is taken as alike.
    """
    bins = sketches.view(np.uint8).reshape(-1, BINS)
    bands = sketches.view("<u4").reshape(-1, BANDS)
    places = np.arange(len(sketches), dtype=np.int32)
    first = places.copy()
    for band in range(BANDS):
        order = _order(bands[:, band])
        values = bands[order, band]
        begins = np.diff(values, prepend=~values[:1]) != 0  # another value than the one before
        _link(first, order, order[np.maximum.accumulate(np.where(begins, places, 0))], bins)
        before = np.roll(order, 1)
        before[begins] = order[begins]  # those have none
        _link(first, order, before, bins)
    while np.any(first[first] != first):
        first = first[first]
    return np.where(first == places, -1, first)


def _order(values: npt.NDArray[np.uint32]) -> Indices:
    """Where the values are, from the smallest on; equal ones as they come."""
    # Sorting plain numbers is far faster than sorting places by them.
    keys = values.astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(len(values), dtype=np.uint32)
    keys.sort()
    return keys.astype(np.uint32).view(np.int32)  # the lower half of each


def _link(first: Indices, later: Indices, earlier: Indices, bins: npt.NDArray[np.uint8]) -> None:
    """Note for each of the later documents the earlier one, where that is news and the two are alike."""
    news = earlier < first[later]
    later, earlier = later[news], earlier[news]
    for start in range(0, len(later), ROWS):
        these, those = later[start : start + ROWS], earlier[start : start + ROWS]
        alike = np.count_nonzero(bins[these] == bins[those], axis=1) >= SIMILAR
        first[these[alike]] = those[alike]
