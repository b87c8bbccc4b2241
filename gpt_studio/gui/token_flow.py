"""Break a flow of tokens into lines: only at spaces and newlines, unless a word is longer than a line.

Pure arithmetic: it knows widths, not fonts or colors. Offsets count characters of the whole text.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import NamedTuple

_WIDE = "\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # scripts written without spaces
_PIECE = re.compile(rf"\n|[^\S\n]+|[{_WIDE}]|[^\s{_WIDE}]+")


class Piece(NamedTuple):
    """A part of a token that stands on one line: `span` is the token's number."""

    span: int
    start: int
    end: int
    x: float
    width: float


class Box(NamedTuple):
    """Where one token stands on one line.

    `inset` is the width of the spaces it begins with, `outset` of those the next one begins with.
    """

    span: int
    line: int
    x: float
    width: float
    inset: float
    outset: float


@dataclass
class Line:
    """Pieces from left to right. A `soft` line begins where the width ended, not after a newline."""

    soft: bool
    pieces: list[Piece] = field(default_factory=list)
    width: float = 0.0

    def add(self, piece: Piece, width: float) -> None:
        self.pieces.append(Piece(piece.span, piece.start, piece.end, self.width, width))
        self.width += width


class Flow:
    """Tokens laid out for one width; `append` lays out no more than the last line again."""

    def __init__(self, measure: Callable[[str], float]) -> None:
        """`measure` gives the width of a short text without line breaks, or of "\\n" as it is marked."""
        self.measure = measure
        self._parts: dict[str, tuple[tuple[str, float], ...]] = {}  # tokens repeat, measuring is slow
        self.width = 0.0
        self.text = ""
        self.starts: list[int] = []  # the offset at which each token begins
        self.lines: list[Line] = [Line(soft=False)]

    def lay_out(self, tokens: Iterable[str], width: float) -> None:
        """Start over."""
        self.width = max(1.0, width)
        self.text, self.starts, self.lines = "", [], [Line(soft=False)]
        self.append(tokens)

    def append(self, tokens: Iterable[str]) -> None:
        """Add tokens at the end."""
        last = self.lines.pop()
        span, start = last.pieces[0][:2] if last.pieces else (len(self.starts), len(self.text))
        added = list(tokens)
        self.starts += accumulate(map(len, added[:-1]), initial=len(self.text)) if added else ()
        self.text += "".join(added)
        self.lines.append(Line(last.soft))
        breaker = _Breaker(self)
        while span < len(self.starts):
            end = self.starts[span + 1] if span + 1 < len(self.starts) else len(self.text)
            breaker.take(span, start, self._parts_of(self.text[start:end]))
            span, start = span + 1, end
        breaker.finish()

    def for_width(self, width: float) -> Flow:
        """The same tokens laid out for another width."""
        flow = Flow(self.measure)
        flow._parts = self._parts
        ends = [*self.starts[1:], len(self.text)]
        flow.lay_out((self.text[a:b] for a, b in zip(self.starts, ends, strict=False)), width)
        return flow

    def line_of(self, offset: int) -> int:
        """The line in which the character at an offset stands."""
        return max(0, bisect_right(self.lines, offset, key=self._first_offset) - 1)

    def boxes(self, line: int) -> list[Box]:
        """The tokens of a line from left to right; they never overlap."""
        grouped = groupby(self.lines[line].pieces, key=lambda piece: piece.span)
        tokens = [(span, list(pieces)) for span, pieces in grouped]
        insets = [self._inset(pieces) for _, pieces in tokens]
        outsets = [*insets[1:], *insets[-1:]]  # the last one as if its like came next
        return [
            Box(span, line, pieces[0].x, pieces[-1].x + pieces[-1].width - pieces[0].x, inset, outset)
            for (span, pieces), inset, outset in zip(tokens, insets, outsets, strict=True)
        ]

    def boxes_of(self, span: int) -> list[Box]:
        """Where one token stands: a box for each line it reaches."""
        line = max(0, bisect_left(self.lines, span, key=_first_span) - 1)
        found = []
        while line < len(self.lines) and _first_span(self.lines[line]) <= span:
            found += [box for box in self.boxes(line) if box.span == span]
            line += 1
        return found

    def offset_at(self, line: int, x: float) -> int:
        """The place between two characters nearest to `x`."""
        line = min(max(0, line), len(self.lines) - 1)
        pieces = self.lines[line].pieces
        if not pieces:
            return len(self.text)
        piece = pieces[max(0, bisect_right(pieces, x, key=lambda piece: piece.x) - 1)]
        places = range(piece.start, piece.end + 1 - (self.text[piece.end - 1] == "\n"))
        return min(places, key=lambda place: abs(self.x_of(piece, place) - x))

    def x_of(self, piece: Piece, offset: int) -> float:
        """Where in its line a character of a piece begins."""
        if offset <= piece.start or not piece.width:
            return piece.x
        if offset >= piece.end:
            return piece.x + piece.width
        return piece.x + min(piece.width, self.measure(self.text[piece.start : offset]))

    def _inset(self, pieces: list[Piece]) -> float:
        """The width of the spaces before a word."""
        return pieces[0].width if len(pieces) > 1 and self.text[pieces[0].start].isspace() else 0.0

    def _parts_of(self, text: str) -> tuple[tuple[str, float], ...]:
        """A token in parts between which a line may end, with their widths."""
        if text not in self._parts:
            self._parts[text] = tuple((part, self.measure(part)) for part in _PIECE.findall(text))
        return self._parts[text]

    def _first_offset(self, line: Line) -> int:
        return line.pieces[0].start if line.pieces else len(self.text) + 1


