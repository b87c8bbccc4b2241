"""In what compared runs differ: their settings and what came of them, one column each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from gpt_studio.core import units
from gpt_studio.core.config import SECTIONS, RunConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.settings import Setting, settings_of
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.comparing import Compared, verdict
from gpt_studio.gui.read_out import paint_mark
from gpt_studio.gui.theme import MARKS, color, follow, look, series, style_font
from gpt_studio.gui.widgets import Card, Hairline, Label

Index = QModelIndex | QPersistentModelIndex
COMPARED = ("model", "data", "train")  # sections of a config; how answers are sampled is not the run's
SHORT = {"embed_size": "Embedding", "learning_rate": "Peak LR", "batch_size": "Batch"}
LINE = 22  # height of a row
PAD = 3  # at both sides of a cell
LEAST, READABLE, MOST = 36, 42, 110  # widths of what a column says: any, shortened to "…", at most
NARROW = 100  # width of the first column where there is no room
SPREAD = 44  # between columns where there is room
MARK = 12  # room for a mark beside a name
ROWS = 12  # shown without scrolling


@dataclass(frozen=True)
class Difference:
    """One row: what it is about, a value of each run, and which of them stand out."""

    label: str
    values: tuple[str, ...]
    strong: tuple[bool, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def differences(runs: Sequence[Compared], every: bool = False) -> list[Difference]:
    """The settings that differ, or `every` one, then what came of them."""
    rows = [row for row in map(partial(_setting, runs), _settings()) if every or row.differs]
    return rows + [_measured(runs, *measure) for measure in MEASURES]


def _settings() -> list[tuple[str, Setting]]:
    return [(section, setting) for section in COMPARED for setting in settings_of(SECTIONS[section]).values()]


def _setting(runs: Sequence[Compared], which: tuple[str, Setting]) -> Difference:
    """What stands out differs from most of the others; where there is no majority, from the first."""
    section, setting = which
    values = tuple(_told(run.run.config, section, setting) for run in runs)
    usual = max(values, key=values.count, default="")
    return Difference(
        SHORT.get(setting.name, setting.label), values, tuple(value != usual for value in values)
    )


def _told(config: RunConfig | None, section: str, setting: Setting) -> str:
    """A setting's value for people."""
    if config is None:
        return units.UNKNOWN
    value = getattr(getattr(config, section), setting.name)
    if setting.choices:
        return next((choice.label for choice in setting.choices if choice.value == value), str(value))
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int | float):
        if setting.optional and not value:
            return "Off"
        return units.rate(value) if setting.scientific else units.number(value, setting.decimals)
    if isinstance(value, tuple):
        return ", ".join(label(one) if isinstance(one, str) else f"{one:g}" for one in value) or units.UNKNOWN
    return value or units.UNKNOWN


Measure = tuple[str, Callable[[Compared], float], Callable[[float], str], Callable[..., float]]


def _peak(run: Compared) -> float:
    columns = run.history.resources
    read = [size for name in ("device_memory", "process_memory") for size in columns[name] if size == size]
    return float(run.run.peak or max(read, default=0.0))


def _speed(run: Compared) -> float:
    return run.run.tokens / run.run.seconds if run.run.seconds else 0.0


MEASURES: tuple[Measure, ...] = (  # what, its value (0 or nan: unknown), in words, which one is best
    ("Peak memory", _peak, units.memory, min),
    ("Tokens/s", _speed, units.short, max),
    ("Best loss", lambda run: run.run.validation, units.loss, min),
)


def _measured(
    runs: Sequence[Compared],
    name: str,
    measure: Callable[[Compared], float],
    tell: Callable[[float], str],
    best: Callable[..., float],
) -> Difference:
    """The best stands out."""
    values = [measure(run) for run in runs]
    known = [value for value in values if value > 0]
    top = best(known) if len(known) > 1 else None
    told = tuple(tell(value) if value > 0 else units.UNKNOWN for value in values)
    return Difference(name, told, tuple(value == top for value in values))


class DifferencesCard(Card):
    """The table of what differs, and one sentence on who leads."""

    def __init__(self) -> None:
        self.choice = Segmented({"changed": "Changed", "all": "All"}, "Settings shown", small=True)
        super().__init__("What differs", actions=[self.choice])
        self._runs: Sequence[Compared] = ()
        self.table = DifferencesTable()
        self.verdict = Label("", "small", "text2", wrap=True)
        self.body.addWidget(self.table, 1)
        self.body.addWidget(Hairline())
        self.body.addWidget(self.verdict)
        self.choice.changed.connect(self._show)

    def show_runs(self, runs: Sequence[Compared], across: str) -> None:
        self._runs = runs
        self.verdict.setText(verdict(runs, across))
        self._show()

    def _show(self, *_: object) -> None:
        self.table.rows.show_rows(self._runs, differences(self._runs, self.choice.value() == "all"))
        self.table.fit()


