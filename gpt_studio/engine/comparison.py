"""See what each tokenizer makes of the same texts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

import numpy as np

from gpt_studio.core.config import TOKENIZERS, DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Compared, Comparison, DataReport, Progress
from gpt_studio.core.units import MB
from gpt_studio.engine.corpora import Work
from gpt_studio.engine.tokenizer import Tokenizer
from gpt_studio.engine.tokenizers import open_tokenizer

SAMPLE = 4 * MB
TOGETHER = 2**17  # characters tokenized at a time


class Sampled(Protocol):
    """What is needed of a data set."""

    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def report(self) -> DataReport: ...
    def sample_text(self, size: int) -> Iterator[str]: ...


def compare(dataset: Sampled, data: DataConfig) -> Generator[Compared | Progress | None]:
    """Tell of one tokenizer after the other what it makes of some of the texts, or of all if they are few.

    Those that learn do so from the same sample, unless the data set has learned one already. A tokenizer file
    that is not in use and cannot be read is left out.

    Raises:
        StudioError: a tokenizer could not be learned.
    """
    texts = []
    for text in dataset.sample_text(SAMPLE):
        texts.append(text)
        yield None
    size = sum(len(text.encode()) for text in texts)
    rows: list[Comparison] = []
    for name in (choice.value for choice in TOKENIZERS):
        try:
            kind = yield from _opened(dataset, data.changed(tokenizer=name), texts, size)
        except StudioError:
            if name != "file":
                raise
            continue
        rows.append((yield from _row(kind, texts, size)))
        yield Compared(data, size, dataset.report.size <= SAMPLE, tuple(rows))


def _opened(dataset: Sampled, data: DataConfig, texts: Sequence[str], size: int) -> Work[Tokenizer]:
    """The tokenizer this config asks for: the data set's own, or one learned from these texts."""
    if data == dataset.report.data:
        return dataset.tokenizer
    key = hashlib.blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()
    work = open_tokenizer(data, lambda: iter(texts), size, key)
    try:
        while True:
            event = next(work)
            yield event and dataclasses.replace(event, kind="compare")
    except StopIteration as end:
        kind: Tokenizer = end.value
        return kind
    finally:
        work.close()


def _row(kind: Tokenizer, texts: Sequence[str], size: int) -> Work[Comparison]:
    counts = np.zeros(kind.vocab_size, np.int64)
    for batch in _batches(texts):
        counts += np.bincount(np.concatenate(kind.encode_batch(batch)), minlength=kind.vocab_size)
        yield None
    tokens = int(counts.sum())
    return Comparison(
        tokenizer=kind.name,
        label=kind.label,
        vocab_size=kind.vocab_size,
        vocab_used=int(np.count_nonzero(counts)),
        tokens=tokens,
        bytes_per_token=size / max(1, tokens),
    )


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """As many texts at a time as give others their turn soon."""
    batch: list[str] = []
    room = TOGETHER
    for text in texts:
        batch.append(text)
        room -= len(text)
        if room <= 0:
            yield batch
            batch, room = [], TOGETHER
    if batch:
        yield batch
