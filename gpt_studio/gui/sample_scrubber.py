"""One sample at a time, from step to step: each token tinted by how little it was expected."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetricsF, QHideEvent
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.metrics import Sample
from gpt_studio.gui.chat_messages import UNLIKELY
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.theme import color, follow, surprise
from gpt_studio.gui.toggles import Slider
from gpt_studio.gui.token_popover import TokenPopover, visible
from gpt_studio.gui.token_text import Span, TokenText
from gpt_studio.gui.widgets import Label

LONGEST = 72  # characters of the prompt that stand before the text; of a longer one, its end


class SampleScrubber(QWidget):
    """The text of one step above a slider over all of them; it stays at the latest until it is moved away."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: Sequence[Sample] = ()
        self._shown: Sample | None = None
        self._step: int | None = None  # where a person moved to, None for the latest
        self._popover: TokenPopover | None = None
        self.tokens = TokenText()
        self.tokens.setAccessibleName("Sample")
        self.slider = Slider("Step of the sample")
        self.slider.setPageStep(5)
        self.step = Label("", "small", "accent", tabular=True)
        self.place = Label("", "small", "text3", tabular=True)
        page = QWidget()
        inside = Column((0, 0, 12, 0), 0, page)
        inside.addWidget(self.tokens)
        inside.addStretch(1)
        column = Column(spacing=4, parent=self)
        column.addWidget(Scroll(page), 1)
        foot = Row(spacing=10)
        foot.addWidget(self.slider, 1)
        foot.addWidget(self.step)
        foot.addWidget(self.place)
        column.addLayout(foot)
        for label in (self.step, self.place):
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider.valueChanged.connect(self._move)
        self.tokens.hovered.connect(self._point)
        follow(self.restyle)

    def shown(self) -> Sample | None:
        """The sample that is looked at."""
        return self._shown

    def return_to_latest(self) -> None:
        """Follow the latest sample again."""
        self._step = None
        self._refresh()

    def show_samples(self, samples: Sequence[Sample]) -> None:
        """Step through these, of one prompt and in the order of their steps."""
        self._samples = samples
        self._refresh()

    def restyle(self) -> None:
        """The labels keep their widths, so that the slider does while it is moved."""
        count = len(self._samples)
        longest = _step(self._samples[-1]) if count else ""
        for label, text in ((self.step, longest), (self.place, _place(count, count))):
            label.setFixedWidth(ceil(QFontMetricsF(label.font()).horizontalAdvance(text)) + 1)

    def _refresh(self) -> None:
        self.restyle()
        last = len(self._samples) - 1
        at = last if self._step is None else self._index(self._step)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, last))
        self.slider.setValue(at)
        self.slider.blockSignals(False)
        self.slider.setEnabled(last > 0)
        self._show(at)

    def _index(self, step: int) -> int:
        """The last sample up to a step, or the first there is."""
        return max(0, bisect_right(self._samples, step, key=lambda sample: sample.step) - 1)

    def _move(self, at: int) -> None:
        self._step = None if at == len(self._samples) - 1 else self._samples[at].step
        self._show(at)

    def _show(self, at: int) -> None:
        count = len(self._samples)
        sample = self._samples[at] if count else None
        latest = at == count - 1
        place = _place(at + 1, count) if sample else ""
        self.step.setText(_step(sample))
        self.step.set_role("accent" if latest else "text2")
        self.place.setText(place)
        self.slider.setAccessibleName(
            f"Sample of {_step(sample).lower()}" if sample else "Step of the sample"
        )
        self.slider.setAccessibleDescription(f"{place}, the latest" if latest and sample else place)
        if sample is not self._shown:
            self._shown = sample
            self.tokens.set_spans(spans_of(sample) if sample else ())

    def _point(self, index: int) -> None:
        """Tell a token and its probability beside it."""
        said = self.tokens.spans()[index].data if index >= 0 else None
        if said is None:
            if self._popover:
                self._popover.hide()
            return
        self._popover = self._popover or TokenPopover(self.window())
        text, p = said
        title = (visible(text), units.percent(p, 1))
        self._popover.show_rows((), self.tokens, self.tokens.span_rect(index), title)

    def hideEvent(self, event: QHideEvent) -> None:
        if self._popover:
            self._popover.hide()
        super().hideEvent(event)


def _step(sample: Sample | None) -> str:
    return f"Step {units.number(sample.step)}" if sample else ""


def _place(number: int, count: int) -> str:
    return f"{units.number(number)} of {units.number(count)}"


def spans_of(sample: Sample) -> list[Span]:
    """The prompt, then what the model wrote: by token where the tokens are known, else as plain text."""
    prompt = sample.prompt if len(sample.prompt) <= LONGEST else f"…{sample.prompt[-LONGEST:]}"
    before = [Span(prompt, background=lambda: color("weak"), plain=True)] if prompt else []
    if not sample.tokens:
        return [*before, Span(sample.text, plain=True)]
    return before + [
        Span(text, background=partial(surprise, p), underline=p < UNLIKELY, data=(text, p))
        for text, p in whole(sample.tokens)
    ]


def whole(tokens: Sequence[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Tokens as pieces of whole characters: those without a text of their own belong to the next with one."""
    together = 1.0
    for text, p in tokens:
        together *= p
        if text:
            yield text, together
            together = 1.0
