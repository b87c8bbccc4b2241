"""Documents to tokens to batches: what is learned, what is held out, and in which order it is seen."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.events import Corpus, DataReport, PreviewToken
from gpt_studio.core.units import number
from gpt_studio.engine.corpora import Document, Meter, Work, read
from gpt_studio.engine.tokenizers import Ids, Tokenizer, tokenizer

PIECE = 2**15  # characters a tokenizer's thread is given at a time
PIECES = 4 * (os.cpu_count() or 1)  # handed over together: some 20 ms of work
PREVIEW = 1000  # tokens
LONGEST = 14  # characters of a token; longer ones are counted with these
WORD_END = re.compile(r"\S(?=[ \n])")

Counts = npt.NDArray[np.int64]  # of each id
Batch = tuple[torch.Tensor, torch.Tensor]  # inputs and targets, each (B, T) int64


@dataclass(frozen=True, eq=False)
class Dataset:
    """Tokens to learn from and tokens held out; each document is followed by the end of text."""

    tokenizer: Tokenizer
    train: Ids
    validation: Ids
    report: DataReport

    def check(self, context: int) -> None:
        """Make sure that there is something to learn at this context.

        Raises:
            StudioError: the text learned from is shorter than one context and the token after it.
        """
        _check_length(self.train, context)


# ---------------------------------------------------------------- from corpora to tokens


@dataclass
class _Part:
    """A document or one side of it, and the ids found for it so far, piece by piece."""

    corpus: str
    held_out: bool
    text: str
    ids: list[Ids] = field(default_factory=list)


def prepare(config: DataConfig) -> Work[Dataset]:
    """Read the corpora, hold some documents out, make tokens of all of them and report.

    Yields progress, or None to let others have a turn.

    Raises:
        StudioError: no corpus is chosen, or one cannot be used.
    """
    started = time.perf_counter()
    if not config.corpora:
        raise StudioError("No corpus is chosen.", tries="Choose one on the Data page, or add a text file.")
    kind = tokenizer(config.tokenizer)
    corpora: dict[str, list[Document]] = {}
    for name in config.corpora:
        with may_be_left_out(name, config.corpora):
            corpora[name] = yield from read(name)
    parts = _parts(corpora, config.validation)
    yield from _tokenize(kind, parts, sum(map(_size, corpora.values())))
    train = _stream(kind, [part for part in parts if not part.held_out])
    validation = _stream(kind, [part for part in parts if part.held_out])
    counts = yield from _counts(kind, train, validation)
    report = _report(config, kind, corpora, parts, train[:PREVIEW], counts)
    seconds = time.perf_counter() - started
    return Dataset(kind, train, validation, dataclasses.replace(report, seconds=seconds))


@contextmanager
def may_be_left_out(name: str, corpora: Sequence[str]) -> Iterator[None]:
    """Let the failure of one corpus offer to go on with the others, where there are any."""
    try:
        yield
    except StudioError as error:
        others = tuple(other for other in corpora if other != name)
        if others:
            error.remedies += (Remedy(f"Leave out {label(name)}", "data", {"corpora": others}),)
        raise


def _parts(corpora: Mapping[str, Sequence[Document]], share: float) -> list[_Part]:
    """What is learned from and what is held out, in the order of the corpora."""
    cuts = hold_out(chain.from_iterable(corpora.values()), share)
    parts = []
    for name, documents in corpora.items():
        for document in documents:
            cut = cuts.get(document.digest, len(document.text))
            sides = ((False, document.text[:cut]), (True, document.text[cut:]))
            parts += [_Part(name, held_out, text) for held_out, text in sides if text]
    return parts


def hold_out(documents: Iterable[Document], share: float) -> dict[bytes, int]:
    """Choose what is held out for validation, by content alone: copies of a document share its fate.

    A document larger than all that is to be held out gives its end; others are held out whole.

    Returns:
        The character from which a document is held out (0: all of it), by its digest.
    """
    if not share:
        return {}
    texts: dict[bytes, str] = {}
    sizes = Counter[bytes]()
    for document in documents:
        texts[document.digest] = document.text
        sizes[document.digest] += document.size
    by_size = sorted(sizes, key=sizes.__getitem__)
    rest = sizes.total()
    cuts = {}
    while by_size and sizes[by_size[-1]] > share * rest:
        giant = by_size.pop()
        rest -= sizes[giant]
        if len(texts[giant]) > 1:  # a single character is learned
            cuts[giant] = _cut(texts[giant], share)
    room = share * rest
    for digest in sorted(by_size):  # digests fall like dice, the same way every time
        if sizes[digest] < 2 * room:  # nearer to the share with it than without
            room -= sizes[digest]
            cuts[digest] = 0
    return cuts


def _cut(text: str, share: float) -> int:
    """Where the last share of a text begins: at a paragraph, else a line, else a word close before it."""
    at = max(1, int(len(text) * (1 - share)))
    close = at - (len(text) - at) // 4
    for mark in ("\n\n", "\n", " "):
        found = text.rfind(mark, max(0, close), at)
        if found >= 0:
            return found + len(mark)
    return at


def _tokenize(kind: Tokenizer, parts: Sequence[_Part], size: int) -> Work[None]:
    """Find the ids of each part, of `size` bytes in all, and put the end of text after them."""
    meter = Meter("Tokenizing", size)
    for batch in _batches(parts):
        texts = [piece for _, piece in batch]
        for (part, _), ids in zip(batch, kind.encode_batch(texts), strict=True):
            part.ids.append(ids)
        yield meter.add(sum(len(text.encode()) for text in texts))
    for part in parts:
        part.ids.append(np.array([kind.end], kind.dtype))


def _batches(parts: Sequence[_Part]) -> Iterator[list[tuple[_Part, str]]]:
    """The texts in pieces, as many at a time as are tokenized together."""
    batch: list[tuple[_Part, str]] = []
    size = 0
    for part in parts:
        for piece in pieces(part.text):
            batch.append((part, piece))
            size += len(piece)
            if size >= PIECES * PIECE:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Cut a long text before a space that ends a word: no token of GPT-2 reaches over such a place.

    A text without one is cut anywhere: a token or two differ, nothing is lost.
    """
    start = 0
    while len(text) - start > size:
        safe = WORD_END.search(text, start + size - 1, start + 2 * size)
        end = safe.end() if safe else start + size
        yield text[start:end]
        start = end
    yield text[start:]


