"""The rows of a form: one kind for each kind of setting, with what is wrong right under it."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QBoxLayout, QLineEdit, QSizePolicy, QWidget

from gpt_studio.core.settings import Fix, Problem, Setting, Value
from gpt_studio.gui.buttons import half_pixel
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import NO_MARGINS, Column, Row
from gpt_studio.gui.problems import ProblemPlace
from gpt_studio.gui.stop_slider import StopSlider
from gpt_studio.gui.theme import color, follow, font, look
from gpt_studio.gui.toggles import Switch
from gpt_studio.gui.widgets import Label

LABEL_WIDTH = 96
WIDEST_FIELD = 110
MANY = 3  # options; where there are more, they are small


class _RowLabel(Label):
    """A row's label: pointing at it explains the setting, clicking it goes to the field."""

    entered = Signal()
    left = Signal()
    clicked = Signal()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.entered.emit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.left.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()


class FormRow(QWidget):
    """One setting: its label, whatever edits it, and below them what is wrong with its value.

    Signals:
        edited: what a person changed ({field: value}).
        help_wanted: explain this row (the row, whether at once).
        help_done: that is enough.
        tabs_changed: other widgets take the keyboard now.
    """

    edited = Signal(object)
    help_wanted = Signal(object, bool)
    help_done = Signal()
    tabs_changed = Signal()

    HEIGHT = 33
    ALIGNED = False  # its editor begins where those of its neighbors do

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting
        self._label_width = LABEL_WIDTH
        self.label = _RowLabel(setting.label)
        self.label.entered.connect(lambda: self.help_wanted.emit(self, False))
        self.label.left.connect(self.help_done)
        self.label.clicked.connect(self.label_clicked)
        self.lock = ""  # why it cannot be edited now
        self._editors: list[QWidget] = []
        self._place = ProblemPlace()
        self._place.chosen.connect(self._mend)
        column = Column(spacing=0, parent=self)
        self._head = QWidget(self)
        self.line = Row(spacing=10, parent=self._head)
        self.line.addWidget(self.label)
        column.addWidget(self._head)
        column.addWidget(self._place)
        self.setWhatsThis(f"{setting.help} {setting.cost}".strip())
        follow(self.restyle)

    def restyle(self) -> None:
        self._head.setFixedHeight(look.px(self.HEIGHT))
        if self.ALIGNED:
            self.label.setFixedWidth(look.px(self._label_width))

    def natural_label_width(self) -> int:
        """What the label needs, in pixels of the design; nothing where it takes what there is."""
        return ceil(self.label.sizeHint().width() / look.scale) if self.ALIGNED else 0

    def set_label_width(self, width: int) -> None:
        self._label_width = width
        self.restyle()

    def add_editor(self, editor: QWidget, stretch: int = 0) -> None:
        """Put a control at the end of the row; the last one takes the keyboard and hears what is wrong."""
        self.line.addWidget(editor, stretch)
        self.label.setBuddy(editor)
        self._editors.append(editor)
        self.describe()

    def editor(self) -> QWidget:
        return self._editors[-1]

    def tab_stops(self) -> list[QWidget]:
        """What takes the keyboard in this row, in order; a locked row does so itself, to be read."""
        return [self] if self.lock else [*self._editors, *self._place.buttons]

    def describe(self, more: str = "") -> None:
        """Tell assistive tools what a sighted person reads: what is wrong, the help, and `more`."""
        problem = self.problem()
        locked = f"Locked. {self.lock}" if self.lock else ""
        text = " ".join(filter(None, (locked, problem.text if problem else "", self.whatsThis(), more)))
        for widget in (self, *self._editors):
            widget.setAccessibleDescription(text)
        self.setAccessibleName(f"{self.setting.label} {self.value_text()}".strip())

    def show_value(self, value: object) -> None:
        raise NotImplementedError

    def value_text(self) -> str:
        """The value as it is read."""
        return ""

    def set_lock(self, reason: str) -> None:
        """Refuse edits and say why; without a reason, allow them again."""
        self.lock = reason
        self.set_locked(bool(reason))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if reason else Qt.FocusPolicy.NoFocus)
        for editor in self._editors:
            editor.setToolTip(reason)
        self.describe()

    def set_locked(self, locked: bool) -> None:
        for editor in self._editors:
            editor.setEnabled(not locked)

    def offer(self, stops: tuple[float, ...]) -> None:
        """Take other stops for the slider, if the row has one."""

    def label_clicked(self) -> None:
        self.focus_field()

    def focus_field(self) -> None:
        self.editor().setFocus(Qt.FocusReason.ShortcutFocusReason)

    def problem(self) -> Problem | None:
        return self._place.problem

    def show_problem(self, problem: Problem | None) -> None:
        """Say what is wrong right under the row, or that nothing is."""
        if self._place.show_problem(problem):
            self.describe()
            self.tabs_changed.emit()

    def _mend(self, fix: Fix) -> None:
        self.focus_field()  # the button pressed goes away
        self.edited.emit(dict(fix.changes))

    def emit_value(self, value: Value) -> None:
        self.edited.emit({self.setting.name: value})

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(color("accent"))
            painter.drawRoundedRect(half_pixel(QRectF(self._head.geometry())), look.px(5), look.px(5))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F1:
            self.help_wanted.emit(self, True)
        elif event.key() == Qt.Key.Key_Escape:
            self.help_done.emit()
            event.ignore()
        else:
            super().keyPressEvent(event)


