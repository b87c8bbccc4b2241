"""A file of JSON lines that only grows: lines that cannot be written now wait, and are written in order."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Line = dict[str, Any]  # an object of JSON
CHUNK = 1 << 16
PATIENCE = 20 if os.name == "nt" else 0  # tries to replace a file that somebody reads
MODE = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class LineFile:
    """Opened for each writing alone, so that a file that was moved away is seen, and hinders nobody."""

    def __init__(self, path: Path, everything: Callable[[], Iterable[Line]]) -> None:
        """Go on after the whole lines of a file, made if it is not there.

        `everything` gives all lines there have ever been: they are written again if the file is lost.

        Raises:
            OSError: it cannot be written.
        """
        self.path = path
        self._everything = everything
        self._waiting: list[bytes] = []
        path.touch()
        self._size = _whole(path)  # bytes of whole lines

    def add(self, line: Line) -> None:
        """Let a line wait to be written."""
        self._waiting.append(_bytes(line))

    def write(self) -> None:
        """Write what waits. After a failure everything still waits, and nothing is written twice.

        Raises:
            OSError: it cannot be written.
        """
        if not self._waiting:
            return
        file = os.open(self.path, MODE, 0o666)
        try:
            there = os.fstat(file).st_size
            if there < self._size:  # lost: it was removed, or replaced
                self._waiting = [_bytes(line) for line in self._everything()]
                self._size = 0
            if there > self._size:  # what was torn
                os.ftruncate(file, self._size)
            text = b"".join(self._waiting)
            write_all(file, text)
        finally:
            os.close(file)
        self._size += len(text)
        self._waiting.clear()


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write to the end, however much the system takes at once.

    Raises:
        OSError: it takes no more.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def put_in_place(partial: Path, place: Path) -> None:
    """Let a file that is whole take the place of another; Windows refuses while somebody reads that one.

    Raises:
        OSError: it cannot be put there.
    """
    for _ in range(PATIENCE):
        with contextlib.suppress(PermissionError):
            partial.replace(place)
            return
        time.sleep(0.01)
    partial.replace(place)


def last_lines(path: Path) -> list[bytes]:
    """Some whole lines at the end of a file, at least one if there is one."""
    with path.open("rb") as file:
        end, tail = file.seek(0, os.SEEK_END), b""
        while tail.count(b"\n") < 2 and end:
            start = max(0, end - CHUNK)
            file.seek(start)
            tail, end = file.read(end - start) + tail, start
    lines = tail.split(b"\n")[:-1]  # without what is torn
    return lines[1:] if end else lines


def _whole(path: Path) -> int:
    """The bytes of a file's whole lines."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - CHUNK)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                return start + place + 1
            end = start
    return 0


def _bytes(line: Line) -> bytes:
    return (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "replace")
