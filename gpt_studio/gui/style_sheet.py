"""A theme as palette and style sheet: both are needed, each covers what the other leaves.

Fonts never stand here: a font property in a style sheet hides what code sets later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor, QPalette

if TYPE_CHECKING:
    from gpt_studio.gui.theme import Theme


def palette(theme: Theme) -> QPalette:
    roles = QPalette.ColorRole
    tokens = {
        roles.Window: theme.panel,
        roles.WindowText: theme.text,
        roles.Base: theme.input,
        roles.AlternateBase: theme.card,
        roles.ToolTipBase: theme.raised,
        roles.ToolTipText: theme.text,
        roles.PlaceholderText: theme.text3,
        roles.Text: theme.text,
        roles.Button: theme.raised,
        roles.ButtonText: theme.text,
        roles.BrightText: theme.white,
        roles.Light: theme.hover,
        roles.Midlight: theme.border2,
        roles.Mid: theme.border,
        roles.Dark: theme.canvas,
        roles.Shadow: theme.canvas,
        roles.Highlight: theme.fill,
        roles.HighlightedText: theme.white,
        roles.Accent: theme.accent,
        roles.Link: theme.accent,
        roles.LinkVisited: theme.accent,
    }
    made = QPalette()
    for role, value in tokens.items():
        made.setColor(role, QColor(value))
    disabled = QPalette.ColorGroup.Disabled
    for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.PlaceholderText, roles.Link):
        made.setColor(disabled, role, QColor(theme.disabled))
    made.setColor(disabled, roles.Highlight, QColor(theme.border2))
    made.setColor(disabled, roles.Accent, QColor(theme.muted))
    return made


def style_sheet(theme: Theme, px: Callable[[float], int]) -> str:
    return f"""
QToolTip {{ color: {theme.text}; background: {theme.raised}; border: 1px solid {theme.border2};
    padding: {px(5)}px {px(8)}px; }}
QLineEdit, QPlainTextEdit, QTextEdit {{
    color: {theme.text}; background: {theme.input};
    border: 1px solid {theme.border}; border-radius: {px(5)}px;
    selection-background-color: {theme.fill}; selection-color: {theme.white}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus {{ border-color: {theme.accent}; }}
QLineEdit:disabled, QPlainTextEdit:disabled, QTextEdit:disabled {{ color: {theme.disabled}; }}
QAbstractSpinBox > QLineEdit {{ background: transparent; border: none; }}
QMenu {{ color: {theme.text}; background: {theme.raised}; border: 1px solid {theme.border2};
    border-radius: {px(8)}px; padding: {px(5)}px; }}
QMenu::item {{ padding: {px(5)}px {px(18)}px {px(5)}px {px(10)}px; border-radius: {px(5)}px; }}
QMenu::item:selected {{ background: {theme.hover}; }}
QMenu::item:disabled {{ color: {theme.disabled}; }}
QMenu::icon {{ padding-left: {px(8)}px; }}
QMenu::indicator {{ width: {px(14)}px; height: {px(14)}px; left: {px(7)}px; }}
QMenu::separator {{ height: 1px; background: {theme.border}; margin: {px(5)}px {px(8)}px; }}
QMenuBar {{ color: {theme.text2}; background: {theme.panel}; }}
QMenuBar::item:selected {{ background: {theme.hover}; }}
QAbstractItemView {{ color: {theme.text}; background: {theme.card}; border: none; outline: none;
    gridline-color: {theme.border};
    selection-background-color: {theme.weak}; selection-color: {theme.text}; }}
QHeaderView::section {{ color: {theme.text3}; background: {theme.card}; border: none;
    border-bottom: 1px solid {theme.border}; padding: {px(6)}px {px(8)}px; }}
QScrollArea, QScrollArea > QWidget > QWidget#page {{ background: transparent; border: none; }}
QScrollBar {{ background: transparent; margin: 0; border: none; }}
QScrollBar:vertical {{ width: {px(10)}px; }}
QScrollBar:horizontal {{ height: {px(10)}px; }}
QScrollBar::handle {{ background: {theme.border2}; border-radius: {px(3)}px; margin: {px(2)}px; }}
QScrollBar::handle:hover {{ background: {theme.control}; }}
QScrollBar::handle:vertical {{ min-height: {px(28)}px; }}
QScrollBar::handle:horizontal {{ min-width: {px(28)}px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QSplitter::handle {{ background: {theme.border}; }}
QProgressBar {{ background: {theme.rail}; border: none; border-radius: {px(2)}px; color: transparent;
    max-height: {px(4)}px; min-height: {px(4)}px; }}
QProgressBar::chunk {{ background: {theme.accent}; border-radius: {px(2)}px; }}
QDialog, QMessageBox {{ background: {theme.panel}; }}
"""
