"""One text to learn from, in the list of them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.corpora import is_built_in, label
from gpt_studio.core.units import percent
from gpt_studio.gui.buttons import KEYBOARD_FOCUS, Fade, ToolButton, half_pixel
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, look, mix
from gpt_studio.gui.toggles import CheckBox
from gpt_studio.gui.widgets import ElidedLabel, Label

ROW = 48  # pixels of the design
STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


class CorpusRow(QWidget):
    """A text: whether it is learned from, name, what it is, and its share of what is read.

    Signals:
        toggled: a person chose it or not.
        selected: show how it begins.
        moved: go to the row above (-1) or below (1).
        share_edited: how much of what is read should come from it, from 0 to 1.
        remove_wanted: take an added path off the list.
    """

    toggled = Signal(bool)
    selected = Signal()
    moved = Signal(int)
    share_edited = Signal(float)
    remove_wanted = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._hover = Fade(self)
        self._selected = False
        self._ring = False
        self.box = _Box()
        self.box.setAccessibleName(label(name))
        self.box.clicked.connect(self.toggled)
        self.name = ElidedLabel(label(name), "value", "text2")
        self.caption = ElidedLabel("", "small", "text3")
        self.share = Label("", "small", "text2", tabular=True)
        self.field = NumberField(f"Share of {label(name)} in percent", whole=False)
        self.field.committed.connect(lambda value: self.share_edited.emit(value / 100))
        self.unit = Label("%", "small", "text2")
        self.remove = None if is_built_in(name) else ToolButton("close", "Remove from the list", 24, 14)
        self.setToolTip("" if is_built_in(name) else name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._lay_out()
        follow(self.restyle)

    def _lay_out(self) -> None:
        row = Row((8, 2, 8, 4), 3, self)
        row.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        texts, first = Column((0, 3, 0, 0), 1), Row()
        first.addWidget(self.name, 1)
        first.addWidget(self.share)
        texts.addLayout(first)
        texts.addWidget(self.caption)
        texts.addStretch(1)
        row.addLayout(texts, 1)
        row.addWidget(self.field)
        row.addWidget(self.unit)
        if self.remove:
            self.remove.setParent(self)
            self.remove.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the Delete key does it
            self.remove.clicked.connect(self.remove_wanted)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(ROW))
        self.field.setFixedWidth(look.px(48))
        self._offer_remove()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._offer_remove()

    def show_facts(self, chosen: bool, caption: str, share: float | None) -> None:
        """`share`, from 0 to 1, is None where it is not known or the text is not chosen."""
        self.box.setChecked(chosen)
        self.name.set_role("text" if chosen else "text2")
        self.caption.setText(caption)
        shown = "" if share is None else percent(share)
        self.share.setText(shown)
        self.field.set_value(round(100 * (share or 0), 1))
        self.box.setAccessibleDescription(f"{caption}, {shown} of what is read" if shown else caption)

    def show_selected(self, selected: bool, editable: bool) -> None:
        """Whether the preview shows this text, and whether its share can be changed here."""
        self._selected = selected
        known = bool(self.share.text())
        editable = editable and known
        self.share.setVisible(known and not editable)
        self.field.setVisible(editable)
        self.unit.setVisible(editable)
        self._offer_remove()
        self.update()

    def is_selected(self) -> bool:
        return self._selected

    # The pointer and the keyboard

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hover.to(1)
        self._offer_remove()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover.to(0)
        self._offer_remove()

    def set_locked(self, locked: bool) -> None:
        """The text can still be looked at, but not be chosen: the row itself takes the keyboard then."""
        self.box.setEnabled(not locked)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if locked else Qt.FocusPolicy.NoFocus)
        self._offer_remove()

    def take_focus(self, reason: Qt.FocusReason) -> None:
        (self.box if self.box.isEnabled() else self).setFocus(reason)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_FOCUS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.take_focus(Qt.FocusReason.MouseFocusReason)
            self.selected.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in STEPS:
            self.moved.emit(STEPS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.selected.emit()
        elif key == Qt.Key.Key_Delete and self.remove and self.box.isEnabled():
            self.remove_wanted.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(color("accent") if self._ring else Qt.PenStyle.NoPen)
        if self._selected:
            painter.setBrush(mix(color("weak"), color("accent"), 0.06 * self._hover.amount))
        else:
            painter.setBrush(color("hover", self._hover.amount))
        area = QRectF(self.rect())
        painter.drawRoundedRect(half_pixel(area) if self._ring else area, look.px(6), look.px(6))

    def _offer_remove(self) -> None:
        if self.remove:
            self.remove.setVisible(self.box.isEnabled() and self.underMouse())
            right = self.field.x() if not self.field.isHidden() else self.width()
            corner = QPoint(right - self.remove.width(), self.height() - self.remove.height())
            self.remove.move(corner - QPoint(look.px(4), look.px(3)))


class _Box(CheckBox):
    """A checkbox that leaves the keys of a list to its row."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if Qt.Key(event.key()) in STEPS:
            event.ignore()
        else:
            super().keyPressEvent(event)
