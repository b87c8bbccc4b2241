"""Files that others write: whether they changed, and their lines, each read once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gpt_studio.core.line_file import Line
from gpt_studio.core.runs import parse_line

CHECKED = 64  # bytes before the place where reading ended that must be the same when it goes on
Sign = tuple[int, int, int]  # what a file that changed does not keep: number, size, time

NOTHING: Sign = (0, 0, 0)  # of a file that is not there


class Watched:
    """A file or folder, and whether it changed since it was last looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = str(path)
        self.sign = NOTHING

    def changed(self) -> bool:
        sign = self._look()
        different, self.sign = sign != self.sign, sign
        return different

    def _look(self) -> Sign:
        try:
            found = os.stat(self._text)  # noqa: PTH116 - hundreds a second, and Path.stat takes twice as long
        except OSError:
            return NOTHING
        return found.st_ino, found.st_size, found.st_mtime_ns


class Growing(Watched):
    """A file of lines that grows: each line is read once, a torn last one when it is whole."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._offset = 0
        self._before = b""  # what stands before the offset

    def begins_anew(self) -> bool:
        """Whether it is not the file it was: shorter, or other bytes where reading ended."""
        if not self._offset:
            return False
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset - len(self._before))
                same = file.read(len(self._before)) == self._before
        except OSError:
            same = False
        if not same:
            self._offset, self._before = 0, b""
        return not same

    def lines(self) -> Iterator[Line]:
        """The lines that are whole by now and were not yet read."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break
                    self._offset += len(raw)
                    self._before = (self._before + raw)[-CHECKED:]
                    line = parse_line(raw)
                    if line:
                        yield line
        except OSError:
            return
