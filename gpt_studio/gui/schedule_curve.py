"""The learning rate over all steps of a plan, as a small curve."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core import units
from gpt_studio.core.config import TrainConfig
from gpt_studio.core.schedule import DECAY, learning_rate
from gpt_studio.gui.theme import color, follow, font, look

HEIGHT, FOOT = 64, 15  # of the whole, and of the line of labels below the curve
EDGE = 5  # around the curve, and below the labels
DOT = 3.5  # radius
POINTS = 120  # of the curve, besides its corners


class ScheduleCurve(QWidget):
    """What has been of a plan is drawn through, what is to come is quiet; a dot is where the run is."""

    def __init__(self) -> None:
        super().__init__()
        self._plan = TrainConfig()
        self._step = 0
        self._painted = QPointF()  # where the dot is
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Learning rate over the run")
        follow(self.restyle)
        self._tell()

    def restyle(self) -> None:
        self.setFixedHeight(look.px(HEIGHT))
        self.update()

    def show_plan(self, plan: TrainConfig) -> None:
        """Draw a plan; one that cannot be followed leaves the last one that can."""
        if plan != self._plan and not plan.problems():
            self._plan = plan
            self._tell()
            self.update()

    def show_step(self, step: int) -> None:
        """Where the run is: 0 before its first step."""
        if step != self._step:
            began = not (step and self._step)
            self._step = step
            self._tell()
            if began or (self.place(self.step()) - self._painted).manhattanLength() >= 0.5:
                self.update()

    def step(self) -> int:
        return min(self._step, self._plan.steps)

    def _tell(self) -> None:
        text = in_words(self._plan)
        if self.step():
            rate = units.rate(learning_rate(self._plan, self.step()))
            text += f" Now at step {units.number(self.step())}: {rate}."
        self.setToolTip(text)
        self.setAccessibleDescription(text)

    # ------------------------------------------------------------ painting

    def area(self) -> QRectF:
        """Where the curve is."""
        edge, left = look.px(EDGE), QFontMetricsF(_font()).horizontalAdvance(self._peak()) + look.px(8)
        return QRectF(left, edge, self.width() - edge - left, self._foot() - 2 * edge)

    def _foot(self) -> int:
        """Where the labels below the curve begin."""
        return self.height() - look.px(FOOT) - look.px(EDGE)

    def place(self, step: int) -> QPointF:
        """Where the curve is at a step."""
        return self._curve([step])[0]

    def _curve(self, steps: Iterable[int]) -> list[QPointF]:
        area, plan = self.area(), self._plan
        wide = area.width() / max(1, plan.steps - 1)
        tall = area.height() / plan.learning_rate
        return [
            QPointF(area.left() + (step - 1) * wide, area.bottom() - learning_rate(plan, step) * tall)
            for step in steps
        ]

    def _points(self, first: int, last: int) -> QPolygonF:
        """The curve between two steps, with its corners."""
        even = {1 + round(k * (self._plan.steps - 1) / POINTS) for k in range(POINTS + 1)}
        steps = even | {self._plan.warmup, falls_from(self._plan), first, last}
        return QPolygonF(self._curve(step for step in sorted(steps) if first <= step <= last))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        now = self.step()
        flat, join = Qt.PenCapStyle.FlatCap, Qt.PenJoinStyle.RoundJoin
        painter.setPen(QPen(color("text3" if now else "accent"), 1.5, Qt.PenStyle.SolidLine, flat, join))
        painter.drawPolyline(self._points(max(1, now), self._plan.steps))
        if now:
            painter.setPen(QPen(color("accent"), 2, Qt.PenStyle.SolidLine, flat, join))
            painter.drawPolyline(self._points(1, now))
            painter.setPen(QPen(color("panel"), 1.5))
            painter.setBrush(color("accent"))
            self._painted = self.place(now)
            painter.drawEllipse(self._painted, look.px(1) * DOT, look.px(1) * DOT)
        self._paint_labels(painter)

    def _paint_labels(self, painter: QPainter) -> None:
        """The peak at the curve's left, the last step below its end."""
        area = self.area()
        painter.setFont(_font())
        painter.setPen(color("text3"))
        height = QFontMetricsF(_font()).height()
        peak = QRectF(0, area.top() - height / 2, self.width(), height)
        painter.drawText(peak, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._peak())
        foot = QRectF(area.left(), self._foot(), area.width(), look.px(FOOT))
        last = f"step {units.number(self._plan.steps)}"
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, last)

    def _peak(self) -> str:
        return units.rate(self._plan.learning_rate)


def _font() -> QFont:
    return font(11, tabular=True)


def falls_from(plan: TrainConfig) -> int:
    """The step at which the rate begins to fall."""
    stable = 1 - DECAY if plan.schedule == "wsd" else 0.0
    return plan.warmup + round(stable * max(0, plan.steps - plan.warmup))


def in_words(plan: TrainConfig) -> str:
    """ "Rises over 100 steps to 1e−3, falls along a cosine to 1e−4 at step 1 000." """
    peak, last = units.rate(plan.learning_rate), f"step {units.number(plan.steps)}"
    end = units.rate(learning_rate(plan, plan.steps))
    if plan.warmup >= plan.steps > 1:
        return f"Rises to {end} at {last}: the warm-up takes all steps."
    steps = f"{units.number(plan.warmup)} step{'' if plan.warmup == 1 else 's'}"
    start = f"Rises over {steps} to {peak}" if plan.warmup else f"Begins at {peak}"
    way = {
        "cosine": f"falls along a cosine to {end} at {last}",
        "wsd": f"stays there to step {units.number(falls_from(plan))}, falls to {end} at {last}",
        "linear": f"falls in a straight line to {end} at {last}",
        "constant": f"stays there to {last}",
    }[plan.schedule]
    return f"{start}, {way}."
