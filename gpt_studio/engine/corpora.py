"""Read corpora as documents: the built-in ones, a text file, or every text file of a folder."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
import sysconfig
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gpt_studio.core.corpora import TEXT_SUFFIXES, label
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.core.units import number

T = TypeVar("T")
Work = Generator[Progress | None, None, T]  # yields often, so that others have their turn

Fingerprint = tuple[tuple[str, int, int], ...]  # path, time of the last change, bytes of each file

BLOCK = 2**22  # bytes read at a time
UNCHANGED = "The model and the files are as they were."
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Tests, tables and what others installed; pydoc_data is the language reference again.
NOT_LIBRARY = frozenset(
    {"test", "tests", "site-packages", "dist-packages", "idlelib", "encodings", "pydoc_data", "__pycache__"}
)


@dataclass(frozen=True)
class Document:
    """One text that stands for itself. The same text is the same document, wherever it was found."""

    text: str
    size: int = field(init=False)  # bytes of UTF-8
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        data = self.text.encode()
        object.__setattr__(self, "size", len(data))
        object.__setattr__(self, "digest", hashlib.blake2b(data, digest_size=16).digest())


class Meter:
    """Counts work done and says so at most every 50 ms."""

    def __init__(self, text: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._text = text
        self._total = total
        self._clock = clock
        self._done = 0
        self._due = clock()

    def add(self, amount: int) -> Progress | None:
        """The progress to show after some more work; None between two reports."""
        self._done += amount
        now = self._clock()
        if now < self._due and self._done < self._total:
            return None
        self._due = now + 0.05
        return Progress("data", self._text, self._done, self._total)


def read(name: str) -> Work[list[Document]]:
    """The documents of a corpus, given by a built-in name or a path; blank ones are left out.

    Raises:
        StudioError: it is missing, may not be read, is no text in UTF-8, or has nothing in it.
    """
    source = SOURCES.get(name)
    texts = yield from source() if source else _path(Path(name))
    documents = []
    for text in texts:
        yield None
        if text and not text.isspace():
            documents.append(Document(text))
    if not documents:
        raise _unusable(f"“{label(name)}” is empty.", "Choose a file or folder with text in it.")
    return documents


def fingerprint(name: str) -> Work[Fingerprint]:
    """Tells whether a corpus changed on disk: its files, with their times and sizes; none for a built-in one.

    Raises:
        StudioError: it is missing, or may not be read.
    """
    if name in SOURCES:
        return ()
    path = Path(name)
    files = (yield from _files(path, TEXT_SUFFIXES)) if path.is_dir() else [path]
    found = []
    with _explained(label(name)):
        for file in files:
            status = file.stat()
            found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)


def _reference() -> Work[list[str]]:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise _not_carried("its language reference") from error
    yield None
    return [topics[topic] for topic in sorted(topics)]


def _library() -> Work[list[str]]:
    folder = Path(sysconfig.get_path("stdlib"))
    files = (yield from _files(folder, frozenset({".py"}), NOT_LIBRARY)) if folder.is_dir() else []
    if not files:
        raise _not_carried("the sources of its standard library")
    return (yield from _texts(files, folder, label("python-library")))


SOURCES: dict[str, Callable[[], Work[list[str]]]] = {
    "python-reference": _reference,
    "python-library": _library,
}


def _path(path: Path) -> Work[list[str]]:
    """The text of a file, or the texts of a folder."""
    shown = label(str(path))
    with _explained(shown):
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            return (yield from _folder(path))
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device may never end
            raise _unusable(f"“{shown}” is neither a file nor a folder.", "Choose a text file or a folder.")
        data = yield from _bytes(path, Meter(f"Reading {shown}", found.st_size))
    if _is_binary(data):
        raise _unusable(f"“{shown}” is not a text file: it holds zero bytes.", "Choose a text file.")
    return [_decoded(data, shown)]


def _folder(folder: Path) -> Work[list[str]]:
    title = label(str(folder))
    files = yield from _files(folder, TEXT_SUFFIXES)
    if not files:
        raise _unusable(
            f"The folder “{title}” has no text files.",
            "Choose one with files such as .txt, .md or .py. A file chosen by itself may have any ending.",
        )
    return (yield from _texts(files, folder, title))


def _files(folder: Path, suffixes: Iterable[str], without: Iterable[str] = ()) -> Work[list[Path]]:
    """The files with these endings, in a fixed order; none that is hidden or in a linked folder."""

    def stop(error: OSError) -> None:
        with _explained(Path(error.filename).name):
            raise error

    found = []
    for parent, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in without)
        paths = [Path(parent, name) for name in sorted(names) if name[0] != "."]
        found += [path for path in paths if path.suffix.lower() in suffixes and path.is_file()]
        yield None
    return found


def _texts(files: list[Path], folder: Path, title: str) -> Work[list[str]]:
    """The text of each file; binary ones are skipped."""
    with _explained(title):
        meter = Meter(f"Reading {title}", sum(file.stat().st_size for file in files))
    texts = []
    for file in files:
        shown = file.relative_to(folder).as_posix()
        with _explained(shown):
            data = yield from _bytes(file, meter)
        if not _is_binary(data):
            texts.append(_decoded(data, shown))
    return texts


def _bytes(path: Path, meter: Meter) -> Work[bytes]:
    blocks = []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            blocks.append(block)
            yield meter.add(len(block))
    return b"".join(blocks)


def _is_binary(data: bytes) -> bool:
    return b"\0" in data and not data.startswith(UTF16)


def _decoded(data: bytes, shown: str) -> str:
    """UTF-8 as text with no byte order mark and Unix line ends; nothing else is changed."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        where = f"the byte at offset {number(error.start)} does not fit"
        raise _unusable(
            f"“{shown}” is not UTF-8 text: {where}.", "Save it as UTF-8, then choose it again."
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Say in words why a file or folder cannot be read."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unusable(f"“{shown}” was not found.", "Put it back, or leave it out.") from error
    except PermissionError as error:
        raise _unusable(
            f"There is no permission to read “{shown}”.", "Allow reading it, or leave it out."
        ) from error
    except OSError as error:
        raise _unusable(
            f"“{shown}” cannot be read: {error.strerror or error}.", "Try again, or leave it out."
        ) from error


def _unusable(what: str, tries: str) -> StudioError:
    return StudioError(what, kept=UNCHANGED, tries=tries)


def _not_carried(what: str) -> StudioError:
    return _unusable(f"This Python installation does not carry {what}.", "Choose another corpus.")
