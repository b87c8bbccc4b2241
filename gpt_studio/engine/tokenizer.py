"""What every tokenizer is and does: text to ids, ids to bytes.

A tokenizer never makes its end of text out of ordinary text: "<|endoftext|>" in a file is 13 characters.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gpt_studio.core.config import TOKENIZERS

Ids = npt.NDArray[Any]  # a tokenizer's dtype
Texts = Callable[[], Iterator[str | None]]  # texts from their beginning, in pieces; None: others have a turn

NO_CHARACTERS = re.compile("([\udc80-\udcff]+)")  # how "surrogateescape" shows bytes that are no UTF-8


class Tokenizer(ABC):
    """Any bytes become tokens and come back as they were. A tokenizer's name goes into files."""

    name: ClassVar[str]
    vocab_size: int
    end: int  # the id that separates documents

    @property
    def label(self) -> str:
        """The name for people."""
        return next(choice.label for choice in TOKENIZERS if choice.value == self.name)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds every id."""
        return np.min_scalar_type(self.vocab_size - 1)

    @abstractmethod
    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text."""

    @abstractmethod
    def raw(self, id: int) -> bytes:
        """The bytes a token stands for; none for the end of text."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, for a checkpoint; `tokenizer_from_dict` opens it again."""

    def encode(self, text: str) -> list[int]:
        """The ids of one text. Half a character (a lone surrogate) is read as "\ufffd"."""
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes: text as `encode` does it, what is no UTF-8 byte by byte."""
        ids = []
        for run in NO_CHARACTERS.split(data.decode("utf-8", "surrogateescape")):
            if NO_CHARACTERS.match(run):
                ids += [self._byte_ids[byte] for byte in run.encode("utf-8", "surrogateescape")]
            elif run:
                ids += self.encode(run)
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes the ids stand for, one after the other."""
        return b"".join(self.raw(int(id)) for id in ids)

    def decode(self, ids: Iterable[int]) -> str:
        """The text the ids stand for; bytes that are no whole character become "\ufffd"."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    @cached_property
    def byte_lengths(self) -> npt.NDArray[np.uint32]:
        """How many bytes each id stands for, (V,)."""
        return np.array([len(self.raw(id)) for id in range(self.vocab_size)], np.uint32)

    @cached_property
    def key(self) -> str:
        """A digest of all of it: tokenizers with the same key give the same ids."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @cached_property
    def _byte_ids(self) -> dict[int, int]:
        """The token of each byte that may stand for itself."""
        lone = np.flatnonzero(self.byte_lengths == 1).tolist()
        return {self.raw(id)[0]: id for id in lone}


class Bytes(Tokenizer):
    """Each byte of UTF-8 is a token."""

    name = "bytes"
    vocab_size = 257
    end = 256

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        return [np.frombuffer(writable(text).encode(), np.uint8).astype(self.dtype) for text in texts]

    def raw(self, id: int) -> bytes:
        return b"" if id == self.end else bytes((id,))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name}


def writable(text: str) -> str:
    """The text with every half character (a lone surrogate, as a keyboard may send) made "\ufffd"."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
