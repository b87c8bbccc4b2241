"""Open a tokenizer: by its name, as a config asks for it, or from the plain data a checkpoint stored.

Those learned from texts are kept in the cache, under a digest of the texts and settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import patterns
from gpt_studio.engine.bpe import GPT2, FileBPE, OwnBPE
from gpt_studio.engine.bpe_learning import LEARNED_FROM, learn_bpe
from gpt_studio.engine.cache import Cache
from gpt_studio.engine.characters import Characters, learn_characters
from gpt_studio.engine.corpora import Work
from gpt_studio.engine.tokenizer import Bytes, Ids, Texts, Tokenizer
from gpt_studio.engine.tokenizer_files import read_tokenizer_file, write_tiktoken

__all__ = [
    "Characters",
    "Ids",
    "Texts",
    "Tokenizer",
    "open_tokenizer",
    "read_tokenizer_file",
    "tokenizer",
    "tokenizer_from_dict",
    "write_tiktoken",
]

FIXED: tuple[type[Tokenizer], ...] = (Bytes, GPT2)  # the same wherever they are opened
STORED: tuple[type[Characters | OwnBPE | FileBPE], ...] = (Characters, OwnBPE, FileBPE)
LIMIT = 100_000_000  # bytes of learned tokenizers in the cache


@cache
def tokenizer(name: str) -> Tokenizer:
    """Open a tokenizer that its name alone tells; a second call gives the same object.

    Raises:
        StudioError: there is none of this name, or its file cannot be used.
    """
    for kind in FIXED:
        if kind.name == name:
            return kind()
    raise StudioError(f"There is no tokenizer named “{name}”.", tries="Choose one on the Data page.")


def tokenizer_from_dict(data: Mapping[str, Any]) -> Tokenizer:
    """Open the tokenizer a checkpoint stored with `to_dict()`; no file is read that it names.

    Raises:
        StudioError: it is not one, or the file of GPT-2's table cannot be used.
    """
    name = data.get("name")
    for kind in STORED:
        if kind.name == name:
            try:
                return kind.from_dict(data)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise StudioError(
                    "The tokenizer stored here is damaged.", tries="Open another file."
                ) from error
    return tokenizer(str(name))


def open_tokenizer(data: DataConfig, texts: Texts, size: int, key: str) -> Work[Tokenizer]:
    """The tokenizer a config asks for, learned from the texts if it is of that kind.

    Args:
        texts: gives the texts from the beginning, in pieces of a few MB at most.
        size: bytes of all of them.
        key: a digest of them; what was learned from the same texts once is found at once.

    Raises:
        StudioError: its file cannot be used, or it could not be learned.
    """
    match data.tokenizer:
        case "characters":
            return (yield from _kept((key, Characters.name), lambda: learn_characters(texts, size)))
        case "bpe":
            settings = (key, OwnBPE.name, data.bpe_size, patterns.OWN, LEARNED_FROM)
            return (yield from _kept(settings, lambda: learn_bpe(texts, size, data.bpe_size)))
        case "file":
            return read_tokenizer_file(Path(data.tokenizer_file))
        case _:
            return tokenizer(data.tokenizer)


def _kept(settings: tuple[object, ...], learn: Callable[[], Work[Tokenizer]]) -> Work[Tokenizer]:
    """A tokenizer from the cache, else learned and put there, if that is possible."""
    cache = Cache("tokenizers", LIMIT)
    key = hashlib.blake2b(repr(settings).encode(), digest_size=16).hexdigest()
    if found := cache.find(key):
        with suppress(StudioError):
            return tokenizer_from_dict(found.facts)
    learned = yield from learn()
    with suppress(StudioError), cache.making(key) as draft:
        draft.facts = learned.to_dict()
    return learned
