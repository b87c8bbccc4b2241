"""A form from any config's settings: one row per field, made from the field's own description.

Wrong values stay in the config while they are edited; the row says what is wrong and offers the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QWidget

from gpt_studio.core.section import Section
from gpt_studio.core.settings import Problem, Setting, Value, settings_of
from gpt_studio.gui.fold import Fold
from gpt_studio.gui.form_rows import LABEL_WIDTH, ROWS, FormRow
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import Floating, Hairline, Label

HOVER_DELAY = 400  # milliseconds until the card about a setting appears


@dataclass(frozen=True)
class Part:
    """Rows that belong together. With a title they fold; `summary` then says of a config what is inside."""

    title: str = ""
    summary: Callable[[Any], str] = lambda config: ""


class Form(QWidget):
    """Edits one section of a config.

    `explain` gives one more line for the card about a field, worked out for the values in force; it is
    asked only when the card opens. `parts` are known by their first fields; else numbers and texts are
    parted from switches and choices.

    Signals:
        edited: what a person changed ({field: value}).
    """

    edited = Signal(object)

    def __init__(
        self,
        config_class: type[Section],
        explain: Callable[[str], str] = lambda name: "",
        parts: Mapping[str, Part] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.rows: dict[str, FormRow] = {}
        self.parts: dict[str, FormPart] = {}
        self._explain = explain
        self._coupled = config_class.problems is not Section.problems
        self._shown: tuple[Section, Mapping[str, Problem]] | None = None
        self._locks: Mapping[str, str] = {}
        self._card: HelpCard | None = None
        self._about: FormRow | None = None
        self._timer = QTimer(self, singleShot=True, interval=HOVER_DELAY)
        self._timer.timeout.connect(self._open_card)
        column = Column(spacing=0, parent=self)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._follow_focus)
        shown = [setting for setting in settings_of(config_class).values() if setting.shown]
        parts = _parts_by_kind(shown) if parts is None else parts
        for setting in shown:
            if setting.name in parts or not self.parts:
                part = FormPart(parts.get(setting.name, Part()), first=not self.parts)
                self.parts[setting.name] = part
                column.addWidget(part)
            self._add(ROWS[setting.kind](setting), part.column)
        for part in self.parts.values():
            part.set_rows([row for row in self.rows.values() if part.isAncestorOf(row)])
        column.addStretch(1)
        self._order_tabs()

    def add_row(self, row: FormRow, after: str) -> None:
        """Put a row of one's own below the row of another field."""
        column = self.part_of(after).column
        self._add(row, column, column.indexOf(self.rows[after]) + 1)
        self._order_tabs()

    def add_below(self, widget: QWidget, after: str) -> None:
        """Put something that edits nothing below the row of a field."""
        column = self.part_of(after).column
        column.insertWidget(column.indexOf(self.rows[after]) + 1, widget)

    def part_of(self, name: str) -> FormPart:
        """The part in which the row of a field stands."""
        return next(part for part in self.parts.values() if part.isAncestorOf(self.rows[name]))

    def show_config(self, config: Section, problems: Mapping[str, Problem]) -> None:
        """Show the values in force and what is wrong with them, by field; that is not folded away."""
        if (config, problems) == self._shown:
            return
        self._shown = (config, problems)
        for name, row in self.rows.items():
            if self._coupled and row.setting.stops:
                row.offer(harmless_stops(config, row.setting))
            row.show_value(getattr(config, name))
            if name in problems and row.problem() is None:
                self.part_of(name).unfold()
            row.show_problem(problems.get(name))
            if row.lock:
                row.describe()
        for part in self.parts.values():
            part.show_config(config)

    def set_locked(self, locks: Mapping[str, str]) -> None:
        """Show values, refuse edits: of the fields named here, each for a reason."""
        if locks == self._locks:
            return
        self._locks = dict(locks)
        self._close_card()
        for name, row in self.rows.items():
            if row.lock != locks.get(name, ""):
                row.set_lock(locks.get(name, ""))
        self._order_tabs()

    def focus_field(self, name: str) -> None:
        """Put the keyboard into the field that edits a setting, or that would if it were not locked."""
        self.part_of(name).unfold()
        row = self.rows[name]
        if row.lock:
            row.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            row.focus_field()

    def hideEvent(self, event: QHideEvent) -> None:
        self._close_card()
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._close_card()
        super().resizeEvent(event)

    def _add(self, row: FormRow, column: Column, index: int = -1) -> None:
        column.insertWidget(index, row)
        self.rows[row.setting.name] = row
        row.edited.connect(self._take)
        row.help_wanted.connect(self._prepare_card)
        row.help_done.connect(self._close_card)
        row.tabs_changed.connect(self._order_tabs)

    def _order_tabs(self) -> None:
        """Let Tab go from top to bottom; widgets made later would come last."""
        stops: list[QWidget] = []
        for part in self.parts.values():
            rows = [row for row in self.rows.values() if part.isAncestorOf(row)]
            stops += [part.fold] if part.fold else []
            stops += [stop for row in sorted(rows, key=part.column.indexOf) for stop in row.tab_stops()]
        for before, after in pairwise(stops):
            QWidget.setTabOrder(before, after)

    def _follow_focus(self, before: QWidget | None, now: QWidget | None) -> None:
        """The card goes with the focus; a locked row that the keyboard comes to tells why."""
        self._close_card()
        if isinstance(now, FormRow) and now in self.rows.values():
            self._prepare_card(now, at_once=False)

    def _take(self, changes: Mapping[str, Value]) -> None:
        self._close_card()
        self.edited.emit(changes)

    def _prepare_card(self, row: FormRow, at_once: bool) -> None:
        self._about = row
        if at_once:
            self._open_card()
        else:
            self._timer.start()

    def _open_card(self) -> None:
        if self._about is None or not self._about.isVisible():
            return
        if self._card is None:
            self._card = HelpCard(self.window())
        setting = self._about.setting
        measured = "" if self._about.lock else self._explain(setting.name)
        self._about.describe(measured)
        self._card.show_text(setting.label, self._about.lock, setting.help, setting.cost, measured)
        self._card.place(self._about.mapTo(self.window(), QPoint(0, look.px(31))))
        self._card.show()
        self._card.raise_()

    def _close_card(self) -> None:
        self._timer.stop()
        if self._card is not None:
            self._card.hide()


