"""Where a person writes to the model: a field that grows, Chat or Continue, Send or Stop."""

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QWidget

from gpt_studio.gui.buttons import Button, ToolButton, half_pixel
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Label

MOST_LINES = 6
MODES = {"chat": "Chat", "continue": "Continue"}


class Composer(QWidget):
    """Enter sends, Shift+Enter begins a new line.

    Signals:
        sent: the text to send, as written.
        written: the text is another one now.
        sight_wanted: show what the model sees of it, or (False) no longer.
        stop_wanted: the model is to stop writing.
        mode_changed: "chat" or "continue" was chosen.
    """

    sent = Signal(str)
    written = Signal()
    sight_wanted = Signal(bool)
    stop_wanted = Signal()
    mode_changed = Signal(str)

    def __init__(self, mode: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._empty_goes = False
        self._generating = False
        self.editor = _Editor()
        self.mode = Segmented(MODES, "What the model does with the text", small=True)
        self.mode.set_value(mode)
        self.sight = ToolButton("info", "What the model sees", side=24, size=14, checkable=True)
        self.send = _Send("send", "Send", side=30)
        self.stop = Button("Stop", "secondary", "stop")
        self._hint = Label("Enter", "micro", "text3")
        self._lay_out()
        self.editor.entered.connect(self._send)
        self.editor.textChanged.connect(self._refresh)
        self.editor.textChanged.connect(self.written)
        self.editor.installEventFilter(self)
        self.send.clicked.connect(self._send)
        self.stop.clicked.connect(self.stop_wanted)
        self.mode.changed.connect(self.mode_changed)
        self.sight.toggled.connect(self.sight_wanted)
        self._refresh()

    def _lay_out(self) -> None:
        column = Column((13, 10, 9, 9), 10, self)
        column.addWidget(self.editor)
        row = Row(spacing=10)
        row.addWidget(self.mode)
        row.addWidget(self.sight)
        row.addStretch(1)
        for part in (self._hint, self.send, self.stop):
            row.addWidget(part)
        column.addLayout(row)

    def show_placeholder(self, text: str) -> None:
        self.editor.setPlaceholderText(text)
        self.editor.viewport().update()  # Qt repaints it at the next change of focus only

    def set_ready(self, ready: bool, empty_goes: bool = False) -> None:
        """Whether there is a model to write to; `empty_goes`: sending nothing means something too."""
        self._empty_goes = empty_goes
        self.editor.setEnabled(ready)
        self._refresh()

    def set_generating(self, generating: bool) -> None:
        """While the model writes, Send is Stop."""
        self._generating = generating
        self._refresh()

    def clear(self) -> None:
        self.editor.clear()

    def text(self) -> str:
        return self.editor.toPlainText()

    def _refresh(self) -> None:
        had_focus = self.send.hasFocus() or self.stop.hasFocus()
        self.stop.setVisible(self._generating)
        self.send.setVisible(not self._generating)
        self._hint.setVisible(not self._generating)
        self.send.setEnabled(self._can_send())
        if had_focus:
            self.editor.setFocus()

    def _can_send(self) -> bool:
        written = bool(self.editor.toPlainText().strip())
        return self.editor.isEnabled() and not self._generating and (written or self._empty_goes)

    def _send(self) -> None:
        if self._can_send():
            self.sent.emit(self.editor.toPlainText())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.editor.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color("accent" if self.editor.hasFocus() else "border2"), 1))
        painter.setBrush(color("input"))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(10), look.px(10))


class _Editor(QPlainTextEdit):
    """Plain text of one to six lines; longer texts scroll."""

    entered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Message to the model")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        self.textChanged.connect(self._fit)
        follow(self.restyle)

    def restyle(self) -> None:
        theme = look.theme
        self.setFont(style_font("body"))
        self.setStyleSheet(
            "QPlainTextEdit { background: transparent; border: none;"
            f" color: {theme.text}; placeholder-text-color: {theme.text3}; }}"
        )
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.entered.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as the text, between one line and six."""
        lines = min(MOST_LINES, max(1, round(self.document().size().height())))
        over = self.document().size().height() > MOST_LINES
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(policy.ScrollBarAsNeeded if over else policy.ScrollBarAlwaysOff)
        self.setFixedHeight(round(lines * self.fontMetrics().lineSpacing()) + 2)


class _Send(ToolButton):
    """The arrow that sends, on a quiet ground of its own."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("hover"))
        painter.drawRoundedRect(QRectF(self.rect()), look.px(6), look.px(6))
        painter.end()
        super().paintEvent(event)
