"""A part of the window that scrolls up and down."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from gpt_studio.gui.layouts import Column

BAR = 10  # width of a scroll bar


class Scroll(QScrollArea):
    """Shows a widget as wide as itself, without a frame or a ground of its own."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(widget)
        layout = widget.layout()
        if isinstance(layout, Column):
            self._keep_edge(layout)
        for surface in (self.viewport(), widget):  # setWidget gave it the palette's ground
            surface.setAutoFillBackground(False)

    def _keep_edge(self, column: Column) -> None:
        """Let the scroll bar stand in the right margin, so that what is inside keeps its edge."""
        right = column.right()
        room = max(0, right - BAR)
        self.verticalScrollBar().rangeChanged.connect(
            lambda low, high: column.set_right(room if high > low else right)
        )
