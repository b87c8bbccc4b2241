"""What each tokenizer makes of the chosen texts, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from gpt_studio.core.events import Comparison
from gpt_studio.core.units import number, percent, short
from gpt_studio.gui.buttons import half_pixel
from gpt_studio.gui.theme import color, follow, look, style_font

Index = QModelIndex | QPersistentModelIndex
COLUMNS = ("Tokenizer", "Vocabulary", "Used", "Tokens", "Bytes/token")
ROW = 34  # pixels of the design
WIDTHS = (0, 82, 58, 70, 88)  # of the columns; the first takes what is left
IN_USE = "in use"


class ComparisonModel(QAbstractTableModel):
    """The rows so far, and which tokenizer is in use."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[Comparison] = ()
        self._used = ""

    def show_rows(self, rows: Sequence[Comparison], used: str) -> None:
        if (rows, used) != (self._rows, self._used):
            self.beginResetModel()
            self._rows, self._used = rows, used
            self.endResetModel()

    def comparison(self, row: int) -> Comparison:
        return self._rows[row]

    def is_used(self, row: int) -> bool:
        return self._rows[row].tokenizer == self._used

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts(index.row())[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            used = f", {IN_USE}" if index.column() == 0 and self.is_used(index.row()) else ""
            return f"{COLUMNS[index.column()]}: {self._texts(index.row())[index.column()]}{used}"
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section]
            if role == Qt.ItemDataRole.FontRole:
                return style_font("small")
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _side(section)
        return None

    def _texts(self, row: int) -> tuple[str, ...]:
        made = self._rows[row]
        used = percent(made.vocab_used / max(1, made.vocab_size))
        return made.label, number(made.vocab_size), used, short(made.tokens), f"{made.bytes_per_token:.2f}"


class ComparisonTable(QTableView):
    """Rows to read; Enter or a double click takes the tokenizer of one.

    Signals:
        taken: use this tokenizer (its name).
    """

    taken = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.rows = ComparisonModel()
        self.ring = False
        self.setModel(self.rows)
        self.setItemDelegate(_Cells(self))
        self.setAccessibleName("Tokenizers compared")
        self.setAccessibleDescription("Enter uses the tokenizer of a row.")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setToolTip("Double-click a row to use its tokenizer")
        self.verticalHeader().hide()
        head = self.horizontalHeader()
        head.setSectionsClickable(False)
        head.setHighlightSections(False)
        self.doubleClicked.connect(self._take)
        follow(self.restyle)

    def restyle(self) -> None:
        head = self.horizontalHeader()
        head.setMinimumSectionSize(look.px(40))
        self.verticalHeader().setDefaultSectionSize(look.px(ROW))
        for column in range(len(COLUMNS)):
            mode = QHeaderView.ResizeMode.Fixed if column else QHeaderView.ResizeMode.Stretch
            head.setSectionResizeMode(column, mode)
            if column:
                head.resizeSection(column, look.px(WIDTHS[column]))
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._take(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self.rows.rowCount():
            self.setCurrentIndex(self.rows.index(0, 0))

    def _take(self, index: QModelIndex) -> None:
        if not self.rows.is_used(index.row()):
            self.taken.emit(self.rows.comparison(index.row()).tokenizer)


class _Cells(QStyledItemDelegate):
    """Cells of the design's table: the row of the tokenizer in use has a weak ground and says so."""

    def __init__(self, table: ComparisonTable) -> None:
        super().__init__(table)
        self._table = table

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(look.px(40), look.px(ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        table, used = self._table, self._table.rows.is_used(index.row())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(option.rect)
        focused = table.hasFocus() and table.currentIndex().row() == index.row()
        row = QRectF(0, option.rect.y(), table.viewport().width(), option.rect.height())
        painter.setPen(color("accent") if focused else Qt.PenStyle.NoPen)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.setBrush(color("weak") if used else color("hover") if hovered else color("card"))
        painter.drawRoundedRect(half_pixel(row) if focused else row, look.px(6), look.px(6))
        area = QRectF(option.rect).adjusted(look.px(8), 0, -look.px(8), 0)
        if index.column():
            painter.setFont(style_font("small", tabular=True))
            painter.setPen(color("text" if index.column() == len(COLUMNS) - 1 else "text2"))
            painter.drawText(area, _side(index.column()), str(index.data()))
        else:
            self._paint_name(painter, area, str(index.data()), used)
        painter.restore()

    def _paint_name(self, painter: QPainter, area: QRectF, name: str, used: bool) -> None:
        shown, middle = style_font("value"), Qt.AlignmentFlag.AlignVCenter
        metrics = QFontMetricsF(shown)
        painter.setFont(shown)
        painter.setPen(color("text"))
        painter.drawText(area, middle, metrics.elidedText(name, Qt.TextElideMode.ElideRight, area.width()))
        area.adjust(metrics.horizontalAdvance(name) + look.px(8), 0, 0, 0)
        if used and area.width() > 0:
            painter.setFont(style_font("small"))
            painter.setPen(color("weaktext"))
            painter.drawText(area, middle, IN_USE)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
