"""Menus and shortcuts: every action of the window, in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from gpt_studio.gui.widgets import Menu

# Label, keys and what it does; a menu inside the menu; None is a separator.
Entry = tuple[str, str, Callable[[], object]] | QMenu | None


def menu(title: str, entries: list[Entry], owner: QWidget) -> QMenu:
    """A menu whose shortcuts work anywhere in the owner's window, menu open or not."""
    made = Menu(owner)
    made.setTitle(title)
    for entry in entries:
        if entry is None:
            made.addSeparator()
            continue
        if isinstance(entry, QMenu):
            made.addMenu(entry)
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
    for path in paths:
        action = target.addAction(Path(path).stem)
        action.setToolTip(path)
        action.triggered.connect(lambda _=False, path=path: choose(path))
    if not paths:
        target.addAction("No recent checkpoints").setEnabled(False)
