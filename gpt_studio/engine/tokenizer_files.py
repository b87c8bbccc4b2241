"""Tokenizers in files: `.tiktoken` tables of ranks, in and out, and byte-level `tokenizer.json` files.

A table of ranks says neither how text is cut nor which token ends a text. What is written here has a small
file beside it that does; a table without one is read with GPT-2's pattern and an end of text after its ranks.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import patterns
from gpt_studio.engine.bpe import BPE, FileBPE
from gpt_studio.engine.huggingface import from_tokenizer_json
from gpt_studio.engine.tokenizer import Tokenizer

LARGEST = 2**26  # bytes of a file; the largest vocabularies of today take a third of it
KINDS = "Choose a .tiktoken file, or a byte-level tokenizer.json of Hugging Face."
KEPT = "Nothing was changed."


def read_tokenizer_file(path: Path) -> FileBPE:
    """The tokenizer in a file: `.tiktoken`, or a tokenizer.json.

    Raises:
        StudioError: it cannot be read, is no such file, or is a tokenizer of another kind.
    """
    try:
        return _read(path, _state(path), _state(_facts_path(path)))
    except OSError as error:
        raise _unusable(f"“{path.name}” cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise _unusable(f"“{path.name}” is no tokenizer file, or it is damaged.") from error


def _state(path: Path) -> tuple[int, int] | None:
    """Tells whether a file changed: its time and bytes; none where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=2)
def _read(path: Path, *_states: object) -> FileBPE:
    """Read a file, once as long as it stays as it is."""
    data = _data(path)
    if data.lstrip()[:1] == b"{":
        return from_tokenizer_json(json.loads(data))
    return _from_ranks(data, _beside(path))


def _data(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a pipe may never end
        raise _unusable(f"“{path.name}” is no file.")
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise _unusable(f"“{path.name}” is too large for a tokenizer file.")
    return data


def _from_ranks(data: bytes, facts: Mapping[str, Any]) -> FileBPE:
    ranks = {}
    for line in data.splitlines():
        if line:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
    if not ranks:
        raise ValueError("no ranks")
    tokens = sorted(ranks, key=ranks.__getitem__)
    return FileBPE(
        tokens,
        str(facts.get("pattern", patterns.GPT2)),
        ids=[ranks[token] for token in tokens],
        end=int(facts["special_tokens"][END_OF_TEXT]) if facts else None,
        words={str(text): int(id) for text, id in facts.get("added_tokens", {}).items()},
        vocab_size=int(facts.get("vocab_size", 0)),
    )


def _facts_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _beside(path: Path) -> dict[str, Any]:
    """What the file beside a table says of it; nothing where there is none."""
    beside = _facts_path(path)
    if not beside.exists():
        return {}
    facts: dict[str, Any] = json.loads(_data(beside))
    return facts


# ---------------------------------------------------------------- writing


def write_tiktoken(tokenizer: Tokenizer, path: Path) -> int:
    """Write the ranks of a byte-pair encoding, and beside them what they do not say; return their bytes.

    Raises:
        StudioError: this tokenizer has no ranks, or the file cannot be written.
    """
    if not isinstance(tokenizer, BPE):
        raise _not_written(f"the tokenizer “{tokenizer.label}” has no ranks", "Choose a BPE, then export it.")
    if any(later <= earlier for earlier, later in zip(tokenizer.ids, tokenizer.ids[1:], strict=False)):
        raise _not_written("the numbers of its tokens are not in the order of its merges", "")
    facts = {
        "pattern": tokenizer.pattern,
        "special_tokens": {END_OF_TEXT: tokenizer.end},
        "added_tokens": tokenizer.words,
        "vocab_size": tokenizer.vocab_size,
    }
    ranked = zip(tokenizer.tokens, tokenizer.ids, strict=True)
    data = b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranked)
    try:
        _write(_facts_path(path), json.dumps(facts, indent=2).encode())
        _write(path, data)
    except OSError as error:
        raise _not_written(error.strerror or str(error), "Choose another folder or name.") from error
    return len(data)


def _write(path: Path, data: bytes) -> None:
    """Write beside the place, flush, then rename: an earlier file stays whole until then."""
    path = Path(os.path.realpath(path))  # a link stays a link
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _unusable(what: str) -> StudioError:
    return StudioError(what, kept=KEPT, tries=KINDS)


def _not_written(why: str, tries: str) -> StudioError:
    return StudioError(f"The tokenizer was not exported: {why}.", kept=KEPT, tries=tries)
