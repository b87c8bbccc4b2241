"""Skills: how much of each the model has learned, exam after exam."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core import units
from gpt_studio.core.metrics import Exam
from gpt_studio.core.world import SKILLS
from gpt_studio.gui.chart import pen
from gpt_studio.gui.exportable import Exportable
from gpt_studio.gui.theme import color, follow, look, series, style_font
from gpt_studio.gui.widgets import Card

LABELS = {skill.name: skill.label for skill in SKILLS}
COLUMNS = 2
GAP, ROOM = 16, 7  # between the columns, and around each curve
MOST_SHARE = 0.62  # of a row a curve may be wide: a value stays near its label
CURVE = 15  # height of a curve


class SkillsCard(Card):
    """The share of right answers of each skill, and over all in the caption."""

    def __init__(self) -> None:
        super().__init__("Skills")
        self.chart = SkillsChart()
        self.body.addWidget(self.chart, 1)
        self.setToolTip(
            "Questions that are in no training text. An answer counts when it is right to the letter."
        )
        self._every = 0
        self._strut = QWidget()
        self.head.addWidget(self._strut)
        follow(self._fit)
        self.chart.shown_changed.connect(self._show_caption)

    def _fit(self) -> None:
        self._strut.setFixedSize(1, look.px(24))  # as high as the head of a card with a link

    def set_due(self, every: int) -> None:
        """How many steps lie between two exams: shown while there is none."""
        self._every = every
        self._show_caption()

    def clear(self) -> None:
        self.chart.clear()

    def add(self, exams: Sequence[Exam]) -> None:
        self.chart.add(exams)

    def _show_caption(self) -> None:
        exam = self.chart.shown()
        if exam is None:
            self.set_caption(f"the first at step {units.number(self._every)}")
            return
        pointed = self.chart.cursor_at is not None
        what = f"step {units.number(exam.step)}" if pointed else "exact match"
        self.set_caption(f"{what} · {units.percent(exam.mean)} over all")


@dataclass(frozen=True)
class _Place:
    """Where a skill's row stands: all of it, its curve and its label."""

    whole: QRectF
    curve: QRectF
    label: QRectF


