"""Text to ids and ids to bytes: one small class per tokenizer, opened by its name.

A tokenizer never makes its end of text out of ordinary text: "<|endoftext|>" in a file is 13 characters.
"""

from __future__ import annotations

import base64
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import tiktoken

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.config import TOKENIZERS
from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import resources

Ids = npt.NDArray[Any]  # a tokenizer's dtype


class Tokenizer(ABC):
    """What every tokenizer is and does. Its name goes into files."""

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

    def encode(self, text: str) -> list[int]:
        """The ids of one text."""
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes the ids stand for, one after the other."""
        return b"".join(self.raw(int(id)) for id in ids)

    def decode(self, ids: Iterable[int]) -> str:
        """The text the ids stand for; bytes that are no whole character become "\ufffd"."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint stores to open the same tokenizer again."""
        return {"name": self.name}


class Bytes(Tokenizer):
    """Each byte of UTF-8 is a token."""

    name = "bytes"
    vocab_size = 257
    end = 256

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        return [np.frombuffer(_writable(text).encode(), np.uint8).astype(self.dtype) for text in texts]

    def raw(self, id: int) -> bytes:
        return b"" if id == self.end else bytes((id,))


class GPT2(Tokenizer):
    """The byte-pair encoding GPT-2 was trained with, built from its published table of ranks."""

    name = "gpt2"
    vocab_size = 50257
    end = 50256

    SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    # Contractions, words, numbers, other signs (each with a space before), spaces: merges stay inside.
    PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

    def __init__(self) -> None:
        """Read the ranks.

        Raises:
            StudioError: the file of ranks is missing or damaged.
        """
        ranks = _read_ranks("gpt2.tiktoken", self.SHA256)
        self._raw = [*sorted(ranks, key=ranks.__getitem__), b""]
        self._encoding = tiktoken.Encoding(
            self.name,
            pat_str=self.PATTERN,
            mergeable_ranks=ranks,
            special_tokens={END_OF_TEXT: self.end},
            explicit_n_vocab=self.vocab_size,
        )

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        if len(texts) == 1:
            return [self._encode_one(texts[0])]
        return list(self._threads.map(self._encode_one, texts))

    def _encode_one(self, text: str) -> Ids:
        # Nothing is allowed to be special, and nothing that looks so is refused.
        ids = self._encoding.encode_to_numpy(_writable(text), allowed_special=set(), disallowed_special=())
        return ids.astype(self.dtype)

    def raw(self, id: int) -> bytes:
        return self._raw[id]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), "tokenizer")


KINDS: tuple[type[Tokenizer], ...] = (Bytes, GPT2)


@cache
def tokenizer(name: str) -> Tokenizer:
    """Open a tokenizer by its name; a second call gives the same object.

    Raises:
        StudioError: there is none of this name, or its file cannot be used.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind()
    raise StudioError(f"There is no tokenizer named “{name}”.", tries="Choose one on the Data page.")


def tokenizer_from_dict(data: Mapping[str, Any]) -> Tokenizer:
    """Open the tokenizer a checkpoint stored with `to_dict()`.

    Raises:
        StudioError: it is not one, or its file cannot be used.
    """
    return tokenizer(str(data.get("name")))


def _writable(text: str) -> str:
    """The text with every half character (a lone surrogate, as a keyboard may send) made "\ufffd"."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _read_ranks(file: str, sha256: str) -> dict[bytes, int]:
    """A table of tokens and their ranks from the resources: base64 and a number on each line."""
    path = resources() / "tokenizers" / file
    tries = "Install GPT Studio again, or choose the bytes tokenizer."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StudioError(f"The tokenizer file {file} is missing.", tries=tries) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StudioError(f"The tokenizer file {file} is damaged.", tries=tries)
    pairs = (line.split() for line in data.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}
