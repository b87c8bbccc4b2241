"""The rows of a form: one kind for each kind of setting, with what is wrong right under it."""

from __future__ import annotations

from bisect import bisect_right

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetricsF, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from gpt_studio.core.settings import Fix, Problem, Setting, Value
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.problems import ProblemPlace
from gpt_studio.gui.theme import follow, font, look
from gpt_studio.gui.toggles import Slider, Switch
from gpt_studio.gui.widgets import Label

LABEL_WIDTH = 96
WIDEST_FIELD = 110
NOTCH = 100  # slider positions between two stops, so that a value between them is shown between them


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

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting
        self.label = _RowLabel(setting.label)
        self.label.entered.connect(lambda: self.help_wanted.emit(self, False))
        self.label.left.connect(self.help_done)
        self.label.clicked.connect(self.label_clicked)
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

    def add_editor(self, editor: QWidget, stretch: int = 0) -> None:
        """Put a control at the end of the row; the last one takes the keyboard and hears what is wrong."""
        self.line.addWidget(editor, stretch)
        self.label.setBuddy(editor)
        self._editors.append(editor)
        self.describe()

    def editor(self) -> QWidget:
        return self._editors[-1]

    def tab_stops(self) -> list[QWidget]:
        """What takes the keyboard in this row, in order."""
        return [*self._editors, *self._place.buttons]

    def describe(self, more: str = "") -> None:
        """Tell assistive tools what a sighted person reads: what is wrong, the help, and `more`."""
        problem = self.problem()
        parts = (problem.text if problem else "", self.whatsThis(), more)
        for editor in self._editors:
            editor.setAccessibleDescription(" ".join(filter(None, parts)))

    def show_value(self, value: object) -> None:
        raise NotImplementedError

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

    def restyle(self) -> None:
        super().restyle()
        self.label.setFixedWidth(look.px(LABEL_WIDTH))

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


class StopSlider(Slider):
    """A slider over uneven stops: people land on stops, a value from elsewhere is shown between them."""

    picked = Signal(object)  # the stop a person chose

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.label)
        self._whole = setting.kind == "int"
        self._name = setting.label
        self._shown = 0.0
        self.setSingleStep(NOTCH)
        self.setPageStep(3 * NOTCH)
        self._stops: tuple[float, ...] = ()
        self.offer(setting.stops)
        self.actionTriggered.connect(self._snap)
        self.valueChanged.connect(self._tell)

    def stops(self) -> tuple[float, ...]:
        return self._stops

    def offer(self, stops: tuple[float, ...]) -> None:
        if stops != self._stops:
            self._stops = stops
            self._place(NOTCH * (len(stops) - 1), self._position(self._shown))

    def show_value(self, value: float) -> None:
        """Show a value without telling anybody."""
        self._shown = value
        self.setAccessibleName(f"{self._name} {value:g}")
        self._place(self.maximum(), self._position(value))

    def _place(self, maximum: int, position: int) -> None:
        self.blockSignals(True)
        self.setMaximum(maximum)
        if not self.isSliderDown():
            self.setValue(position)
        self.blockSignals(False)
        self.update()

    def _position(self, value: float) -> int:
        after = bisect_right(self._stops, value)
        if after == 0:
            return 0
        if after == len(self._stops):
            return NOTCH * (after - 1)
        low, high = self._stops[after - 1], self._stops[after]
        return round(NOTCH * (after - 1 + (value - low) / (high - low)))

    def _snap(self, action: int) -> None:
        actions = Slider.SliderAction
        now, wished = self.value(), self.sliderPosition()
        if action == actions.SliderSingleStepAdd.value:
            wished = (now // NOTCH + 1) * NOTCH
        elif action == actions.SliderSingleStepSub.value:
            wished = (-(-now // NOTCH) - 1) * NOTCH
        self.setSliderPosition(round(wished / NOTCH) * NOTCH)

    def _tell(self, position: int) -> None:
        stop = self._stops[round(position / NOTCH)]
        self.picked.emit(int(stop) if self._whole else float(f"{stop:.12g}"))


class ChoiceSettingRow(FormRow):
    """One of a few named options."""

    HEIGHT = 36

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        choices = {choice.value: choice.label for choice in setting.choices}
        self.choice = Segmented(choices, setting.label)
        self.line.addStretch(1)
        self.add_editor(self.choice)
        self.choice.changed.connect(self.emit_value)

    def tab_stops(self) -> list[QWidget]:
        options = [self.choice.button(choice.value) for choice in self.setting.choices]
        return [*options, *super().tab_stops()[1:]]

    def focus_field(self) -> None:
        self.choice.button(self.choice.value()).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_value(self, value: object) -> None:
        if value != self.choice.value():
            self.choice.set_value(str(value))


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

    def label_clicked(self) -> None:
        self.switch.click()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        inside = self._head.geometry().contains(event.position().toPoint())
        if inside and event.button() == Qt.MouseButton.LeftButton:
            self.switch.click()


class TextRow(FormRow):
    """A line of text."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.field = QLineEdit()
        self.field.setAccessibleName(setting.label)
        self.add_editor(self.field, 1)
        self.field.textEdited.connect(self.emit_value)
        follow(self._restyle_field)

    def restyle(self) -> None:
        super().restyle()
        self.label.setFixedWidth(look.px(LABEL_WIDTH))

    def _restyle_field(self) -> None:
        self.field.setFont(font(13, 500))
        self.field.setFixedHeight(look.px(26))
        self.field.setTextMargins(look.px(5), 0, look.px(5), 0)
        box = f"background: transparent; border: 1px solid transparent; color: {look.theme.text2};"
        self.field.setStyleSheet(f"QLineEdit {{ {box} }}" if self.field.isReadOnly() else "")

    def show_value(self, value: object) -> None:
        if value != self.field.text():
            self.field.setText(str(value))

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
