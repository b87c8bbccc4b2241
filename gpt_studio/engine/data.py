"""Corpora to a data set: tokens to learn from, tokens held out, and what is told of them."""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import label, weights_after
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.events import DataReport, PreviewToken, Progress, TextFacts
from gpt_studio.core.settings import Value
from gpt_studio.engine import catalogue, shards
from gpt_studio.engine.cache import Cache
from gpt_studio.engine.catalogue import Catalogue, contents
from gpt_studio.engine.corpora import T, Work, documents
from gpt_studio.engine.entropies import entropies
from gpt_studio.engine.formats import Document
from gpt_studio.engine.reading import Batch, Stream, Tokens, batch, check_length, validation_batches
from gpt_studio.engine.report import Census, report, text_facts
from gpt_studio.engine.shards import Shard
from gpt_studio.engine.sketch import Repeats, repeats
from gpt_studio.engine.split import LEARNED, Fates, hold_out, keep_some, sides
from gpt_studio.engine.tokenizers import Ids, Tokenizer, open_tokenizer

__all__ = ["Batch", "Dataset", "Tokens", "batch", "prepare", "validation_batches"]

LEARNED_TOKENIZERS = ("characters", "bpe")  # from the texts
SAMPLE = 2**14  # tokens of one piece of a sample


@dataclass(frozen=True, eq=False)
class Dataset:
    """Tokens to learn from and tokens held out; each document is followed by the end of text."""

    tokenizer: Tokenizer
    train: Tokens
    validation: Tokens
    report: DataReport
    shards: tuple[Shard, ...] = ()  # all tokens of each corpus

    def check(self, context: int) -> None:
        """Make sure that there is something to learn at this context.

        Raises:
            StudioError: the text learned from is shorter than one context and the token after it.
        """
        check_length(self.train, context)

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text in a token of what is read: a mixture has its own."""
        return sum(one.share * one.size / max(1, one.tokens) for one in self.report.corpora)

    def first_rows(
        self, context: int, batch_size: int, seed: int, rows: int
    ) -> tuple[tuple[PreviewToken, ...], ...]:
        """The first texts of a run's first batch, each with the token after it, as people see them."""
        x, y = batch(self.train, context, batch_size, seed, 0)
        ids = np.concatenate((x.numpy(), y.numpy()[:, -1:]), axis=1)
        return tuple(self._census.shown(row) for row in ids[:rows])

    def sample_text(self, size: int) -> Iterator[str]:
        """Some `size` bytes of text from all over the corpora, in pieces; all where there is no more."""
        share = size / max(1, self.report.size)
        for shard in self.shards:
            yield from _sample(self.tokenizer, shard.tokens, share)

    @cached_property
    def _census(self) -> Census:
        return Census(self.tokenizer, self.shards)


def prepare(config: DataConfig) -> Work[Dataset]:
    """Read the corpora, make tokens of them, hold some documents out, and report.

    What was done before is found on the disk. Yields progress, or None to let others have a turn.

    Raises:
        StudioError: no corpus is chosen, or one cannot be used.
    """
    started = time.perf_counter()
    if not config.corpora:
        raise StudioError("No corpus is chosen.", tries="Choose one on the Data page, or add a text file.")
    known = yield from _known_tokenizer(config)
    read, read_before = yield from _read(config, known)
    kind = known or (yield from _learned_tokenizer(config, read))
    found, made_before = yield from _shards(config, read, kind)

    fates, pairs = yield from _aside(lambda: _split(read, found, config.validation))
    facts = yield from _facts(read, fates, config.validation)
    train, validation = (Tokens(streams, _weights(config)) for streams in zip(*pairs, strict=True))
    counted = yield from _aside(lambda: entropies(train, validation, kind.vocab_size))
    return Dataset(
        kind,
        train,
        validation,
        report(
            config,
            kind,
            read,
            found,
            pairs,
            train,
            facts,
            counted,
            validation_documents=int(np.count_nonzero(fates != LEARNED)),
            seconds=time.perf_counter() - started,
            cached=made_before and (read_before or not known),
        ),
        tuple(found),
    )


@contextmanager
def may_be_left_out(name: str, config: DataConfig) -> Iterator[None]:
    """Let the failure of one corpus offer to go on with the others, where there are any."""
    try:
        yield
    except StudioError as error:
        others = tuple(other for other in config.corpora if other != name)
        if others:
            changes: dict[str, Value] = {
                "corpora": others,
                "weights": weights_after(config.corpora, config.weights, others),
            }
            error.remedies += (Remedy(f"Leave out {label(name)}", "data", changes),)
        raise


def _weights(config: DataConfig) -> list[float]:
    """The weight of each corpus, however often it was chosen; none to read as much as there is."""
    weights = dict.fromkeys(config.corpora, 0.0)
    for name, weight in zip(config.corpora, config.weights, strict=False):
        weights[name] += weight
    return list(weights.values()) if config.weights else []


def _known_tokenizer(config: DataConfig) -> Work[Tokenizer | None]:
    """The tokenizer, if it does not depend on the texts."""
    if config.tokenizer in LEARNED_TOKENIZERS:
        return None
    return (yield from open_tokenizer(config, lambda: iter(()), 0, ""))


def _learned_tokenizer(config: DataConfig, read: Sequence[Catalogue]) -> Work[Tokenizer]:
    def texts() -> Iterator[str | None]:
        for one in read:
            for item in documents(one.wanted.name, config):
                yield item.text if isinstance(item, Document) else None

    return (yield from open_tokenizer(config, texts, sum(one.size for one in read), contents(read)))


