"""Values typed or picked: number field and combo box. Neither knows the product.

The wheel belongs to the page unless a field has focus, so that scrolling a form never edits it.
"""

import math

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from gpt_studio.core.units import MINUS, SPACE
from gpt_studio.gui.buttons import KEYBOARD_FOCUS, half_pixel
from gpt_studio.gui.theme import color, follow, font, look, paint_icon


class NumberField(QLineEdit):
    """A number as right-aligned text: whole or (`whole=False`) any float, "6e-4" included.

    `typed` gives the number so far at each keystroke, None while the text is none; `committed` the value a
    person settled on, by Enter, by leaving, or by an arrow key. Text that is no number is outlined and goes
    back to the last one. Range is not enforced: whoever owns the value explains it.
    """

    typed = Signal(object)  # int, float or None
    committed = Signal(object)  # int or float

    def __init__(
        self,
        name: str,
        value: float = 0,
        *,
        whole: bool = True,
        decimals: int = 0,
        scientific: bool = False,
        step: float = 1,
        prefix: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """`prefix` is shown while not editing, e.g. "× "; with `scientific`, arrow keys scale by 10 %."""
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._whole, self._decimals, self._scientific = whole, decimals, scientific
        self._step, self._prefix = step, prefix
        self._value: int | float = value
        self._problem = False
        self._unreadable = False
        self.textEdited.connect(self._read)
        self.editingFinished.connect(self._commit_text)
        follow(self.restyle)
        self.set_value(value)

    def restyle(self) -> None:
        self.setFont(font(13, 500, tabular=True))
        self.setFixedHeight(look.px(26))
        self.setMinimumWidth(look.px(58))
        self.setTextMargins(look.px(3), 0, look.px(5), 0)
        self._paint_state()

    def value(self) -> int | float:
        return self._value

    def set_value(self, value: float) -> None:
        """Show a value without telling anybody; what is being typed stays if it means the same."""
        self._value = int(value) if self._whole else float(value)
        if not (self.isModified() and self._parsed(self.text()) == self._value):
            self._show()

    def set_problem(self, problem: bool) -> None:
        """Outline the field as one whose value cannot be used."""
        self._problem = problem
        self._paint_state()

    def set_locked(self, locked: bool) -> None:
        """Show the value without box or border, and refuse edits."""
        self.setReadOnly(locked)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if locked else Qt.FocusPolicy.StrongFocus)
        self._paint_state()

    def sizeHint(self) -> QSize:
        return QSize(look.px(60), look.px(26))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(40), look.px(26))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.setText(self._editable(self._value))
        if event.reason() != Qt.FocusReason.MouseFocusReason:
            self.selectAll()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show()

    def event(self, event: QEvent) -> bool:
        """Leave undo and redo to the window, which undoes settings, unless something is half typed."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo))
            and not self._unreadable
        ):
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()))
        if by is None or self.isReadOnly():
            super().keyPressEvent(event)
        else:
            self._step_by(10 * by if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else by)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus() and not self.isReadOnly() and event.angleDelta().y():
            self._step_by(1 if event.angleDelta().y() > 0 else -1)
        else:
            event.ignore()

    def _step_by(self, count: int) -> None:
        self._commit_text()
        target = self._value * 1.1**count if self._scientific else self._value + count * self._step
        self._commit(round(target) if self._whole else float(f"{target:.12g}"))

    def _read(self, text: str) -> None:
        value = self._parsed(text)
        self._set_unreadable(value is None)
        self.typed.emit(value)

    def _set_unreadable(self, unreadable: bool) -> None:
        if unreadable != self._unreadable:
            self._unreadable = unreadable
            self._paint_state()

    def _commit_text(self) -> None:
        value = self._parsed(self.text()) if self.isModified() else None
        if value is None:
            self._show()
        else:
            self._commit(value)

    def _commit(self, value: float) -> None:
        changed = value != self._value
        self._value = value
        self._show()
        if changed:
            self.committed.emit(self._value)

    def _parsed(self, text: str) -> int | float | None:
        plain = text.removeprefix(self._prefix).replace(MINUS, "-").replace(SPACE, "").replace(" ", "")
        try:
            value = float(plain.replace(",", "" if self._whole else "."))
        except ValueError:
            return None
        if not math.isfinite(value) or (self._whole and value != int(value)):
            return None
        return int(value) if self._whole else value

    def _show(self) -> None:
        self._set_unreadable(False)
        text = self._editable(self._value)
        self.setText(text if self.hasFocus() else f"{self._prefix}{text}".replace("-", MINUS))

    def _editable(self, value: float) -> str:
        """The value in full: what is shown always reads back as the same number."""
        if self._whole:
            return str(value)
        if self._scientific and 0.0095 <= abs(value) < 1000:
            return f"{value:.12g}"  # as units.rate writes it: 1, not 1e0
        if self._scientific and value:
            mantissa, exponent = f"{value:.11e}".split("e")
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
        text = f"{value:.{self._decimals}f}"
        return text if float(text) == value else f"{value:.12g}"

    def _paint_state(self) -> None:
        if self.isReadOnly():
            self.setStyleSheet(
                f"QLineEdit {{ background: transparent; border: 1px solid transparent;"
                f" color: {look.theme.text2}; }}"
            )
        elif self._problem or self._unreadable:
            self.setStyleSheet(f"QLineEdit {{ border: 1px solid {look.theme.warn}; }}")
        else:
            self.setStyleSheet("")


CAPTION = Qt.ItemDataRole.UserRole + 1


class Combo(QComboBox):
    """One of a list, 32 high: name on the left, a quiet caption on the right."""

    changed = Signal(str)  # the value a person picked

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMaxVisibleItems(12)
        self._ring = False
        self.setItemDelegate(_Rows(self))
        popup = self.view().window()
        popup.setWindowFlags(
            Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint | Qt.WindowType.NoDropShadowWindowHint
        )
        popup.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.activated.connect(lambda _: self.changed.emit(self.value()))
        follow(self.restyle)

    def restyle(self) -> None:
        theme = look.theme
        self.setFont(font(13, 500))
        self.setFixedHeight(look.px(32))
        self.setStyleSheet(
            f"QComboBox {{ combobox-popup: 0; }} QComboBox QAbstractItemView {{ background: {theme.raised};"
            f" border: 1px solid {theme.border2}; border-radius: {look.px(8)}px; padding: {look.px(4)}px; }}"
        )

    def set_items(self, items: list[tuple[str, str, str]]) -> None:
        """Replace the list by (value, name, caption); the value chosen stays if it is still there."""
        chosen = self.value()
        self.clear()
        for value, name, caption in items:
            self.addItem(name, value)
            self.setItemData(self.count() - 1, caption, CAPTION)
        self.set_value(chosen)

    def value(self) -> str:
        """The value chosen, empty without items."""
        return str(self.currentData() or "")

    def set_value(self, value: str) -> None:
        """Choose without telling anybody; an unknown value changes nothing."""
        index = self.findData(value)
        if index >= 0:
            self.setCurrentIndex(index)

    def set_caption(self, value: str, caption: str) -> None:
        """Change what stands at the right of an item."""
        self.setItemData(self.findData(value), caption, CAPTION)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(look.px(160), look.px(32))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(90), look.px(32))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEYBOARD_FOCUS
        super().focusInEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = self._ring and self.hasFocus()
        painter.setPen(QPen(color("accent" if ring else "border2"), 1))
        painter.setBrush(color("hover" if self.underMouse() and self.isEnabled() else "raised"))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(6), look.px(6))
        side = look.px(14)
        right = self.width() - look.px(10) - side
        box = QRectF(right, (self.height() - side) / 2, side, side)
        paint_icon(painter, "chevron-down", box, color("text2" if self.isEnabled() else "disabled"))
        area = QRectF(look.px(10), 0, right - look.px(18), self.height())
        ink = "text" if self.isEnabled() else "text3"
        paint_pair(painter, area, self.currentText(), str(self.currentData(CAPTION) or ""), ink)


class _Rows(QStyledItemDelegate):
    """The rows of a combo's popup."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(look.px(140), look.px(30))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color("hover"))
            painter.drawRoundedRect(area, look.px(5), look.px(5))
        inner = area.adjusted(look.px(8), 0, -look.px(8), 0)
        paint_pair(painter, inner, str(index.data()), str(index.data(CAPTION) or ""), "text")
        painter.restore()


def paint_pair(painter: QPainter, area: QRectF, name: str, caption: str, ink: str) -> None:
    """A name at the left and its caption at the right, which gives way first."""
    name_font, caption_font = font(13, 500), font(12)
    middle, width = Qt.AlignmentFlag.AlignVCenter, area.width()
    name = QFontMetricsF(name_font).elidedText(name, Qt.TextElideMode.ElideRight, width)
    rest = width - QFontMetricsF(name_font).horizontalAdvance(name) - look.px(10)
    painter.setFont(name_font)
    painter.setPen(color(ink))
    painter.drawText(area, middle, name)
    painter.setFont(caption_font)
    painter.setPen(color("text3"))
    caption = QFontMetricsF(caption_font).elidedText(caption, Qt.TextElideMode.ElideRight, max(0.0, rest))
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, caption)
