"""The tokens of a corpus on the disk: made once for a content and a tokenizer, then found again at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gpt_studio.core.events import Progress
from gpt_studio.engine import catalogue
from gpt_studio.engine.cache import Cache, Draft
from gpt_studio.engine.catalogue import Catalogue, Found, Outline, Wanted, changed
from gpt_studio.engine.corpora import Work, fingerprint
from gpt_studio.engine.formats import PIECE, Document
from gpt_studio.engine.tokenizers import Ids, Tokenizer

LIMIT = 20 * 2**30  # bytes on the disk
CORES = os.cpu_count() or 1
BUNDLE = 4 * PIECE  # characters a thread is given at a time: long enough that handing over costs little
AHEAD = 3 * CORES  # bundles read ahead of the threads
TURN = 0.02  # seconds waited until others have their turn

Counts = npt.NDArray[np.int64]  # of each id
TokenType = np.dtype[np.uint16] | np.dtype[np.uint32]


@dataclass(frozen=True)
class Shard:
    """The tokens of one corpus, each document followed by the end of text.

    They are on the disk and read where they are looked at; they stay there while somebody holds them.
    """

    tokens: Ids  # (tokens,)
    starts: npt.NDArray[np.int64]  # where each document begins, and where the last one ends: (documents + 1,)
    counts: Counts  # how often each id occurs: (vocabulary,)

    @classmethod
    def open(cls, folder: Path, dtype: TokenType) -> Shard:
        return cls(
            np.memmap(folder / "tokens.bin", dtype, "r"),
            np.memmap(folder / "starts.bin", "<i8", "r"),
            np.fromfile(folder / "counts.bin", "<i8"),
        )


def find(of: Catalogue, kind: Tokenizer) -> Shard | None:
    """The tokens of a corpus, if they were made before."""
    entry = _shelf().find(_key(of, kind))
    return Shard.open(entry.path, token_type(kind)) if entry else None


def make(of: Catalogue, kind: Tokenizer, found: Found) -> Work[Shard]:
    """Make the tokens of the documents found in a corpus, on all cores.

    Raises:
        StudioError: it cannot be read, it changed, or there is no room on the disk.
    """
    with _shelf().making(_key(of, kind)) as draft:
        outline = yield from _tokenize(kind, found, draft)
        if outline != of.outline or (yield from fingerprint(of.wanted.name)) != of.wanted.files:
            raise changed(of.wanted.name)
    shard = find(of, kind)
    if shard is None:
        raise changed(of.wanted.name)
    return shard


def make_in_passing(what: Wanted, kind: Tokenizer, found: Found) -> Work[Catalogue]:
    """Make the tokens of a corpus that was not read before, while what it holds is noted.

    Raises:
        StudioError: as for `make`.
    """
    with _shelf().making() as draft:

        def through(found: Found) -> Work[None]:
            yield from _tokenize(kind, found, draft)

        of = yield from catalogue.make(what, found, through)
        draft.key = _key(of, kind)
    return of


def token_type(kind: Tokenizer) -> TokenType:
    """How the ids of a tokenizer are stored."""
    return np.dtype("<u2") if kind.vocab_size <= 2**16 else np.dtype("<u4")


def _shelf() -> Cache:
    return Cache("tokens", LIMIT)


def _key(of: Catalogue, kind: Tokenizer) -> str:
    return f"{of.content}-{kind.key}"


class _Encoded(NamedTuple):
    """The tokens of some pieces, one after the other."""

    ids: Ids
    lengths: npt.NDArray[np.int64]  # tokens of each piece
    counts: Counts


def _tokenize(kind: Tokenizer, found: Found, draft: Draft) -> Work[str]:
    """Write tokens, starts and counts; return the outline of the documents read."""
    threads = ThreadPoolExecutor(CORES, "tokenize")
    waiting: deque[tuple[list[Document], Future[_Encoded]]] = deque()
    try:
        with draft.file("tokens.bin") as tokens, draft.file("starts.bin") as starts:
            writer = _Writer(kind, tokens, starts)
            for item in _bundles(found):
                if not isinstance(item, list):
                    yield item
                    continue
                waiting.append((item, threads.submit(_encode, kind, item)))
                while waiting and (len(waiting) > AHEAD or waiting[0][1].done()):
                    yield from wait(waiting[0][1])
                    writer.add(*waiting.popleft())
            while waiting:
                yield from wait(waiting[0][1])
                writer.add(*waiting.popleft())
    finally:
        threads.shutdown(cancel_futures=True)
    with draft.file("counts.bin") as file:
        writer.counts.astype("<i8").tofile(file)
    return writer.outline.digest()


def _bundles(found: Found) -> Iterator[list[Document] | Progress | None]:
    """The pieces in lists of some BUNDLE characters, with the progress in between."""
    bundle: list[Document] = []
    size = 0
    for item in found:
        if not isinstance(item, Document):
            yield item
            continue
        bundle.append(item)
        size += len(item.text)
        if size >= BUNDLE:
            yield bundle
            bundle, size = [], 0
    if bundle:
        yield bundle


def wait(future: Future[Any]) -> Iterator[None]:
    """Let others have their turn until it is done."""
    while not future.done():
        try:
            future.exception(TURN)
        except TimeoutError:
            yield None


def _encode(kind: Tokenizer, bundle: list[Document]) -> _Encoded:
    end = np.array([kind.end], kind.dtype)
    found: list[Ids] = []
    lengths = []
    for document in bundle:
        (ids,) = kind.encode_batch([document.text])
        found.append(ids)
        if document.ends:
            found.append(end)
        lengths.append(len(ids) + document.ends)
    ids = np.concatenate(found).astype(token_type(kind), copy=False)
    return _Encoded(ids, np.array(lengths), np.bincount(ids, minlength=kind.vocab_size))


class _Writer:
    """Appends the tokens of pieces, in their order."""

    def __init__(self, kind: Tokenizer, tokens: IO[bytes], starts: IO[bytes]) -> None:
        self.outline = Outline()
        self.counts: Counts = np.zeros(kind.vocab_size, np.int64)
        self._tokens = tokens
        self._starts = starts
        self._written = self._characters = 0
        np.zeros(1, "<i8").tofile(starts)

    def add(self, bundle: list[Document], encoded: Future[_Encoded]) -> None:
        ids, lengths, counts = encoded.result()
        ids.tofile(self._tokens)
        self.counts += counts
        ends = self._written + lengths.cumsum()
        ends[[document.ends for document in bundle]].astype("<i8").tofile(self._starts)
        self._written += len(ids)
        for document in bundle:
            self._characters += len(document.text)
            if document.ends:
                self.outline.add(self._characters)
