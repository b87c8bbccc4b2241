"""The table of runs: what its cells look like, which keys and clicks it knows, what it hides when narrow."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from gpt_studio.gui.buttons import half_pixel
from gpt_studio.gui.read_out import paint_mark
from gpt_studio.gui.runs_model import (
    CHECK,
    CURVE,
    DURATION,
    HEADERS,
    LOSS,
    NAME,
    PARAMETERS,
    STATUS,
    STATUSES,
    TOKENS,
    Index,
    Row,
    RunsModel,
    side,
)
from gpt_studio.gui.theme import MARKS, color, follow, look, paint_icon, series, style_font

ROW, HEAD = 34, 32  # pixels of the design
PAD = 8  # at both sides of a cell
LEAST_NAME = 130
MOST_ROWS = 8  # shown at once; the rest is scrolled to
WIDTHS = {CHECK: 42, STATUS: 112, PARAMETERS: 88, LOSS: 72, CURVE: 98, TOKENS: 76, DURATION: 92}
GIVES_WAY = (TOKENS, DURATION, PARAMETERS)  # in this order
SPARK = QSize(80, 22)


class RunsTable(QTableView):
    """The runs. Space compares, Enter opens, F2 renames, Delete takes away.

    Signals:
        chosen: another row is the current one.
        open_wanted, delete_wanted: of the rows selected.
        menu_wanted: at a place on the screen (QPoint).
    """

    chosen = Signal()
    open_wanted = Signal()
    delete_wanted = Signal()
    menu_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.runs = RunsModel()
        self.setModel(self.runs)
        self.setItemDelegate(_Cells(self))
        self.setAccessibleName("Runs")
        self.setAccessibleDescription(
            "Space compares a run, Enter opens it, F2 renames it, Delete takes it away."
        )
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setSortIndicatorClearable(True)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.doubleClicked.connect(self._double_clicked)
        self.selectionModel().currentRowChanged.connect(lambda *_: self.chosen.emit())
        for changed in (self.runs.rowsInserted, self.runs.rowsRemoved):
            changed.connect(self._fit_rows)
        follow(self.restyle)

    def restyle(self) -> None:
        head = self.horizontalHeader()
        head.setMinimumSectionSize(look.px(24))
        head.setFixedHeight(look.px(HEAD))
        self.verticalHeader().setDefaultSectionSize(look.px(ROW))
        for column in range(len(HEADERS)):
            mode = QHeaderView.ResizeMode.Stretch if column == NAME else QHeaderView.ResizeMode.Fixed
            head.setSectionResizeMode(column, mode)
            if column != NAME:
                head.resizeSection(column, look.px(WIDTHS[column]))
        self._fit_rows()
        self._fit_columns()
        self.viewport().update()

    # What is selected

    def current(self) -> Row | None:
        index = self.currentIndex()
        return self.runs.row(index) if index.isValid() else None

    def selected(self) -> list[Row]:
        """The rows selected; the current one where none is."""
        rows = [self.runs.row(index) for index in self.selectionModel().selectedRows()]
        current = self.current()
        return rows or ([current] if current else [])

    def select(self, row: int) -> None:
        if row >= 0:
            self.setCurrentIndex(self.runs.index(row, NAME))
            self.scrollTo(self.currentIndex())

    def rename(self) -> None:
        """Edit the name of the current row in its place."""
        current = self.currentIndex()
        if current.isValid():
            self.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.edit(self.runs.index(current.row(), NAME))

    # Size

    def _fit_rows(self) -> None:
        rows = max(1, min(MOST_ROWS, self.runs.rowCount()))
        self.setFixedHeight(look.px(HEAD) + rows * look.px(ROW))

    def _fit_columns(self) -> None:
        """Leave the name room enough: what matters least is hidden first."""
        room = self.viewport().width() - look.px(LEAST_NAME) - sum(map(look.px, WIDTHS.values()))
        for column in GIVES_WAY:
            self.setColumnHidden(column, room < 0)
            room += look.px(WIDTHS[column]) if room < 0 else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(200), self.minimumHeight())

    # Keys and clicks

    def keyPressEvent(self, event: QKeyEvent) -> None:
        current = self.currentIndex()
        if not current.isValid() or self.state() == QAbstractItemView.State.EditingState:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Space:
            self.runs.toggle(current)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open_wanted.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.delete_wanted.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid():
            self.select(0 if self.runs.rowCount() else -1)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.current():
            self.menu_wanted.emit(event.globalPos())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click into the first column compares, and selects nothing."""
        index = self.indexAt(event.position().toPoint())
        if not (index.isValid() and index.column() == CHECK and event.button() == Qt.MouseButton.LeftButton):
            super().mousePressEvent(event)
        elif self.runs.row(index).queue >= 0:
            self.select(index.row())
            self.delete_wanted.emit()
        else:
            self.runs.toggle(index)

    def _double_clicked(self, index: QModelIndex) -> None:
        if index.column() != CHECK:
            self.open_wanted.emit()


