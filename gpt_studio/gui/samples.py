"""Samples while learning: the same prompt, from the first attempt to the latest."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

from gpt_studio.core import units
from gpt_studio.core.metrics import Sample
from gpt_studio.gui.buttons import LinkButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Card, Hairline, Label

COLUMNS = 3
LINE = 1.38  # line height of reading text


class SamplesCard(Card):
    """First, middle and latest side by side; "All" shows every one."""

    def __init__(self) -> None:
        self._all = LinkButton("All")
        super().__init__("Samples while learning", actions=(self._all,))
        self._samples: list[Sample] = []
        self._pages = QStackedWidget()
        self._few = QWidget()
        self._columns = [SampleColumn() for _ in range(COLUMNS)]
        row = Row(spacing=14, parent=self._few)
        for column in self._columns:
            if row.count():
                row.addWidget(Hairline(vertical=True))
            row.addWidget(column, 1)
        self._list = QWidget()
        self._rows = Column(spacing=10, parent=self._list)
        self._rows.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._listed = 0
        self._pages.addWidget(self._few)
        self._pages.addWidget(Scroll(self._list))
        self.body.addWidget(self._pages, 1)
        self._all.clicked.connect(self._toggle)
        self.clear()

    def clear(self) -> None:
        self._samples = []
        self._listed = 0
        while self._rows.count():
            item = self._rows.takeAt(0)
            widget = item.widget() if item else None
            if widget:
                widget.deleteLater()
        self._pages.setCurrentIndex(0)
        self._refresh()

    def add(self, samples: list[Sample]) -> None:
        """Show further samples."""
        self._samples += samples
        self._refresh()

    def _toggle(self) -> None:
        self._pages.setCurrentIndex(1 - self._pages.currentIndex())
        self._refresh()

    def _refresh(self) -> None:
        samples = self._samples
        self.set_caption(f"“{samples[-1].prompt.strip()}”" if samples else "")
        self._all.setVisible(len(samples) > COLUMNS)
        everything = self._pages.currentIndex() == 1
        self._all.setText("Fewer" if everything else f"All {len(samples)}")
        self._all.updateGeometry()
        shown = _chosen(samples)
        for column, sample in zip(self._columns, shown, strict=True):
            column.show_sample(sample, latest=bool(samples) and sample is samples[-1])
        if everything:
            for sample in samples[self._listed :]:
                self._rows.addWidget(_Listed(sample))
            self._listed = len(samples)


def _chosen(samples: list[Sample]) -> list[Sample | None]:
    """The first, one in the middle and the latest; empty places where there are fewer."""
    if len(samples) > COLUMNS:
        samples = [samples[0], samples[len(samples) // 2], samples[-1]]
    return [*samples, *[None] * (COLUMNS - len(samples))]


class SampleColumn(QWidget):
    """One sample under its step."""

    def __init__(self) -> None:
        super().__init__()
        self._step = Label("", "small", "text2", tabular=True)
        self._passage = Passage()
        column = Column(spacing=6, parent=self)
        column.addWidget(self._step)
        column.addWidget(self._passage, 1)

    def show_sample(self, sample: Sample | None, latest: bool) -> None:
        self._step.setText(f"Step {units.number(sample.step)}" if sample else "")
        self._step.set_role("accent" if latest else "text2")
        self._passage.show_text(sample.text if sample else "", "text" if latest else "text2")

    def text(self) -> str:
        return self._passage.text()


class Passage(QWidget):
    """Text that fills its place and ends with a whole line; the tooltip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self._text, self._role = "", "text2"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow(self.update)

    def show_text(self, text: str, role: str) -> None:
        self._text, self._role = " ".join(text.split()), role
        self.setToolTip(text)
        self.setAccessibleName(text)
        self.update()

    def text(self) -> str:
        return self._text

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = style_font("body")
        painter.setFont(font)
        painter.setPen(color(self._role))
        height = QFontMetricsF(font).height() * LINE
        top = 0.0
        for line in wrapped(self._text, QFontMetricsF(font), self.width()):
            if top + height > self.height() + look.px(4):
                break
            painter.drawText(QRectF(0, top, self.width() + 1, height), Qt.AlignmentFlag.AlignVCenter, line)
            top += height


def wrapped(text: str, metrics: QFontMetricsF, width: float) -> list[str]:
    """Lines that fit the width, broken between words; a word wider than a line is cut."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if metrics.horizontalAdvance(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while len(word) > 1 and metrics.horizontalAdvance(word) > width:
            fits = next(
                n
                for n in range(len(word) - 1, 0, -1)
                if n == 1 or metrics.horizontalAdvance(word[:n]) <= width
            )
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


class _Listed(QWidget):
    """A sample in the list of all."""

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        column = Column(spacing=2, parent=self)
        column.addWidget(Label(f"Step {units.number(sample.step)}", "small", "text2", tabular=True))
        text = Label(sample.prompt + sample.text, "body", "text", wrap=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(text)
