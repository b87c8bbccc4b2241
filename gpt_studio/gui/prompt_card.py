"""What the model sees: the text a request really sends, beside the composer while it is written."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtWidgets import QWidget

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.units import number
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import color, look
from gpt_studio.gui.token_text import Span, TokenText
from gpt_studio.gui.widgets import SHADOW, Floating, Label

MOST, MOST_LINES = 400, 10  # of a long prompt: characters and lines at its end


class PromptCard(Floating):
    """Stands above a widget and follows it. Make it when it is first needed: its parent is the window."""

    def __init__(self, window: QWidget, above: QWidget) -> None:
        super().__init__(window)
        self._above = above
        above.installEventFilter(self)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.text = TokenText(mono=True, marks=True)
        self.text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.note = Label("", "small", "text3", wrap=True)
        self._column = Column(spacing=6, parent=self)
        self._column.addWidget(Label("What the model sees", "strong", "text"))
        self._column.addWidget(self.text)
        self._column.addWidget(self.note)

    def show_prompt(self, prompt: str, stop: str, context: int) -> None:
        """Show a request's prompt, what will end the answer, and how much a model of this context reads."""
        end = "\n".join(prompt[-MOST:].split("\n")[-MOST_LINES:])
        begins = Span(END_OF_TEXT, background=lambda: color("weak"), plain=True)
        first = begins if end == prompt else Span("…", plain=True)
        self.text.set_spans([first, Span(end, plain=True)])
        self.note.setText(_note(stop, context))
        self.setAccessibleName("What the model sees")
        self.setAccessibleDescription(f"{prompt}\n{self.note.text()}")
        self._fit()
        self.show()
        self.raise_()

    def _fit(self) -> None:
        """As wide as the widget below, and as tall as that asks for."""
        above, edge = self._above, self.contentsMargins()
        width = above.width() + 2 * SHADOW
        inner = width - edge.left() - edge.right()
        self.text.setFixedSize(inner, self.text.heightForWidth(inner))
        self.note.setFixedSize(inner, self.note.heightForWidth(inner))
        self.resize(width, self._column.sizeHint().height() + edge.top() + edge.bottom())
        corner = above.mapTo(self._parent, QPoint(0, -look.px(8) - self.card().height()))
        self.place(corner)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Hide:
            self.hide()
        elif event.type() in (QEvent.Type.Resize, QEvent.Type.Move) and self.isVisible():
            self._fit()
        return super().eventFilter(watched, event)


def _note(stop: str, context: int) -> str:
    """How the model goes on from the prompt."""
    begins = "Each text it learned from began after such a mark. It goes on from the end of this one"
    if not stop:
        return f"{begins}."
    shown = stop.replace("\n", "↵")
    return (
        f"{begins} until it writes “{shown}”, which ends the answer. Of a long dialogue it reads the latest "
        f"turns: its context holds {number(context)} tokens."
    )
