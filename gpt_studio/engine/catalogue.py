"""What a corpus holds, whatever the tokenizer: its documents, their sizes and what they are like."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.engine.cache import Cache, Entry
from gpt_studio.engine.corpora import Fingerprint, Work, fingerprint, has_dialogues, size
from gpt_studio.engine.formats import UNCHANGED, Document
from gpt_studio.engine.sketch import BINS, Sketch, Sketcher

VERSION = 2  # of how files are read; raise it when the same file gives other documents
LIMIT = 4 * 2**30  # bytes on the disk
ROW = np.dtype([("size", "<u8"), ("digest", "<u8")])  # of a document: bytes of UTF-8, a hash of them
ROWS = 4096  # kept in memory

# Control characters but tab and line ends; their bytes are part of no other character.
CONTROL = bytes({*range(32), 127} - set(b"\t\n\r\f"))
NOT_CONTROL = bytes(set(range(256)) - set(CONTROL))

Found = Iterator[Document | Progress | None]  # documents, and progress in between


@dataclass(frozen=True)
class Wanted:
    """A corpus as its files are now."""

    name: str
    files: Fingerprint
    key: str

    @property
    def size(self) -> int:
        """Bytes there are to read, or about as many."""
        return size(self.name, (size for _, _, size in self.files))


@dataclass(frozen=True)
class Catalogue:
    """A corpus that was read once: its documents, in order, and facts about all of them."""

    wanted: Wanted
    entry: Entry
    content: str  # a digest of all documents, the key of their tokens
    outline: str  # a digest of how many characters each document has
    size: int  # bytes of UTF-8
    characters: int
    documents: int
    control: int
    misencoded: tuple[str, ...]  # files
    largest: tuple[str, int]  # file and bytes of the largest document

    @cached_property
    def rows(self) -> npt.NDArray[Any]:
        """Size and digest of each document: (documents,)."""
        return np.memmap(self.entry.path / "documents.bin", ROW, "r")

    @cached_property
    def sketches(self) -> Sketch:
        """(documents, 8)."""
        found: Sketch = np.memmap(self.entry.path / "sketches.bin", "<u8", "r").reshape(-1, BINS // 8)
        return found


def wanted(name: str, data: DataConfig) -> Work[Wanted]:
    """Look at the files of a corpus.

    Raises:
        StudioError: it is missing, or may not be read.
    """
    files = yield from fingerprint(name)
    written = data.template if has_dialogues(name, files) else None
    text = repr((VERSION, name, files, written))
    return Wanted(name, files, hashlib.blake2b(text.encode(), digest_size=16).hexdigest())


def find(what: Wanted) -> Catalogue | None:
    """What a corpus holds, if it was read before as it is now."""
    entry = _shelf().find(what.key)
    if entry is None:
        return None
    misencoded, largest = (tuple(entry.facts[name]) for name in ("misencoded", "largest"))
    return Catalogue(what, entry, **{**entry.facts, "misencoded": misencoded, "largest": largest})


def make(what: Wanted, found: Found, through: Callable[[Found], Work[None]]) -> Work[Catalogue]:
    """Note what a corpus holds while something takes the documents found in it `through`.

    Raises:
        StudioError: it cannot be used, it changed while it was read, or there is no room on the disk.
    """
    with _shelf().making(what.key) as draft:
        with draft.file("documents.bin") as rows, draft.file("sketches.bin") as sketches:
            reader = _Reader(rows, sketches)
            yield from through(reader.watched(found))
            reader.flush()
        if (yield from fingerprint(what.name)) != what.files:
            raise changed(what.name)
        draft.facts = reader.facts()
    of = find(what)
    if of is None:
        raise changed(what.name)
    return of


def only_read(found: Found) -> Work[None]:
    """Take documents through nothing."""
    for item in found:
        if not isinstance(item, Document):
            yield item


def _shelf() -> Cache:
    return Cache("texts", LIMIT)


def changed(name: str) -> StudioError:
    """A corpus is not the same at the end of reading it as at the beginning."""
    return StudioError(
        f"“{label(name)}” changed while it was read.", kept=UNCHANGED, tries="Wait until it is complete."
    )


class _Reader:
    """Takes documents piece by piece and writes a row for each."""

    def __init__(self, rows: IO[bytes], sketches: IO[bytes]) -> None:
        self._rows = rows
        self._sketches = sketches
        self._sketcher = Sketcher()
        self._content = hashlib.blake2b(digest_size=16)
        self._outline = Outline()
        self._digest = hashlib.blake2b(digest_size=16)  # of the document that goes on
        self._document = 0  # bytes of it so far
        self._waiting = array("Q")  # rows
        self._misencoded: dict[str, None] = {}
        self._largest = ("", 0)
        self.size = self.characters = self.documents = self.control = 0

    def watched(self, found: Found) -> Found:
        """The same, noted in passing."""
        for item in found:
            if isinstance(item, Document):
                self._add(item)
            yield item

    def _add(self, piece: Document) -> None:
        text = piece.text.encode()
        self._digest.update(text)
        self._sketcher.add(text, piece.ends)
        self._document += len(text)
        self.characters += len(piece.text)
        self.control += len(text.translate(None, NOT_CONTROL))
        if piece.misencoded:
            self._misencoded[piece.label] = None
        if piece.ends:
            self._end(piece.label)

    def _end(self, file: str) -> None:
        digest = self._digest.digest()
        self._content.update(digest)
        self._outline.add(self.characters)
        self._waiting.extend((self._document, int.from_bytes(digest[:8], "little")))
        self._largest = max(self._largest, (file, self._document), key=lambda found: found[1])
        self.size += self._document
        self.documents += 1
        self._digest = hashlib.blake2b(digest_size=16)
        self._document = 0
        if len(self._waiting) >= 2 * ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits in memory."""
        np.array(self._waiting, "<u8").tofile(self._rows)
        self._waiting = array("Q")
        self._sketcher.finish().astype("<u8").tofile(self._sketches)

    def facts(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("size", "characters", "documents", "control")}
        return {
            "content": self._content.hexdigest(),
            "outline": self._outline.digest(),
            "misencoded": list(self._misencoded),
            "largest": self._largest,
            **counts,
        }


class Outline:
    """A digest of where documents end, in characters: quick to see that the same ones were read again."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, characters: int) -> None:
        """Note that a document ends after so many characters of the corpus."""
        self._digest.update(characters.to_bytes(8, "little"))

    def digest(self) -> str:
        return self._digest.hexdigest()


def contents(catalogues: Sequence[Catalogue]) -> str:
    """A digest of the contents of some corpora together."""
    together = "".join(one.content for one in catalogues)
    return hashlib.blake2b(together.encode(), digest_size=16).hexdigest()