class _Cells(QStyledItemDelegate):
    """The cells of the design's table."""

    def __init__(self, table: RunsTable) -> None:
        super().__init__(table)
        self._table = table

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(look.px(40), look.px(ROW))

    def editorEvent(self, event: QEvent, model: object, option: QStyleOptionViewItem, index: Index) -> bool:
        return False  # the table compares

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Facts that come in do not replace what a person types."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            editor.setFont(style_font("value"))
            editor.setTextMargins(look.px(4), 0, 0, 0)
            editor.setGeometry(option.rect.adjusted(look.px(2), look.px(4), -look.px(4), -look.px(4)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, column = self._table.runs.row(index), index.column()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(option.rect)
        self._paint_ground(painter, option, index)
        area = QRectF(option.rect).adjusted(look.px(PAD), 0, -look.px(PAD), 0)
        slot = self._table.runs.slot(row.folder)
        if column == CHECK:
            _paint_check(painter, area, row, slot)
        elif column == STATUS:
            _paint_status(painter, area, row)
        elif column == CURVE:
            _paint_sparks(painter, area, row.run.sparks, slot)
        else:
            strong = column in (NAME, LOSS)
            painter.setFont(style_font("value" if strong else "small", tabular=column != NAME))
            painter.setPen(color("text" if strong else "text2"))
            text = _elided(painter, str(index.data()), area.width())
            painter.drawText(area, side(column), text)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        table = self._table
        selected = table.selectionModel().isRowSelected(index.row())
        under = table.indexAt(table.viewport().mapFromGlobal(table.cursor().pos()))
        hovered = table.viewport().underMouse() and under.row() == index.row()
        focused = table.hasFocus() and table.currentIndex().row() == index.row()
        painter.setPen(color("accent") if focused else Qt.PenStyle.NoPen)
        painter.setBrush(color("weak") if selected else color("hover") if hovered else color("card"))
        row = QRectF(0, option.rect.y(), table.viewport().width(), option.rect.height())
        painter.drawRoundedRect(half_pixel(row) if focused else row, look.px(6), look.px(6))


def _elided(painter: QPainter, text: str, width: float) -> str:
    return QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, width)


def _paint_check(painter: QPainter, area: QRectF, row: Row, slot: int | None) -> None:
    """A box in the run's color; a cross that takes a waiting run out; nothing where nothing is to compare."""
    length = look.px(15)
    box = QRectF(area.left() + look.px(4), round(area.center().y() - length / 2), length, length)
    if row.queue >= 0:
        paint_icon(painter, "close", box, color("text3"))
    elif slot is not None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(series(slot))
        painter.drawRoundedRect(box, look.px(4), look.px(4))
        paint_icon(painter, "check", box.adjusted(2, 2, -2, -2), color("card"))
    elif row.comparable:
        painter.setPen(QPen(color("control"), 1.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(half_pixel(box), look.px(4), look.px(4))


def _paint_status(painter: QPainter, area: QRectF, row: Row) -> None:
    word, icon, role = STATUSES[row.status]
    length = look.px(14)
    box = QRectF(area.left(), round(area.center().y() - length / 2), length, length)
    paint_icon(painter, icon, box, color(role))
    painter.setFont(style_font("small"))
    painter.setPen(color("bad" if role == "bad" else "text2"))
    area = area.adjusted(length + look.px(6), 0, look.px(PAD), 0)
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, _elided(painter, word, area.width()))


def _paint_sparks(painter: QPainter, area: QRectF, values: Sequence[float], slot: int | None) -> None:
    """A small curve that ends in the mark of the run."""
    if not values:
        return
    ink = color("text3") if slot is None else series(slot)
    low, high = min(values), max(values)
    width, height = look.px(SPARK.width() - 8), look.px(SPARK.height() - 6)
    top = area.center().y() - height / 2
    points = [
        QPointF(
            area.left() + width * place / max(1, len(values) - 1),
            top + height * (high - value) / ((high - low) or 1),
        )
        for place, value in enumerate(values)
    ]
    painter.setPen(QPen(ink, 1.4 * look.scale))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(points))
    _paint_end(painter, points[-1], ink, slot)


def _paint_end(painter: QPainter, at: QPointF, ink: QColor, slot: int | None) -> None:
    painter.save()
    painter.translate(at)
    scale = 0.5 if slot is None else 0.7
    painter.scale(scale, scale)
    paint_mark(painter, "circle" if slot is None else MARKS[slot], QPointF(0, 0), ink)
    painter.restore()