class _Breaker:
    """Fills lines word by word: a word may consist of several tokens."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._line = flow.lines[-1]
        self._spaces: list[Piece] = []
        self._word: list[Piece] = []

    def take(self, span: int, start: int, parts: tuple[tuple[str, float], ...]) -> None:
        """Lay out one token that begins at an offset."""
        for part, width in parts:
            piece = Piece(span, start, start + len(part), 0.0, width)
            start = piece.end
            if part[0].isspace():
                self._place_word()
                self._spaces.append(piece)
                if part == "\n":
                    self._hang(self._spaces)
                    self._next_line(soft=False)
            else:
                if part[0] >= _WIDE[0]:
                    self._place_word()
                self._word.append(piece)

    def finish(self) -> None:
        self._place_word()
        self._hang(self._spaces)

    def _place_word(self) -> None:
        if not self._word:
            return
        width = sum(piece.width for piece in self._word)
        spaces = sum(piece.width for piece in self._spaces)
        if self._line.width + spaces + width > self._flow.width and (self._line.pieces or self._spaces):
            self._wrap()
        squeeze = self._line.soft and not self._line.pieces
        for piece in self._spaces:
            self._line.add(piece, 0.0 if squeeze else piece.width)
        self._spaces = []
        for piece in self._word:
            if width > self._flow.width:
                self._place_characters(piece)
            else:
                self._line.add(piece, piece.width)
        self._word = []

    def _wrap(self) -> None:
        """Go on in a new line. A space that begins the word's token goes with it, others stay."""
        if self._line.soft and not self._line.pieces:
            return
        goes = self._word[0].span if self._line.pieces else None  # indentation stays
        own = [piece for piece in self._spaces if piece.span == goes]
        self._hang([piece for piece in self._spaces if piece not in own])
        self._spaces = own
        self._next_line(soft=True)

    def _hang(self, spaces: list[Piece]) -> None:
        """Spaces at the end of a line take what room is left; a newline always shows."""
        for piece in spaces:
            room = max(0.0, self._flow.width - self._line.width)
            newline = self._flow.text[piece.start] == "\n"
            self._line.add(piece, piece.width if newline else min(room, piece.width))
        self._spaces = []

    def _place_characters(self, piece: Piece) -> None:
        """A part of a word that is longer than a line breaks anywhere."""
        for offset in range(piece.start, piece.end):
            width = self._flow.measure(self._flow.text[offset])
            if self._line.width and self._line.width + width > self._flow.width:
                self._next_line(soft=True)
            self._line.add(Piece(piece.span, offset, offset + 1, 0.0, width), width)

    def _next_line(self, soft: bool) -> None:
        self._line = Line(soft)
        self._flow.lines.append(self._line)


def _first_span(line: Line) -> int:
    return line.pieces[0].span if line.pieces else sys.maxsize
