"""One of several: segmented controls and the row of tabs. Labels are for people, names for the program."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from gpt_studio.gui.buttons import Pressable, half_pixel
from gpt_studio.gui.theme import color, follow, font, look, mix


class _Choice(Pressable):
    """One option of an exclusive row; arrow keys belong to the row."""

    def __init__(self, text: str, row: "ChoiceRow") -> None:
        super().__init__(text, row)
        self.row = row
        self.setCheckable(True)
        self.setAutoExclusive(True)  # and so a radio button to assistive tools

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.row.step(event.key()):
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return self.row.choice_size(self)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.row.paint_choice(painter, self)


class ChoiceRow(QWidget):
    """A row of which exactly one option is chosen: labels for people, names for the program."""

    changed = Signal(str)  # the name chosen by a person

    def __init__(self, choices: dict[str, str], name: str, parent: QWidget | None = None) -> None:
        """`choices` maps each name to its label; `name` is the accessible name of the whole."""
        super().__init__(parent)
        self.setAccessibleName(name)
        self._buttons: dict[str, _Choice] = {}
        self._row = QHBoxLayout(self)
        self._row.setSpacing(0)
        for key, label in choices.items():
            button = _Choice(label, self)
            button.setAccessibleDescription(name)
            button.clicked.connect(lambda _=False, key=key: self._choose(key))
            self._row.addWidget(button)
            self._buttons[key] = button
        self.set_value(next(iter(choices)))
        follow(self.restyle)

    def restyle(self) -> None:
        for button in self._buttons.values():
            button.updateGeometry()
        self.updateGeometry()
        self.update()

    def value(self) -> str:
        """The name of the option that is chosen."""
        return next(key for key, button in self._buttons.items() if button.isChecked())

    def set_value(self, name: str) -> None:
        """Choose without telling anybody."""
        self._buttons[name].setChecked(True)
        self._reported = name
        for key, button in self._buttons.items():  # Tab enters the row at its chosen option
            policy = Qt.FocusPolicy.StrongFocus if key == name else Qt.FocusPolicy.NoFocus
            button.setFocusPolicy(policy)

    def button(self, name: str) -> Pressable:
        return self._buttons[name]

    def step(self, key: int) -> bool:
        """Move along with an arrow key; True if it was one."""
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key))
        if by is None:
            return False
        names = [name for name, button in self._buttons.items() if button.isEnabled()]
        target = names[(names.index(self.value()) + by) % len(names)]
        self._choose(target)
        self._buttons[target].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def _choose(self, name: str) -> None:
        if name != self._reported:
            self.set_value(name)
            self.changed.emit(name)

    def choice_size(self, choice: _Choice) -> QSize:
        raise NotImplementedError

    def paint_choice(self, painter: QPainter, choice: _Choice) -> None:
        raise NotImplementedError


class Segmented(ChoiceRow):
    """A segmented control, 28 or (small) 24 high."""

    def __init__(
        self, choices: dict[str, str], name: str, small: bool = False, parent: QWidget | None = None
    ) -> None:
        self._small = small
        super().__init__(choices, name, parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def restyle(self) -> None:
        for button in self._buttons.values():
            button.setFont(font(11 if self._small else 12, 500))
        edge = look.px(2 if self._small else 3)
        self._row.setContentsMargins(edge, edge, edge, edge)
        self.setFixedHeight(look.px(24 if self._small else 28))
        super().restyle()

    def choice_size(self, choice: _Choice) -> QSize:
        width = QFontMetricsF(choice.font()).horizontalAdvance(choice.text())
        return QSize(round(width) + 2 * look.px(9 if self._small else 11), look.px(20 if self._small else 22))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(color("border"))
        painter.setBrush(color("well"))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(6), look.px(6))

    def paint_choice(self, painter: QPainter, choice: _Choice) -> None:
        ring = choice.ring and choice.hasFocus()
        if choice.isChecked() or ring:
            painter.setPen(color("accent") if ring else color("border2"))
            painter.setBrush(color("chip"))
            painter.drawRoundedRect(half_pixel(QRectF(choice.rect())), look.px(4), look.px(4))
        ink = color("text") if choice.isChecked() else mix(color("text2"), color("text"), choice.hover.amount)
        locked = color("text2" if choice.isChecked() else "disabled")  # what is chosen can still be read
        painter.setPen(ink if choice.isEnabled() else locked)
        painter.drawText(QRectF(choice.rect()), Qt.AlignmentFlag.AlignCenter, choice.text())


class TabRow(ChoiceRow):
    """The pages of the center: text with an accent underline, 44 high."""

    def restyle(self) -> None:
        for button in self._buttons.values():
            button.setFont(font(13, 600))
        self._row.setContentsMargins(look.px(16), 0, look.px(16), 0)
        self._row.setSpacing(look.px(18))
        self._row.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.setFixedHeight(look.px(44))
        super().restyle()

    def choice_size(self, choice: _Choice) -> QSize:
        width = QFontMetricsF(choice.font()).horizontalAdvance(choice.text())
        return QSize(round(width) + look.px(6), look.px(44))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, color("border"))

    def paint_choice(self, painter: QPainter, choice: _Choice) -> None:
        area = QRectF(choice.rect())
        chosen = choice.isChecked()
        painter.setFont(font(13, 600 if chosen else 400))
        painter.setPen(color("text") if chosen else mix(color("text2"), color("text"), choice.hover.amount))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, choice.text())
        if chosen:
            painter.fillRect(QRectF(0, area.height() - 2 - 1, area.width(), 2), color("accent"))
        if choice.ring and choice.hasFocus():
            painter.setPen(color("accent"))
            painter.drawRoundedRect(half_pixel(area.adjusted(0, look.px(10), 0, -look.px(10))), 4, 4)
