"""The Training page: the hero of the first launch, then the run's figures, curves, samples and skills."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QStackedWidget, QWidget

from gpt_studio.core import units, world
from gpt_studio.core.config import RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Built, Opened
from gpt_studio.core.forecast import forecast
from gpt_studio.core.metrics import History
from gpt_studio.core.run_events import Evaluated, Examined, Sampled, Step
from gpt_studio.core.runner import failure
from gpt_studio.core.schedule import learning_rate
from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.charts import Legend, LossChart, SmallChart
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.hero import Hero
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.loss_chart import UNITS
from gpt_studio.gui.run_tiles import NARROW, RunTiles
from gpt_studio.gui.samples import SamplesCard
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.skills import SkillsCard
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.toggles import Slider
from gpt_studio.gui.widgets import Card, Label

READ_OUT = 250  # milliseconds between two updates of the figures
PLANNED = 240  # points of a planned curve
SHORT = 712  # below this samples and skills fall below the fold
SMALL, SMALL_SHORT, LOWER, LEAST = 126, 112, 186, 264  # heights; the least is the loss card's
GAP = 10  # between cards


class TrainingPage(QWidget):
    """The page.

    Signals:
        train_wanted, open_wanted: start, or open a checkpoint.
        corpus_wanted, size_wanted, steps_wanted: lead to where these are chosen.
        failed: a chart was not exported (Failed).
    """

    train_wanted = Signal()
    corpus_wanted = Signal()
    size_wanted = Signal()
    steps_wanted = Signal()
    open_wanted = Signal()
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Training")
        self._state = State()
        self._config = self._state.config  # what the curves were made with: settings may move on
        self._planned: TrainConfig | None = None
        self.history = History()
        self.hero = Hero()
        self.tiles = RunTiles()
        self.loss = LossChart()
        self.waiting = Label("", "body", "text3", tabular=True, wrap=True)
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.waiting.hide()
        self.rate = SmallChart("Learning rate", "LR", show=units.rate, axis=units.rate)
        self.norm = SmallChart("Gradient norm", "Grad. norm", show=_norm_text)
        self.speed = SmallChart("Throughput", unit="/s")
        self.samples = SamplesCard()
        self.skills = SkillsCard()
        self._read_out = QTimer(self, interval=READ_OUT, singleShot=True)
        self._read_out.timeout.connect(self._show_figures)
        self._lay_out()
        self._connect()
        follow(self._fit)

    def _lay_out(self) -> None:
        self._loss_card = Card("Loss", actions=self._loss_actions())
        self._legend = Legend(self.loss)
        self._loss_card.head.insertWidget(1, self._legend, 3)
        self._loss_card.body.addWidget(self.loss, 1)
        self._loss_card.body.addWidget(self.waiting, 1)
        self._small = QWidget()
        row = Row(spacing=GAP, parent=self._small)
        for chart in self._small_charts():
            row.addWidget(chart, 1)
        self._lower = QWidget()
        self._beside = Row(spacing=GAP, parent=self._lower)
        self._beside.addWidget(self.samples, 1)
        self._beside.addWidget(self.skills, 1)
        board = QWidget()
        column = self._column = Column((16, 14, 16, 14), GAP, board)
        for part in self._parts():
            column.addWidget(part)
        column.addStretch(1)
        self._pages = QStackedWidget()
        self._pages.addWidget(Scroll(self.hero))
        self._pages.addWidget(Scroll(board))
        Column(spacing=0, parent=self).addWidget(self._pages)

    def _parts(self) -> tuple[QWidget, ...]:
        """From top to bottom."""
        return self.tiles, self._loss_card, self._small, self._lower

    def _small_charts(self) -> tuple[SmallChart, ...]:
        return self.rate, self.norm, self.speed

    def _loss_actions(self) -> Sequence[QWidget]:
        self._smoothing_label = Label("Smoothing", "small", "text2")
        self._smoothing = Slider("Smoothing", 0, 100)
        self._smoothing.setValue(round(100 * self.loss.smoothing()))
        self._scale = Segmented({"linear": "Linear", "log": "Log"}, "Scale of the loss", small=True)
        self._expand = ToolButton("expand", "Show the loss alone", checkable=True)
        self._unit = Segmented({"nats": "Nats", "bits": "Bits"}, "Unit of the loss", small=True)
        for name, label in UNITS.items():
            self._unit.button(name).setToolTip(label)
        return self._smoothing_label, self._smoothing, self._unit, self._scale, self._expand

    def _connect(self) -> None:
        hero = self.hero
        hero.train_wanted.connect(self.train_wanted)
        hero.corpus_wanted.connect(self.corpus_wanted)
        hero.size_wanted.connect(self.size_wanted)
        hero.steps_wanted.connect(self.steps_wanted)
        hero.open_wanted.connect(self.open_wanted)
        self._smoothing.valueChanged.connect(lambda value: self.loss.set_smoothing(value / 100))
        self.loss.smoothing_changed.connect(self._show_smoothing)
        self._unit.changed.connect(self.loss.set_unit)
        self.loss.unit_changed.connect(self._unit.set_value)
        self._scale.changed.connect(lambda name: self.loss.set_log(name == "log"))
        self._expand.toggled.connect(self._show_alone)
        self.samples.all_wanted.connect(self._show_all_samples)
        self.loss.set_extras(self._facts_at)
        for chart in (self.loss, *self._small_charts(), self.skills.chart):
            chart.failed.connect(self._tell_failure)

    # ------------------------------------------------------------ facts

    def begin(self, built: Built) -> None:
        """A model was built: at its first step, begin new curves."""
        if built.step == 0:
            history = History()
            history.bytes_per_token = built.bytes_per_token
            self._start(built.config, history)

    def load(self, opened: Opened) -> None:
        """Show the curves of an opened checkpoint."""
        self._start(opened.config, copy.deepcopy(opened.history))  # an event stays as it was
        history = self.history
        self._draw(history.steps, history.columns)
        for step, loss in zip(history.validation_steps, history.validation_losses, strict=True):
            self.loss.append_validation(step, loss)
        self.samples.add(history.samples)
        self.skills.add(history.exams)
        self._show_figures()

    def append(self, steps: Sequence[Step]) -> None:
        """Add training steps to the curves."""
        first = not len(self.history)
        if self._config != self._state.config:  # training goes on by another plan
            self._config = self._state.config
            self._show_expected()
        for step in steps:
            self.history.add_step(step.step, step.values)
        names = self.history.columns
        columns = {name: [step.values[name] for step in steps] for name in names}
        self._draw([step.step for step in steps], columns)
        if first:
            self._show_figures()
        else:
            self._schedule()

    def add_validation(self, evaluated: Evaluated) -> None:
        self.history.add_validation(evaluated.step, evaluated.loss)
        self.loss.append_validation(evaluated.step, evaluated.loss)
        self._show_expected()
        self._schedule()

    def add_sample(self, sampled: Sampled) -> None:
        self.history.samples.append(sampled.sample)
        self.samples.add([sampled.sample])

    def add_exam(self, examined: Examined) -> None:
        self.history.exams.append(examined.exam)
        self.skills.add([examined.exam])
        if len(self.history.exams) == 1:
            self._fit()

    def mark(self, step: int, text: str, role: str) -> None:
        """Draw an event into the loss chart."""
        self.loss.mark_event(step, text, role)

    def show_all(self) -> None:
        """End showing the loss alone."""
        self._expand.setChecked(False)

    def unit(self) -> str:
        """The unit losses are shown in where there is a choice: "nats" or "bits"."""
        return self.loss.unit()

    def set_unit(self, unit: str) -> None:
        self.loss.set_unit(unit)

    def clear(self) -> None:
        """Back to nothing learned."""
        self._start(self._state.config, History())

    def show_state(self, state: State) -> None:
        before, self._state = self._state, state
        board = state.run is not None or state.training
        self._pages.setCurrentIndex(int(board))
        if not board:
            self.hero.show_state(state)
            return
        followed = state.training or state.resumable or state.run is None
        self._show_plan(state.config.train if followed else self._config.train)
        self._show_waiting()
        if (before.report, before.config) != (state.report, state.config):
            self._show_expected()
        if (before.running, before.paused, before.model) != (state.running, state.paused, state.model):
            self._show_figures()
        else:
            self._schedule()

    def _start(self, config: RunConfig, history: History) -> None:
        self.history = history
        self._config = config
        self.loss.start(config.train.steps, history.bytes_per_token)
        for chart in self._small_charts():
            chart.clear()
        self._planned = None
        self._show_plan(config.train)
        self.samples.clear()
        self.samples.set_due(config.train.sample_every)
        self.skills.clear()
        self.skills.set_due(config.train.evaluate_every)
        self._fit()
        self.tiles.forget()
        self._show_expected()
        self._show_figures()

    def _has_exams(self) -> bool:
        """Whether there are exams of this run, or will be."""
        return bool(self.history.exams) or world.NAME in self._config.data.corpora

    def _show_waiting(self) -> None:
        """One quiet line where the curves will be, until there is something to draw."""
        waiting = not len(self.history)
        if waiting:
            self.waiting.setText(_waiting_for(self._state))
        if waiting == self.waiting.isHidden():
            self.waiting.setVisible(waiting)
            self.loss.setHidden(waiting)
            self._fit()

    def _draw(self, steps: Sequence[int], columns: Mapping[str, Sequence[float]]) -> None:
        self.loss.append(steps, columns["loss"])
        self.rate.append(steps, columns["learning_rate"])
        self.norm.append(steps, columns["gradient_norm"])
        self.speed.append(steps, columns["tokens_per_second"])

    def _schedule(self) -> None:
        if not self._read_out.isActive():
            self._read_out.start()

    def _show_figures(self) -> None:
        self._show_waiting()
        self.tiles.show_run(self._state, self._config, self.history, self.loss.smoothed())

    def _show_plan(self, plan: TrainConfig) -> None:
        """The learning rate still to come, and where gradients are clipped."""
        if self._planned == plan or plan.problems():
            return
        self._planned = plan
        steps = sorted(
            {*(1 + round(k * (plan.steps - 1) / PLANNED) for k in range(PLANNED + 1)), _peak(plan)}
        )
        self.rate.set_plan(steps, [learning_rate(plan, step) for step in steps])
        self.norm.set_limit(plan.gradient_clip or None)

    def _show_expected(self) -> None:
        """Where the last validation loss is expected, by the curve so far."""
        report, config = self._state.report, self._config
        ahead = (
            not self.history or self.history.steps[-1] < config.train.steps
        )  # later there is no more to expect
        known = ahead and report is not None and report.data == config.data
        band = forecast(config, report, self.history) if known and report else None
        self.loss.set_expected((band.low, band.high) if band else None)
        self._legend.update()

    def _show_smoothing(self, smoothing: float) -> None:
        self._smoothing.setValue(round(100 * smoothing))
        self._schedule()

    def _show_alone(self, alone: bool) -> None:
        self._expand.set_name("Show everything again" if alone else "Show the loss alone")
        self._fit()

    def _show_all_samples(self, everything: bool) -> None:
        self.samples.show_all(everything)
        self._fit()

    def _facts_at(self, step: int) -> list[tuple[str, str]]:
        """What the read-out says beside the losses of a step."""
        index = bisect_left(self.history.steps, step)
        if index == len(self.history):
            return []
        row = self.history.row(index)
        return [
            ("Tokens seen", units.short(row["tokens"])),
            ("Learning rate", units.rate(row["learning_rate"])),
        ]

    def _tell_failure(self, error: StudioError) -> None:
        self.failed.emit(failure("chart", error))

    # ------------------------------------------------------------ size

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """What gives way first: tiles and titles in a narrow page, samples and skills in a low one."""
        width, height = self.width() / look.scale, self.height() / look.scale
        narrow, low = width < NARROW, height < SHORT
        self.tiles.fit(width)
        for chart in self._small_charts():
            chart.set_narrow(narrow)
        for part in (self._smoothing_label, self._smoothing):
            part.setHidden(narrow)
        self._unit.setHidden(narrow or not self.loss.has_bits())
        self._smoothing.setFixedWidth(look.px(64))
        self._small.setFixedHeight(look.px(SMALL_SHORT if low else SMALL))
        both = self._has_exams() and not self.samples.shows_all()
        stacked = both and narrow
        self.skills.setVisible(both)
        directions = QBoxLayout.Direction
        self._beside.setDirection(directions.TopToBottom if stacked else directions.LeftToRight)
        self._lower.setFixedHeight(look.px(2 * LOWER + GAP if stacked else LOWER))
        taller = LOWER + GAP if stacked else 0
        self._share_height(self._parts_shown(), below_the_fold=height < SHORT + taller)

    def _parts_shown(self) -> list[QWidget]:
        """One alone where that was asked for, two while there are no curves yet."""
        if self._expand.isChecked():
            return [self._loss_card]
        if self.samples.shows_all():
            return [self._lower]
        parts = self._parts()
        return list(parts if len(self.history) else parts[:2])

    def _share_height(self, shown: list[QWidget], below_the_fold: bool) -> None:
        """All that is left belongs to one part, the loss if it is shown; the last may lie below the fold."""
        for part in self._parts():
            part.setVisible(part in shown)
        grows = self._loss_card if self._loss_card in shown else self._lower
        beside = [part for part in shown if part is not grows]
        if below_the_fold and self._lower in beside:
            beside.remove(self._lower)
        margins = self._column.contentsMargins()
        taken = margins.top() + margins.bottom()
        for part in beside:
            taken += (part.minimumHeight() or part.sizeHint().height()) + self._column.spacing()
        grows.setFixedHeight(max(look.px(LEAST), self.height() - taken))


def _waiting_for(state: State) -> str:
    """What happens before the first step."""
    progress = state.progress.get("train") or state.progress.get("data")
    if not state.training:
        return "No steps yet"
    if state.run:
        return "Making the first step"
    if not progress:
        return "Getting ready"
    share = f" · {units.percent(progress.done / progress.total)}" if progress.total else ""
    return f"{progress.text}{share}"


def _peak(plan: TrainConfig) -> int:
    """The step at which the learning rate is highest, a corner of its curve."""
    return min(max(plan.warmup, 1), plan.steps)


def _norm_text(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else units.short(value)
