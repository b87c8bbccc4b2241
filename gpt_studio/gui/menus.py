"""Menus and shortcuts: every action of the window, in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

Entry = tuple[str, str, Callable[[], object]] | None  # label, keys, what it does; None is a separator


def menu(title: str, entries: list[Entry], owner: QWidget) -> QMenu:
    """A menu whose shortcuts work anywhere in the owner's window, menu open or not."""
    made = QMenu(title, owner)
    for entry in entries:
        if entry is None:
            made.addSeparator()
            continue
        label, keys, act = entry
        action = QAction(label, owner)
        action.setShortcuts([QKeySequence(key) for key in keys.split(", ") if key])
        action.triggered.connect(lambda _=False, act=act: act())
        owner.addAction(action)
        made.addAction(action)
    return made


def fill_recent(target: QMenu, paths: list[str], choose: Callable[[str], object]) -> None:
    """List recent checkpoints by name; the tooltip says where they are."""
    target.clear()
    target.setToolTipsVisible(True)
    for path in paths:
        action = target.addAction(Path(path).stem)
        action.setToolTip(path)
        action.triggered.connect(lambda _=False, path=path: choose(path))
    if not paths:
        target.addAction("No recent checkpoints").setEnabled(False)
