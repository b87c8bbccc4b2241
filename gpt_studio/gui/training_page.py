"""The Training page: the hero of the first launch, then the run's figures, curves and samples."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from gpt_studio.core import units
from gpt_studio.core.config import TrainConfig
from gpt_studio.core.events import Built, Evaluated, Opened, Sampled, Step
from gpt_studio.core.metrics import METRICS, History
from gpt_studio.core.schedule import learning_rate
from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.charts import Legend, LossChart, SmallChart
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.hero import Hero
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.run_tiles import RunTiles
from gpt_studio.gui.samples import SamplesCard
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.toggles import Slider
from gpt_studio.gui.widgets import Card, Label

READ_OUT = 250  # milliseconds between two updates of the figures
PLANNED = 240  # points of a planned curve
NARROW = 620  # below this: four tiles, short titles
SHORT = 640  # below this the samples fall below the fold
SMALL, SMALL_SHORT, SAMPLES, LEAST_LOSS = 126, 112, 186, 264  # heights


class TrainingPage(QWidget):
    """The page.

    Signals:
        train_wanted, open_wanted: start, or open a checkpoint.
        corpus_wanted, size_wanted, steps_wanted: lead to where these are chosen.
    """

    train_wanted = Signal()
    corpus_wanted = Signal()
    size_wanted = Signal()
    steps_wanted = Signal()
    open_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Training")
        self._state = State()
        self._planned: TrainConfig | None = None
        self.history = History()
        self.hero = Hero()
        self.tiles = RunTiles()
        self.loss = LossChart()
        self.rate = SmallChart("Learning rate", "LR", show=units.rate, axis=units.rate)
        self.norm = SmallChart("Gradient norm", "Grad. norm", show=lambda value: f"{value:.2f}")
        self.speed = SmallChart("Throughput", unit="/s")
        self.samples = SamplesCard()
        self._read_out = QTimer(self, interval=READ_OUT, singleShot=True)
        self._read_out.timeout.connect(self._show_figures)
        self._lay_out()
        self._connect()
        follow(self._fit)

    def _lay_out(self) -> None:
        self._loss_card = Card("Loss", actions=self._loss_actions())
        self._loss_card.head.insertWidget(1, Legend(self.loss), 3)
        self._loss_card.body.addWidget(self.loss, 1)
        self._small = QWidget()
        row = Row(spacing=10, parent=self._small)
        for chart in (self.rate, self.norm, self.speed):
            row.addWidget(chart, 1)
        board = QWidget()
        column = Column((16, 14, 16, 14), 10, board)
        for part in (self.tiles, self._loss_card, self._small, self.samples):
            column.addWidget(part)
        column.addStretch(1)
        self._pages = QStackedWidget()
        self._pages.addWidget(Scroll(self.hero))
        self._pages.addWidget(Scroll(board))
        Column(spacing=0, parent=self).addWidget(self._pages)

    def _loss_actions(self) -> Sequence[QWidget]:
        self._smoothing_label = Label("Smoothing", "small", "text2")
        self._smoothing = Slider("Smoothing", 0, 100)
        self._smoothing.setValue(round(100 * self.loss.smoothing()))
        self._scale = Segmented({"linear": "Linear", "log": "Log"}, "Scale of the loss", small=True)
        self._expand = ToolButton("expand", "Show the loss alone", checkable=True)
        return self._smoothing_label, self._smoothing, self._scale, self._expand

    def _connect(self) -> None:
        hero = self.hero
        hero.train_wanted.connect(self.train_wanted)
        hero.corpus_wanted.connect(self.corpus_wanted)
        hero.size_wanted.connect(self.size_wanted)
        hero.steps_wanted.connect(self.steps_wanted)
        hero.open_wanted.connect(self.open_wanted)
        self._smoothing.valueChanged.connect(lambda value: self.loss.set_smoothing(value / 100))
        self._scale.changed.connect(lambda name: self.loss.set_log(name == "log"))
        self._expand.toggled.connect(self._fit)
        self.loss.set_extras(self._facts_at)

    # ------------------------------------------------------------ facts

    def begin(self, built: Built) -> None:
        """A model was built: at its first step, begin new curves."""
        if built.step == 0:
            self._start(History())

    def load(self, opened: Opened) -> None:
        """Show the curves of an opened checkpoint."""
        self._start(opened.history)
        history = opened.history
        self._draw(history.steps, {metric.name: history.columns[metric.name] for metric in METRICS})
        for step, loss in zip(history.validation_steps, history.validation_losses, strict=True):
            self.loss.append_validation(step, loss)
        self.samples.add(list(history.samples))
        self._show_figures()

    def append(self, steps: Sequence[Step]) -> None:
        """Add training steps to the curves."""
        for step in steps:
            self.history.add_step(step.step, step.values)
        names = [metric.name for metric in METRICS]
        self._draw(
            [step.step for step in steps], {name: [step.values[name] for step in steps] for name in names}
        )
        self._schedule()

    def add_validation(self, evaluated: Evaluated) -> None:
        self.history.add_validation(evaluated.step, evaluated.loss)
        self.loss.append_validation(evaluated.step, evaluated.loss)
        self._schedule()

    def add_sample(self, sampled: Sampled) -> None:
        self.history.samples.append(sampled.sample)
        self.samples.add([sampled.sample])

    def mark(self, step: int, text: str, role: str) -> None:
        """Draw an event into the loss chart."""
        self.loss.mark_event(step, text, role)

    def clear(self) -> None:
        """Back to nothing learned."""
        self._start(History())

    def show_state(self, state: State) -> None:
        before, self._state = self._state, state
        board = state.model is not None or state.training
        self._pages.setCurrentIndex(int(board))
        if not board:
            self.hero.show_state(state)
            return
        self._show_plan()
        waiting = state.progress.get("train") or state.progress.get("data")
        self._loss_card.set_caption(waiting.text if waiting and state.training and not state.step else "")
        same_run = (before.running, before.paused) == (state.running, state.paused)
        if same_run and self._read_out.isActive():
            return
        if same_run:
            self._schedule()
        else:
            self._show_figures()

    def _start(self, history: History) -> None:
        self.history = history
        self.loss.start(self._state.config.train.steps)
        for chart in (self.rate, self.norm, self.speed):
            chart.clear()
        self._planned = None
        self._show_plan()
        self.samples.clear()
        self._show_figures()

    def _draw(self, steps: Sequence[int], columns: dict[str, Sequence[float]]) -> None:
        self.loss.append(steps, columns["loss"])
        self.rate.append(steps, columns["learning_rate"])
        self.norm.append(steps, columns["gradient_norm"])
        self.speed.append(steps, columns["tokens_per_second"])

    def _schedule(self) -> None:
        if not self._read_out.isActive():
            self._read_out.start()

    def _show_figures(self) -> None:
        self.tiles.show_run(self._state, self.history)

    def _show_plan(self) -> None:
        """The learning rate still to come, and where gradients are clipped."""
        plan = self._state.config.train
        if self._planned == plan or plan.problems():
            return
        self._planned = plan
        steps = [1 + round(k * (plan.steps - 1) / PLANNED) for k in range(PLANNED + 1)]
        self.rate.set_plan(steps, [learning_rate(plan, step) for step in steps])
        self.norm.set_limit(plan.gradient_clip or None)

    def _facts_at(self, step: int) -> list[tuple[str, str]]:
        """What the read-out says beside the losses of a step."""
        index = step - self.history.steps[0] if len(self.history) else -1
        if not 0 <= index < len(self.history):
            return []
        row = self.history.row(index)
        return [
            ("Tokens seen", units.short(row["tokens"])),
            ("Learning rate", units.rate(row["learning_rate"])),
        ]

    # ------------------------------------------------------------ size

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """What gives way first: tiles and titles in a narrow page, the samples in a low one."""
        width, height = self.width() / look.scale, self.height() / look.scale
        alone = self._expand.isChecked()
        narrow, low = width < NARROW, height < SHORT
        for part in (self.tiles, self._small, self.samples):
            part.setHidden(alone)
        self.tiles.set_narrow(narrow)
        for chart in (self.rate, self.norm, self.speed):
            chart.set_narrow(narrow)
        for part in (self._smoothing_label, self._smoothing):
            part.setHidden(narrow)
        self._smoothing.setFixedWidth(look.px(64))
        small = SMALL_SHORT if low else SMALL
        self._small.setFixedHeight(look.px(small))
        self.samples.setFixedHeight(look.px(SAMPLES))
        others = 28 if alone else 28 + 76 + 10 + small + 10 + (0 if low else SAMPLES + 10)
        self._loss_card.setFixedHeight(look.px(max(LEAST_LOSS, height - others)))
