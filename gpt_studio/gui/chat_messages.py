"""One turn of a conversation: what a person wrote, and the answer as it is being written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import prod

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.chat import Message, Mode
from gpt_studio.core.events import Failed, Generated, Token
from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, look, surprise
from gpt_studio.gui.token_text import Span, TokenText
from gpt_studio.gui.widgets import ElidedLabel, IconLabel, Label, Surface

WIDEST_BUBBLE = 270
MOST_PROMPT = 600  # characters of it in a tooltip
UNLIKELY = 0.12  # tokens less probable than this are underlined
READ_OUT = 0.25  # seconds between two updates of a number that runs


class Turn:
    """A question and its answer; to continue a text, the question is the start of the answer's text."""

    def __init__(self, mode: Mode, text: str, prompt: str, stop: str) -> None:
        self.mode, self.text, self.prompt, self.stop = mode, text, prompt, stop
        self.bubble = Bubble(text, prompt) if mode == "chat" else None
        self.answer = Answer(start=text if mode == "continue" else "")

    def widgets(self) -> list[QWidget]:
        """From top to bottom."""
        return [self.bubble, self.answer] if self.bubble else [self.answer]

    def messages(self) -> list[Message]:
        return [Message("user", self.text), Message("model", self.answer.written())]


class Bubble(QWidget):
    """What a person wrote: at the right, no wider than 270. Pointing at it shows what the model read."""

    def __init__(self, text: str, prompt: str) -> None:
        super().__init__()
        self.setAccessibleName(f"You: {text}")
        self.setAccessibleDescription(f"The model read: {prompt}")
        shown = escape(prompt[-MOST_PROMPT:])
        self.setToolTip(f'<p>The model read:</p><p style="white-space: pre-wrap">{shown}</p>')
        self._box = Surface(radius=12)
        self._text = TokenText(line_height=1.0)
        self._text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._text.set_spans([Span(text, plain=True)])
        Column((12, 8, 12, 9), 0, self._box).addWidget(self._text)
        row = Row(parent=self)
        row.addStretch(1)
        row.addWidget(self._box)
        follow(self.restyle)

    def restyle(self) -> None:
        self._box.set_role("raised" if look.theme.dark else "hover")
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(60), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As wide as its widest line."""
        widest = min(look.px(WIDEST_BUBBLE), max(self.width(), look.px(60)))
        self._text.setFixedWidth(self._text.ideal_width(widest - 2 * look.px(12)))


@dataclass(frozen=True)
class Written:
    """A piece of an answer: a token, or the few tokens that only together complete a character.

    `p` is the probability of the piece, `alternatives` are those of its first token, and `rank` is 0
    where there are more tokens than one.
    """

    text: str
    p: float
    rank: int
    alternatives: tuple[tuple[str, float], ...]


def merged(tokens: Sequence[Token]) -> Written:
    """Tokens as one piece."""
    first = tokens[0]
    rank = first.rank if len(tokens) == 1 else 0
    text = "".join(token.text for token in tokens)
    return Written(text, prod(token.p for token in tokens), rank, first.alternatives)


class Answer(QWidget):
    """What the model writes, with the surprise of each token, and below it how fast it wrote.

    Signals:
        regenerate_wanted: write it anew.
        branch_wanted: the text was cut and given another token; go on from there.
    """

    regenerate_wanted = Signal()
    branch_wanted = Signal()

    def __init__(self, start: str = "") -> None:
        """`start` is the text it continues."""
        super().__init__()
        self._start = [Span(start, background=lambda: color("weak"), plain=True)] if start else []
        self._tinted = True
        self._pieces: list[Written] = []
        self._waiting: list[Token] = []  # whose character is not complete
        self._count = 0
        self._began = 0.0
        self._told = 0.0
        self.tokens = TokenText(streams=True)
        self.tokens.setAccessibleName("Answer")
        self.stats = ElidedLabel("", "small", "text3", tabular=True)
        self.copy = ToolButton("copy", "Copy", side=24, size=14)
        self.again = ToolButton("regenerate", "Regenerate", side=24, size=14)
        self.failure = _FailureLine()
        self._lay_out()
        self.copy.clicked.connect(self._copy)
        self.again.clicked.connect(self.regenerate_wanted)
        self.begin_again()

    def _lay_out(self) -> None:
        column = Column(spacing=6, parent=self)
        column.addWidget(self.tokens)
        self._foot = QWidget()
        row = Row(spacing=3, parent=self._foot)
        row.addWidget(self.stats, 1)
        row.addWidget(self.copy)
        row.addWidget(self.again)
        column.addWidget(self._foot)
        column.addWidget(self.failure)
        follow(self.restyle)

    def restyle(self) -> None:
        self._foot.setFixedHeight(look.px(24))

    def tab_stops(self) -> list[QWidget]:
        return [self.tokens, self.copy, self.again]

    def written(self) -> str:
        """What the model wrote."""
        return "".join(piece.text for piece in self._pieces)

    def text(self) -> str:
        """All that is shown, the start included."""
        return self.tokens.text()

    # ------------------------------------------------------------ what happens

    def begin_again(self) -> None:
        """Forget what was written."""
        self._show([])

    def set_writing(self, writing: bool) -> None:
        """The model begins to write, after what there is, or has ended."""
        self.tokens.set_caret(writing)
        self.copy.setVisible(not writing)
        self.again.setVisible(not writing)
        if writing:
            self.failure.hide()
            self._count, self._began = 0, time.monotonic()
            self._told = self._began
            self.stats.setText("")

    def append(self, token: Token) -> None:
        """Show one more token, once its character is complete."""
        self.tokens.set_caret(True)
        self._waiting.append(token)
        self._count += 1
        if token.text:
            piece = merged(self._waiting)
            self._waiting = []
            self._pieces.append(piece)
            self.tokens.append([self._span(piece, begun=bool(self.tokens.text()))])
        self._tell_speed()

    def finish(self, event: Generated) -> None:
        """It is complete: say how fast it was written, and what ended it unless that was its own end."""
        cut = "Stopped at" if event.reason == "length" else ""
        self._close(_speed(event.tokens, event.seconds, cut))

    def end(self, how: str) -> None:
        """The model writes no more; what was written stays."""
        self._close(f"{how} · {_tokens(self._count)}".capitalize())

    def fail(self, event: Failed) -> None:
        self.end("not finished")
        self.failure.show_failure(event)

    def set_tinted(self, tinted: bool) -> None:
        """Show or hide how surprising each token was."""
        if tinted != self._tinted:
            self._tinted = tinted
            self._show(self._pieces)

    # ------------------------------------------------------------ its tokens

    def piece(self, index: int) -> Written | None:
        """What stands at a token's number; None for the start."""
        written = self.tokens.spans()[index].data if index >= 0 else None
        return written if isinstance(written, Written) else None

    def can_see(self, index: int) -> bool:
        return self.tokens.visibleRegion().intersects(self.tokens.span_rect(index))

    def branch(self, index: int, alternative: int) -> None:
        """Cut at a token and put one of its alternatives there."""
        place = index - len(self._start)
        piece = self._pieces[place]
        text, p = piece.alternatives[alternative]
        self._show([*self._pieces[:place], Written(text, p, alternative + 1, piece.alternatives)])
        self.branch_wanted.emit()

    # ------------------------------------------------------------ inside

    def _show(self, pieces: list[Written]) -> None:
        self._pieces, self._waiting = list(pieces), []
        spans, begun = list(self._start), bool(self._start)
        for piece in pieces:
            spans.append(self._span(piece, begun))
            begun = begun or bool(spans[-1].text)
        self.tokens.set_spans(spans)

    def _span(self, piece: Written, begun: bool) -> Span:
        """A piece as it is shown; spaces and empty lines before an answer are not."""
        return Span(
            piece.text if begun else piece.text.lstrip(),
            background=lambda: self._tint(piece),
            underline=self._tinted and piece.p < UNLIKELY,
            data=piece,
        )

    def _tint(self, piece: Written) -> QColor | None:
        return surprise(piece.p) if self._tinted else None

    def _close(self, stats: str) -> None:
        self._waiting = []
        self.set_writing(False)
        self.stats.setText(stats)

    def _tell_speed(self) -> None:
        """Four times a second at most, so that it can be read."""
        now = time.monotonic()
        if now - self._told >= READ_OUT:
            self._told = now
            self.stats.setText(_speed(self._count, now - self._began))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())


def _tokens(count: int) -> str:
    return f"{units.number(count)} token{'' if count == 1 else 's'}"


def _speed(count: int, seconds: float, cut: str = "") -> str:
    """ "58.3 tokens/s · 38 tokens"; what cut it short comes first, where it is seen in a narrow column."""
    speed = f"{units.short(count / max(seconds, 1e-9))} tokens/s"
    return f"{cut} {_tokens(count)} · {speed}" if cut else f"{speed} · {_tokens(count)}"


class _FailureLine(QWidget):
    """Why there is no more text, quietly, in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.label = Label("", "small", "text2", wrap=True)
        row = Row(spacing=8, parent=self)
        row.addWidget(IconLabel("alert-octagon", "bad", 14), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.label, 1)
        self.hide()

    def show_failure(self, event: Failed) -> None:
        self.label.setText(" ".join(filter(None, (_sentence(event.what), event.tries))))
        self.setAccessibleName(self.label.text())
        self.show()


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
