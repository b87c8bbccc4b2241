"""Read corpora as documents, a piece at a time: the built-in ones, a file, or the text files of a folder."""

from __future__ import annotations

import importlib.util
import logging
import os
import sysconfig
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from gpt_studio.core import chat, world, world_facts
from gpt_studio.core.chat import Template
from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import TEXT_SUFFIXES, label
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.engine.formats import READERS, Document, explained, read, unusable

T = TypeVar("T")
Work = Generator[Progress | None, None, T]  # yields often, so that others have their turn

Fingerprint = tuple[tuple[str, int, int], ...]  # path, time of the last change, bytes of each file

WORLD_SIZE = 4_000_000  # bytes of the small world
TURN = 0.02  # seconds of work until others have theirs
FOLDER_SUFFIXES = TEXT_SUFFIXES | READERS.keys()
REFERENCE = "pydoc_data.topics"

# Tests, tables and what others installed; pydoc_data is the language reference again.
NOT_LIBRARY = frozenset(
    {"test", "tests", "site-packages", "dist-packages", "idlelib", "encodings", "pydoc_data", "__pycache__"}
)

log = logging.getLogger(__name__)


class Meter:
    """Counts work done and says so every 20 ms."""

    def __init__(self, text: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.text = text
        self._total = total
        self._clock = clock
        self._done = 0
        self._due = clock()

    def add(self, amount: int) -> None:
        """Note some more work."""
        self._done += amount

    def due(self) -> Progress | None:
        """The progress to show; None between two reports."""
        now = self._clock()
        if now < self._due:
            return None
        self._due = now + TURN
        return self.progress()

    def progress(self) -> Progress:
        """What to show now."""
        return Progress("data", self.text, min(self._done, self._total), self._total)


def documents(name: str, data: DataConfig, doing: str = "Reading") -> Iterator[Document | Progress | None]:
    """The documents of a corpus, given by a built-in name or a path, with the progress in between.

    The pieces of a long document come one after the other; blank documents are left out. `data` says how
    dialogues are written.

    Raises:
        StudioError: it is missing, may not be read, or has no text in it.
    """
    files = yield from _files(name)
    with explained(label(name)):
        total = size(name, [file.stat().st_size for file in files])
    meter = Meter(f"{doing} {label(name)}", total)
    source = SOURCES.get(name)
    found = source(data.template, meter) if source else _of_files(name, files, data.template, meter)
    empty = True
    for document in found:
        empty = False
        yield document
        if progress := meter.due():
            yield progress
    if empty:
        raise unusable(f"“{label(name)}” is empty.", "Choose a file or folder with text in it.")
    yield Progress("data", meter.text, total, total)


def fingerprint(name: str) -> Work[Fingerprint]:
    """Tells whether a corpus changed: its files, with their times and sizes; a built-in one has some too.

    Raises:
        StudioError: it is missing, or may not be read.
    """
    found = []
    for file in (yield from _files(name)):
        with explained(label(name)):
            status = file.stat()
        found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)


def size(name: str, sizes: Iterable[int]) -> int:
    """Bytes there are to read in a corpus with files of these sizes, or about as many."""
    return WORLD_SIZE if name == world.NAME else sum(sizes)


def has_dialogues(name: str, files: Fingerprint) -> bool:
    """Whether the text may depend on how dialogues are written."""
    return name == world.NAME or any(path.lower().endswith((".jsonl", ".parquet")) for path, _, _ in files)


# ---------------------------------------------------------------- built-in corpora


def _world(template: Template, meter: Meter) -> Iterator[Document]:
    for text in _small_world(template):
        meter.add(len(text))
        yield Document(text, label(world.NAME))


class _Kept:
    """What an iterator gave is kept for those who iterate again; it goes on when somebody needs more."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._kept: list[str] = []

    def __iter__(self) -> Iterator[str]:
        place = 0
        while True:
            if place == len(self._kept):
                text = next(self._texts, None)
                if text is None:
                    return
                self._kept.append(text)
            yield self._kept[place]
            place += 1


@lru_cache(maxsize=1)  # it is read for its sizes, for its characters and for its tokens
def _small_world(template: Template) -> _Kept:
    def enough() -> Iterator[str]:
        size = 0
        for text in world.documents(0, template):
            yield text
            size += len(text.encode())
            if size >= WORLD_SIZE:
                return

    return _Kept(enough())


def _reference(template: Template, meter: Meter) -> Iterator[Document]:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise _not_carried("its language reference") from error
    for topic in sorted(topics):
        meter.add(len(topics[topic]))
        yield Document(topics[topic], label("python-reference"))


SOURCES: dict[str, Callable[[Template, Meter], Iterator[Document]]] = {
    world.NAME: _world,
    "python-reference": _reference,
}


# ---------------------------------------------------------------- files and folders


def _files(name: str) -> Work[list[Path]]:
    """The files a corpus is read from, or made by."""
    if name == world.NAME:
        made_by = (Path(module.__file__ or "") for module in (world, world_facts, chat))
        return [path for path in made_by if path.is_file()]
    if name == "python-reference":
        found = importlib.util.find_spec(REFERENCE)
        if found is None:
            raise _not_carried("its language reference")
        return [Path(found.origin)] if found.origin and Path(found.origin).is_file() else []
    if name == "python-library":
        folder = Path(sysconfig.get_path("stdlib"))
        files = (yield from _walk(folder, {".py"}, NOT_LIBRARY)) if folder.is_dir() else []
        if not files:
            raise _not_carried("the sources of its standard library")
        return files
    path = Path(name)
    if not path.is_dir():
        return [path]
    files = yield from _walk(path, FOLDER_SUFFIXES)
    if not files:
        raise unusable(
            f"The folder “{label(name)}” has no text files.",
            "Choose one with files such as .txt, .md or .py. A file chosen by itself may have any ending.",
        )
    return files


def _walk(folder: Path, suffixes: Iterable[str], without: Iterable[str] = ()) -> Work[list[Path]]:
    """The files with these endings, in a fixed order; none that is hidden or in a linked folder."""

    def stop(error: OSError) -> None:
        with explained(Path(error.filename).name):
            raise error

    found = []
    for parent, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in without)
        paths = [Path(parent, name) for name in sorted(names) if name[0] != "."]
        found += [path for path in paths if path.suffix.lower() in suffixes and path.is_file()]
        yield None
    return found


def _of_files(name: str, files: list[Path], template: Template, meter: Meter) -> Iterator[Document]:
    """The documents of files; in a folder, a file that cannot be used is left out and noted in the log."""
    folder = Path(sysconfig.get_path("stdlib")) if name == "python-library" else Path(name)
    failure = None
    empty = True
    for file in files:
        alone = file == folder
        shown = label(name) if alone else file.relative_to(folder).as_posix()
        whole = True
        try:
            for document in read(file, shown, template, meter.add):
                yield document
                empty, whole = False, document.ends
        except StudioError as error:
            if alone:
                raise
            log.warning("Left out a file of %s: %s", folder, error.what)
            failure = failure or error
            if not whole:
                yield Document("", shown)
    if empty and failure:
        raise failure


def _not_carried(what: str) -> StudioError:
    return unusable(f"This Python installation does not carry {what}.", "Choose another corpus.")