def _stream(kind: Tokenizer, parts: Sequence[_Part]) -> Ids:
    return np.concatenate([np.empty(0, kind.dtype), *chain.from_iterable(part.ids for part in parts)])


# ---------------------------------------------------------------- the report


def _report(
    config: DataConfig,
    kind: Tokenizer,
    corpora: Mapping[str, Sequence[Document]],
    parts: Sequence[_Part],
    first: Ids,
    counts: Counts,
) -> DataReport:
    """What it all came to; `first` are the tokens to preview."""
    found = [_corpus(name, documents, parts) for name, documents in corpora.items()]
    held_out = [part for part in parts if part.held_out]
    validation_tokens = sum(map(_length, held_out))
    preview_from = next(part.corpus for part in parts if not part.held_out)
    return DataReport(
        data=config,
        corpora=tuple(found),
        vocab_size=kind.vocab_size,
        vocab_used=int(np.count_nonzero(counts)),
        characters=sum(len(part.text) for part in parts),
        size=sum(corpus.size for corpus in found),
        train_tokens=int(counts.sum()) - validation_tokens,
        validation_tokens=validation_tokens,
        documents=sum(corpus.documents for corpus in found),
        validation_documents=len(held_out),
        token_lengths=_token_lengths(kind, counts),
        preview=_preview(kind, first, counts),
        preview_title=f"{label(preview_from)} · first {number(len(first))} tokens",
        seconds=0.0,
    )


