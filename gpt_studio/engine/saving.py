"""Write a checkpoint on a thread of its own, while the weights rest and the next gradients are computed.

A safetensors file: the header's length in 8 bytes, the header in JSON, the tensors one after the other. It
is written beside its place, flushed to disk and renamed, so that whatever happens an earlier file stays as it
was. The safetensors library would copy all tensors first.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
import torch
from torch import Tensor

from gpt_studio.core import units
from gpt_studio.core.errors import StudioError
from gpt_studio.core.line_file import put_in_place, write_all
from gpt_studio.core.runs import name_again
from gpt_studio.engine.device import memory_limit

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint8: "U8"}
PIECE = 1 << 22  # bytes written or copied at once
SPARE = 1 << 29  # bytes of memory that copying leaves free
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Content(Protocol):
    """What a checkpoint gives to be written."""

    def tensors(self) -> dict[str, Tensor]: ...
    def metadata(self) -> dict[str, str]: ...


class Saving:
    """A file being written. Until `done`, who wants to change the tensors calls `release` first."""

    def __init__(self, path: str | Path, checkpoint: Content, names: Sequence[Path] = ()) -> None:
        """Begin. `names` are other names, in the same folder, that the file is to have as well."""
        self.path = Path(path)
        self.waited = 0.0  # seconds that `release` took
        self._names = names
        tensors = checkpoint.tensors()
        order = sorted(tensors, key=lambda name: -tensors[name].itemsize)  # so that each lies aligned
        self._header = header({name: tensors[name] for name in order}, checkpoint.metadata())
        self._pieces = Pieces([tensors[name] for name in order])
        self._size = len(self._header) + self._pieces.size
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="saving")
        self._thread.start()

    def done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self) -> int:
        """Wait for the end; return the file's bytes.

        Raises:
            StudioError: the place cannot be written, or the disk is full.
        """
        self._thread.join()
        if self._error:
            raise self._error
        return self._size

    def release(self) -> None:
        """Return when the tensors may change: what is not written yet is copied, as far as memory allows."""
        before = time.perf_counter()
        self._pieces.release()
        self.waited += time.perf_counter() - before

    def _work(self) -> None:
        try:
            target = Path(os.path.realpath(self.path))  # a link stays a link
            _check_place(target)
            remove_partials(target)
            _check_room(target.parent, self._size)
            self._write(target)
        except OSError as error:
            self._error = _not_saved(error, self.path, self._size)
            self._error.__cause__ = error
        except Exception as error:
            self._error = error
        finally:
            self._pieces.drop()

    def _write(self, target: Path) -> None:
        partial = target.with_name(f"{_partial_stem(target)}.{secrets.token_hex(4)}.partial")
        try:
            file = os.open(partial, NEW_FILE, 0o666)
            try:
                write_all(file, self._header)
                for piece in self._pieces:
                    _check_numbers(piece)
                    write_all(file, piece.view(torch.uint8).numpy().data)
                _flush(file)
            finally:
                os.close(file)
            for name in self._names:  # first: who is killed in between comes to this step again
                name_again(partial, name)
            put_in_place(partial, target)
            _flush_folder(target.parent)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


class Pieces:
    """The bytes of tensors, in order, for one who writes them on another thread."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        flat = [tensor.detach().reshape(-1) for tensor in tensors if tensor.numel()]
        self._pieces: list[Tensor | None] = [
            piece for tensor in flat for piece in torch.split(tensor, PIECE // tensor.itemsize)
        ]
        self.size = sum(tensor.nbytes for tensor in flat)
        self._next = 0  # to be written
        self._copied = len(self._pieces)  # from here on they are copies
        self._lent = False  # a piece of a tensor itself is being written
        self._changed = threading.Condition()
        device = next((tensor.device for tensor in flat if tensor.is_cuda), None)
        self._stream = None if device is None else _side_stream(device)  # copies wait for no gradients

    def __iter__(self) -> Iterator[Tensor]:
        while (piece := self._take()) is not None:
            here = self._host(piece)
            if here is not piece:
                self._return()
            yield here

    def _take(self) -> Tensor | None:
        with self._changed:
            self._lent = False
            index, self._next = self._next, self._next + 1
            piece = None
            if index < len(self._pieces):
                piece, self._pieces[index] = self._pieces[index], None
                self._lent = index < self._copied
            self._changed.notify_all()
            return piece

    def _return(self) -> None:
        with self._changed:
            self._lent = False
            self._changed.notify_all()

    def release(self) -> None:
        """Copy what is not written yet, from the end, and wait for the piece that is being written."""
        with self._changed:
            while self._next < self._copied:
                if free_memory() < SPARE:
                    self._changed.wait()  # until one more is written
                    continue
                self._copied -= 1
                piece = self._pieces[self._copied]
                assert piece is not None
                here = self._host(piece)
                self._pieces[self._copied] = piece.clone() if here is piece else here
            self._changed.wait_for(lambda: not self._lent)

    def drop(self) -> None:
        """Nobody writes any more."""
        with self._changed:
            self._pieces.clear()
            self._copied = 0
            self._lent = False
            self._changed.notify_all()

    def _host(self, piece: Tensor) -> Tensor:
        """The piece, or a copy of it where it lies on another device."""
        with torch.cuda.stream(self._stream):
            return piece.cpu()


def free_memory() -> int:
    """Bytes that this process can still take, of the machine and of its container."""
    taken: int = psutil.Process().memory_info().rss
    free: int = psutil.virtual_memory().available
    return min(free, memory_limit() - taken)


def _side_stream(device: torch.device) -> torch.cuda.Stream:
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    return stream


def header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The first bytes of a safetensors file with these tensors in this order."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        entries[name] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


# ---------------------------------------------------------------- places


def _check_place(target: Path) -> None:
    if not target.parent.is_dir():
        raise _unsaved(f"there is no folder “{target.parent}”")
    if target.exists() and not target.is_file():
        raise _unsaved(f"“{target.name}” is a folder" if target.is_dir() else f"“{target.name}” is no file")


def _check_room(folder: Path, need: int) -> None:
    if lack := _lack_of_room(folder, need):
        raise _unsaved(lack)


def _lack_of_room(folder: Path, need: int) -> str:
    """Say how much of a disk is free if that is too little; empty where there is enough, or nobody knows."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return f"{units.memory(free, like=need)} free, {units.memory(need)} needed" if free < need else ""


def _check_numbers(piece: Tensor) -> None:
    """Weights, and what the optimizer remembers, are in float32; numbers of curves may be anything."""
    if piece.dtype == torch.float32 and not np.isfinite(piece.numpy()).all():
        raise _unsaved("its numbers are not finite any more")


def _partial_stem(target: Path) -> str:
    return target.stem[:40]  # names have a greatest length


def remove_partials(target: Path) -> None:
    """Remove what a save to this place left when the program was killed."""
    ours = re.compile(re.escape(_partial_stem(target)) + r"\.[0-9a-f]{8}\.partial")
    for file in target.parent.iterdir():
        if ours.fullmatch(file.name):
            with contextlib.suppress(OSError):
                file.unlink()


def _flush(file: int) -> None:
    """Make a file outlive a power cut; a Mac's fsync does not wait for the disk itself."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # some network disks cannot
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
            return
    os.fsync(file)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself outlive a power cut; Windows has no such call."""
    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


# ---------------------------------------------------------------- failures


def _not_saved(error: OSError, path: Path, need: int) -> StudioError:
    code = error.errno or 0
    if code in NO_ROOM:
        return _unsaved(_lack_of_room(path.parent, need) or f"the disk did not take {units.memory(need)}")
    if code in FORBIDDEN:
        return _unsaved(f"the folder “{path.parent}” may not be written to")
    return _unsaved(os.strerror(code) if code else str(error))


def _unsaved(reason: str) -> StudioError:
    return StudioError(
        f"The checkpoint was not saved — {reason}",
        kept="The model is still in memory, and an earlier file of this name is unchanged.",
        tries="Choose another folder or name.",
    )
