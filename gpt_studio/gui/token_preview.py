"""See the text as the model will: how a corpus begins, or the first batch, in colors, as ids or plain."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from gpt_studio.core.events import BatchRead, Preview, PreviewToken
from gpt_studio.core.units import number
from gpt_studio.gui.batch_page import BatchKey, BatchPage, batch_key
from gpt_studio.gui.buttons import Button, ToolButton
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.search_field import SearchField
from gpt_studio.gui.state import State
from gpt_studio.gui.template_row import TemplateRow
from gpt_studio.gui.theme import token_tint
from gpt_studio.gui.token_popover import PopoverRow, TokenPopover, visible
from gpt_studio.gui.token_shown import hexadecimal, shown
from gpt_studio.gui.token_text import Span, TokenText
from gpt_studio.gui.widgets import Card, EmptyState, Label

VIEWS = {"text": "Text", "batch": "First batch"}
MODES = {"colors": "Colors", "ids": "Ids", "plain": "Plain"}


class PreviewCard(Card):
    """The first tokens of one corpus, or what the model sees first; while there are none, why.

    Signals:
        files_wanted: there is no text, choose files.
        read_wanted: read the texts, which was canceled or failed.
        batch_wanted: the first batch is to be shown and not known.
        edited: another way to write dialogues ({field: text}).
    """

    files_wanted = Signal()
    read_wanted = Signal()
    batch_wanted = Signal()
    edited = Signal(object)

    def __init__(self) -> None:
        self.view = Segmented(VIEWS, "What to preview", small=True)
        self.mode = Segmented(MODES, "Show tokens as", small=True)
        self.search = ToolButton("search", "Find in the preview (Ctrl+F)", 26, checkable=True)
        self.field = SearchField()
        self.hits = Label("", "small", "text3", tabular=True)
        super().__init__("Preview", "", (self.hits, self.field, self.view, self.mode, self.search))
        self._state: State | None = None
        self._preview: Preview | None = None
        self._asked: BatchKey | None = None  # the first batch that was wished for
        self._stopped = False  # reading came to no report
        self._failed = False  # the first batch was wished for and did not come
        self._popover: TokenPopover | None = None
        self._found: list[tuple[int, int]] = []
        self._current = -1
        self.tokens = TokenText(mono=True, gap=1.5, line_height=1.5, marks=True)
        self.tokens.setAccessibleName("Preview of the tokens")
        self.template = TemplateRow()
        self.batch = BatchPage()
        self._build_pages()
        self._close_search()
        self._connect()

    def _build_pages(self) -> None:
        self.pages = QStackedWidget()
        self.area, self.batch_area = Scroll(self.tokens), Scroll(self.batch)
        self.add = Button("Add files…")
        self.waiting = WaitingPage()
        self.empty = EmptyState(
            "No text chosen", "Check a corpus on this page, or add text of your own.", self.add
        )
        self.left_out = EmptyState("Not included", "Check it in the list to learn from it and see it here.")
        for page in (self.empty, self.left_out, self.waiting, self.area, self.batch_area):
            self.pages.addWidget(page)
        self.body.addWidget(self.template)
        self.body.addWidget(self.pages, 1)

    def _connect(self) -> None:
        self.add.clicked.connect(self.files_wanted)
        self.waiting.again.clicked.connect(self.read_wanted)
        self.template.edited.connect(self.edited)
        self.view.changed.connect(self._switch)
        self.mode.changed.connect(self._switch_mode)
        self.tokens.hovered.connect(self._show_token)
        for area in (self.area, self.batch_area):
            area.verticalScrollBar().valueChanged.connect(self._hide_token)
        self.search.clicked.connect(lambda on: self.open_search() if on else self._close_search())
        self.field.textChanged.connect(self._find)
        self.field.next_wanted.connect(self._go_on)
        self.field.closed.connect(self._close_search)
        QShortcut(QKeySequence.StandardKey.Find, self, self.open_search)

    def show_state(self, state: State, corpus: str) -> None:
        """`corpus` is the name of the one to show."""
        before, self._state = self._state, state
        ended = before.running - state.running if before else frozenset()
        self._stopped = (self._stopped or "data" in ended) and not (state.report or "data" in state.running)
        self._failed = self._failed or "batch" in ended
        self.template.show_state(state)
        batch = self.batch.batch()
        if batch and batch_key(batch.config) != batch_key(state.config):
            self.batch.show_batch(None, self.mode.value())
        previews = state.report.previews if state.report else ()
        preview = next((preview for preview in previews if preview.corpus == corpus), None)
        if preview is not self._preview:
            self._preview = preview
            self._show_tokens()
        self._show_page()

    def show_batch(self, batch: BatchRead) -> None:
        """The first batch; one of other settings is late."""
        if self._state and batch_key(batch.config) == batch_key(self._state.config):
            self.batch.show_batch(batch, self.mode.value())
            self._show_page()

    def showEvent(self, event: QShowEvent) -> None:
        self._want_batch()

    def _switch(self) -> None:
        self._asked = None
        self._show_page()

    def _switch_mode(self) -> None:
        self._show_tokens()
        self.batch.show_batch(self.batch.batch(), self.mode.value())

    def _show_page(self) -> None:
        """What can be shown of what is wished, derived from the state."""
        state = self._state
        if state is None:
            return
        self._want_batch()
        batch = self.view.value() == "batch"
        page: QWidget
        if not state.config.data.corpora:
            page = self.empty
        elif state.report is None or (batch and self.batch.batch() is None):
            page = self.waiting
            self.waiting.show_reason(self._reason(state), self._stopped)
        elif batch:
            page = self.batch_area
        else:
            page = self.area if self._preview else self.left_out
        self.pages.setCurrentWidget(page)
        self._title.setText("What the model sees" if batch else "Preview")
        self.set_caption(self._caption_of(page))
        self.mode.setEnabled(page in (self.area, self.batch_area))
        self.search.setEnabled(page is self.area)
        if self.search.isChecked() and not self.search.isEnabled():
            self._close_search()

    def _caption_of(self, page: QWidget) -> str:
        batch = self.batch.batch()
        if page is self.batch_area and batch:
            rows = f"{number(len(batch.rows))} of {number(batch.batch_size)} texts"
            return f"{rows} · {number(batch.context)} tokens each"
        return self._preview.title if self._preview and page is self.area else ""

    def _reason(self, state: State) -> str:
        """Why there is nothing to see."""
        if any(name.startswith("data.") for name in state.problems):
            return "The texts are read as soon as the setting marked above is mended."
        if self._stopped:
            return "The texts were not read."
        if not state.awake:
            return "Starting"
        if state.report is None:
            return "Making tokens"
        return "The first batch could not be read." if self._failed else "Reading the first batch"

    def _want_batch(self) -> None:
        state = self._state
        if state is None or self.view.value() != "batch" or not self.isVisible() or state.report is None:
            return
        key = batch_key(state.config)
        if self.batch.batch() is None and key != self._asked:
            self._asked, self._failed = key, False
            self.batch_wanted.emit()

    # Tokens

    def _show_tokens(self) -> None:
        preview, mode = self._preview, self.mode.value()
        self.tokens.set_marks(mode == "colors")
        self.tokens.set_spans(_spans(preview.tokens, mode) if preview else ())
        self.area.verticalScrollBar().setValue(0)
        self._find()

    def _show_token(self, index: int) -> None:
        if index < 0 or not self._preview:
            self._hide_token()
            return
        self._popover = self._popover or TokenPopover(self.window())
        token = self._preview.tokens[index]
        rows = [PopoverRow("Bytes", hexadecimal(token.raw)), PopoverRow("In these texts", _frequency(token))]
        title = visible(shown(token)), f"id {number(token.id)}"
        self._popover.show_rows(rows, self.tokens, self.tokens.span_rect(index), title)

    def _hide_token(self) -> None:
        self.batch.hide_token()
        if self._popover:
            self._popover.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        self._hide_token()

    # Search

    def open_search(self) -> None:
        """Show the field and write there."""
        if self.search.isEnabled():
            self.search.setChecked(True)
            self.view.hide()  # the field needs the room
            self.field.show()
            self.hits.show()
            self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.field.selectAll()
            self._find()

    def _close_search(self) -> None:
        self.search.setChecked(False)
        self.view.show()
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


class WaitingPage(QWidget):
    """Why there is nothing to see yet, and a way to try again."""

    def __init__(self) -> None:
        super().__init__()
        self.label = Label("", "small", "text2")
        self.again = Button("Read the texts")
        column = Column(spacing=10, parent=self)
        column.addStretch(1)
        for part in (self.label, self.again):
            column.addWidget(part, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def show_reason(self, reason: str, again: bool) -> None:
        self.label.setText(reason)
        self.again.setVisible(again)


def _spans(tokens: Iterable[PreviewToken], mode: str) -> list[Span]:
    if mode == "plain":
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        return [Span(decode(token.raw) if token.raw else token.text) for token in tokens]
    if mode == "ids":
        texts = [f" {token.id}" for token in tokens]
        texts[:1] = [text.lstrip() for text in texts[:1]]
    else:
        texts = [shown(token) for token in tokens]
    return [Span(text, partial(token_tint, index)) for index, text in enumerate(texts)]


def _frequency(token: PreviewToken) -> str:
    times = "once" if token.count == 1 else f"{number(token.count)} times"
    return f"{times} · rank {number(token.rank)}"
