"""The tokenizer whose tokens are the characters of the texts, with bytes for every other one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gpt_studio.core.errors import StudioError
from gpt_studio.engine.corpora import Meter, Work
from gpt_studio.engine.tokenizer import Ids, Texts, Tokenizer, writable

MOST = 20_000  # characters; rarer ones become bytes
CODE_POINTS = 0x110000
BLOCK = 2**20  # characters counted at a time

CodePoints = npt.NDArray[np.uint32]


class Characters(Tokenizer):
    """Each character it knows is a token, by code point; then the 256 bytes, then the end of text."""

    name = "characters"

    def __init__(self, characters: Iterable[str]) -> None:
        """Know these characters.

        Raises:
            StudioError: they are no characters that can be told apart, or too many.
        """
        self.characters = "".join(characters)
        known = code_points(self.characters)
        if (
            len(known) > MOST
            or np.any(known[1:] <= known[:-1])
            or writable(self.characters) != self.characters
        ):
            raise StudioError("These are not the characters of a tokenizer.")
        self._first_byte = len(known)  # the id of byte 0; in the table below: not known
        self.end = self._first_byte + 256
        self.vocab_size = self.end + 1
        self._ids = np.full(CODE_POINTS, self._first_byte, self.dtype)
        self._ids[known] = np.arange(len(known))
        self._ascii_ids = self._ids[:128].copy()

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> Ids:
        points: npt.NDArray[Any]
        if text.isascii():
            points = np.frombuffer(text.encode("ascii"), np.uint8)
            ids = self._ascii_ids.take(points)
        else:
            points = code_points(writable(text))
            ids = self._ids.take(points)
        unknown = ids == self._first_byte
        return self._with_bytes(ids, points, unknown) if unknown.any() else ids

    def _with_bytes(self, ids: Ids, points: npt.NDArray[Any], unknown: npt.NDArray[np.bool_]) -> Ids:
        """The ids with each unknown character replaced by its bytes of UTF-8."""
        text = points[unknown].astype("<u4").tobytes().decode("utf-32-le")
        data = np.frombuffer(text.encode(), np.uint8)
        counts = np.where(unknown, utf8_lengths(points), 1)
        spread = ids.repeat(counts)
        spread[unknown.repeat(counts)] = data.astype(self.dtype) + self.dtype.type(self._first_byte)
        return spread

    def raw(self, id: int) -> bytes:
        if id < self._first_byte:
            return self.characters[id].encode()
        return b"" if id == self.end else bytes((id - self._first_byte,))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "characters": self.characters}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Open it again.

        Raises:
            StudioError, KeyError, TypeError: it is none.
        """
        return cls(data["characters"])


def learn_characters(texts: Texts, size: int) -> Work[Characters]:
    """Know the characters of texts of `size` bytes; the most frequent ones, if there are very many."""
    meter = Meter("Learning the characters", size)
    counter = _Counter()
    for text in texts():
        if text is not None:
            counter.add(text)
            meter.add(len(writable(text).encode()))
        yield meter.due()
    yield meter.progress()
    return Characters(counter.most_frequent())


class _Counter:
    """Counts the characters of texts, a block of them at a time."""

    def __init__(self) -> None:
        self._counts = np.zeros(CODE_POINTS, np.int64)
        self._waiting: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        self._waiting.append(text)
        self._size += len(text)
        if self._size >= BLOCK:
            self._count()

    def most_frequent(self) -> str:
        """The characters a tokenizer knows, by code point; of equally rare ones those that come first."""
        self._count()
        order = np.argsort(-self._counts, kind="stable")[:MOST]
        found = order[self._counts[order] > 0]
        return "".join(map(chr, sorted(found.tolist())))

    def _count(self) -> None:
        points = code_points(writable("".join(self._waiting)))
        self._counts += np.bincount(points, minlength=CODE_POINTS)
        self._waiting, self._size = [], 0


def code_points(text: str) -> CodePoints:
    """The number of each character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def utf8_lengths(points: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How many bytes each character takes in UTF-8."""
    return 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
