"""Levels a loss can be compared with, drawn into its chart: what guessing and counting come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import DataReport
from gpt_studio.gui.chart import Chart, pen
from gpt_studio.gui.theme import color, look, style_font

LAYER = -2  # behind the curves
LABEL = 15  # px a label is high
REACH = 4  # px above and below a line that are a part of it to point at


@dataclass(frozen=True)
class Reference:
    """A loss in nats per token, named, and explained in one sentence."""

    loss: float
    name: str
    meaning: str


def references(config: RunConfig, report: DataReport | None) -> tuple[Reference, ...]:
    """The levels known for a run: ln V, and of its own texts, where read, the unigram and bigram entropy.

    Shannon (1951), "Prediction and entropy of printed English": F0, F1 and F2.
    """
    found = (
        Reference(
            math.log(max(1, config.model.vocab_size)),
            "blind guess",
            "What a model that knows nothing comes to: every token of the vocabulary is as likely.",
        ),
        Reference(
            report.unigram if report else 0.0,
            "token frequencies",
            "What knowing how often each token occurs in your texts comes to, without looking at the "
            "text before.",
        ),
        Reference(
            report.bigram if report else 0.0,
            "pairs of tokens",
            "What counting which token follows which in your texts comes to: below it, the model uses "
            "more of the text before than one token.",
        ),
    )
    return tuple(reference for reference in found if reference.loss > 0)


class ReferenceLines:
    """Thin dotted lines over the whole width, named at the right."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self.known: tuple[Reference, ...] = ()
        self.on = True
        self._items: list[tuple[pg.InfiniteLine, pg.TextItem]] = []

    def set_known(self, known: Sequence[Reference]) -> None:
        for items in self._items:
            for item in items:
                self._chart.view.removeItem(item)
        self.known = tuple(known)
        self._items = [self._made(reference) for reference in self.known]
        self.restyle()

    def _made(self, reference: Reference) -> tuple[pg.InfiniteLine, pg.TextItem]:
        made = pg.InfiniteLine(angle=0, hoverPen=pg.mkPen(width=2 * REACH)), pg.TextItem(anchor=(1, 1))
        for item in made:
            item.setZValue(LAYER)
            item.setToolTip(f"{reference.name[0].upper()}{reference.name[1:]}: {reference.meaning}")
            self._chart.view.addItem(item, ignoreBounds=True)
        return made

    def restyle(self) -> None:
        for line, label in self._items:
            line.setPen(pen(color("text3"), 1, Qt.PenStyle.DotLine))
            label.setColor(color("text3"))
            label.setFont(style_font("micro", tabular=True))
            label.fill = pg.mkBrush(color("card", 0.75))

    def place(self, height: Callable[[float], float], told: Callable[[float], str], taken: int) -> None:
        """Draw the lines that lie in view. `height` is a loss's place there, `told` its text.

        A label lies above its line; below it where that would be over another label, or over what has
        `taken` so many pixels of the design at the top.
        """
        view = self._chart.view
        (_, right), (bottom, top) = view.viewRange()
        pixel = max(1e-12, top - bottom) / max(1.0, view.height())
        free = top - taken * look.scale * pixel
        for reference, (line, label) in sorted(
            zip(self.known, self._items, strict=True), key=lambda pair: -pair[0].loss
        ):
            at, tall = height(reference.loss), look.px(LABEL) * pixel
            shown = self.on and bottom <= at <= top
            line.setVisible(shown)
            above, below = at + tall <= free, at <= free and at - tall >= bottom
            label.setVisible(shown and (above or below))
            if shown:
                line.setValue(at)
                label.setText(f"{reference.name} · {told(reference.loss)}")
                label.setAnchor((1, 1 if above else 0))
                label.setPos(QPointF(right, at))
                free = at if above else at - tall

    def shown(self) -> list[str]:
        """The names of the lines in view, from top to bottom."""
        found = [
            (reference.loss, reference.name)
            for reference, (line, _) in zip(self.known, self._items, strict=True)
            if line.isVisible()
        ]
        return [name for _, name in sorted(found, reverse=True)]
