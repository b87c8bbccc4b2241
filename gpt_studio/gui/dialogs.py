"""Asking for a place to write to."""

from __future__ import annotations

from PySide6.QtWidgets import QFileDialog, QWidget


def ask_where_to_save(parent: QWidget, title: str, suggestion: str, kind: str, suffix: str) -> str:
    """A path with the ending `suffix`, "" if the person thinks again."""
    dialog = save_dialog(parent, title, suggestion, kind, suffix)
    return dialog.selectedFiles()[0] if dialog.exec() else ""


def save_dialog(parent: QWidget, title: str, suggestion: str, kind: str, suffix: str) -> QFileDialog:
    """It adds the ending before it asks whether to replace a file, so that the answer is about that file."""
    dialog = QFileDialog(parent, title, suggestion, kind)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix)
    dialog.selectFile(suggestion)
    return dialog
