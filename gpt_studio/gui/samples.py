"""Samples while learning: the same prompts, from the first attempt to the latest."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QStackedWidget, QTextEdit, QWidget

from gpt_studio.core import units
from gpt_studio.core.metrics import Sample
from gpt_studio.gui.buttons import Button, LinkButton
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.sample_scrubber import SampleScrubber
from gpt_studio.gui.theme import color, follow, look, style_font
from gpt_studio.gui.widgets import Card, Hairline, Label, Menu

COLUMNS = 3
LEADING = 1.3  # line height of passages, in heights of the font
TITLE, SHORT_TITLE = "Samples while learning", "Samples"
NARROW, NARROWER, NARROWEST = 430, 345, 280  # widths: below them the title is short, then the link; the least
COMPARE, SCRUB, LIST = range(3)  # the pages
LONGEST = 60  # characters of a prompt in the list of prompts


class SamplesCard(Card):
    """First, middle and latest side by side; or one at a time, from step to step ("Scrub"); or all of them.

    Signals:
        all_wanted: show every sample, or (False) a few again.
        sample_wanted: write one now.
    """

    all_wanted = Signal(bool)
    sample_wanted = Signal()

    def __init__(self) -> None:
        self._now = Button("Sample now", "quiet", "plus", height=24)
        self._way = LinkButton("Scrub")
        self._link = LinkButton("All")
        for link in (self._way, self._link):
            policy = QSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            policy.setRetainSizeWhenHidden(link is self._link)
            link.setSizePolicy(policy)
        super().__init__(TITLE, actions=(self._now, self._way, self._link))
        self._samples: list[Sample] = []
        self._by_prompt: dict[str, list[Sample]] = {}
        self._wanted: str | None = None  # the prompt a person chose
        self._scrubs = False
        self.prompts = PromptSwitch()
        self.head.insertWidget(1, self.prompts)
        self._pages = QStackedWidget()
        self.columns = [SampleColumn() for _ in range(COLUMNS)]
        few = QWidget()
        row = Row(spacing=14, parent=few)
        for column in self.columns:
            if row.count():
                row.addWidget(Hairline(vertical=True))
            row.addWidget(column, 1)
        self.scrubber = SampleScrubber()
        self.list = SampleList()
        for page in (few, self.scrubber, self.list):
            self._pages.addWidget(page)
        self.body.addWidget(self._pages, 1)
        self._link.clicked.connect(lambda: self.all_wanted.emit(not self.shows_all()))
        self._way.clicked.connect(lambda: self.scrub(not self._scrubs))
        self._now.clicked.connect(self.sample_wanted)
        self.prompts.chosen.connect(self.show_prompt)
        self.set_can_sample(False)
        self.clear()

    def clear(self) -> None:
        """Forget the samples; `set_due` says when the first will come."""
        self._samples, self._by_prompt, self._wanted = [], {}, None
        self.scrubber.return_to_latest()
        self.list.clear()
        self.show_all(False)

    def set_due(self, every: int) -> None:
        """How many steps lie between two samples, 0 for none: shown while there is nothing else to show."""
        if not self._samples:
            self.set_caption(f"the first at step {units.number(every)}" if every else "off")

    def set_can_sample(self, can: bool) -> None:
        """Whether a model is being trained that could write a sample now."""
        self._now.setEnabled(can)

    def add(self, samples: Sequence[Sample]) -> None:
        """Show further samples."""
        if not samples:
            return
        self._samples += samples
        for sample in samples:
            self._by_prompt.setdefault(sample.prompt, []).append(sample)
        if self.shows_all():
            self.list.extend(samples)
        self._refresh()

    def shows_all(self) -> bool:
        return self._pages.currentWidget() is self.list

    def show_all(self, everything: bool) -> None:
        """Every sample below each other, or a few."""
        self.list.clear()
        if everything:
            self.list.extend(self._samples)
            self.list.moveCursor(QTextCursor.MoveOperation.Start)
        self._pages.setCurrentIndex(LIST if everything else SCRUB if self._scrubs else COMPARE)
        self._refresh()

    def scrub(self, scrubs: bool) -> None:
        """Go through the steps one at a time, or compare three of them."""
        self._scrubs = scrubs
        self.show_all(False)
        if scrubs:
            self.scrubber.slider.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_prompt(self, prompt: str) -> None:
        """Look at the samples of one of several prompts."""
        self._wanted = prompt
        self._refresh()

    def prompt(self) -> str:
        """The prompt looked at: the one chosen, else the first of those in use now."""
        if self._wanted in self._by_prompt:
            return self._wanted
        latest = self._samples[-1].step
        return next(sample.prompt for sample in self._samples if sample.step == latest)

    def minimumSizeHint(self) -> QSize:
        """The card can always become as narrow as it can be."""
        return QSize(look.px(NARROWEST), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < look.px(NARROW)
        self._title.setText(SHORT_TITLE if narrow else TITLE)
        self._now.set_compact(narrow)
        self._name_link()

    def _name_link(self) -> None:
        count = "" if self.width() < look.px(NARROWER) else units.number(len(self._samples))
        self._link.setText("Back" if self.shows_all() else f"All {count}".strip())
        self._link.updateGeometry()

    def _refresh(self) -> None:
        prompt = self.prompt() if self._samples else ""
        samples = self._by_prompt.get(prompt, [])
        several = len(self._by_prompt) > 1
        everything = self.shows_all()
        self.set_caption("" if several else quoted(prompt))
        self.prompts.setVisible(several and not everything)
        self.prompts.show_prompts(list(self._by_prompt), prompt)
        self._way.setVisible(bool(samples) and not everything)
        self._way.setText("Compare" if self._scrubs else "Scrub")
        self._way.updateGeometry()
        self._link.setVisible(len(self._samples) > COLUMNS or everything)
        self._name_link()
        self.scrubber.show_samples(samples)
        for column, sample in zip(self.columns, _chosen(samples), strict=True):
            column.show_sample(sample, latest=bool(samples) and sample is samples[-1])


def quoted(prompt: str) -> str:
    """A prompt in one line between quotation marks; nothing for none."""
    line = " ".join(prompt.split())
    return f"“{line}”" if line else ""


class PromptSwitch(LinkButton):
    """The prompt looked at; a click lists the others.

    Signals:
        chosen: another prompt was picked.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__("", role="text2", arrow=True)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.menu_of_prompts = Menu(self)
        self._shown: tuple[list[str], str] = ([], "")
        self.clicked.connect(self._open)
        self.hide()

    def show_prompts(self, prompts: list[str], current: str) -> None:
        if (prompts, current) == self._shown:
            return
        self._shown = (prompts, current)
        self.setText(quoted(current) or "no prompt")
        self.setAccessibleName(f"Prompt: {self.text()}")
        self.updateGeometry()
        self.menu_of_prompts.clear()
        for prompt in prompts:
            text = quoted(prompt if len(prompt) <= LONGEST else f"{prompt[:LONGEST]}…") or "no prompt"
            action = self.menu_of_prompts.addAction(text.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(prompt == current)
            action.triggered.connect(lambda _=False, prompt=prompt: self.chosen.emit(prompt))

    def _open(self) -> None:
        self.menu_of_prompts.popup(self.mapToGlobal(QPoint(0, self.height())))


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
