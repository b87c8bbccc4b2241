"""Menus and shortcuts: every action of the window, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMessageBox, QWidget

from gpt_studio import __version__
from gpt_studio.gui.state import checkpoint_name
from gpt_studio.gui.theme import look
from gpt_studio.gui.widgets import Menu

if TYPE_CHECKING:
    from gpt_studio.gui.window import Window

ABOUT = "Build, train, understand and talk to a GPT on your own machine.\nNothing leaves this computer."

# Label, keys and what it does; a menu inside the menu; None is a separator.
Entry = tuple[str, str, Callable[[], object]] | QMenu | None


def main_menu(window: Window) -> Menu:
    """Every action of the window, with its keys."""
    store, files = window.store, window.files
    whole = Menu(window)
    parts: dict[str, list[Entry]] = {
        "File": [
            ("New run", "Ctrl+N", files.new),
            ("Open checkpoint…", "Ctrl+O", files.open),
            window.recent,
            ("Save checkpoint…", "Ctrl+S", files.save),
            None,
            ("Quit", "Ctrl+Q", window.close),
        ],
        "Edit": [
            ("Undo a setting", "Ctrl+Z", store.undo),
            ("Redo a setting", "Ctrl+Shift+Z", store.redo),
        ],
        "Run": [
            ("Train, pause or resume", "F5", window.press_primary),
            ("Single step", "F10", store.advance),
            None,
            ("Stop and keep", "Shift+F5", store.stop_training),
            ("Stop and discard…", "", window.folders.discard),
            None,
            ("Sample now", "", store.sample_now),
            ("Add to queue", "", store.enqueue),
            ("Start the queue", "", window.start_queue),
        ],
        "Chat": [
            ("Write a prompt", "Ctrl+L", window.focus_composer),
            ("Regenerate", "Ctrl+R", lambda: window.chat.regenerate()),
            ("New conversation", "Ctrl+Shift+N", lambda: window.chat.new_conversation()),
        ],
        "View": [
            ("Data", "Ctrl+1", lambda: window.show_page("data")),
            ("Training", "Ctrl+2", lambda: window.show_page("training")),
            ("Runs", "Ctrl+4", lambda: window.show_page("runs")),
            None,
            ("Settings panel", "Ctrl+B", lambda: window.columns.toggle("left")),
            ("Chat panel", "Ctrl+J", lambda: window.columns.toggle("right")),
            ("Next pane", "F6", lambda: window.next_pane(1)),
            ("Previous pane", "Shift+F6", lambda: window.next_pane(-1)),
            None,
            ("Switch theme", "Ctrl+Shift+L", window.switch_theme),
            ("Larger", "Ctrl++, Ctrl+=", lambda: window.set_scale(look.scale + 0.1)),
            ("Smaller", "Ctrl+-", lambda: window.set_scale(look.scale - 0.1)),
            ("Normal size", "Ctrl+0", lambda: window.set_scale(1.0)),
        ],
        "Help": [("About GPT Studio", "", lambda: show_about(window))],
    }
    for title, entries in parts.items():
        whole.addMenu(menu(title, entries, window))
    return whole


def show_about(window: QWidget) -> None:
    QMessageBox.about(window, "About GPT Studio", f"GPT Studio {__version__}\n\n{ABOUT}")


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
        action = target.addAction(checkpoint_name(path))
        action.setToolTip(path)
        action.triggered.connect(lambda _=False, path=path: choose(path))
    if not paths:
        target.addAction("No recent checkpoints").setEnabled(False)
