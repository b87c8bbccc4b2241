"""Byte-pair encodings: bytes merged into ever longer tokens by rank; tiktoken does the work."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import tiktoken

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import resources
from gpt_studio.engine.tokenizer import Ids, Tokenizer, writable

# GPT-2's: contractions, words, numbers, other signs (each with a space before), spaces: merges stay inside.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


class BPE(Tokenizer):
    """A pattern cuts text into pieces; in each, the pair with the lowest rank is merged, again and again."""

    def __init__(self, tokens: Sequence[bytes], pattern: str = GPT2_PATTERN) -> None:
        """Make it of its tokens, by rank, which is their id; the end of text comes after them."""
        self.end = len(tokens)
        self.vocab_size = self.end + 1
        self.pattern = pattern
        self.tokens = tokens
        self._encoding = tiktoken.Encoding(
            self.name,
            pat_str=pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
            special_tokens={END_OF_TEXT: self.end},
            explicit_n_vocab=self.vocab_size,
        )

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        if len(texts) == 1:
            return [self._encode_one(texts[0])]
        return list(self._threads.map(self._encode_one, texts))

    def _encode_one(self, text: str) -> Ids:
        # Nothing is allowed to be special, and nothing that looks so is refused.
        ids = self._encoding.encode_to_numpy(writable(text), allowed_special=set(), disallowed_special=())
        return ids.astype(self.dtype)

    def raw(self, id: int) -> bytes:
        return b"" if id == self.end else self.tokens[id]

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
        super().__init__(_read_table("gpt2.tiktoken", self.SHA256))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name}


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
