"""The numbers behind a chart as a table: to be read, sorted, copied and written to a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QFrame, QHeaderView, QTableView, QWidget

from gpt_studio.core import units
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.plotting import Integers, Rows
from gpt_studio.gui.theme import follow, look, style_font
from gpt_studio.gui.widgets import Label

Index = QModelIndex | QPersistentModelIndex
Table = tuple[list[str], Sequence[Sequence[str]]]
ROW = 26  # pixels of the design


class NumbersModel(QAbstractTableModel):
    """Rows in the order chosen; the numbers themselves stay where they are."""

    def __init__(self) -> None:
        super().__init__()
        self._header: list[str] = []
        self._rows: Sequence[Sequence[str]] = ()
        self._order: Integers | range = range(0)
        self._sorted = (-1, Qt.SortOrder.AscendingOrder)

    def show_table(self, table: Table) -> None:
        self.beginResetModel()
        self._header, self._rows = table
        self._order = self._ordered(*self._sorted)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        self._sorted = column, order
        self._order = self._ordered(column, order)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._header) - 1)

    def _ordered(self, column: int, order: Qt.SortOrder) -> Integers | range:
        if not 0 <= column < len(self._header):
            return range(len(self._rows))
        falling = order == Qt.SortOrder.DescendingOrder
        if isinstance(self._rows, Rows):
            return self._rows.order(column, falling)
        cells = [row[column] for row in self._rows]
        return np.array(sorted(range(len(cells)), key=lambda at: _key(cells[at]), reverse=falling), int)

    def row(self, number: int) -> Sequence[str]:
        return self._rows[int(self._order[number])]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._header)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole:
            return _short(self.row(index.row())[index.column()])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return f"{self._header[section].replace('_', ' ').capitalize()}{self._arrow(section)}"
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _arrow(self, section: int) -> str:
        column, order = self._sorted
        return (" ↑" if order == Qt.SortOrder.AscendingOrder else " ↓") if section == column else ""

    def header(self) -> list[str]:
        return self._header


class NumbersTable(QTableView):
    """The table: a click on a heading sorts, Ctrl+C copies the cells selected with their headings."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.numbers = NumbersModel()
        self.setModel(self.numbers)
        self.setAccessibleName(f"{name}, numbers")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        head = self.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        head.setHighlightSections(False)
        head.setStyleSheet("QHeaderView::up-arrow, QHeaderView::down-arrow { width: 0; height: 0; }")
        head.setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("small", tabular=True))
        self.horizontalHeader().setFont(style_font("small"))
        self.verticalHeader().setDefaultSectionSize(look.px(ROW))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() == Qt.Key.Key_S and event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            self._sort_here()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Put the selected rows' selected columns on the clipboard, as spreadsheets take them."""
        lines: dict[int, set[int]] = {}
        for part in self.selectionModel().selection().toList():
            for row in range(part.top(), part.bottom() + 1):
                lines.setdefault(row, set()).update(range(part.left(), part.right() + 1))
        columns = sorted({column for chosen in lines.values() for column in chosen})
        texts = [[self.numbers.header()[column] for column in columns]]
        for row in sorted(lines):
            numbers = self.numbers.row(row)
            texts.append([numbers[column] if column in lines[row] else "" for column in columns])
        if lines:
            QGuiApplication.clipboard().setText("\n".join("\t".join(cells) for cells in texts))

    def _sort_here(self) -> None:
        """Sort by the column of the current cell, the other way around if that was it already."""
        head, column = self.horizontalHeader(), max(0, self.currentIndex().column())
        rising = head.sortIndicatorSection() != column or (
            head.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
        )
        self.sortByColumn(column, Qt.SortOrder.AscendingOrder if rising else Qt.SortOrder.DescendingOrder)


class TableDialog(QDialog):
    """A window of its own, which lets the others go on; its numbers are those of when it was opened.

    Signals:
        export_wanted: write the numbers to a file.
    """

    export_wanted = Signal()

    def __init__(self, name: str, read: Callable[[], Table], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._read = name, read
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{name} — numbers")
        self.table = NumbersTable(name)
        self._count = Label("", "small", "text3", tabular=True)
        update, copy, export = (Button(text, height=28) for text in ("Update", "Copy", "Export CSV…"))
        update.setToolTip("Show what came since this window was opened")
        copy.setToolTip("Copy the selected cells (Ctrl+C). Ctrl+S sorts by the column of the current cell.")
        update.clicked.connect(self.update_numbers)
        copy.clicked.connect(self.table.copy)
        export.clicked.connect(self.export_wanted)
        column = Column((12, 12, 12, 12), 10, self)
        column.addWidget(self.table, 1)
        foot = Row(spacing=8)
        foot.addWidget(self._count, 1)
        for button in (update, copy, export):
            foot.addWidget(button)
        column.addLayout(foot)
        self.resize(QSize(look.px(620), look.px(480)))
        self.update_numbers()
        self.table.setFocus()

    def update_numbers(self) -> None:
        """Show the chart's numbers as they are now."""
        self.table.numbers.show_table(self._read())
        rows = self.table.numbers.rowCount()
        self._count.setText(f"{units.number(rows)} row{'' if rows == 1 else 's'}")


def _short(cell: str) -> str:
    """Six digits are enough to read; what is copied has all."""
    try:
        return f"{float(cell):.6g}" if "." in cell else cell
    except ValueError:
        return cell


def _key(cell: str) -> tuple[bool, float, str]:
    """Numbers by value and before words."""
    try:
        return False, float(cell), ""
    except ValueError:
        return True, 0.0, cell