def _parts_by_kind(settings: Sequence[Setting]) -> dict[str, Part]:
    """Numbers and texts stand together, switches and choices too."""
    return {
        setting.name: Part()
        for before, setting in zip([None, *settings], settings, strict=False)
        if before is None or _is_number(before) != _is_number(setting)
    }


def _is_number(setting: Setting) -> bool:
    return setting.kind not in ("switch", "choice")


def harmless_stops(config: Section, setting: Setting) -> tuple[float, ...]:
    """The stops of a slider that spoil no other field: for heads, the divisors of the embedding size."""

    def spoiled(stop: float) -> int:
        return len(config.changed(**{setting.name: stop}).problems().keys() - {setting.name})

    counts = {stop: spoiled(stop) for stop in setting.stops}
    fewest = min(counts.values())
    return tuple(stop for stop, count in counts.items() if count == fewest)


class HelpCard(Floating):
    """What a setting means, what it costs, and what the next step would cost here."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        column = Column(spacing=4, parent=self)
        self._title = Label(style="title", role="text")
        self._lock = Label(style="small", role="warn", wrap=True)
        self._help = Label(style="small", role="text", wrap=True)
        self._cost = Label(style="small", role="text2", wrap=True)
        self._measured = Label(style="small", role="text2", tabular=True, wrap=True)
        self._labels = (self._title, self._lock, self._help, self._cost, self._measured)
        for label in self._labels:
            column.addWidget(label)

    def show_text(self, title: str, lock: str, help: str, cost: str, measured: str) -> None:
        """`lock` is why the setting cannot be changed now."""
        texts = (title, lock, help, cost, measured)
        for label, text in zip(self._labels, texts, strict=True):
            label.setText(text)
            label.setVisible(bool(text))
        self.setAccessibleName(" ".join(filter(None, texts[1:])))
        margins = self.contentsMargins()
        width = look.px(250) + margins.left() + margins.right()
        self.resize(width, self.heightForWidth(width))


class FormPart(QWidget):
    """Rows below a hairline, or below a title that folds them."""

    def __init__(self, part: Part, first: bool) -> None:
        super().__init__()
        self._part = part
        self._body = QWidget()
        self.column = Column((0, 0, 0, 8 if part.title else 0), 0, self._body)
        self.fold = Fold(part.title) if part.title else None
        outside = Column(spacing=0, parent=self)
        if not first:
            outside.addWidget(_Rule(0 if self.fold else 8))
        if self.fold:
            outside.addWidget(self.fold)
            self.fold.toggled.connect(self._body.setVisible)
            self._body.hide()
        outside.addWidget(self._body)

    def set_rows(self, rows: Sequence[FormRow]) -> None:
        """Let the editors of its rows begin at one place."""
        self._rows = rows
        follow(self.restyle)

    def restyle(self) -> None:
        """To the right of the longest label."""
        widest = max([LABEL_WIDTH, *(row.natural_label_width() for row in self._rows)])
        for row in self._rows:
            row.set_label_width(widest)

    def unfold(self) -> None:
        if self.fold:
            self.fold.setChecked(True)

    def show_config(self, config: Section) -> None:
        if self.fold:
            self.fold.set_summary(self._part.summary(config))


class _Rule(QWidget):
    """A hairline with room around it that parts two groups of rows."""

    def __init__(self, room: int) -> None:
        super().__init__()
        Column((0, room, 0, room), 0, self).addWidget(Hairline())