def _corpus(name: str, documents: Sequence[Document], parts: Sequence[_Part]) -> Corpus:
    tokens = sum(_length(part) for part in parts if part.corpus == name)
    return Corpus(name, label(name), _size(documents), len(documents), tokens)


def _size(documents: Sequence[Document]) -> int:
    return sum(document.size for document in documents)


def _length(part: _Part) -> int:
    return sum(map(len, part.ids))


def _counts(kind: Tokenizer, *streams: Ids) -> Work[Counts]:
    """How often each id occurs."""
    counts = np.zeros(kind.vocab_size, np.int64)
    for tokens in streams:
        for start in range(0, len(tokens), 2**20):
            counts += np.bincount(tokens[start : start + 2**20], minlength=kind.vocab_size)
            yield None
    return counts


def _token_lengths(kind: Tokenizer, counts: Counts) -> tuple[float, ...]:
    """The share of tokens with 1, 2, 3 … characters; the end of text has none."""
    found = np.zeros(LONGEST)
    for id in np.flatnonzero(counts):
        characters = len(kind.decode([int(id)]))
        if characters:
            found[min(characters, LONGEST) - 1] += counts[id]
    return tuple((found / max(found.sum(), 1)).tolist())


def _preview(kind: Tokenizer, ids: Ids, counts: Counts) -> tuple[PreviewToken, ...]:
    """The tokens for people, each with its place among all tokens by how often they occur."""
    ranks = np.empty_like(counts)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    return tuple(
        PreviewToken(kind.decode([id]) or END_OF_TEXT, id, kind.raw(id), int(counts[id]), int(ranks[id]))
        for id in ids.tolist()
    )


# ---------------------------------------------------------------- from tokens to batches


def batch(tokens: Ids, context: int, batch_size: int, seed: int, index: int) -> Batch:
    """One batch of an endless, shuffled reading: the same arguments always give the same batch.

    In each epoch the tokens, closed to a ring, are cut at a random phase into windows of one context, and
    every window is seen once. Each id's target is the id after it.

    Raises:
        StudioError: there are no more tokens than one context.
    """
    _check_length(tokens, context)
    windows = len(tokens) // context
    starts = np.empty(batch_size, np.int64)
    for row in range(batch_size):
        epoch, place = divmod(index * batch_size + row, windows)
        phase, order = _epoch(seed, epoch, len(tokens), windows)
        starts[row] = phase + order[place] * context
    return _windows(tokens, starts, context)


@lru_cache(maxsize=2)  # a batch may reach from one epoch into the next
def _epoch(seed: int, epoch: int, length: int, windows: int) -> tuple[int, npt.NDArray[np.int64]]:
    """Where an epoch's first window starts, and the order in which the windows come."""
    random = np.random.default_rng((seed, epoch))
    return int(random.integers(length)), random.permutation(windows)


def validation_batches(tokens: Ids, context: int, batch_size: int, count: int) -> list[Batch]:
    """Always the same windows, evenly spread and not overlapping: at most `count` batches.

    All batches have one size, so that the mean of their losses is the loss. None for too few tokens.
    """
    windows = (len(tokens) - 1) // context
    size = min(batch_size, windows)
    if size < 1:
        return []
    starts = np.linspace(0, len(tokens) - 1 - context, size * min(count, windows // size)).astype(np.int64)
    return [_windows(tokens, starts[first : first + size], context) for first in range(0, len(starts), size)]


def _windows(tokens: Ids, starts: npt.NDArray[np.int64], context: int) -> Batch:
    """Inputs and their targets, one further on: (B, T) each."""
    found = tokens.take(starts[:, None] + np.arange(context + 1), mode="wrap").astype(np.int64)
    ids = torch.from_numpy(found)  # (B, T + 1)
    return ids[:, :-1], ids[:, 1:]


def _check_length(tokens: Ids, context: int) -> None:
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
