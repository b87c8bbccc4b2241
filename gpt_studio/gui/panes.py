"""From pane to pane by keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def enter_next(panes: Sequence[QWidget], focused: QWidget | None, direction: int) -> None:
    """Put the keyboard into the next visible pane (1) or the one before (-1), at its first stop."""
    shown = [pane for pane in panes if pane.isVisible()]
    here = next((i for i, pane in enumerate(shown) if focused and pane.isAncestorOf(focused)), -1)
    for widget in shown[(here + direction) % len(shown)].findChildren(QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
            widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return
