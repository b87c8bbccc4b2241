"""Learn a byte-pair encoding from texts, in a process of its own.

A thread would not do: rustbpe holds Python's lock for seconds while it merges and cannot be interrupted. A
process leaves the others alone, is stopped at once, and gives all of its memory back.
"""

from __future__ import annotations

import logging
import queue
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Self

from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.engine import patterns
from gpt_studio.engine.bpe import OwnBPE, unpack
from gpt_studio.engine.corpora import Meter, Work
from gpt_studio.engine.tokenizer import Texts, writable

PROCESS = Path(__file__).with_name("bpe_process.py")
LEARNED_FROM = 128_000_000  # bytes; of larger texts an evenly spread part, which gives nearly the same tokens
PIECE = 2**13  # characters; no token is longer
WAITING = 2**21  # bytes handed over that the process has not taken yet
PAUSE = 0.005  # seconds between two looks at the process; others have their turn meanwhile
TEXT = "Learning the tokenizer"

log = logging.getLogger(__name__)


def learn_bpe(texts: Texts, size: int, vocab_size: int) -> Work[OwnBPE]:
    """Learn `vocab_size` tokens, the 256 bytes among them, from texts of `size` bytes; fewer from few texts.

    Closing it stops the process.

    Raises:
        StudioError: the process could not be started, or failed.
    """
    meter = Meter(TEXT, size)
    with _Learner(vocab_size) as learner:
        for piece in _spread(texts, size, meter):
            while piece and not learner.take(piece):
                yield from _wait()
            yield meter.due()
        learner.take(b"")
        while learner.is_busy():
            yield Progress("data", TEXT)  # nobody knows how long it still merges
            yield from _wait()
        return OwnBPE(learner.tokens(), patterns.OWN)


def _wait() -> Iterator[None]:
    time.sleep(PAUSE)
    yield None


def _spread(texts: Texts, size: int, meter: Meter) -> Iterator[bytes]:
    """Pieces of text, evenly spread if there is too much of it; an empty one lets others have a turn."""
    share = min(1.0, LEARNED_FROM / max(1, size))
    seen = kept = 0
    for text in texts():
        for piece in _pieces(text or ""):
            data = writable(piece).encode()
            meter.add(len(data))
            seen += len(data)
            if kept < share * seen:
                kept += len(data)
                yield data
            else:
                yield b""


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces, cut at spaces where there are any."""
    start = 0
    while len(text) - start > PIECE:
        space = text.rfind(" ", start + 1, start + PIECE)
        end = space if space > 0 else start + PIECE
        yield text[start:end]
        start = end
    yield text[start:]


class _Learner:
    """The process that learns, and the thread that talks to it."""

    def __init__(self, vocab_size: int) -> None:
        command = [sys.executable, "-P", str(PROCESS), str(vocab_size), patterns.OWN]
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        try:
            self._process = subprocess.Popen(
                command, stdin=PIPE, stdout=PIPE, stderr=PIPE, creationflags=flags
            )
        except OSError as error:
            raise _failed() from error
        self._waiting = queue.SimpleQueue[bytes]()
        self._given = self._taken = 0  # bytes
        self._learned = self._said = b""
        self._thread = threading.Thread(target=self._talk, name="bpe", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._waiting.put(b"")
        self._thread.join()

    def take(self, piece: bytes) -> bool:
        """Hand over a piece of text, an empty one as the last; False: not now, it is busy."""
        if not self.is_busy():
            raise self._failure()
        if piece and self._given - self._taken > WAITING:
            return False
        self._given += len(piece)
        self._waiting.put(piece)
        return True

    def is_busy(self) -> bool:
        return self._thread.is_alive()

    def tokens(self) -> list[bytes]:
        """What was learned, by rank."""
        if self._process.returncode:
            raise self._failure()
        return unpack(self._learned)

    def _talk(self) -> None:
        stdin = self._process.stdin
        assert stdin
        try:
            while piece := self._waiting.get():
                stdin.write(struct.pack("<I", len(piece)) + piece)
                self._taken += len(piece)
            stdin.write(struct.pack("<I", 0))
        except OSError:
            pass  # the process ended; it says below why
        self._learned, self._said = self._process.communicate()

    def _failure(self) -> StudioError:
        log.error("The tokenizer's process ended with %s: %s", self._process.returncode, self._said.decode())
        return _failed()


def _failed() -> StudioError:
    return StudioError(
        "The tokenizer could not be learned.",
        kept="Nothing was changed.",
        tries="Close other programs if memory is short, or choose another tokenizer.",
    )
