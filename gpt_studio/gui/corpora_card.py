"""Choose the texts to learn from: built-in ones, files and folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.corpora import BUILT_IN, label
from gpt_studio.core.events import Corpus
from gpt_studio.core.units import memory, number, percent
from gpt_studio.gui.buttons import Fade, ToolButton, half_pixel
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.toggles import CheckBox
from gpt_studio.gui.widgets import Card, ElidedLabel, Label, Menu

ROW = 48  # pixels of the design
ABOUT = {corpus.name: corpus.about for corpus in BUILT_IN}


class CorporaCard(Card):
    """The list of texts there are. What is chosen comes from the state; paths once added stay in the list.

    Signals:
        chosen: the names and paths to learn from (tuple[str, ...]).
        files_wanted, folder_wanted: ask for paths to add.
    """

    chosen = Signal(object)
    files_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self) -> None:
        self.add = ToolButton("plus", "Add text", side=24)
        super().__init__("Corpora", actions=(self.add,))
        self._column.set_space((8, 12, 8, 16), 8)  # a row's ground reaches into the padding
        self.head.set_space((8, 0, 4, 0), 10)
        self.add_menu = Menu(self)
        self.add_menu.addAction("Add files…", self.files_wanted.emit)
        self.add_menu.addAction("Add folder…", self.folder_wanted.emit)
        self.add.clicked.connect(self._offer_to_add)
        self._chosen: tuple[str, ...] = ()
        self._shown: object = None
        self._read: dict[str, Corpus] = {}  # as it was read last
        self._rows: dict[str, CorpusRow] = {}
        rows = QWidget()
        self._column_of_rows = Column(spacing=2, parent=rows)
        self._column_of_rows.addStretch(1)
        self._area = Scroll(rows)
        self.zone = DropZone()
        self.body.set_space((0, 0, 0, 0), 0)
        below = Row((8, 0, 8, 0))
        below.addWidget(self.zone)
        self.body.addWidget(self._area, 1)
        self.body.addLayout(below)
        self._narrow = False
        self._add_rows(corpus.name for corpus in BUILT_IN)
        follow(self._fit)

    def known_paths(self) -> list[str]:
        """The paths in the list, chosen or not."""
        return [name for name in self._rows if name not in ABOUT]

    def set_known_paths(self, paths: Iterable[str]) -> None:
        self._add_rows(paths)

    def add_paths(self, paths: Iterable[str]) -> None:
        """Choose more texts."""
        chosen = tuple(dict.fromkeys((*self._chosen, *paths)))
        if chosen != self._chosen:
            self.chosen.emit(chosen)

    def row(self, name: str) -> CorpusRow:
        return self._rows[name]

    def set_narrow(self, narrow: bool) -> None:
        """As tall as its rows, where the page scrolls anyway."""
        self._narrow = narrow
        self._fit()

    def show_state(self, state: State) -> None:
        shown = (state.config.data, state.report, state.training)
        if shown == self._shown:
            return
        self._shown = shown
        self._chosen = state.config.data.corpora
        self._add_rows(self._chosen)
        self.add.setEnabled(not state.training)
        self.zone.setEnabled(not state.training)
        corpora = {corpus.name: corpus for corpus in state.report.corpora} if state.report else {}
        self._read |= corpora
        total = max(1, sum(corpus.tokens for corpus in corpora.values()))
        for name, row in self._rows.items():
            share = percent(corpora[name].tokens / total) if name in corpora else ""
            row.setEnabled(not state.training)
            row.show_facts(name in self._chosen, _caption(name, self._read.get(name)), share)

    def _add_rows(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._rows:
                row = self._rows[name] = CorpusRow(name)
                row.show_facts(False, _caption(name, None), "")
                row.toggled.connect(lambda chosen, name=name: self._choose(name, chosen))
                row.remove_wanted.connect(lambda name=name: self._remove(name))
                self._column_of_rows.insertWidget(len(self._rows) - 1, row)
        self._fit()

    def _offer_to_add(self) -> None:
        self.add_menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    def _choose(self, name: str, checked: bool) -> None:
        others = tuple(other for other in self._chosen if other != name)
        self.chosen.emit((*others, name) if checked else others)

    def _remove(self, name: str) -> None:
        self._rows.pop(name).deleteLater()
        self._fit()
        if name in self._chosen:
            self._choose(name, checked=False)

    def _fit(self) -> None:
        rows = min(len(self._rows), 8) if self._narrow else 1
        self._area.setMinimumHeight(rows * (look.px(ROW) + look.px(2)))


class CorpusRow(QWidget):
    """One text to choose: name, what it is, and its share of the tokens. All of it acts as the checkbox.

    Signals:
        toggled: a person chose it or not.
        remove_wanted: take an added path off the list.
    """

    toggled = Signal(bool)
    remove_wanted = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._hover = Fade(self)
        self.box = CheckBox()
        self.box.setAccessibleName(label(name))
        self.box.clicked.connect(self.toggled)
        self.name = ElidedLabel(label(name), "value", "text2")
        self.share = Label("", "small", "text2", tabular=True)
        self.caption = ElidedLabel("", "small", "text3")
        self.remove = None if name in ABOUT else ToolButton("close", "Remove from the list", side=24, size=14)
        self.setToolTip("" if name in ABOUT else name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._lay_out()
        follow(self.restyle)

    def _lay_out(self) -> None:
        row = Row((8, 2, 8, 4), 3, self)
        row.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        texts, first = Column((0, 3, 0, 0), 1), Row()
        first.addWidget(self.name, 1)
        first.addWidget(self.share)
        texts.addLayout(first)
        texts.addWidget(self.caption)
        texts.addStretch(1)
        row.addLayout(texts, 1)
        if self.remove:
            self.remove.setParent(self)
            self.remove.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the Delete key does it
            self.remove.clicked.connect(self.remove_wanted)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(ROW))
        self._offer_remove()

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self.remove:
            corner = QPoint(self.width() - self.remove.width(), self.height() - self.remove.height())
            self.remove.move(corner - QPoint(look.px(4), look.px(3)))

    def show_facts(self, chosen: bool, caption: str, share: str) -> None:
        self.box.setChecked(chosen)
        self.name.set_role("text" if chosen else "text2")
        self.caption.setText(caption)
        self.share.setText(share)
        self.share.setVisible(bool(share))
        self.box.setAccessibleDescription(f"{caption}, {share} of the tokens" if share else caption)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hover.to(self.isEnabled())
        self._offer_remove()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover.to(0)
        self._offer_remove()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.EnabledChange:
            self._hover.to(self.isEnabled() and self.underMouse())
            self._offer_remove()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.box.click()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and self.remove:
            self.remove_wanted.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("hover", self._hover.amount))
        painter.drawRoundedRect(QRectF(self.rect()), look.px(6), look.px(6))

    def _offer_remove(self) -> None:
        if self.remove:
            self.remove.setVisible(self.isEnabled() and self.underMouse())


class DropZone(QWidget):
    """Says that files may be dropped, and lights up while some are held above the page."""

    def __init__(self) -> None:
        super().__init__()
        self._lit = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(44))
        self.update()

    def light(self, lit: bool) -> None:
        self._lit = lit
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color("accent" if self._lit else "border2"), 1, Qt.PenStyle.DashLine))
        painter.setBrush(color("weak" if self._lit else "card"))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(6), look.px(6))
        font = style_font("small")
        text = "Drop to add" if self._lit else "Drop text files or a folder here"
        text = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, self.width() - look.px(16))
        painter.setFont(font)
        painter.setPen(color(("weaktext" if self._lit else "text3") if self.isEnabled() else "disabled"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)


def _caption(name: str, read: Corpus | None) -> str:
    """What a text is, as far as it is known without reading it."""
    if name in ABOUT:
        return f"{memory(read.size)} · included" if read else ABOUT[name]
    path = Path(name)
    if read:
        files = f"{number(read.documents)} file{'' if read.documents == 1 else 's'}"
        return f"{memory(read.size)} · {files}"
    try:
        size = path.stat().st_size
    except OSError:
        return "Not found"
    return "Folder" if path.is_dir() else memory(size)
