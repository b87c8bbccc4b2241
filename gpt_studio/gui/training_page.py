"""The Training page: the hero of the first launch, then the run's figures, curves, samples and skills."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QStackedWidget, QWidget

from gpt_studio.core import units, world
from gpt_studio.core.config import RunConfig
from gpt_studio.core.doctor import diagnose
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Built, DataReport, Opened
from gpt_studio.core.forecast import forecast
from gpt_studio.core.metrics import History, Mark
from gpt_studio.core.run_events import Evaluated, Examined, Resources, Sampled, Step
from gpt_studio.core.runner import failure
from gpt_studio.gui.curve_row import GAP, CurveRow
from gpt_studio.gui.doctor_card import DoctorCard
from gpt_studio.gui.hero import Hero
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.linking import link_cursors, link_steps
from gpt_studio.gui.loss_card import LossCard
from gpt_studio.gui.marks import ROLES
from gpt_studio.gui.reference_lines import references
from gpt_studio.gui.run_tiles import NARROW, RunTiles
from gpt_studio.gui.samples import SamplesCard
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.skills import SkillsCard
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look

READ_OUT = 250  # milliseconds between two updates of the figures
DIAGNOSE = 2000  # milliseconds between two looks of the doctor
SHORT = 712  # below this samples and skills fall below the fold
LOWER, LEAST = 186, 264  # heights; the least is the loss card's
RESIZED = (QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.LayoutRequest)


class TrainingPage(QWidget):
    """The page.

    Signals:
        train_wanted, open_wanted: start, or open a checkpoint.
        corpus_wanted, size_wanted, steps_wanted: lead to where these are chosen.
        sample_wanted: write a sample now.
        remedy_chosen: what the doctor suggests is wanted (Remedy).
        failed: a chart was not exported (Failed).
    """

    train_wanted = Signal()
    corpus_wanted = Signal()
    size_wanted = Signal()
    steps_wanted = Signal()
    open_wanted = Signal()
    sample_wanted = Signal()
    remedy_chosen = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Training")
        self._state = State()
        self._config = self._state.config  # what the curves were made with: settings may move on
        self.history = History()
        self.hero = Hero()
        self.tiles = RunTiles()
        self.doctor = DoctorCard()
        self.loss_card = LossCard()
        self.loss = self.loss_card.chart
        self.curves = CurveRow()
        self.samples = SamplesCard()
        self.skills = SkillsCard()
        self._read_out = QTimer(self, interval=READ_OUT, singleShot=True)
        self._read_out.timeout.connect(self._show_figures)
        self._diagnose = QTimer(self, interval=DIAGNOSE, singleShot=True)
        self._diagnose.timeout.connect(self._ask_doctor)
        self._lay_out()
        self._connect()
        follow(self._fit)

    def _lay_out(self) -> None:
        self._lower = QWidget()
        self._beside = Row(spacing=GAP, parent=self._lower)
        self._beside.addWidget(self.samples, 1)
        self._beside.addWidget(self.skills, 1)
        board = QWidget()
        column = self._column = Column((16, 14, 16, 14), GAP, board)
        for part in self._parts():
            column.addWidget(part)
        column.insertWidget(1, self.doctor)
        self.doctor.installEventFilter(self)
        column.addStretch(1)
        self._pages = QStackedWidget()
        self._pages.addWidget(Scroll(self.hero))
        self._pages.addWidget(Scroll(board))
        Column(spacing=0, parent=self).addWidget(self._pages)

    def _parts(self) -> tuple[QWidget, ...]:
        """From top to bottom."""
        return self.tiles, self.loss_card, self.curves, self._lower

    def _connect(self) -> None:
        hero = self.hero
        hero.train_wanted.connect(self.train_wanted)
        hero.corpus_wanted.connect(self.corpus_wanted)
        hero.size_wanted.connect(self.size_wanted)
        hero.steps_wanted.connect(self.steps_wanted)
        hero.open_wanted.connect(self.open_wanted)
        self.loss.smoothing_changed.connect(self._schedule)
        self.loss_card.alone_wanted.connect(self._fit)
        self.samples.all_wanted.connect(self._show_all_samples)
        self.samples.sample_wanted.connect(self.sample_wanted)
        self.doctor.remedy_chosen.connect(self.remedy_chosen)
        self.loss.set_extras(self._facts_at)
        stepped = (self.loss, *self.curves.charts())
        link_steps(stepped)
        link_cursors((*stepped, self.skills.chart))
        for chart in stepped:
            self.loss.everything_changed.connect(chart.set_everything)
            chart.failed.connect(self._tell_failure)
        self.skills.chart.failed.connect(self._tell_failure)

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
        self.loss.append(history.steps, history.columns["loss"])
        self.curves.append(history.steps, history.columns)
        for step, loss in zip(history.validation_steps, history.validation_losses, strict=True):
            self.loss.append_validation(step, loss)
        self.curves.add_resources(history.resource_steps, history.resources)
        for mark in history.marks:
            self._draw_mark(mark)
        self._fit()
        self.samples.add(history.samples)
        self.skills.add(history.exams)
        self._show_figures()
        self._ask_doctor()

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
        numbers = [step.step for step in steps]
        self.loss.append(numbers, columns["loss"])
        self.curves.append(numbers, columns)
        if first:
            self._show_figures()
        else:
            self._schedule()
        if not self._diagnose.isActive():
            self._diagnose.start()

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

    def add_mark(self, mark: Mark) -> None:
        """Something happened to the run."""
        self.history.marks.append(mark)
        self._draw_mark(mark)

    def _draw_mark(self, mark: Mark) -> None:
        self.mark(mark.step, mark.text, ROLES.get(mark.kind, "text3"))

    def mark(self, step: int, text: str, role: str) -> None:
        """Draw an event into the loss chart that is not one of the run's own, such as a file written."""
        self.loss.mark_event(step, text, role)

    def add_resources(self, resources: Resources) -> None:
        """What training takes of the machine by now."""
        self.history.add_resources(resources.step, resources.values)
        columns = {name: column[-1:] for name, column in self.history.resources.items()}
        first = self.curves.machine.is_empty()
        self.curves.add_resources([resources.step], columns)
        if first:
            self._fit()

    def show_all(self) -> None:
        """End showing the loss alone."""
        self.loss_card.expand.setChecked(False)

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
        self.samples.set_can_sample(state.run is not None)
        followed = state.training or state.resumable or state.run is None
        self.curves.show_plan(state.config.train if followed else self._config.train)
        self._show_waiting()
        if (before.report, before.config) != (state.report, state.config):
            self._show_expected()
        if (before.running, before.paused, before.model) != (state.running, state.paused, state.model):
            self._show_figures()
            self._show_expected()
            if before.training and not state.training:
                self._ask_doctor()
        else:
            self._schedule()

    def _start(self, config: RunConfig, history: History) -> None:
        self.history = history
        self._config = config
        self._diagnose.stop()
        self.doctor.forget()
        self.loss.start(config.train.steps, history.bytes_per_token)
        self.curves.clear()
        self.curves.show_plan(config.train)
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
        if self.loss_card.set_waiting("" if len(self.history) else _waiting_for(self._state)):
            self._fit()

    def _schedule(self) -> None:
        if not self._read_out.isActive():
            self._read_out.start()

    def _show_figures(self) -> None:
        self._show_waiting()
        self.tiles.show_run(self._state, self._config, self.history, self.loss.smoothed())

    def _ask_doctor(self) -> None:
        """What the curves so far suffer from."""
        self.doctor.show_diagnoses(diagnose(self._config, self.history, self._report()))

    def _report(self) -> DataReport | None:
        """What reading the run's own texts came to."""
        report = self._state.report
        return report if report and report.data == self._config.data else None

    def _show_expected(self) -> None:
        """Where the last validation loss is expected by the curve so far, and what to compare with."""
        report, config = self._report(), self._config
        ahead = (
            not self.history or self.history.steps[-1] < config.train.steps
        )  # later there is no more to expect
        band = forecast(config, report, self.history) if ahead and report else None
        self.loss.set_total(config.train.steps)
        self.loss.set_expected((band.low, band.high) if band else None)
        self.loss.set_references(references(config, report))
        self.loss_card.legend.update()

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

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.doctor and event.type() in RESIZED:
            QTimer.singleShot(0, self, self._fit)
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """What gives way first: tiles and titles in a narrow page, samples and skills in a low one."""
        width, height = self.width() / look.scale, self.height() / look.scale
        narrow, low = width < NARROW, height < SHORT
        self.tiles.fit(width)
        self.loss_card.fit(narrow)
        self.curves.fit(narrow, low)
        both = self._has_exams() and not self.samples.shows_all()
        stacked = both and narrow
        self.skills.setVisible(both)
        directions = QBoxLayout.Direction
        self._beside.setDirection(directions.TopToBottom if stacked else directions.LeftToRight)
        self._lower.setFixedHeight(look.px(2 * LOWER + GAP if stacked else LOWER))
        taller = LOWER + GAP if stacked else 0
        self._share_height(self._parts_shown(), below_the_fold=height < SHORT + taller)

    def _fit_doctor(self) -> int:
        """As high as its text needs in this width: its layout asks for more. Returns what it takes."""
        if self.doctor.isHidden():
            return 0
        margins = self._column.contentsMargins()
        width = self.width() - margins.left() - margins.right()
        height = self.doctor.heightForWidth(width)
        self.doctor.setFixedHeight(height)
        return height + self._column.spacing()

    def _parts_shown(self) -> list[QWidget]:
        """One alone where that was asked for, two while there are no curves yet."""
        if self.loss_card.expand.isChecked():
            return [self.loss_card]
        if self.samples.shows_all():
            return [self._lower]
        parts = self._parts()
        return list(parts if len(self.history) else parts[:2])

    def _share_height(self, shown: list[QWidget], below_the_fold: bool) -> None:
        """All that is left belongs to one part, the loss if it is shown; the last may lie below the fold."""
        for part in self._parts():
            part.setVisible(part in shown)
        grows = self.loss_card if self.loss_card in shown else self._lower
        beside = [part for part in shown if part is not grows]
        if below_the_fold and self._lower in beside:
            beside.remove(self._lower)
        margins = self._column.contentsMargins()
        taken = margins.top() + margins.bottom() + self._fit_doctor()
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
