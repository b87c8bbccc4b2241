"""A file that one process at a time holds. The system takes it back when that process ends, however."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class Lock:
    """A held lock."""

    def __init__(self, path: Path, alone: bool = True) -> None:
        """Take it; if not `alone`, others may do so at the same time, where the system knows such locks.

        Raises:
            BlockingIOError: another process, or another part of this one, holds it.
            OSError: the file cannot be made.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _hold(self._file, alone)
        except OSError as error:
            if error.errno in HELD:
                os.close(self._file)
                raise BlockingIOError(f"{path} is held") from error
            # some network disks know no locks: better none than no writing

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether somebody holds it now."""
    if not path.exists():
        return False
    with suppress(OSError):
        try:
            Lock(path, alone=False).release()  # two who look are not in each other's way
        except BlockingIOError:
            return True
    return False


if sys.platform == "win32":
    import msvcrt

    def _hold(file: int, alone: bool) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _hold(file: int, alone: bool) -> None:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
