"""Layouts whose margins and gaps are in pixels of the design and follow the interface size."""

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import QBoxLayout, QLayout, QLayoutItem, QWidget

from gpt_studio.gui.theme import follow, look

Margins = tuple[int, int, int, int]  # left, top, right, bottom
NO_MARGINS: Margins = (0, 0, 0, 0)


def _space(layout: QLayout, margins: Margins, spacing: int) -> None:
    layout.setContentsMargins(*(round(side * look.scale) for side in margins))
    layout.setSpacing(round(spacing * look.scale))


class _Spaced(QBoxLayout):
    """A line of widgets with margins and a gap that follow the interface size."""

    DIRECTION: QBoxLayout.Direction

    def __init__(
        self, margins: Margins = NO_MARGINS, spacing: int = 8, parent: QWidget | None = None
    ) -> None:
        super().__init__(self.DIRECTION)
        self._margins, self._gap = margins, spacing
        if parent:
            parent.setLayout(self)
        follow(self.restyle)

    def restyle(self) -> None:
        _space(self, self._margins, self._gap)

    def set_space(self, margins: Margins, spacing: int) -> None:
        self._margins, self._gap = margins, spacing
        self.restyle()

    def set_right(self, right: int) -> None:
        """Change the right margin alone."""
        self.set_space((*self._margins[:2], right, self._margins[3]), self._gap)

    def right(self) -> int:
        return self._margins[2]


class Row(_Spaced):
    """Side by side."""

    DIRECTION = QBoxLayout.Direction.LeftToRight


class Column(_Spaced):
    """One below the other."""

    DIRECTION = QBoxLayout.Direction.TopToBottom


class FlowLayout(QLayout):
    """Widgets in rows from left to right, broken where the width ends."""

    def __init__(self, parent: QWidget | None = None, spacing: int = 8) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._gap = spacing
        follow(self.restyle)

    def restyle(self) -> None:
        _space(self, NO_MARGINS, self._gap)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _arrange(self, rect: QRect, move: bool) -> int:
        """Lay out in `rect`; returns the height used."""
        x, y, line = rect.x(), rect.y(), 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint()
            if x > rect.x() and x + size.width() > rect.right() + 1:
                x, y, line = rect.x(), y + line + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x += size.width() + self.spacing()
            line = max(line, size.height())
        return y + line - rect.y()
