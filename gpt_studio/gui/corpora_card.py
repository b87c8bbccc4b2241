"""Choose the texts to learn from: built-in ones, files and folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import BUILT_IN, is_built_in, shares, weights_after, with_share
from gpt_studio.core.events import Corpus, DataReport
from gpt_studio.core.units import memory, number
from gpt_studio.gui.buttons import LinkButton, ToolButton, half_pixel
from gpt_studio.gui.corpus_row import ROW, CorpusRow
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Card, Menu

ABOUT = {corpus.name: corpus.about for corpus in BUILT_IN}


class CorporaCard(Card):
    """The list of texts there are. What is chosen comes from the state; paths once added stay in the list.

    Signals:
        edited: other texts or shares to learn from ({"corpora": names and paths, "weights": shares}).
        selected: another text is the one to show (its name, "" for none).
        files_wanted, folder_wanted: ask for paths to add.
    """

    edited = Signal(object)
    selected = Signal(str)
    files_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self) -> None:
        self.by_size = LinkButton("By size")
        self.by_size.setToolTip("Read as much of each text as there is of it")
        self.add = ToolButton("plus", "Add text", side=24)
        super().__init__("Corpora", actions=(self.by_size, self.add))
        self._column.set_space((8, 12, 8, 16), 8)  # a row's ground reaches into the padding
        self.head.set_space((8, 0, 4, 0), 10)
        self.add_menu = Menu(self)
        self.add_menu.addAction("Add files…", self.files_wanted.emit)
        self.add_menu.addAction("Add folder…", self.folder_wanted.emit)
        self.add.clicked.connect(self._offer_to_add)
        self.by_size.clicked.connect(self._mix_by_size)
        self.by_size.hide()
        self._data = DataConfig(corpora=())
        self._report: DataReport | None = None
        self._training = False
        self._selection = ""
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
        return [name for name in self._rows if not is_built_in(name)]

    def set_known_paths(self, paths: Iterable[str]) -> None:
        self._add_rows(paths)

    def add_paths(self, paths: Iterable[str]) -> None:
        """Choose more texts, and show the first that is new."""
        chosen = self._data.corpora
        added = [path for path in dict.fromkeys(paths) if path not in chosen]
        if added:
            self._selection = added[0]
            self._choose((*chosen, *added))

    def row(self, name: str) -> CorpusRow:
        return self._rows[name]

    def selection(self) -> str:
        """The text to show, "" for none."""
        return self._selection

    def focus_selection(self) -> None:
        if self._selection in self._rows:
            self._rows[self._selection].take_focus(Qt.FocusReason.ShortcutFocusReason)

    def set_narrow(self, narrow: bool) -> None:
        """As tall as its rows, where the page scrolls anyway."""
        self._narrow = narrow
        self._fit()

    def show_state(self, state: State) -> None:
        shown = (state.config.data, state.report, state.training)
        if shown == (self._data, self._report, self._training):
            return
        if self._selection in self._data.corpora and self._selection not in state.config.data.corpora:
            self._selection = ""
        self._data, self._report, self._training = shown
        self._add_rows(self._data.corpora)
        if state.report:
            self._read |= {corpus.name: corpus for corpus in state.report.corpora}
        self._show_rows()

    def _show_rows(self) -> None:
        chosen, locked = self._data.corpora, self._training
        self.add.setEnabled(not locked)
        self.zone.setEnabled(not locked)
        self.by_size.setVisible(bool(self._data.weights))
        self.by_size.setEnabled(not locked)
        known = self._shares()
        for name, row in self._rows.items():
            row.show_facts(name in chosen, _caption(name, self._read.get(name)), known.get(name))
            row.set_locked(locked)
        self._show_selection()

    def _show_selection(self) -> None:
        if self._selection not in self._rows:
            self._selection = next(iter(self._data.corpora), "")
        several = len(self._data.corpora) > 1 and not self._training
        for name, row in self._rows.items():
            row.show_selected(name == self._selection, several and name == self._selection)

    def _shares(self) -> dict[str, float]:
        """How much of what is read comes from each chosen text, as far as that is known."""
        data = self._data
        if data.weights and "weights" not in data.problems():
            return dict(zip(data.corpora, shares(data.weights), strict=True))
        return {corpus.name: corpus.share for corpus in self._report.corpora} if self._report else {}

    def _add_rows(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._rows:
                row = self._rows[name] = CorpusRow(name)
                row.show_facts(False, _caption(name, None), None)
                row.toggled.connect(lambda chosen, name=name: self._toggle(name, chosen))
                row.selected.connect(lambda name=name: self._select(name))
                row.moved.connect(lambda by, name=name: self._move(name, by))
                row.share_edited.connect(lambda share, name=name: self._set_share(name, share))
                row.remove_wanted.connect(lambda name=name: self._remove(name))
                self._column_of_rows.insertWidget(len(self._rows) - 1, row)
        self._show_selection()
        self._fit()

    def _offer_to_add(self) -> None:
        self.add_menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    # Wishes

    def _toggle(self, name: str, checked: bool) -> None:
        """A text that is chosen is shown, too."""
        others = tuple(other for other in self._data.corpora if other != name)
        if checked:
            self._selection = name
        self._choose((*others, name) if checked else others)

    def _choose(self, corpora: tuple[str, ...]) -> None:
        weights = weights_after(self._data.corpora, self._data.weights, corpora)
        self.edited.emit({"corpora": corpora, "weights": weights})

    def _set_share(self, name: str, share: float) -> None:
        corpora, known = self._data.corpora, self._shares()
        before = [known.get(other, 0.0) for other in corpora]
        weights = with_share(before, corpora.index(name), share)
        self.edited.emit({"corpora": corpora, "weights": weights})
        self._show_rows()  # what was typed may have been out of reach

    def _mix_by_size(self) -> None:
        self.edited.emit({"corpora": self._data.corpora, "weights": ()})

    def _select(self, name: str) -> None:
        if name != self._selection:
            self._selection = name
            self._show_selection()
            self.selected.emit(name)

    def _move(self, name: str, by: int) -> None:
        names = list(self._rows)
        at = names.index(name) + by
        if 0 <= at < len(names):
            row = self._rows[names[at]]
            row.take_focus(Qt.FocusReason.ShortcutFocusReason)
            self._area.ensureWidgetVisible(row, 0, 0)
            self._select(names[at])

    def _remove(self, name: str) -> None:
        self._rows.pop(name).deleteLater()
        self._fit()
        if name in self._data.corpora:
            self._toggle(name, checked=False)
        else:
            was = self._selection
            self._show_selection()
            if self._selection != was:
                self.selected.emit(self._selection)

    def _fit(self) -> None:
        rows = min(len(self._rows), 8) if self._narrow else 1
        self._area.setMinimumHeight(rows * (look.px(ROW) + look.px(2)))


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
        texts = f"{number(read.documents)} text{'' if read.documents == 1 else 's'}"
        return f"{memory(read.size)} · {texts}"
    try:
        size = path.stat().st_size
    except OSError:
        return "Not found"
    return "Folder" if path.is_dir() else memory(size)
