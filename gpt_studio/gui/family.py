"""Where a run comes from and what was forked from it, as a small tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core import units
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui.buttons import Pressable, half_pixel
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import color, look, series, style_font
from gpt_studio.gui.widgets import Card

LINE = 26  # height of a member
INDENT = 20  # of each generation
DEEPEST = 8  # generations that are indented


@dataclass(frozen=True)
class Member:
    """A run in its family: `depth` generations below the eldest, the `last` of its siblings or not.

    `open_above` tells for each generation above whether its line goes on below this member.
    """

    run: RunSummary
    depth: int
    last: bool
    open_above: tuple[bool, ...] = ()
    forked: bool = False  # others follow below it


def family(runs: Sequence[RunSummary], run: RunSummary) -> list[Member]:
    """All relatives of a run and itself, each below its parent; empty where it has none."""
    known = {one.folder.name: one for one in runs}
    eldest, seen = run, {run.folder.name}
    while eldest.parent in known and eldest.parent not in seen:
        seen.add(eldest.parent)
        eldest = known[eldest.parent]
    members = list(_members(Member(eldest, 0, True), runs, {eldest.folder.name}))
    return members if len(members) > 1 else []


def _members(member: Member, runs: Sequence[RunSummary], seen: set[str]) -> Iterator[Member]:
    """A run and what came of it; files can claim anything, so nobody comes twice."""
    name = member.run.folder.name
    forks = [run for run in runs if run.parent == name and run.folder.name not in seen]
    yield replace(member, forked=bool(forks))
    seen.update(run.folder.name for run in forks)
    forks.sort(key=lambda run: (run.parent_step, run.begun, run.folder.name))
    above = (*member.open_above, not member.last) if member.depth else ()
    for place, fork in enumerate(forks):
        yield from _members(Member(fork, member.depth + 1, place == len(forks) - 1, above), runs, seen)


class FamilyCard(Card):
    """The family of one run; hidden where it has none.

    Signals:
        chosen: a person wants to see this run (its folder).
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__("Family")
        self._shown: tuple[object, ...] = ()
        self._buttons: list[_MemberRow] = []
        self._rows = Column(spacing=0)
        self.body.addLayout(self._rows)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_family(
        self, runs: Sequence[RunSummary], run: RunSummary | None, slots: Mapping[Path, int]
    ) -> None:
        """The relatives of a run among all; `slots` are the places of color of compared runs' folders."""
        members = family(runs, run) if run else []
        shown = (tuple(members), run.folder if run else None, tuple(slots.items()))
        if shown == self._shown:
            return
        self._shown = shown
        focused = next((row.member.run.folder for row in self._buttons if row.hasFocus()), None)
        for row in self._buttons:
            row.hide()
            row.deleteLater()
        self._buttons = [
            _MemberRow(member, run is not None and member.run.folder == run.folder, slots, self)
            for member in members
        ]
        for row in self._buttons:
            self._rows.addWidget(row)
            row.clicked.connect(lambda _=False, row=row: self.chosen.emit(row.member.run.folder))
            if row.member.run.folder == focused:
                row.setFocus()
        self.set_caption(f"{len(members)} runs")
        self.setVisible(bool(members))

    def members(self) -> list[Pressable]:
        return list(self._buttons)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        here = next((place for place, row in enumerate(self._buttons) if row.hasFocus()), None)
        if by is None or here is None:
            super().keyPressEvent(event)
        elif 0 <= here + by < len(self._buttons):
            self._buttons[here + by].setFocus(Qt.FocusReason.TabFocusReason)


class _MemberRow(Pressable):
    """One run of the family: lines to its parent, a dot, its name, where it left, what it came to."""

    def __init__(self, member: Member, here: bool, slots: Mapping[Path, int], parent: QWidget) -> None:
        super().__init__(member.run.name, parent)
        self.member = member
        self._here = here
        self._slot = slots.get(member.run.folder)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleDescription(self._told())

    def _told(self) -> str:
        run = self.member.run
        origin = (
            f"Forked from {run.parent} at step {units.number(run.parent_step)}" if run.parent else "Eldest"
        )
        here = ", the run selected" if self._here else ""
        return f"{origin}, validation loss {units.loss(run.validation)}{here}"

    def sizeHint(self) -> QSize:
        return QSize(look.px(160), look.px(LINE))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(80), look.px(LINE))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()  # they are the card's
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter)
        x = self._paint_lines(painter)
        ink = color("control") if self._slot is None else series(self._slot)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(x, self.height() / 2), look.px(4), look.px(4))
        self._paint_texts(painter, x + look.px(12))

    def _paint_ground(self, painter: QPainter) -> None:
        ring = self.ring and self.hasFocus()
        painter.setPen(color("accent") if ring else Qt.PenStyle.NoPen)
        painter.setBrush(color("weak") if self._here else color("hover", self.hover.amount))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(6), look.px(6))

    def _paint_lines(self, painter: QPainter) -> float:
        """Down from elder runs to this and later ones; returns where the dot stands."""
        painter.setPen(QPen(color("control"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        member, middle, height = self.member, self.height() / 2, float(self.height())
        depth = min(member.depth, DEEPEST)
        if member.forked:
            painter.drawLine(QPointF(_across(depth), middle), QPointF(_across(depth), height))
        for generation, goes_on in enumerate(member.open_above[:depth]):
            if goes_on:
                at = _across(generation)
                painter.drawLine(QPointF(at, 0), QPointF(at, height))
        if not depth:
            return _across(0)
        at = _across(depth - 1)
        painter.drawLine(QPointF(at, 0), QPointF(at, middle if member.last else height))
        painter.drawLine(QPointF(at, middle), QPointF(_across(depth), middle))
        return _across(depth)

    def _paint_texts(self, painter: QPainter, left: float) -> None:
        run, middle = self.member.run, Qt.AlignmentFlag.AlignVCenter
        area = QRectF(self.rect()).adjusted(left, 0, -look.px(8), 0)
        painter.setFont(style_font("small", tabular=True))
        painter.setPen(color("text2"))
        loss = units.loss(run.validation)
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, loss)
        area.setRight(area.right() - QFontMetricsF(painter.font()).horizontalAdvance(loss) - look.px(12))
        name = style_font("strong" if self._here else "small")
        metrics = QFontMetricsF(name)
        painter.setFont(name)
        painter.setPen(color("text"))
        painter.drawText(
            area, middle, metrics.elidedText(run.name, Qt.TextElideMode.ElideRight, area.width())
        )
        area.setLeft(area.left() + metrics.horizontalAdvance(run.name) + look.px(10))
        left_at = f"at step {units.number(run.parent_step)}" if self.member.depth else ""
        painter.setFont(style_font("small", tabular=True))
        painter.setPen(color("text3"))
        if QFontMetricsF(painter.font()).horizontalAdvance(left_at) <= area.width():
            painter.drawText(area, middle, left_at)


def _across(generation: int) -> float:
    return float(look.px(12) + generation * look.px(INDENT))