class SkillsChart(Exportable):
    """Small multiples: a row for each skill with its label, its curve from 0 to 100 %, and its value.

    All curves share the steps. Pointing at one, or the arrow keys, shows every value at that step.

    Signals:
        shown_changed: another exam is shown.
        pointed: a person points at this step; None: at none.
    """

    shown_changed = Signal()
    pointed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("card", parent=parent)
        self.setAccessibleName("Skills")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.exams: list[Exam] = []
        self.cursor_at: int | None = None
        follow(self.update)
        self._changed()

    def clear(self) -> None:
        self.exams = []
        self.cursor_at = None
        self._changed()

    def add(self, exams: Sequence[Exam]) -> None:
        """Show further exams; a step that comes again replaces all that followed it."""
        for exam in exams:
            del self.exams[bisect_left(self.exams, exam.step, key=lambda earlier: earlier.step) :]
            self.exams.append(exam)
        self.cursor_at = None if self.cursor_at is None else min(self.cursor_at, len(self.exams) - 1)
        self._changed()

    def shown(self) -> Exam | None:
        """The exam whose values are shown: the one pointed at, else the latest."""
        if not self.exams:
            return None
        return self.exams[-1 if self.cursor_at is None else self.cursor_at]

    def rows(self) -> list[tuple[str, str]]:
        """Each skill's label and value, as shown."""
        exam = self.shown()
        return [
            (LABELS.get(name, name), units.percent(exam.scores[name]) if exam else units.UNKNOWN)
            for name in self.names()
        ]

    def names(self) -> list[str]:
        """The skills that were examined, in the order of the world's."""
        examined = self.exams[-1].scores if self.exams else LABELS
        known = [name for name in LABELS if name in examined]
        return known + [name for name in examined if name not in LABELS]

    def finding(self) -> str:
        """What the chart shows, in words."""
        exam = self.shown()
        if exam is None:
            return "No exams yet"
        by_score = sorted(exam.scores, key=exam.scores.__getitem__)
        told = [
            f"{word} {LABELS.get(name, name)} {units.percent(exam.scores[name])}"
            for word, name in (("best", by_score[-1]), ("weakest", by_score[0]))
        ]
        return (
            f"Skills, step {units.number(exam.step)}: {units.percent(exam.mean)} over all, {', '.join(told)}"
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        names = self.names()
        rows = [
            [str(exam.step), *(repr(exam.scores.get(name, "")) for name in names), repr(exam.mean)]
            for exam in self.exams
        ]
        return ["step", *names, "mean"], rows

    def _changed(self) -> None:
        self.setAccessibleDescription(self.finding())
        self.shown_changed.emit()
        self.update()

    # Pointing

    def point_at(self, index: int | None) -> None:
        """Show the exam of this number; None for the latest."""
        if index is not None:
            index = min(max(0, index), len(self.exams) - 1) if self.exams else None
        if index != self.cursor_at:
            self.cursor_at = index
            self._changed()

    def hide_cursor(self) -> None:
        self.point_at(None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        curve = next((row.curve for row in self._places() if row.whole.contains(at)), None)
        if curve is None or not self.exams:
            self._point_away()
            return
        step = (at.x() - curve.left()) / max(1.0, curve.width()) * self._last()
        self.follow_cursor(step)
        self._tell_pointed()

    def follow_cursor(self, x: float | None) -> None:
        """Show the exam nearest to a step, as when it is pointed at in another chart; None for the latest."""
        if x is None or not self.exams:
            self.hide_cursor()
        else:
            self.point_at(min(range(len(self.exams)), key=lambda index: abs(self.exams[index].step - x)))

    def _tell_pointed(self) -> None:
        exam = None if self.cursor_at is None else self.shown()
        self.pointed.emit(exam.step if exam else None)

    def _point_away(self) -> None:
        if self.cursor_at is not None:
            self.hide_cursor()
            self._tell_pointed()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point_away()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._point_away()
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self.exams) - 1
        here = last + 1 if self.cursor_at is None else self.cursor_at
        there = {
            Qt.Key.Key_Left: here - 1,
            Qt.Key.Key_Right: here + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }.get(Qt.Key(event.key()))
        if there is not None:
            self.point_at(there)
            self.setAccessibleDescription(self._spoken())
            self._tell_pointed()
        elif event.key() == Qt.Key.Key_Escape and self.cursor_at is not None:
            self._point_away()
        else:
            super().keyPressEvent(event)

    def _spoken(self) -> str:
        exam = self.shown()
        values = ", ".join(f"{label} {value}" for label, value in self.rows())
        return f"Step {units.number(exam.step)}: {values}" if exam else self.finding()

    # Painting

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(160), look.px(100))

    def sizeHint(self) -> QSize:
        return QSize(look.px(300), look.px(132))

    def _last(self) -> int:
        return max(1, self.exams[-1].step)

    def _places(self) -> list[_Place]:
        """Where each skill's row stands, filled column by column."""
        rows = self.rows()
        down = -(-len(rows) // COLUMNS)
        metrics = QFontMetricsF(style_font("small", tabular=True))
        label = max((metrics.horizontalAdvance(text) for text, _ in rows), default=0.0)
        value = metrics.horizontalAdvance(units.percent(1))
        gap, room = look.px(GAP), look.px(ROOM)
        width = (self.width() - gap * (COLUMNS - 1)) / COLUMNS
        height = self.height() / max(1, down)
        curve = max(0.0, min(width - label - value - 2 * room, MOST_SHARE * width))
        found = []
        for number in range(len(rows)):
            column, row = divmod(number, down)
            whole = QRectF(column * (width + gap), row * height, width, height)
            left = whole.right() - value - room - curve
            tall = min(look.px(CURVE), height)
            area = QRectF(left, whole.center().y() - tall / 2, curve, tall)
            found.append(_Place(whole, area, whole.adjusted(0, 0, left - room - whole.right(), 0)))
        return found

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        font = style_font("small", tabular=True)
        painter.setFont(font)
        for place, name, (label, value) in zip(self._places(), self.names(), self.rows(), strict=True):
            painter.setPen(color("text2"))
            short = QFontMetricsF(font).elidedText(label, Qt.TextElideMode.ElideRight, place.label.width())
            painter.drawText(place.label, middle, short)
            painter.setPen(color("text"))
            painter.drawText(place.whole, middle | right, value)
            self._paint_curve(painter, place.curve, name)
        if self.hasFocus() and self.cursor_at is None:
            painter.setPen(pen(color("accent")))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)

    def _paint_curve(self, painter: QPainter, area: QRectF, name: str) -> None:
        painter.setPen(pen(color("border")))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        points = [
            (exam, QPointF(self._x(exam, area), area.bottom() - exam.scores[name] * area.height()))
            for exam in self.exams
            if name in exam.scores
        ]
        painter.setPen(pen(series(0), 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF([point for _, point in points]))
        shown = self.shown()
        if self.cursor_at is not None and shown:
            painter.setPen(pen(color("text3")))
            x = round(self._x(shown, area)) + 0.5
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(series(0))
        for exam, point in points:
            if exam is shown:
                painter.drawEllipse(point, look.px(2), look.px(2))

    def _x(self, exam: Exam, area: QRectF) -> float:
        return area.left() + exam.step / self._last() * area.width()
