"""The only mutable state of the window: wishes come in, facts come back, everybody is told once a batch."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from gpt_studio.core import events, requests, run_events
from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import Compared, Event, Failed, Finished, Forgotten, Opened, Paused, Stopped
from gpt_studio.core.presets import Preset, first_config
from gpt_studio.core.requests import Order, Request
from gpt_studio.core.run_events import Marked, PlanChanged, Step
from gpt_studio.core.settings import Value
from gpt_studio.gui.facts import fitted, learn
from gpt_studio.gui.state import State
from gpt_studio.gui.undo import Undo

log = logging.getLogger(__name__)
TOLD = {  # events that are more than state, and the signal each comes by
    events.Built: "built", Opened: "opened", run_events.Evaluated: "evaluated",
    run_events.Examined: "examined", run_events.Sampled: "sampled",
    run_events.TextsChanged: "texts_changed", events.Token: "spoke", events.Generated: "spoke",
    Failed: "failed", events.Saved: "saved", events.Exported: "exported",
    Compared: "compared", events.BatchRead: "batch_read", run_events.RunBegun: "run_begun",
    run_events.Resources: "resources", run_events.StoppedEarly: "stopped_early",
    run_events.Kept: "kept", run_events.NotKept: "not_kept", run_events.KeptAgain: "kept_again",
}  # fmt: skip
NOTHING_TO_LEARN = Failed(
    "queue", "No corpus is chosen.", tries="Choose one on the Data page, or add a text file."
)
QUIET = ("calibrate", "check")  # jobs whose failures need no banner: the estimate says what is not known


class Store(QObject):
    """Holds the state and turns wishes into requests, events into state.

    Signals:
        changed: the state is another one (State).
        built: there is a new model (Built); its curves begin.
        opened: a checkpoint was opened, with the curves so far (Opened).
        stepped: training steps of one batch of events (list[Step]).
        evaluated, examined, sampled, texts_changed, failed, saved, exported, forgotten: the event itself.
        compared, batch_read: what was wished to be seen of the texts (Compared, BatchRead).
        marked: something happened to the run that the curves should tell (Mark).
        run_begun, resources, stopped_early, kept, not_kept, kept_again: the event itself.
        spoke: what generating brought: Token or Generated.
        problem_focused: Train was wished for while a setting is wrong ("section.field").
    """

    changed = Signal(object)
    built = Signal(object)
    opened = Signal(object)
    stepped = Signal(object)
    evaluated = Signal(object)
    examined = Signal(object)
    sampled = Signal(object)
    texts_changed = Signal(object)
    spoke = Signal(object)
    failed = Signal(object)
    saved = Signal(object)
    exported = Signal(object)
    compared = Signal(object)
    batch_read = Signal(object)
    marked = Signal(object)
    run_begun = Signal(object)
    resources = Signal(object)
    stopped_early = Signal(object)
    kept = Signal(object)
    not_kept = Signal(object)
    kept_again = Signal(object)
    forgotten = Signal()
    problem_focused = Signal(str)

    def __init__(self, submit: Callable[[Request | Order], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = State()
        self._submit = submit
        self._undo = Undo()
        self._filed: list[Request] = []  # wishes about files and devices that are not done yet

    # ------------------------------------------------------------ wishes: settings

    def edit(self, section: str, changes: Mapping[str, Value]) -> None:
        """Change some fields of one section; one step of undo. While training only what may change then."""
        config = self.state.config.changed(section, changes)
        chosen = section == "train" and "precision" in changes
        self._take(config, section, frozenset(changes), self.state.precision_chosen or chosen)

    def apply_preset(self, preset: Preset) -> None:
        self._take(preset.apply(self.state.config), "preset", frozenset({preset.name}))

    def use(self, config: RunConfig) -> None:
        """Take a config as it is, such as one made to fit; one step of undo."""
        self._take(config, "")

    def reset(self) -> None:
        """Model and training settings as on the first launch."""
        fresh = first_config()
        config = dataclasses.replace(self.state.config, model=fresh.model, train=fresh.train).changed(
            "data", {"tokenizer": fresh.data.tokenizer}
        )
        self._take(config, "reset", precision_chosen=False)

    def undo(self) -> None:
        self._set_config(self._undo.back(self.state.config, self._may_be))

    def redo(self) -> None:
        self._set_config(self._undo.forth(self.state.config, self._may_be))

    def _may_be(self, config: RunConfig) -> bool:
        state = self.state
        return state.may_become(fitted(state, config, state.report, state.device))

    def _take(
        self,
        config: RunConfig,
        what: str,
        fields: frozenset[str] = frozenset(),
        precision_chosen: bool | None = None,
    ) -> None:
        """Put a config in the place of the one there is, if that may be now; `what` changes is remembered."""
        if not self.state.may_become(config):
            return
        self._undo.remember(self.state.config, what, fields)
        if precision_chosen is not None:
            self.state = dataclasses.replace(self.state, precision_chosen=precision_chosen)
        self._set_config(config)

    def _set_config(self, config: RunConfig) -> None:
        config = fitted(self.state, config, self.state.report, self.state.device)
        if config.data == self.state.config.data:
            self._update(config=config)
        else:
            self._update(config=config, report=None)  # at once: nobody may take it for one of these texts
            self.prepare()

    # ------------------------------------------------------------ wishes: work

    def prepare(self) -> None:
        """Read and tokenize the chosen corpora."""
        self._update(report=None)
        data = self.state.config.data
        usable = data.corpora and not data.problems()
        self._submit(requests.Prepare(data) if usable else requests.Stop("data"))
        for kind in self.state.running & {"compare", "batch"}:  # it is about other texts
            self._submit(requests.Stop(kind))

    def cancel_data(self) -> None:
        """Read no further."""
        self._submit(requests.Stop("data"))

    def compare(self) -> None:
        """See what each tokenizer makes of the chosen corpora."""
        self._submit(requests.Compare(self.state.config.data))

    def read_batch(self) -> None:
        """See the first batch, as the model will."""
        self._submit(requests.ReadBatch(self.state.config))

    def press_primary(self) -> None:
        """Train, pause or resume: whatever the run button says."""
        state = self.state
        if state.training and not state.training_paused:
            self._submit(requests.Pause("train"))
        elif not self._focused_on_problem():
            if state.training:
                self._replan()
                self._submit(requests.Resume("train"))
            else:
                self._train(self._trained(state), resume=state.resumable)

    def _focused_on_problem(self) -> bool:
        """Whether a setting has to be mended first; if so, point at it."""
        problems = self.state.problems
        if problems:
            self.problem_focused.emit(next(iter(problems)))
        return bool(problems)

    def _train(self, config: RunConfig, resume: bool = False) -> None:
        if "calibrate" in self.state.running:
            self._submit(requests.Stop("calibrate"))
        self._submit(requests.Train(config, resume=resume))

    def _trained(self, state: State) -> RunConfig:
        """The config to train with. What is left to the device a run decides once, when it begins."""
        if state.run and state.resumable and state.config.train.attention == "auto":
            return state.config.changed("train", {"attention": state.run.config.train.attention})
        return state.resolved(state.config)

    def _replan(self) -> None:
        """Let the run in training go on by the plan in the form, if that is another one than its own."""
        plan = self.state.plan
        if self.state.run and plan != self.state.run.config.train:
            self._submit(requests.Replan(plan))

    def advance(self) -> None:
        """Do one step of a run that is paused."""
        if self.state.training_paused and not self._focused_on_problem():
            self._replan()
            self._submit(requests.Advance("train"))

    def steer(self, changes: Mapping[str, Value]) -> None:
        """Change the plan of a run in training at once, without a pause: settings with `live` alone."""
        self._undo.remember(self.state.config, "train", frozenset(changes))
        self._update(config=self.state.config.changed("train", changes))
        self._replan()

    def sample_now(self) -> None:
        """Have the run's samples written now."""
        if self.state.run:
            self._submit(requests.SampleNow())

    def stop_training(self) -> None:
        self._submit(requests.Stop("train"))

    # ------------------------------------------------------------ wishes: the queue

    def enqueue(self) -> None:
        """Train by the settings there are later, after the runs that wait already."""
        if self._focused_on_problem():
            return
        if self.state.config.data.corpora:
            self._update(queue=(*self.state.queue, self.state.config))
        else:
            self.failed.emit(NOTHING_TO_LEARN)

    def unqueue(self, index: int) -> None:
        """Take a run out of the queue."""
        queue = self.state.queue
        self._update(queue=queue[:index] + queue[index + 1 :])

    def set_queue(self, queue: tuple[RunConfig, ...]) -> None:
        """Take in what was remembered of an earlier day."""
        self._update(queue=queue)

    def start_queue(self) -> None:
        """Train the first run that waits, with a new model."""
        if self.state.training or not self.state.queue:
            return
        config, *rest = self.state.queue
        self._take(config, "queue", precision_chosen=True)
        self._update(queue=tuple(rest))
        if not self._focused_on_problem():  # such as a precision this device does not have
            self._submit(requests.Stop("calibrate"))  # which the end of the last run may just have begun
            self._train(self.state.resolved(self.state.config))

    def calibrate(self) -> None:
        """Measure how fast the device is with the settings there are."""
        self._submit(requests.Calibrate(self.state.config))

    def check_memory(self) -> None:
        """Find the exact peak of a training step with the settings there are."""
        self._update(checked=None, check_failure="")
        self._submit(requests.CheckMemory(self.state.resolved(self.state.config)))

    def ask(self, prompt: str, stop: str, turn: int) -> None:
        self._submit(requests.Generate(prompt, self.state.config.sample, stop, turn))

    def stop_generating(self) -> None:
        self._submit(requests.Stop("chat"))

    def save(self, path: str) -> None:
        self._file(requests.Save(path))

    def open(self, path: str) -> None:
        self._file(requests.Open(path))

    def fork(self, path: str) -> None:
        """Open a checkpoint so that training it makes a run of its own."""
        self._file(requests.Open(path, fork=True))

    def name_run(self, name: str) -> None:
        """The run at hand is called so now."""
        if name != self.state.run_name:
            self._update(run_name=name)

    def export_tokenizer(self, path: str) -> None:
        self._file(requests.ExportTokenizer(self.state.config.data, path))

    def new(self) -> None:
        """Forget the model; the demo model takes its place."""
        self._file(requests.New())
        self.open_demo()

    def open_demo(self) -> None:
        """Have a model to talk to. Where there is none, that is only logged."""
        self._file(requests.OpenDemo())

    def use_device(self, name: str) -> None:
        self._file(requests.UseDevice(name))

    def _file(self, request: Request) -> None:
        self._filed.append(request)
        self._update(filing=self._filing())
        self._submit(request)

    # ------------------------------------------------------------ facts

    def happened(self, batch: list[Event]) -> None:
        """Take in a batch of events: one new state, then everybody is told."""
        if any(isinstance(event, Opened) for event in batch):
            self._undo.remember(self.state.config, "opened")  # undo brings back the settings there were
        batch = [self._filed_away(event) for event in batch]
        changes: dict[str, Any] = {}
        for event in batch:
            changes |= learn(dataclasses.replace(self.state, **changes), event)
        if changes:
            self._update(**changes, filing=self._filing())
        self._tell(batch)
        self._follow(batch)

    def _follow(self, batch: list[Event]) -> None:
        """What a pause and the end of a run bring with them."""
        for event in batch:
            match event:
                case Paused("train") if self.state.writing:
                    self._file(requests.Keep())
                case Finished("train") | Failed("train") if not self.state.unsaved:
                    self.start_queue()

    def _filed_away(self, event: Event) -> Event:
        """Note that a wish about files is done. One for a demo model that is not there just ends."""
        ended = isinstance(event, Finished | Stopped | Failed) and event.kind == "file"
        request = self._filed.pop(0) if ended and self._filed else None  # they are done in their order
        if isinstance(event, Failed) and isinstance(request, requests.OpenDemo):
            log.warning("No demo model: %s %s", event.what, event.detail)
            return Stopped(event.kind)
        return event

    def _filing(self) -> int:
        """How many wishes closing has to wait for: nobody waits for the demo model."""
        return sum(not isinstance(request, requests.OpenDemo) for request in self._filed)

    def _tell(self, batch: list[Event]) -> None:
        """Pass on the facts that are more than state, in their order; neighbouring steps together."""
        steps: list[Step] = []
        for event in batch:
            if isinstance(event, Step):
                steps.append(event)
                continue
            if steps:
                self.stepped.emit(steps)
                steps = []
            self._tell_one(event)
        if steps:
            self.stepped.emit(steps)

    def _tell_one(self, event: Event) -> None:
        match event:
            case Compared() if event.data != self.state.config.data:
                pass  # it is about other texts than those chosen now
            case Failed(kind) if kind in QUIET:
                log.warning("%s: %s %s", kind, event.what, event.detail)
            case Forgotten():
                self.forgotten.emit()
            case Marked(mark) | PlanChanged(_, mark):
                self.marked.emit(mark)
            case _ if type(event) in TOLD:
                getattr(self, TOLD[type(event)]).emit(event)

    def _update(self, **changes: Any) -> None:
        self.state = told = dataclasses.replace(self.state, **changes)
        self.changed.emit(told)
        if self.state is not told:  # who heard of it changed more: nobody is left with what was before
            self.changed.emit(self.state)