def _read(config: DataConfig, kind: Tokenizer | None) -> Work[tuple[list[Catalogue], bool]]:
    """What each corpus holds, and whether all were read before.

    With a tokenizer, a corpus that was not is read once, for what it holds and for its tokens.
    """
    wishes = []
    for name in dict.fromkeys(config.corpora):
        with may_be_left_out(name, config):
            wishes.append((yield from catalogue.wanted(name, config)))
    there = [catalogue.find(wish) for wish in wishes]
    parts = _Parts(sum(wish.size for wish, one in zip(wishes, there, strict=True) if one is None))
    read = []
    for wish, one in zip(wishes, there, strict=True):
        if one is None:
            texts = documents(wish.name, config, "Tokenizing" if kind else "Reading")
            if kind:
                work = shards.make_in_passing(wish, kind, texts)
            else:
                work = catalogue.make(wish, texts, catalogue.only_read)
            with may_be_left_out(wish.name, config):
                one = yield from parts.of(wish.size, work)
        read.append(one)
    return read, None not in there


def _shards(config: DataConfig, read: Sequence[Catalogue], kind: Tokenizer) -> Work[tuple[list[Shard], bool]]:
    """The tokens of each corpus, and whether all were there before."""
    there = [shards.find(one, kind) for one in read]
    parts = _Parts(sum(one.size for one, shard in zip(read, there, strict=True) if shard is None))
    found = []
    for one, shard in zip(read, there, strict=True):
        if shard is None:
            name = one.wanted.name
            with may_be_left_out(name, config):
                work = shards.make(one, kind, documents(name, config, "Tokenizing"))
                shard = yield from parts.of(one.size, work)
        found.append(shard)
    return found, None not in there


class _Parts:
    """Work done one after the other, with progress over all of it."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def of(self, size: int, work: Work[T]) -> Work[T]:
        """The next work, which is `size` of the total."""
        with closing(work):
            while True:
                try:
                    event = next(work)
                except StopIteration as end:
                    self._done += size
                    result: T = end.value
                    return result
                if event:
                    done = self._done + size * event.done // max(1, event.total)
                    event = Progress(event.kind, event.text, done, self._total)
                yield event


def _aside(work: Callable[[], T]) -> Work[T]:
    """Do in a thread what cannot be done in turns. When this is closed nobody waits for the thread."""
    thread = ThreadPoolExecutor(1, "aside")
    try:
        future = thread.submit(work)
        yield from shards.wait(future)
        return future.result()
    finally:
        thread.shutdown(wait=False)


def _split(
    read: Sequence[Catalogue], found: Sequence[Shard], share: float
) -> tuple[Fates, list[tuple[Stream, Stream]]]:
    """What becomes of each document, and what is learned and held out of each corpus."""
    digests, documents = _column(read, "digest"), [one.documents for one in read]
    fates = hold_out(digests, _column(read, "size"), share)
    keep_some(fates, digests, documents)
    each = np.split(fates, np.cumsum(documents)[:-1])
    return fates, [sides(shard, some, share) for shard, some in zip(found, each, strict=True)]


def _column(read: Sequence[Catalogue], name: str) -> Ids:
    """One column of the rows of all documents."""
    return np.concatenate([one.rows[name] for one in read])


def _facts(read: Sequence[Catalogue], fates: Fates, share: float) -> Work[TextFacts]:
    """What is to be known of the texts; what repeats is found out once for all who ask."""
    key = hashlib.blake2b(repr((contents(read), share)).encode(), digest_size=16).hexdigest()
    shelf = Cache("repeats", 2**18)
    entry = shelf.find(key)
    if entry is None:
        # One corpus is looked at where it lies: a copy of millions of sketches takes much memory.
        sketches = read[0].sketches if len(read) == 1 else np.concatenate([one.sketches for one in read])
        sizes = _column(read, "size").astype(np.int64)
        held_out = sizes * np.choose(fates, (0, 1, share))  # a split document gives its end
        with shelf.making(key) as draft:
            yield Progress("data", "Looking for texts that repeat")
            draft.facts = asdict((yield from _aside(lambda: repeats(sketches, sizes, held_out))))
        facts = draft.facts
    else:
        facts = entry.facts
    return text_facts(read, Repeats(**facts))


def _sample(kind: Tokenizer, tokens: Ids, share: float) -> Iterator[str]:
    """The text of about this share of the tokens, in pieces from all over them."""
    count = max(1, round(len(tokens) * share / SAMPLE))
    if share >= 1:
        spans = [(0, len(tokens))]
    else:
        starts = np.linspace(0, max(0, len(tokens) - SAMPLE), count).astype(int).tolist()
        spans = [(start, start + min(SAMPLE, max(1, round(len(tokens) * share)))) for start in starts]
    for first, last in spans:
        decoder = codecs.getincrementaldecoder("utf-8")("ignore")  # a span may begin inside a character
        for start in range(first, last, SAMPLE):
            ids = tokens[start : min(start + SAMPLE, last)]
            ends = np.flatnonzero(ids == kind.end) + 1
            for begin, end in pairwise([0, *ends.tolist(), len(ids)]):
                text = decoder.decode(kind.decode_bytes(ids[begin:end].tolist()))
                if text:
                    yield text
