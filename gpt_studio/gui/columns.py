"""The window's three columns: side panels of a person's width, that fold when there is little room."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings, Qt, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.widgets import Surface

WIDE, HUGE = 1280, 1900  # window widths from which the sides start wider
WIDTHS = {"left": (264, 420), "right": (284, 560)}
FOLDS = {"left": 900, "right": 1080}  # window widths below which a side folds by itself
RAIL = 40


class Columns(QSplitter):
    """Left panel, center, right panel; a folded panel leaves a rail with a button that brings it back."""

    def __init__(self, left: QWidget, center: QWidget, right: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._panels = {"left": left, "right": right}
        self._rails = {
            "left": Rail("hide-left", "Show the settings", "r"),
            "right": Rail("hide-right", "Show the chat", "l"),
        }
        self._by_hand: dict[str, bool] = {}  # sides a person folded (True) or unfolded
        self.setHandleWidth(1)
        self.setChildrenCollapsible(False)
        for widget in (self._rails["left"], left, center, right, self._rails["right"]):
            self.addWidget(widget)
        self.setStretchFactor(2, 1)
        for side, rail in self._rails.items():
            rail.pressed.connect(lambda side=side: self.toggle(side))
        follow(self.restyle)

    def restyle(self) -> None:
        for side, (least, most) in WIDTHS.items():
            self._panels[side].setMinimumWidth(look.px(least))
            self._panels[side].setMaximumWidth(look.px(most))

    def toggle(self, side: str) -> None:
        """Fold or unfold a side, as a person asks; it then stays so at any width."""
        fold = not self._panels[side].isHidden()
        self._by_hand[side] = fold
        self._fold(side, fold)

    def unfold(self, side: str) -> None:
        """Show a side because something in it is wanted."""
        self._fold(side, False)

    def _fold(self, side: str, fold: bool) -> None:
        self._panels[side].setHidden(fold)
        self._rails[side].setVisible(fold)

    def fit(self, width: float) -> None:
        """Fold what a window of this width, in pixels of the design, has no room for."""
        for side, least in FOLDS.items():
            self._fold(side, self._by_hand.get(side, width < least))

    def start_widths(self, width: float) -> None:
        """Give the sides the widths they start with in a window of this width."""
        left = look.px(312 if width >= WIDE else 268)
        right = look.px(440 if width >= HUGE else 352 if width >= WIDE else 292)
        self.setSizes([look.px(RAIL), left, look.px(width) - left - right, right, look.px(RAIL)])

    def save(self, settings: QSettings) -> None:
        settings.setValue("splitter", self.saveState())
        for side, folded in self._by_hand.items():
            settings.setValue(f"hidden/{side}", folded)

    def restore(self, settings: QSettings) -> None:
        state = settings.value("splitter")
        if isinstance(state, QByteArray):
            self.restoreState(state)
        for side in self._panels:
            if settings.contains(f"hidden/{side}"):
                self._by_hand[side] = bool(settings.value(f"hidden/{side}", False, bool))


class Rail(Surface):
    """What is left of a folded panel."""

    pressed = Signal()

    def __init__(self, icon: str, name: str, edge: str) -> None:
        super().__init__("panel", edges=edge)
        button = ToolButton(icon, name)
        button.clicked.connect(self.pressed)
        Column((6, 8, 6, 8), 0, self).addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedWidth(look.px(RAIL))
