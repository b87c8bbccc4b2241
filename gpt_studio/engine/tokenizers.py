"""Open a tokenizer: by its name, as a config asks for it, or from the plain data a checkpoint stored.

Those learned from texts are kept in the cache, under a digest of the texts and settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import cache as cache_folder
from gpt_studio.engine.bpe import GPT2
from gpt_studio.engine.characters import CharacterCounter, Characters
from gpt_studio.engine.corpora import Meter, Work
from gpt_studio.engine.tokenizer import Bytes, Ids, Tokenizer

__all__ = ["Characters", "Ids", "Texts", "Tokenizer", "open_tokenizer", "tokenizer", "tokenizer_from_dict"]

Texts = Callable[[], Iterator[str | None]]  # the texts in pieces; None lets others have a turn

FIXED: tuple[type[Tokenizer], ...] = (Bytes, GPT2)  # the same wherever they are opened


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
    """Open the tokenizer a checkpoint stored with `to_dict()`.

    Raises:
        StudioError: it is not one, or its file cannot be used.
    """
    match data:
        case {"name": "characters", "characters": str(characters)}:
            return Characters(characters)
        case _:
            return tokenizer(str(data.get("name")))


def open_tokenizer(data: DataConfig, texts: Texts, size: int, key: str) -> Work[Tokenizer]:
    """The tokenizer a config asks for, learned from the texts if it is of that kind.

    Args:
        texts: gives the texts from the beginning, in pieces of a few MB at most.
        size: bytes of all of them.
        key: a digest of them; what was learned from the same texts once is found at once.

    Raises:
        StudioError: its file cannot be used, or it could not be learned.
    """
    if data.tokenizer != "characters":
        return tokenizer(data.tokenizer)
    path = _cached(key, data.tokenizer)
    if found := _read(path):
        return found
    learned = yield from _learn_characters(texts, size)
    _write(path, learned)
    return learned


def _learn_characters(texts: Texts, size: int) -> Work[Tokenizer]:
    meter = Meter("Learning the characters", size)
    counter = CharacterCounter()
    for text in texts():
        if text is None:
            yield None
        else:
            counter.add(text)
            meter.add(len(text.encode("utf-8", "surrogatepass")))
            yield meter.due()
    yield meter.progress()
    return Characters(counter.most_frequent())


# ---------------------------------------------------------------- what was learned before


def _cached(key: str, *settings: object) -> Path:
    """Where a tokenizer learned from certain texts with certain settings is kept."""
    digest = hashlib.blake2b(repr((key, *settings)).encode(), digest_size=16).hexdigest()
    return cache_folder() / "tokenizers" / f"{digest}.json"


def _read(path: Path) -> Tokenizer | None:
    """The tokenizer kept there; none where there is none, or where it is damaged."""
    with contextlib.suppress(OSError, ValueError, StudioError):
        return tokenizer_from_dict(json.loads(path.read_bytes()))
    return None


def _write(path: Path, learned: Tokenizer) -> None:
    """Keep a tokenizer; where that is impossible, it is learned again next time."""
    partial = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.partial")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(json.dumps(learned.to_dict()), "utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
