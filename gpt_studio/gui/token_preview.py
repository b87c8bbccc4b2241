"""See the text as the model will: the first tokens of the corpus, in colors, as ids or plain."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QLineEdit, QProgressBar, QSizePolicy, QStackedWidget, QWidget

from gpt_studio.core.events import DataReport, PreviewToken, Progress
from gpt_studio.core.units import number, percent
from gpt_studio.gui.buttons import Button, ToolButton
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look, style_font, token_tint
from gpt_studio.gui.token_popover import PopoverRow, TokenPopover, visible
from gpt_studio.gui.token_text import Span, TokenText
from gpt_studio.gui.widgets import Card, EmptyState, Label

MODES = {"colors": "Colors", "ids": "Ids", "plain": "Plain"}
BYTES = 12  # of a token shown at most


class PreviewCard(Card):
    """The first tokens; while they are being made, how far that is.

    Signals:
        files_wanted: there is no text, choose files.
    """

    files_wanted = Signal()

    def __init__(self) -> None:
        self.mode = Segmented(MODES, "Show tokens as", small=True)
        self.search = ToolButton("search", "Find in the preview (Ctrl+F)", 26, checkable=True)
        self.field = SearchField()
        self.hits = Label("", "small", "text3", tabular=True)
        super().__init__("Preview", "", (self.hits, self.field, self.mode, self.search))
        self._report: DataReport | None = None
        self._popover: TokenPopover | None = None
        self._found: list[tuple[int, int]] = []
        self._current = -1
        self.tokens = TokenText(mono=True, gap=1.5, line_height=1.5, marks=True)
        self.tokens.setAccessibleName("Preview of the tokens")
        self.pages = QStackedWidget()
        self.progress = ProgressLine()
        self.area = Scroll(self.tokens)
        self.add = Button("Add files…")
        self.add.clicked.connect(self.files_wanted)
        self.empty = EmptyState(
            "No text chosen", "Check a corpus on this page, or add text of your own.", self.add
        )
        for page in (self.empty, self.progress, self.area):
            self.pages.addWidget(page)
        self.body.addWidget(self.pages)
        self._close_search()
        self._connect()

    def _connect(self) -> None:
        self.mode.changed.connect(self._show_tokens)
        self.tokens.hovered.connect(self._show_token)
        self.area.verticalScrollBar().valueChanged.connect(self._hide_token)
        self.search.clicked.connect(lambda on: self.open_search() if on else self._close_search())
        self.field.textChanged.connect(self._find)
        self.field.next_wanted.connect(self._go_on)
        self.field.closed.connect(self._close_search)
        QShortcut(QKeySequence.StandardKey.Find, self, self.open_search)

    def show_state(self, state: State) -> None:
        if not state.config.data.corpora:
            page: QWidget = self.empty
        elif state.report is None:
            page = self.progress
            waiting = "No tokens yet" if state.awake else "Starting"
            self.progress.show_progress(state.progress.get("data"), waiting)
        else:
            page = self.area
        self.pages.setCurrentWidget(page)
        if state.report is not self._report:
            self._report = state.report
            self._show_tokens()
        for widget in (self.mode, self.search):
            widget.setEnabled(page is self.area)

    # Tokens

    def _show_tokens(self) -> None:
        report, mode = self._report, self.mode.value()
        self.set_caption(report.preview_title if report else "")
        self.tokens.set_marks(mode == "colors")
        self.tokens.set_spans(_spans(report.preview, mode) if report else ())
        self.area.verticalScrollBar().setValue(0)
        self._find()

    def _show_token(self, index: int) -> None:
        if index < 0 or not self._report:
            self._hide_token()
            return
        self._popover = self._popover or TokenPopover(self.window())
        token = self._report.preview[index]
        rows = [PopoverRow("Bytes", _hex(token.raw)), PopoverRow("In this corpus", _frequency(token))]
        title = visible(_shown(token)), f"id {number(token.id)}"
        self._popover.show_rows(rows, self.tokens, self.tokens.span_rect(index), title)

    def _hide_token(self) -> None:
        if self._popover:
            self._popover.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        self._hide_token()

    # Search

    def open_search(self) -> None:
        """Show the field and write there."""
        if self.search.isEnabled():
            self.search.setChecked(True)
            self.field.show()
            self.hits.show()
            self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.field.selectAll()
            self._find()

    def _close_search(self) -> None:
        self.search.setChecked(False)
        self.field.hide()
        self.hits.hide()
        self.tokens.set_found(())

    def _find(self) -> None:
        """Mark every place where the text stands, the first one as current."""
        if self.field.isHidden():
            return
        sought = re.escape(self.field.text())
        self._found = [hit.span() for hit in re.finditer(sought, self.tokens.text(), re.I)] if sought else []
        self._current = -1
        self._go_on(1)

    def _go_on(self, by: int) -> None:
        count = len(self._found)
        self._current = (self._current + by) % count if count else -1
        self.tokens.set_found(self._found, self._current)
        position = f"{number(self._current + 1)} of {number(count)}" if count else "Not found"
        self.hits.setText(position if self.field.text() else "")
        if count:
            line = self.tokens.line_rect(self._found[self._current][0])
            self.area.ensureVisible(0, line.center().y(), 0, line.height())


class SearchField(QLineEdit):
    """A field to search with: Enter and Shift+Enter go on and back, Esc closes it.

    Signals:
        next_wanted: go to the next (1) or the previous (-1) place.
        closed: Esc was pressed.
    """

    next_wanted = Signal(int)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Find")
        self.setAccessibleName("Find in the preview")
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("small"))
        self.setFixedSize(look.px(120), look.px(26))
        self.setTextMargins(look.px(6), 0, look.px(6), 0)

    def event(self, event: QEvent) -> bool:
        """Esc is the field's before it is anybody's shortcut."""
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.next_wanted.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)


class ProgressLine(QWidget):
    """What is being done, how far it is, and a thin bar."""

    def __init__(self) -> None:
        super().__init__()
        self.label = Label("", "small", "text2", tabular=True)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.bar = QProgressBar()
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.bar.setAccessibleName("Making tokens")
        column = Column(spacing=8, parent=self)
        column.addStretch(1)
        column.addWidget(self.label)
        column.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        follow(self.restyle)

    def restyle(self) -> None:
        self.bar.setFixedWidth(look.px(220))

    def show_progress(self, progress: Progress | None, waiting: str) -> None:
        """Show how far it is; before anything is known, only what is being waited for."""
        total = progress.total if progress else 0
        done = progress.done / total if progress and total else 0.0
        text = progress.text if progress else waiting
        self.label.setText(f"{text} · {percent(done)}" if total else text)
        self.bar.setVisible(bool(total))
        self.bar.setValue(round(100 * done))


def _spans(tokens: Iterable[PreviewToken], mode: str) -> list[Span]:
    if mode == "plain":
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        return [Span(decode(token.raw) if token.raw else token.text) for token in tokens]
    if mode == "ids":
        texts = [f" {token.id}" for token in tokens]
        texts[:1] = [text.lstrip() for text in texts[:1]]
    else:
        texts = [_shown(token) for token in tokens]
    return [Span(text, partial(token_tint, index)) for index, text in enumerate(texts)]


def _shown(token: PreviewToken) -> str:
    """A token's text; the bytes of one that is only a part of a character."""
    try:
        token.raw.decode()
    except UnicodeDecodeError:
        return _hex(token.raw).replace(" ", "")
    return token.text


def _hex(raw: bytes) -> str:
    return raw[:BYTES].hex(" ").upper() + (" …" if len(raw) > BYTES else "")


def _frequency(token: PreviewToken) -> str:
    times = "once" if token.count == 1 else f"{number(token.count)} times"
    return f"{times} · rank {number(token.rank)}"