class DifferencesModel(QAbstractTableModel):
    """A row for each setting, a column for each run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: Sequence[Compared] = ()
        self._rows: Sequence[Difference] = ()

    def show_rows(self, runs: Sequence[Compared], rows: Sequence[Difference]) -> None:
        heads = [(run.name, run.slot) for run in runs]
        if rows == self._rows and heads == [(run.name, run.slot) for run in self.runs]:
            return
        self.beginResetModel()
        self.runs, self._rows = runs, rows
        self.endResetModel()

    def difference(self, row: int) -> Difference:
        return self._rows[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 1 + len(self.runs)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row, column = self._rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return row.values[column - 1] if column else row.label
        if role == Qt.ItemDataRole.AccessibleTextRole and column:
            return f"{row.label}, {self.runs[column - 1].name}: {row.values[column - 1]}"
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        texts = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        if orientation != Qt.Orientation.Horizontal or role not in texts:
            return None
        return self.runs[section - 1].name if section else ""


class DifferencesTable(QTableView):
    """Rows to read; it scrolls sideways where there is no room for all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = DifferencesModel()
        self.setModel(self.rows)
        self.setItemDelegate(_Cells(self))
        self._heads = _Heads(self)
        self.setHorizontalHeader(self._heads)
        self.setAccessibleName("What differs")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        follow(self.restyle)

    def restyle(self) -> None:
        self.verticalHeader().setMinimumSectionSize(look.px(LINE))
        self.verticalHeader().setDefaultSectionSize(look.px(LINE))
        self._heads.setFixedHeight(look.px(LINE))
        self.fit()
        self.viewport().update()

    def fit(self) -> None:
        """Columns as wide as their values; names get what room is left, and the first column the rest."""
        rows, count = self.rows, self.rows.columnCount()
        if not rows.rowCount():
            return
        small, strong = (QFontMetricsF(style_font(style, tabular=True)) for style in ("small", "strong"))
        told = [rows.difference(row) for row in range(rows.rowCount())]
        labels = max(small.horizontalAdvance(row.label) for row in told) + look.px(PAD) + 1
        values = [
            max(strong.horizontalAdvance(row.values[at]) for row in told) + 2 for at in range(count - 1)
        ]
        names = [small.horizontalAdvance(run.name) + look.px(MARK) for run in rows.runs]
        pad = 2 * look.px(PAD)
        room = self.viewport().width() - pad * len(names)
        widths = [int(width) + pad for width in _widths(labels, values, names, room)]
        self._heads.setMinimumSectionSize(look.px(24))
        self._heads.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        least = round(min(labels, look.px(NARROW)))
        for column, width in enumerate([max(least, self.viewport().width() - sum(widths)), *widths]):
            self._heads.resizeSection(column, width)
        beyond = least + sum(widths) > self.viewport().width()
        bar = self.horizontalScrollBar().sizeHint().height() if beyond else 0
        self.setMinimumHeight(look.px(LINE) * (1 + min(ROWS, rows.rowCount())) + 2 + bar)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self.fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(160), self.minimumHeight())


def _widths(labels: float, values: Sequence[float], names: Sequence[float], room: float) -> list[float]:
    """What each run's column gets of the room: its values first, then its name, then some space.

    Where there is not even room for the values, those that are long give way, after the labels; where that
    does not help, it is scrolled, and none does.
    """
    least = [min(look.px(MOST), max(look.px(LEAST), value)) for value in values]
    spare = room - labels - sum(least)
    if spare < 0:
        spare = min(0.0, room - min(labels, look.px(NARROW)) - sum(least))
        give = [max(0.0, width - look.px(READABLE)) for width in least]
        if sum(give) < -spare:
            return [max(width, min(look.px(MOST), name)) for width, name in zip(least, names, strict=True)]
        share = -spare / (sum(give) or 1.0)
        return [width - share * most for width, most in zip(least, give, strict=True)]
    wishes = [min(look.px(MOST), max(0.0, name - own)) for name, own in zip(names, least, strict=True)]
    share = min(1.0, spare / (sum(wishes) or 1.0))
    space = min(look.px(SPREAD), max(0.0, spare - sum(wishes)) / (len(least) + 1))
    return [own + share * wish + space for own, wish in zip(least, wishes, strict=True)]


class _Heads(QHeaderView):
    """The runs' names with their marks."""

    def __init__(self, table: DifferencesTable) -> None:
        super().__init__(Qt.Orientation.Horizontal, table)
        self._table = table
        self.setSectionsClickable(False)

    def paintSection(self, painter: QPainter, rect: object, section: int) -> None:
        area = QRectF(rect)  # type: ignore[call-overload]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(area, color("card"))
        if section:
            run = self._table.rows.runs[section - 1]
            area = area.adjusted(look.px(PAD), 0, -look.px(PAD), 0)
            painter.setFont(style_font("small"))
            metrics = QFontMetricsF(painter.font())
            room = area.width() - look.px(MARK)
            name = metrics.elidedText(run.name, Qt.TextElideMode.ElideMiddle, room)
            left = area.right() - metrics.horizontalAdvance(name) - look.px(8)
            paint_mark(painter, MARKS[run.slot], QPointF(left, area.center().y()), series(run.slot))
            painter.setPen(color("text2"))
            painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
        painter.restore()


class _Cells(QStyledItemDelegate):
    """Values that stand out are strong, the others quiet."""

    def __init__(self, table: DifferencesTable) -> None:
        super().__init__(table)
        self._table = table

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, column = self._table.rows.difference(index.row()), index.column()
        strong = column > 0 and row.strong[column - 1]
        painter.save()
        painter.setFont(style_font("strong" if strong else "small", tabular=True))
        painter.setPen(color("text" if strong else "text3" if column and row.differs else "text2"))
        left = look.px(PAD) if column else 0
        area = QRectF(option.rect).adjusted(left, 0, -look.px(PAD), 0)
        text = QFontMetricsF(painter.font()).elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, area.width()
        )
        edge = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
        painter.drawText(area, edge | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()
