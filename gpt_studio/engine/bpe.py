"""Byte-pair encodings: bytes merged into ever longer tokens by rank; tiktoken does the work."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from typing import Any, NoReturn, Self

import numpy as np
import tiktoken

from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import resources
from gpt_studio.engine import patterns
from gpt_studio.engine.tokenizer import Ids, Tokenizer, writable

MOST = 1_000_000  # ids
MOST_WORDS = 10_000
LONGEST = 2**16 - 1  # bytes of a token
ALL_BYTES = frozenset(bytes((byte,)) for byte in range(256))
PROBE = "".join(map(chr, (*range(128), 0xE9, 0x301, 0x3042, 0x1F600)))  # a pattern that fails fails here
CUT = 2**16  # characters; a longer text that is too much for a pattern is cut in two


class BPE(Tokenizer):
    """A pattern cuts text into pieces; in each, the pair with the lowest rank is merged, again and again."""

    def __init__(
        self,
        tokens: Iterable[bytes],
        pattern: str,
        *,
        ids: Sequence[int] | None = None,
        end: int | None = None,
        words: Mapping[str, int] | None = None,
        vocab_size: int = 0,
    ) -> None:
        """Make it of its tokens by rank.

        Args:
            ids: the id of each token; none: its rank.
            end: the id of the end of text; none: the one after all others.
            words: texts that are tokens wherever they occur, before the pattern cuts, and their ids.
            vocab_size: more than the largest id, if ids are left free after it.

        Raises:
            StudioError: these tokens or this pattern make no tokenizer.
        """
        self.tokens = list(tokens)
        self.pattern = pattern
        self.ids = list(range(len(self.tokens)) if ids is None else ids)
        self.words = dict(words or {})
        self.end = max((*self.ids, *self.words.values()), default=0) + 1 if end is None else end
        taken = [*self.ids, *self.words.values(), self.end]
        self.vocab_size = max(vocab_size, max(taken) + 1)
        self._check(taken)
        self._encoding = _encoding(self.name, self.tokens, patterns.usable(pattern))
        if pattern not in patterns.KNOWN:
            self._ranks(PROBE)

    def _check(self, taken: Sequence[int]) -> None:
        """Make sure that each token is one of its own, and that all bytes are there."""
        if len(self.ids) != len(self.tokens) or len(set(taken)) != len(taken) or min(taken) < 0:
            _refuse("its tokens and their numbers do not fit")
        if self.vocab_size > MOST or len(self.words) > MOST_WORDS:
            _refuse("it has too many tokens")
        known = set(self.tokens)
        if len(known) != len(self.tokens) or b"" in known or "" in self.words:
            _refuse("some of its tokens are the same or empty")
        if any(writable(word) != word for word in self.words):
            _refuse("one of its tokens is half a character")
        if max(map(len, known), default=0) > LONGEST:
            _refuse("one of its tokens is too long")
        if not known >= ALL_BYTES:
            _refuse("it does not have every byte")

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        if len(texts) == 1:
            return [self._encode_one(texts[0])]
        hands = os.cpu_count() or 1
        shares = self._threads.map(
            lambda first: list(map(self._encode_one, texts[first::hands])), range(hands)
        )
        found: list[Ids] = [self._ids] * len(texts)
        for first, share in enumerate(shares):
            found[first::hands] = share
        return found

    def _encode_one(self, text: str) -> Ids:
        text = writable(text)
        if not self._word:
            return self._ids[self._ranks(text)]
        parts = [np.empty(0, self.dtype)]
        for number, part in enumerate(self._word.split(text)):  # every second one is a word
            if number % 2:
                parts.append(np.array([self.words[part]], self.dtype))
            elif part:
                parts.append(self._ids[self._ranks(part)])
        return np.concatenate(parts)

    def _ranks(self, text: str) -> Ids:
        """The rank of each token of a text.

        Raises:
            StudioError: a stranger's pattern fails at this text.
        """
        if self.pattern in patterns.KNOWN and len(text) <= CUT:  # cannot fail, so the quicker way will do
            return np.frombuffer(array("I", self._encoding.encode_ordinary(text)), np.uint32)
        try:
            # Nothing is allowed to be special, and nothing that looks so is refused.
            ranks = self._encoding.encode_to_numpy(text, allowed_special=set(), disallowed_special=())
        except ValueError as error:  # a million spaces on end, for one, are too much for any pattern
            if len(text) <= CUT:
                raise _fails() from error
            half = len(text) // 2
            return np.concatenate([self._ranks(text[:half]), self._ranks(text[half:])])
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # of Rust: the pattern matched nothing at all
                raise _fails() from error
            raise
        if self.pattern not in patterns.KNOWN and self._sizes[ranks].sum() != len(text.encode()):
            raise _fails()
        return ranks

    def raw(self, id: int) -> bytes:
        return self._raw[id]

    @cached_property
    def _raw(self) -> list[bytes]:
        raw = [b""] * self.vocab_size
        words = ((text.encode(), id) for text, id in self.words.items())
        for token, id in chain(zip(self.tokens, self.ids, strict=True), words):
            raw[id] = token
        return raw

    @cached_property
    def _ids(self) -> Ids:
        """The id of each rank."""
        return np.array(self.ids, self.dtype)

    @cached_property
    def _sizes(self) -> Ids:
        """The bytes of each rank."""
        return np.array([len(token) for token in self.tokens], np.int64)

    @cached_property
    def _word(self) -> re.Pattern[str] | None:
        longest_first = sorted(self.words, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), "tokenizer")


class GPT2(BPE):
    """The byte-pair encoding GPT-2 was trained with, built from its published table of ranks."""

    name = "gpt2"

    SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"

    def __init__(self) -> None:
        """Read the ranks.

        Raises:
            StudioError: the file of ranks is missing or damaged.
        """
        super().__init__(_read_table("gpt2.tiktoken", self.SHA256), patterns.GPT2)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name}


class OwnBPE(BPE):
    """A byte-pair encoding learned from the texts."""

    name = "bpe"

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "pattern": self.pattern, "tokens": _text(pack(self.tokens))}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(unpack(_data(data["tokens"])), str(data["pattern"]))


class FileBPE(BPE):
    """A byte-pair encoding somebody made, from a file of theirs."""

    name = "file"

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pattern": self.pattern,
            "tokens": _text(pack(self.tokens)),
            "ids": _text(np.array(self.ids, "<u4").tobytes()),
            "end": self.end,
            "words": self.words,
            "vocab_size": self.vocab_size,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            unpack(_data(data["tokens"])),
            str(data["pattern"]),
            ids=np.frombuffer(_data(data["ids"]), "<u4").tolist(),
            end=int(data["end"]),
            words={str(text): int(id) for text, id in data["words"].items()},
            vocab_size=int(data["vocab_size"]),
        )


def pack(tokens: Iterable[bytes]) -> bytes:
    """Tokens one after the other, each after its length in two bytes."""
    return b"".join(struct.pack("<H", len(token)) + token for token in tokens)


def unpack(packed: bytes) -> list[bytes]:
    """The tokens that were packed.

    Raises:
        ValueError: the last one is cut off.
    """
    tokens = []
    at = 0
    while at < len(packed):
        start = at + 2
        at = start + int.from_bytes(packed[at:start], "little")
        tokens.append(packed[start:at])
    if at != len(packed):
        raise ValueError("the last token is cut off")
    return tokens


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _data(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _encoding(name: str, tokens: Sequence[bytes], pattern: str) -> tiktoken.Encoding:
    ranks = {token: rank for rank, token in enumerate(tokens)}
    try:
        return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    except ValueError as error:
        raise _fails() from error


def _refuse(why: str) -> NoReturn:
    raise StudioError(f"This tokenizer cannot be used: {why}.", tries="Choose another tokenizer.")


def _fails() -> StudioError:
    return StudioError("The pattern of this tokenizer fails.", tries="Choose another tokenizer.")


def _read_table(file: str, sha256: str) -> list[bytes]:
    """A table of tokens by rank from the resources: base64 and a number on each line."""
    path = resources() / "tokenizers" / file
    tries = "Install GPT Studio again, or choose the bytes tokenizer."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StudioError(f"The tokenizer file {file} is missing.", tries=tries) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StudioError(f"The tokenizer file {file} is damaged.", tries=tries)
    pairs = (line.split() for line in data.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    return sorted(ranks, key=ranks.__getitem__)
