"""Folders of what can be made again: complete or not there at all; the least recently used go first."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import cache

MANIFEST = "manifest.json"  # written last: what is in the folder, and the size of every file
IDLE = 3600.0  # seconds after which nobody writes a draft any more
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass
class Draft:
    """A folder being filled, and the facts that will be told of it."""

    path: Path
    key: str
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write; it is on the disk when it is closed."""
        with (self.path / name).open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Entry:
    """A complete folder and the facts told of it."""

    path: Path
    facts: dict[str, Any]


class Cache:
    """Entries by key, that together take at most `limit` bytes.

    An entry is made in a folder of its own and then renamed, so a process that dies or makes the same at the
    same time does no harm.
    """

    def __init__(self, name: str, limit: int) -> None:
        """Open the cache of this name in the person's cache folder.

        Raises:
            StudioError: there can be no such folder.
        """
        self._limit = limit
        try:
            self._folder = cache() / name
        except OSError as error:
            raise _unwritable(Path(error.filename or name), error) from error

    def find(self, key: str) -> Entry | None:
        """The entry of a key, if it is there; a damaged one is removed."""
        path = self._folder / key
        if not path.is_dir():  # nothing to remove: another process may complete it at this moment
            return None
        try:
            manifest = json.loads((path / MANIFEST).read_bytes())
            whole = all((path / name).stat().st_size == size for name, size in manifest["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            _remove(path)
            return None
        with suppress(OSError):  # a folder that may only be read
            os.utime(path)  # it was of use now
        return Entry(path, manifest["facts"])

    @contextmanager
    def making(self, key: str = "") -> Iterator[Draft]:
        """Make the entry of a key: it is there when this ends without an error, else there is nothing.

        The draft may still be given its key when it is complete.

        Raises:
            StudioError: the disk is full, or the folder cannot be written.
        """
        draft = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            draft = Draft(Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=self._folder)), key)
            yield draft
            files = {path.name: path.stat().st_size for path in draft.path.iterdir()}
            with draft.file(MANIFEST) as file:
                file.write(json.dumps({"files": files, "facts": draft.facts}).encode())
            self._rename(draft.path, draft.key)
            with suppress(OSError):  # another process may remove entries, too
                self._trim(draft.key)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        finally:
            if draft:
                _remove(draft.path)

    def _rename(self, made: Path, key: str) -> None:
        try:
            made.rename(self._folder / key)
        except OSError:
            if self.find(key) is None:  # what stood in the way was damaged, and is gone now
                made.rename(self._folder / key)

    def _sweep(self) -> None:
        """Remove what processes that are no more left behind.

        Those of another machine that shares the folder are not known here, but what they write is new.
        """
        for path in self._folder.glob(".*-*"):
            process = path.name[1:].partition("-")[0]
            with suppress(OSError):  # it may be completed or removed at this moment
                if process.isdigit() and not psutil.pid_exists(int(process)) and _idle(path) > IDLE:
                    _remove(path)

    def _trim(self, newest: str) -> None:
        """Remove the least recently used entries until all fit."""
        entries = [path for path in self._folder.iterdir() if path.is_dir() and path.name[0] != "."]
        used = {path: path.stat().st_mtime_ns for path in entries}
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in entries}
        total = sum(sizes.values())
        for path in sorted(entries, key=used.__getitem__):
            if total <= self._limit:
                return
            if path.name != newest:
                _remove(path)
                total -= sizes[path]


def _unwritable(folder: Path, error: OSError) -> StudioError:
    kept = "The model and the files are as they were."
    if error.errno in FULL:
        return StudioError(
            "There is no room left on the disk for the tokens of these texts.",
            kept=kept,
            tries=f"Make room where {folder} is, or choose less text.",
        )
    return StudioError(
        f"The tokens of these texts cannot be written to {folder}: {error.strerror or error}.",
        kept=kept,
        tries="Allow writing there, or set GPT_STUDIO_HOME to a folder that can be written.",
    )


def _idle(folder: Path) -> float:
    """Seconds since something in a folder changed."""
    return time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _remove(path: Path) -> None:
    """Remove a folder. Files that another process holds open may stay: without manifest it is damaged."""
    if path.exists():
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