class NumberRow(FormRow):
    """A number: a slider over its useful values, if it has any, and a field for every legal one."""

    ALIGNED = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        whole = setting.kind == "int"
        self.slider = StopSlider(setting) if setting.stops else None
        self.field = NumberField(
            setting.label,
            whole=whole,
            decimals=setting.decimals,
            scientific=setting.scientific,
            step=1 if whole else 10**-setting.decimals,
            prefix=setting.prefix,
        )
        if self.slider:
            self.add_editor(self.slider, 1)
            self.slider.picked.connect(self._take)
        else:
            self.field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.add_editor(self.field)
        self.field.typed.connect(self._take)
        self.field.committed.connect(self._take)
        self.field.editingFinished.connect(self._fit)
        self._value: float | None = None
        follow(self._fit)

    def offer(self, stops: tuple[float, ...]) -> None:
        if self.slider:
            self.slider.offer(stops)

    def show_value(self, value: object) -> None:
        if isinstance(value, int | float) and value != self._value:
            self._value = value
            self.field.set_value(value)
            if self.slider:
                self.slider.show_value(value)
            self._fit()

    def value_text(self) -> str:
        return self.field.text()

    def _fit(self) -> None:
        """Beside a slider the field is as narrow as its number allows, within reason."""
        if self.slider:
            text = QFontMetricsF(self.field.font()).horizontalAdvance(self.field.text())
            wanted = round(text) + look.px(19)
            self.field.setFixedWidth(min(max(look.px(60), wanted), look.px(WIDEST_FIELD)))

    def show_problem(self, problem: Problem | None) -> None:
        if problem != self.problem():
            self.field.set_problem(problem is not None)
        super().show_problem(problem)

    def set_locked(self, locked: bool) -> None:
        self.field.set_locked(locked)
        if self.slider:
            self.slider.setEnabled(not locked)

    def _take(self, value: float | None) -> None:
        if value is not None and value != self._value:
            self.show_value(value)
            self.emit_value(value)


class ChoiceSettingRow(FormRow):
    """One of a few named options: beside the label, or below it where there is no room for both."""

    HEIGHT = 36
    BOTH = 57  # where the options stand below the label

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._labels = {choice.value: choice.label for choice in setting.choices}
        self.choice = Segmented(self._labels, setting.label, small=len(self._labels) > MANY)
        self.line.addStretch(1)
        self.add_editor(self.choice)
        self.choice.changed.connect(self.emit_value)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.choice.sizeHint().width(), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.restyle()

    def restyle(self) -> None:
        below = bool(self._editors) and self.width() < self._widest()
        directions = QBoxLayout.Direction
        self.line.setDirection(directions.TopToBottom if below else directions.LeftToRight)
        self.line.set_space((0, 6, 0, 5) if below else NO_MARGINS, 4 if below else 10)
        self._head.setFixedHeight(look.px(self.BOTH if below else self.HEIGHT))

    def _widest(self) -> int:
        """The width of label and options side by side."""
        return self.label.sizeHint().width() + look.px(10) + self.choice.sizeHint().width()

    def tab_stops(self) -> list[QWidget]:
        if self.lock:
            return super().tab_stops()
        options = [self.choice.button(choice.value) for choice in self.setting.choices]
        return [*options, *super().tab_stops()[1:]]

    def focus_field(self) -> None:
        self.choice.button(self.choice.value()).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_value(self, value: object) -> None:
        if value != self.choice.value():
            self.choice.set_value(str(value))

    def value_text(self) -> str:
        return self._labels[self.choice.value()]


class SwitchRow(FormRow):
    """On or off; the whole row switches."""

    HEIGHT = 29

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.switch = Switch(setting.label)
        self.line.addStretch(1)
        self.add_editor(self.switch)
        self.switch.clicked.connect(self.emit_value)

    def show_value(self, value: object) -> None:
        self.switch.setChecked(bool(value))

    def value_text(self) -> str:
        return "on" if self.switch.isChecked() else "off"

    def label_clicked(self) -> None:
        self.switch.click()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        inside = self._head.geometry().contains(event.position().toPoint())
        if inside and event.button() == Qt.MouseButton.LeftButton:
            self.switch.click()


class TextRow(FormRow):
    """A line of text."""

    ALIGNED = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.field = QLineEdit()
        self.field.setAccessibleName(setting.label)
        self.add_editor(self.field, 1)
        self.field.textEdited.connect(self.emit_value)
        follow(self._restyle_field)

    def _restyle_field(self) -> None:
        self.field.setFont(font(13, 500))
        self.field.setFixedHeight(look.px(26))
        self.field.setTextMargins(look.px(5), 0, look.px(5), 0)
        box = f"background: transparent; border: 1px solid transparent; color: {look.theme.text2};"
        self.field.setStyleSheet(f"QLineEdit {{ {box} }}" if self.field.isReadOnly() else "")

    def show_value(self, value: object) -> None:
        if value != self.field.text():
            self.field.setText(str(value))

    def value_text(self) -> str:
        return self.field.text()

    def set_locked(self, locked: bool) -> None:
        if locked != self.field.isReadOnly():
            self.field.setReadOnly(locked)
            self.field.setFocusPolicy(Qt.FocusPolicy.NoFocus if locked else Qt.FocusPolicy.StrongFocus)
            self._restyle_field()


ROWS: dict[str, type[FormRow]] = {
    "int": NumberRow,
    "float": NumberRow,
    "switch": SwitchRow,
    "choice": ChoiceSettingRow,
    "text": TextRow,
}
