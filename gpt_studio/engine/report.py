"""What is told of a data set: counts, shares, the text as tokens, and what was noticed in it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.events import Corpus, DataReport, Preview, PreviewToken, TextFacts
from gpt_studio.core.units import number
from gpt_studio.engine.catalogue import Catalogue, contents
from gpt_studio.engine.reading import Stream, Tokens
from gpt_studio.engine.shards import Counts, Shard
from gpt_studio.engine.sketch import Repeats
from gpt_studio.engine.tokenizers import Ids, Tokenizer

PREVIEW = 1000  # tokens
LONGEST = 14  # characters of a token; longer ones are counted with these


class Census:
    """How often each token occurs in a data set, and tokens as people see them."""

    def __init__(self, kind: Tokenizer, shards: Sequence[Shard]) -> None:
        self._kind = kind
        self.counts: Counts = np.sum([shard.counts for shard in shards], axis=0)

    def shown(self, ids: Ids) -> tuple[PreviewToken, ...]:
        """Tokens with their text, and their place among all tokens by how often they occur."""
        return tuple(self._shown(int(id)) for id in ids)

    def _shown(self, id: int) -> PreviewToken:
        text = self._kind.decode([id]) or END_OF_TEXT
        return PreviewToken(text, id, self._kind.raw(id), int(self.counts[id]), int(self._ranks[id]))

    @cached_property
    def _ranks(self) -> npt.NDArray[np.int64]:
        ranks = np.empty_like(self.counts)
        ranks[np.argsort(-self.counts, kind="stable")] = np.arange(1, len(ranks) + 1)
        return ranks

    @property
    def used(self) -> int:
        """Different tokens that occur."""
        return int(np.count_nonzero(self.counts))

    def lengths(self) -> tuple[float, ...]:
        """The share of tokens with 1, 2, 3 … characters; the end of text has none."""
        found = np.zeros(LONGEST)
        for id in np.flatnonzero(self.counts).tolist():
            characters = len(self._kind.decode([id]))
            if characters:
                found[min(characters, LONGEST) - 1] += self.counts[id]
        return tuple((found / max(found.sum(), 1)).tolist())


def report(
    config: DataConfig,
    kind: Tokenizer,
    read: Sequence[Catalogue],
    shards: Sequence[Shard],
    sides: Sequence[tuple[Stream, Stream]],
    train: Tokens,
    facts: TextFacts,
    counted: tuple[float, float, float],
    validation_documents: int,
    seconds: float,
    cached: bool,
) -> DataReport:
    """All there is to tell; `counted` are the entropies of tokens, of pairs and of longer sequences."""
    census = Census(kind, shards)
    learned = [len(one) for one, _ in sides]
    return DataReport(
        data=config,
        fingerprint=hashlib.blake2b((contents(read) + kind.key).encode(), digest_size=16).hexdigest(),
        corpora=tuple(
            Corpus(
                one.wanted.name,
                label(one.wanted.name),
                one.size,
                one.documents,
                len(mine) + len(other),
                share,
            )
            for one, (mine, other), share in zip(read, sides, train.parts, strict=True)
        ),
        vocab_size=kind.vocab_size,
        vocab_used=census.used,
        characters=sum(one.characters for one in read),
        size=sum(one.size for one in read),
        train_tokens=sum(learned),
        validation_tokens=sum(len(other) for _, other in sides),
        documents=sum(one.documents for one in read),
        validation_documents=validation_documents,
        token_lengths=census.lengths(),
        facts=facts,
        previews=tuple(_preview(one, shard, census) for one, shard in zip(read, shards, strict=True)),
        seconds=seconds,
        cached=cached,
        unigram=counted[0],
        bigram=counted[1],
        context=counted[2],
    )


def _preview(of: Catalogue, shard: Shard, census: Census) -> Preview:
    first = shard.tokens[:PREVIEW]
    title = f"{label(of.wanted.name)} · first {number(len(first))} tokens"
    return Preview(of.wanted.name, title, census.shown(first))


def text_facts(read: Sequence[Catalogue], repeats: Repeats) -> TextFacts:
    """What was noticed while reading."""
    file, size = max((one.largest for one in read), key=lambda largest: largest[1])
    return TextFacts(
        documents=sum(one.documents for one in read),
        near_duplicates=repeats.documents,
        repeated=repeats.share,
        overlap=repeats.overlap,
        misencoded=tuple(dict.fromkeys(file for one in read for file in one.misencoded)),
        control=sum(one.control for one in read),
        largest=(file, size / max(1, sum(one.size for one in read))),
    )
