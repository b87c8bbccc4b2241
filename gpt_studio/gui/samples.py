"""Samples while learning: the same prompt, from the first attempt to the latest."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QSizePolicy, QStackedWidget, QTextEdit, QWidget

from gpt_studio.core import units
from gpt_studio.core.metrics import Sample
from gpt_studio.gui.buttons import LinkButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Card, Hairline, Label

COLUMNS = 3
LEADING = 1.3  # line height of passages, in heights of the font


class SamplesCard(Card):
    """First, middle and latest side by side; "All" asks for the room to show every one.

    Signals:
        all_wanted: show every sample, or (False) three again.
    """

    all_wanted = Signal(bool)

    def __init__(self) -> None:
        self._link = LinkButton("All")
        policy = self._link.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._link.setSizePolicy(policy)
        super().__init__("Samples while learning", actions=(self._link,))
        self._samples: list[Sample] = []
        self._pages = QStackedWidget()
        self.columns = [SampleColumn() for _ in range(COLUMNS)]
        few = QWidget()
        row = Row(spacing=14, parent=few)
        for column in self.columns:
            if row.count():
                row.addWidget(Hairline(vertical=True))
            row.addWidget(column, 1)
        self.list = SampleList()
        self._pages.addWidget(few)
        self._pages.addWidget(self.list)
        self.body.addWidget(self._pages, 1)
        self._link.clicked.connect(lambda: self.all_wanted.emit(not self.shows_all()))
        self.clear()

    def clear(self) -> None:
        """Forget the samples; `set_due` says when the first will come."""
        self._samples = []
        self.list.clear()
        self.show_all(False)

    def set_due(self, every: int) -> None:
        """How many steps lie between two samples, 0 for none: shown while there is nothing else to show."""
        if not self._samples:
            self.set_caption(f"the first at step {units.number(every)}" if every else "off")

    def add(self, samples: Sequence[Sample]) -> None:
        """Show further samples."""
        self._samples += samples
        if self.shows_all():
            self.list.extend(samples)
        self._refresh()

    def shows_all(self) -> bool:
        return self._pages.currentWidget() is self.list

    def show_all(self, everything: bool) -> None:
        """Every sample below each other, or three side by side."""
        self.list.clear()
        if everything:
            self.list.extend(self._samples)
            self.list.moveCursor(QTextCursor.MoveOperation.Start)
        self._pages.setCurrentIndex(int(everything))
        self._refresh()

    def _refresh(self) -> None:
        samples = self._samples
        prompt = " ".join(samples[-1].prompt.split()) if samples else ""
        self.set_caption(f"“{prompt}”" if prompt else "")
        self._link.setVisible(len(samples) > COLUMNS or self.shows_all())
        self._link.setText("Back" if self.shows_all() else f"All {units.number(len(samples))}")
        self._link.updateGeometry()
        for column, sample in zip(self.columns, _chosen(samples), strict=True):
            column.show_sample(sample, latest=bool(samples) and sample is samples[-1])


def _chosen(samples: list[Sample]) -> list[Sample | None]:
    """The first, one in the middle and the latest; empty places where there are fewer."""
    if len(samples) > COLUMNS:
        samples = [samples[0], samples[len(samples) // 2], samples[-1]]
    return [*samples, *[None] * (COLUMNS - len(samples))]


def _step(sample: Sample) -> str:
    return f"Step {units.number(sample.step)}"


class SampleColumn(QWidget):
    """One sample under its step; the latest stands out."""

    def __init__(self) -> None:
        super().__init__()
        self.step = Label("", "small", "text2", tabular=True)
        self.passage = Passage()
        column = Column(spacing=4, parent=self)
        column.addWidget(self.step)
        column.addWidget(self.passage, 1)

    def show_sample(self, sample: Sample | None, latest: bool) -> None:
        self.step.setText(_step(sample) if sample else "")
        self.step.set_role("accent" if latest else "text2")
        self.passage.show_text(sample.text if sample else "", "text" if latest else "text2")


class Passage(QWidget):
    """Text that fills its place with whole lines and ends in "…" if there is more; the tooltip has all."""

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
        font = style_font("small")
        metrics = QFontMetricsF(font)
        height = metrics.height() * LEADING
        lines = wrapped(self._text, metrics, self.width())
        room = max(1, int((self.height() + look.px(4)) / height))
        if len(lines) > room:
            lines = lines[:room]
            lines[-1] = metrics.elidedText(f"{lines[-1]} …", Qt.TextElideMode.ElideRight, self.width())
        painter.setFont(font)
        painter.setPen(color(self._role))
        for number, line in enumerate(lines):
            area = QRectF(0, number * height, self.width() + 1, height)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, line)


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
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _fits(word[:n], metrics, width))
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def _fits(text: str, metrics: QFontMetricsF, width: float) -> bool:
    return metrics.horizontalAdvance(text) <= width


class SampleList(QTextEdit):
    """Every sample as text that can be scrolled, selected and copied, however many there are."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[Sample] = []
        self.setReadOnly(True)
        self.setAccessibleName("All samples")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.document().setDocumentMargin(0)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setStyleSheet(
            "QTextEdit { background: transparent; border: 1px solid transparent; }"
            f"QTextEdit:focus {{ border-color: {look.theme.accent}; }}"
        )
        shown, self._shown = self._shown, []
        super().clear()
        self.extend(shown)

    def clear(self) -> None:
        self._shown = []
        super().clear()

    def extend(self, samples: Sequence[Sample]) -> None:
        """Add samples at the end; where one has scrolled to stays."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for sample in samples:
            gap = "\n\n" if self._shown else ""
            self._shown.append(sample)
            cursor.insertText(f"{gap}{_step(sample)}\n", _format("small", "text3"))
            cursor.insertText(sample.prompt, _format("body", "text2"))
            cursor.insertText(sample.text.strip("\n"), _format("body", "text"))
        cursor.endEditBlock()


def _format(style: str, role: str) -> QTextCharFormat:
    found = QTextCharFormat()
    found.setFont(style_font(style, tabular=True))
    found.setForeground(color(role))
    return found
