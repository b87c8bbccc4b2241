"""What a command says: lines for people or programs on stdout, how far it is on stderr."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any

from gpt_studio.core import units
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress

PLAIN = str.maketrans({units.SPACE: " ", units.MINUS: "-"})  # what can be searched for and typed again
REDRAW = 0.1  # seconds between two looks of the status line


def forgive() -> None:
    """Let no character end a program because a terminal or a file cannot hold it."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """A line for people; whoever reads it through a pipe has it at once."""
    print(text.translate(PLAIN), flush=True)


def say_json(data: Any) -> None:
    """A line for programs."""
    print(json.dumps(data), flush=True)


def note(text: str) -> None:
    """A line beside the result."""
    print(text.translate(PLAIN), file=sys.stderr, flush=True)


def explain(error: StudioError) -> None:
    """What happened, what was kept, what to try."""
    note(f"gpt-studio: {error.what}")
    for label, text in (("Kept", error.kept), ("Try", error.tries)):
        if text:
            note(f"{label}: {text}")


class StatusLine:
    """One line on a terminal that tells how far something is; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = ""
        self._at = 0.0
        self._wanted = sys.stderr.isatty()

    def show(self, text: str) -> None:
        now = time.monotonic()
        if self._wanted and now - self._at >= REDRAW:
            self._at = now
            self._draw(text.translate(PLAIN))

    def progress(self, progress: Progress) -> None:
        share = f" · {units.percent(progress.done / progress.total)}" if progress.total else ""
        self.show(progress.text + share)

    def clear(self) -> None:
        """Make room for a line that stays."""
        if self._shown:
            self._draw("")

    def _draw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write("\r" + text.ljust(len(self._shown)) + ("" if text else "\r"))
        sys.stderr.flush()
        self._shown = text
