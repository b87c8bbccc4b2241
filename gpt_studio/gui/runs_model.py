"""The rows of the table of runs: those on disk, those that wait; filtered, sorted, some of them compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.run_index import RunSummary
from gpt_studio.core.shapes import parameters
from gpt_studio.gui.theme import MARKS, style_font

Index = QModelIndex | QPersistentModelIndex
CHECK, NAME, STATUS, PARAMETERS, LOSS, CURVE, TOKENS, DURATION = range(8)
HEADERS = ("", "Name", "Status", "Parameters", "Val. loss", "Curve", "Tokens", "Duration")
NUMBERS = (PARAMETERS, LOSS, TOKENS, DURATION)
MOST = len(MARKS)  # runs that are compared at once
TOO_MANY = f"At most {MOST} runs are compared. Take one out first."
STATUSES = {  # word, icon, role of the icon
    "queued": ("Queued", "dots", "text3"),
    "training": ("Training", "train", "accent"),
    "paused": ("Paused", "pause", "text3"),
    "interrupted": ("Interrupted", "alert-triangle", "warn"),
    "finished": ("Finished", "check", "ok"),
    "early": ("Stopped early", "check", "ok"),
    "stopped": ("Stopped", "stop", "text3"),
    "failed": ("Failed", "alert-octagon", "bad"),
    "unreadable": ("Unreadable", "alert-triangle", "warn"),
}
RUNNING = ("training", "paused")  # nobody takes these away
QUEUE = Path("queue")  # where runs are thought to be that have no folder yet


@dataclass(frozen=True)
class Row:
    """A run, and what the window knows of it beyond its files: its `status`, its place in the `queue`."""

    run: RunSummary
    status: str
    queue: int = -1  # its place among those that wait; -1 if it does not

    @property
    def folder(self) -> Path:
        return self.run.folder

    @property
    def comparable(self) -> bool:
        return self.queue < 0 and not self.run.problem

    def with_notes(self, notes: str) -> Row:
        return replace(self, run=replace(self.run, notes=notes))

    def matches(self, words: Sequence[str]) -> bool:
        """Whether each word is in its name, its notes or the names of its texts."""
        data = self.run.config.data.corpora if self.run.config else ()
        told = " ".join((self.run.name, self.run.notes, *data, *map(label, data))).casefold()
        return all(word in told for word in words)

    def order(self, column: int) -> float | str:
        """What it is sorted by; nan where nothing is known."""
        run = self.run
        orders: dict[int, float | str] = {
            NAME: run.name.casefold(),
            STATUS: float(list(STATUSES).index(self.status)),
            PARAMETERS: float(run.parameters or math.nan),
            LOSS: run.validation,
            CURVE: run.loss,
            TOKENS: run.tokens or math.nan,
            DURATION: run.seconds or math.nan,
        }
        return orders.get(column, math.nan)

    def texts(self) -> tuple[str, ...]:
        """What the columns say."""
        run = self.run
        return (
            "",
            run.name,
            STATUSES[self.status][0],
            units.parameters(run.parameters) if run.parameters else units.UNKNOWN,
            units.loss(run.validation),
            "",
            units.short(run.tokens) if run.tokens else units.UNKNOWN,
            units.duration(run.seconds) if run.seconds else units.UNKNOWN,
        )


def rows_of(runs: Sequence[RunSummary], queue: Sequence[RunConfig], paused: Path | None) -> list[Row]:
    """Those that wait first; `paused` is the folder of the run that rests in this window."""
    waiting = [
        Row(RunSummary(QUEUE / str(place), _name(config), "", config, parameters=parameters(config.model)),
            "queued", place)
        for place, config in enumerate(queue)
    ]  # fmt: skip
    return waiting + [Row(run, _status(run, paused)) for run in runs]


def _name(config: RunConfig) -> str:
    return ", ".join(map(label, config.data.corpora)) or "No texts"


def _status(run: RunSummary, paused: Path | None) -> str:
    if run.problem:
        return "unreadable"
    return "paused" if run.status == "training" and run.folder == paused else run.status


class RunsModel(QAbstractTableModel):
    """The rows that pass the filter, in the order asked for; rows keep their identity as they change.

    Signals:
        compared_changed: other runs are to be compared.
        refused: why a run is not compared, in one sentence.
        renamed: a person gave a run another name (its folder, the name).
    """

    compared_changed = Signal()
    refused = Signal(str)
    renamed = Signal(object, str)

    def __init__(self) -> None:
        super().__init__()
        self._all: dict[Path, Row] = {}
        self._shown: list[Path] = []
        self._slots: dict[Path, int] = {}  # of the compared runs: the place of color and mark
        self._words: tuple[str, ...] = ()
        self._column, self._falling = -1, False

    # What is shown

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Runs that are gone are compared no longer."""
        self._all = {row.folder: row for row in rows}
        gone = [folder for folder in self._slots if folder not in self._all]
        for folder in gone:
            del self._slots[folder]
        self._arrange()
        if gone:
            self.compared_changed.emit()

    def set_filter(self, text: str) -> None:
        self._words = tuple(text.casefold().split())
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; -1: as they came, the latest first."""
        self._column, self._falling = column, order == Qt.SortOrder.DescendingOrder
        self._arrange()

    def row(self, index: Index | int) -> Row:
        return self._all[self._shown[index if isinstance(index, int) else index.row()]]

    def find(self, folder: Path) -> int:
        """The row a run is shown in; -1 if it is not."""
        return self._shown.index(folder) if folder in self._shown else -1

    def rows(self) -> list[Row]:
        """All of them, shown or not."""
        return list(self._all.values())

    def _wanted(self) -> list[Path]:
        rows = [row for row in self._all.values() if row.matches(self._words)]
        if self._column >= 0:
            known = [row for row in rows if row.order(self._column) == row.order(self._column)]  # not nan
            known.sort(key=lambda row: row.order(self._column), reverse=self._falling)
            rows = known + [row for row in rows if row.order(self._column) != row.order(self._column)]
        rows.sort(key=lambda row: row.queue < 0)
        return [row.folder for row in rows]

    def _arrange(self) -> None:
        """Go over to the rows wanted, such that selection and editors stay with theirs."""
        wanted, nothing = self._wanted(), QModelIndex()
        staying = set(wanted)
        for place in reversed(range(len(self._shown))):
            if self._shown[place] not in staying:
                self.beginRemoveRows(nothing, place, place)
                del self._shown[place]
                self.endRemoveRows()
        there = set(self._shown)
        new = [folder for folder in wanted if folder not in there]
        if new:
            self.beginInsertRows(nothing, len(self._shown), len(self._shown) + len(new) - 1)
            self._shown += new
            self.endInsertRows()
        if wanted != self._shown:
            self._reorder(wanted)
        if wanted:
            self.dataChanged.emit(self.index(0, 0), self.index(len(wanted) - 1, DURATION))

    def _reorder(self, wanted: list[Path]) -> None:
        self.layoutAboutToBeChanged.emit()
        places = {folder: place for place, folder in enumerate(wanted)}
        before = self.persistentIndexList()
        after = [self.index(places[self._shown[index.row()]], index.column()) for index in before]
        self._shown = wanted
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    # What is compared

    def compared(self) -> list[tuple[Row, int]]:
        """The runs that are compared, each with the place of its color and mark, by that place."""
        pairs = [(self._all[folder], slot) for folder, slot in self._slots.items()]
        return sorted(pairs, key=lambda pair: pair[1])

    def slot(self, folder: Path) -> int | None:
        """The place of a compared run's color and mark; None if it is not compared."""
        return self._slots.get(folder)

    def compare(self, folders: Sequence[Path]) -> None:
        """Compare these too, as far as there is room."""
        for folder in folders:
            free = [slot for slot in range(MOST) if slot not in self._slots.values()]
            if free and folder not in self._slots and self._all[folder].comparable:
                self._slots[folder] = free[0]
        self._arrange()
        self.compared_changed.emit()

    def toggle(self, index: Index) -> None:
        """Compare a run, or no longer."""
        row = self.row(index)
        if row.folder in self._slots:
            del self._slots[row.folder]
            self._arrange()
            self.compared_changed.emit()
        elif row.comparable and len(self._slots) < MOST:
            self.compare([row.folder])
        elif row.comparable:
            self.refused.emit(TOO_MANY)

    # Qt's questions

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HEADERS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        row = self.row(index)
        if index.column() == NAME and row.queue < 0:
            flags |= Qt.ItemFlag.ItemIsEditable
        if index.column() == CHECK and row.comparable:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        roles, row, column = Qt.ItemDataRole, self.row(index), index.column()
        if role in (roles.DisplayRole, roles.EditRole):
            return row.texts()[column]
        if role == roles.CheckStateRole and column == CHECK and row.comparable:
            return Qt.CheckState.Checked if row.folder in self._slots else Qt.CheckState.Unchecked
        if role == roles.ToolTipRole:
            return self._tip(row, column)
        if role == roles.AccessibleTextRole:
            return self._told(row, column)
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        row = self.row(index)
        if role == Qt.ItemDataRole.CheckStateRole:
            self.toggle(index)
            return True
        name = " ".join(str(value).split())
        if role != Qt.ItemDataRole.EditRole or not name or name == row.run.name:
            return False
        self._all[row.folder] = replace(row, run=replace(row.run, name=name))
        self.dataChanged.emit(index, index)
        self.renamed.emit(row.folder, name)
        return True

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return HEADERS[section]
            if role == Qt.ItemDataRole.AccessibleTextRole:
                return HEADERS[section] or "Compare"
            if role == Qt.ItemDataRole.FontRole:
                return style_font("small")
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return side(section)
        return None

    def _tip(self, row: Row, column: int) -> str | None:
        if column == CHECK:
            return "Take out of the queue" if row.queue >= 0 else "Compare" if row.comparable else None
        if column == STATUS and row.run.problem:
            return row.run.problem
        if column == NAME and row.queue < 0:
            return f"{row.folder}\n\n{row.run.notes}".strip()
        return None

    def _told(self, row: Row, column: int) -> str:
        slot = self._slots.get(row.folder)
        if column == CHECK:
            return "Not compared" if slot is None else f"Compared as number {slot + 1}"
        if column == CURVE:
            return f"Train loss: {units.loss(row.run.loss)}"
        return f"{HEADERS[column]}: {row.texts()[column]}"


def side(column: int) -> Qt.AlignmentFlag:
    """Text left, numbers right."""
    edge = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag.AlignLeft
    return edge | Qt.AlignmentFlag.AlignVCenter
