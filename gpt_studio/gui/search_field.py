"""A field to search in a text with."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit

from gpt_studio.gui.theme import follow, look, style_font


class SearchField(QLineEdit):
    """A field to search with: Enter and Shift+Enter go on and back, Esc closes it.

    Signals:
        next_wanted: go to the next (1) or the previous (-1) place.
        closed: Esc was pressed.
    """

    next_wanted = Signal(int)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Find")
        self.setAccessibleName("Find in the preview")
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("small"))
        self.setFixedSize(look.px(120), look.px(26))
        self.setTextMargins(look.px(6), 0, look.px(6), 0)

    def event(self, event: QEvent) -> bool:
        """Esc is the field's before it is anybody's shortcut."""
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.next_wanted.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
