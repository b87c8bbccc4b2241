"""What the model learns from: the texts, how they become tokens, and what these look like."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QWidget

from gpt_studio.core.events import BatchRead, Compared
from gpt_studio.gui.corpora_card import CorporaCard
from gpt_studio.gui.findings_card import FindingsCard
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.length_card import LengthCard
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.token_preview import PreviewCard
from gpt_studio.gui.tokenizer_card import TokenizerCard
from gpt_studio.gui.widgets import IconLabel, Label

WIDE = 700  # below this the cards stand one below the other
HEIGHT = 204  # of bars and table: a header and five rows
NO_TEXT = (".safetensors",)  # dropped ones are for the window: checkpoints


class DataPage(QWidget):
    """The Data page.

    Signals:
        edited: changes of the data settings ({field: value}).
        files_wanted, folder_wanted: ask for paths to add.
        tokenizer_file_wanted: ask for a file with a tokenizer.
        export_wanted: write the tokenizer to a file.
        read_wanted: read the texts again, after that was canceled.
        cancel_wanted: read and tokenize no further.
        compare_wanted: compare the tokenizers on the chosen texts.
        batch_wanted: the first batch is to be shown and not known.
        remedy_chosen: a click that mends something in the texts (Remedy).
    """

    edited = Signal(object)
    files_wanted = Signal()
    folder_wanted = Signal()
    tokenizer_file_wanted = Signal()
    export_wanted = Signal()
    read_wanted = Signal()
    cancel_wanted = Signal()
    compare_wanted = Signal()
    batch_wanted = Signal()
    remedy_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Data")
        self.setAcceptDrops(True)
        self._state: State | None = None
        self.locked = _LockedLine()
        self.corpora = CorporaCard()
        self.tokenizer = TokenizerCard()
        self.length_card = LengthCard()
        self.lengths = self.length_card.lengths
        self.findings = FindingsCard()
        self.preview = PreviewCard()
        self._lay_out()
        self._connect()
        follow(self._fit)

    def _lay_out(self) -> None:
        right = Column(spacing=10)
        right.addWidget(self.tokenizer)
        right.addWidget(self.length_card, 1)
        self._top = Row(spacing=10)
        self._top.addWidget(self.corpora)
        self._top.addLayout(right, 1)
        page = QWidget()
        column = Column((16, 14, 16, 14), 10, page)
        column.addWidget(self.locked)
        column.addLayout(self._top)
        column.addWidget(self.findings)
        column.addWidget(self.preview, 1)
        Column(spacing=0, parent=self).addWidget(Scroll(page))

    def _connect(self) -> None:
        for card in (self.corpora, self.tokenizer, self.preview):
            card.edited.connect(self.edited)
        for card in (self.corpora, self.preview):
            card.files_wanted.connect(self.files_wanted)
        self.corpora.folder_wanted.connect(self.folder_wanted)
        self.corpora.selected.connect(self._show_corpus)
        self.tokenizer.file_wanted.connect(self.tokenizer_file_wanted)
        self.tokenizer.export_wanted.connect(self.export_wanted)
        self.tokenizer.cancel_wanted.connect(self.cancel_wanted)
        self.length_card.compare_wanted.connect(self.compare_wanted)
        self.length_card.tokenizer_chosen.connect(lambda name: self.edited.emit({"tokenizer": name}))
        self.findings.remedy_chosen.connect(self.remedy_chosen)
        self.preview.read_wanted.connect(self.read_wanted)
        self.preview.batch_wanted.connect(self.batch_wanted)

    def known_paths(self) -> list[str]:
        """The added files and folders, chosen or not."""
        return self.corpora.known_paths()

    def set_known_paths(self, paths: Iterable[str]) -> None:
        """List files and folders that were added before."""
        self.corpora.set_known_paths(paths)

    def show_state(self, state: State) -> None:
        self._state = state
        self.locked.setVisible(state.training)
        self.corpora.show_state(state)
        self.tokenizer.show_state(state)
        self.length_card.show_state(state)
        self.findings.show_state(state)
        self.preview.show_state(state, self.corpora.selection())

    def show_comparison(self, compared: Compared) -> None:
        self.length_card.show_comparison(compared)

    def show_batch(self, batch: BatchRead) -> None:
        self.preview.show_batch(batch)

    def focus_problem(self, field: str) -> None:
        """Go where a field of the data settings is edited."""
        if field in self.preview.template.fields:
            self.preview.template.fields[field].setFocus(Qt.FocusReason.ShortcutFocusReason)
        elif field in ("corpora", "weights"):
            self.corpora.focus_selection()
        else:
            self.tokenizer.focus_field(field)

    def _show_corpus(self, name: str) -> None:
        if self._state:
            self.preview.show_state(self._state, name)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def _fit(self) -> None:
        narrow = self.width() < look.px(WIDE)
        directions = QBoxLayout.Direction
        self._top.setDirection(directions.TopToBottom if narrow else directions.LeftToRight)
        self.corpora.set_narrow(narrow)
        self.corpora.setMinimumWidth(0 if narrow else look.px(256))
        self.corpora.setMaximumWidth(2**24 - 1 if narrow else look.px(256))
        self.length_card.pages.setFixedHeight(look.px(HEIGHT))
        self.preview.setMinimumHeight(look.px(220))

    # Dropping files

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._dropped(event):
            event.acceptProposedAction()
            self.corpora.zone.light(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.corpora.zone.light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.corpora.zone.light(False)
        if paths := self._dropped(event):
            event.acceptProposedAction()
            self.corpora.add_paths(paths)

    def _dropped(self, event: QDropEvent) -> list[str]:
        """The texts being dropped; none while they cannot be added."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        texts = [path for path in paths if Path(path).suffix.lower() not in NO_TEXT]
        return [] if self._state and self._state.training else texts


class _LockedLine(QWidget):
    """Why nothing here can be changed."""

    def __init__(self) -> None:
        super().__init__()
        row = Row(spacing=6, parent=self)
        row.addWidget(IconLabel("lock", "text3", 14))
        row.addWidget(
            Label("Text and tokenizer stay as they are while the model trains on them.", "small", "text3")
        )
        row.addStretch(1)
        self.hide()
