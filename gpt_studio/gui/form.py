"""A form from any config's settings: one row per field, made from the field's own description.

Wrong values stay in the config while they are edited; the row says what is wrong and offers the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QWidget

from gpt_studio.core.section import Section
from gpt_studio.core.settings import Problem, Setting, Value, settings_of
from gpt_studio.gui.form_rows import ROWS, FormRow
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import look
from gpt_studio.gui.widgets import Floating, Hairline, Label

HOVER_DELAY = 400  # milliseconds until the card about a setting appears


class Form(QWidget):
    """Edits one section of a config.

    `explain` gives one more line for the card about a field, worked out for the values in force; it is
    asked only when the card opens.

    Signals:
        edited: what a person changed ({field: value}).
    """

    edited = Signal(object)

    def __init__(
        self,
        config_class: type[Section],
        explain: Callable[[str], str] = lambda name: "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.rows: dict[str, FormRow] = {}
        self._explain = explain
        self._coupled = config_class.problems is not Section.problems
        self._shown: tuple[Section, Mapping[str, Problem]] | None = None
        self._locked = False
        self._card: HelpCard | None = None
        self._about: FormRow | None = None
        self._timer = QTimer(self, singleShot=True, interval=HOVER_DELAY)
        self._timer.timeout.connect(self._open_card)
        self._column = Column(spacing=0, parent=self)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._close_card)
        shown = [setting for setting in settings_of(config_class).values() if setting.shown]
        for before, setting in zip([None, *shown], shown, strict=False):
            if before and _group(before) != _group(setting):
                self._column.addWidget(_Rule())
            self._add(ROWS[setting.kind](setting))
        self._column.addStretch(1)

    def add_row(self, row: FormRow, after: str) -> None:
        """Put a row of one's own below the row of another field."""
        self._add(row, self._column.indexOf(self.rows[after]) + 1)
        self._order_tabs()

    def show_config(self, config: Section, problems: Mapping[str, Problem]) -> None:
        """Show the values in force and what is wrong with them, by field."""
        if (config, problems) == self._shown:
            return
        self._shown = (config, problems)
        for name, row in self.rows.items():
            if self._coupled and row.setting.stops:
                row.offer(harmless_stops(config, row.setting))
            row.show_value(getattr(config, name))
            row.show_problem(problems.get(name))

    def set_locked(self, locked: bool) -> None:
        """Show the values, refuse edits."""
        if locked != self._locked:
            self._locked = locked
            for row in self.rows.values():
                row.set_locked(locked)

    def focus_field(self, name: str) -> None:
        """Put the keyboard into the field that edits a setting."""
        self.rows[name].focus_field()

    def hideEvent(self, event: QHideEvent) -> None:
        self._close_card()
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._close_card()
        super().resizeEvent(event)

    def _add(self, row: FormRow, index: int = -1) -> None:
        self._column.insertWidget(index, row)
        self.rows[row.setting.name] = row
        row.edited.connect(self._take)
        row.help_wanted.connect(self._prepare_card)
        row.help_done.connect(self._close_card)
        row.tabs_changed.connect(self._order_tabs)

    def _order_tabs(self) -> None:
        """Let Tab go from top to bottom; widgets made later would come last."""
        rows = sorted(self.rows.values(), key=self._column.indexOf)
        stops = [stop for row in rows for stop in row.tab_stops()]
        for before, after in pairwise(stops):
            QWidget.setTabOrder(before, after)

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
        measured = self._explain(setting.name)
        self._about.describe(measured)
        self._card.show_text(setting.label, setting.help, setting.cost, measured)
        self._card.place(self._about.mapTo(self.window(), QPoint(0, look.px(31))))
        self._card.show()
        self._card.raise_()

    def _close_card(self) -> None:
        self._timer.stop()
        if self._card is not None:
            self._card.hide()


def _group(setting: Setting) -> bool:
    """Numbers and texts stand together, switches and choices too; a hairline parts them."""
    return setting.kind in ("switch", "choice")


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
        self._help = Label(style="small", role="text", wrap=True)
        self._cost = Label(style="small", role="text2", wrap=True)
        self._measured = Label(style="small", role="text2", tabular=True, wrap=True)
        for label in (self._title, self._help, self._cost, self._measured):
            column.addWidget(label)

    def show_text(self, title: str, help: str, cost: str, measured: str) -> None:
        for label, text in zip(
            (self._title, self._help, self._cost, self._measured), (title, help, cost, measured), strict=True
        ):
            label.setText(text)
            label.setVisible(bool(text))
        self.setAccessibleName(" ".join(filter(None, (help, cost, measured))))
        margins = self.contentsMargins()
        width = look.px(250) + margins.left() + margins.right()
        self.resize(width, self.heightForWidth(width))


class _Rule(QWidget):
    """A hairline with the room around it that parts two groups of rows."""

    def __init__(self) -> None:
        super().__init__()
        Column((0, 8, 0, 8), 0, self).addWidget(Hairline())
