"""The only mutable state of the window: wishes come in, facts come back, everybody is told once a batch."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from gpt_studio.core import events, run_events
from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import (
    Built,
    Calibrated,
    Compared,
    DataReport,
    DemoOpened,
    Device,
    DeviceMeasured,
    DeviceUsed,
    Event,
    Failed,
    Finished,
    Forgotten,
    MemoryChecked,
    Opened,
    Paused,
    Progress,
    Ready,
    Resumed,
    Saved,
    Started,
    Stopped,
)
from gpt_studio.core.presets import Preset, first_config
from gpt_studio.core.requests import (
    Calibrate,
    CheckMemory,
    Compare,
    ExportTokenizer,
    Generate,
    New,
    Open,
    OpenDemo,
    Order,
    Pause,
    Prepare,
    ReadBatch,
    Request,
    Resume,
    Save,
    Stop,
    Train,
    UseDevice,
)
from gpt_studio.core.run_events import MemoryMeasured, Step
from gpt_studio.core.settings import Value
from gpt_studio.gui.state import State
from gpt_studio.gui.undo import Undo

log = logging.getLogger(__name__)
NO_MODEL: dict[str, Any] = {
    "model": None,
    "demo": False,
    "step": 0,
    "peak": 0,
    "begun_at": 0,
    "path": "",
    "saved_step": -1,
    "stopped_by": "",
}
TOLD = {  # events that are more than state, and the signal each comes by
    Built: "built", Opened: "opened", run_events.Evaluated: "evaluated", run_events.Examined: "examined",
    run_events.Sampled: "sampled", run_events.TextsChanged: "texts_changed", events.Token: "spoke",
    events.Generated: "spoke", Failed: "failed", Saved: "saved", events.Exported: "exported",
    Compared: "compared", events.BatchRead: "batch_read",
}  # fmt: skip
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
    forgotten = Signal()
    problem_focused = Signal(str)

    def __init__(self, submit: Callable[[Request | Order], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = State()
        self._submit = submit
        self._undo = Undo()
        self._precision_chosen = False  # by hand or by a file; else it follows the device
        self._filed: list[Request] = []  # wishes about files and devices that are not done yet

    # ------------------------------------------------------------ wishes: settings

    def edit(self, section: str, changes: Mapping[str, Value]) -> None:
        """Change some fields of one section; one step of undo."""
        self._undo.remember(self.state.config, section, frozenset(changes))
        self._precision_chosen |= section == "train" and "precision" in changes
        self._set_config(self.state.config.changed(section, changes))

    def apply_preset(self, preset: Preset) -> None:
        self._undo.remember(self.state.config, "preset", frozenset({preset.name}))
        self._set_config(preset.apply(self.state.config))

    def use(self, config: RunConfig) -> None:
        """Take a config as it is, such as one made to fit; one step of undo."""
        self._undo.remember(self.state.config, "")
        self._set_config(config)

    def reset(self) -> None:
        """Model and training settings as on the first launch."""
        self._undo.remember(self.state.config, "reset")
        self._precision_chosen = False
        fresh = first_config()
        self._set_config(dataclasses.replace(self.state.config, model=fresh.model, train=fresh.train).changed(
            "data", {"tokenizer": fresh.data.tokenizer}
        ))  # fmt: skip

    def undo(self) -> None:
        self._travel(self._undo.back)

    def redo(self) -> None:
        self._travel(self._undo.forth)

    def _travel(self, there: Callable[[RunConfig], RunConfig]) -> None:
        if not self.state.training:
            self._set_config(there(self.state.config))

    def _set_config(self, config: RunConfig) -> None:
        config = self._fitted(config, self.state.report, self.state.device)
        if config.data == self.state.config.data:
            self._update(config=config)
        else:
            self._update(config=config, report=None)  # at once: nobody may take it for one of these texts
            self.prepare()

    def _fitted(self, config: RunConfig, report: DataReport | None, device: Device | None) -> RunConfig:
        """The config with what follows from the texts read and from the device."""
        if report and report.data == config.data:
            config = config.changed("model", {"vocab_size": report.vocab_size})
        if device and not self._precision_chosen:
            config = config.changed("train", {"precision": device.precisions[0]})
        return config

    # ------------------------------------------------------------ wishes: work

    def prepare(self) -> None:
        """Read and tokenize the chosen corpora."""
        self._update(report=None)
        data = self.state.config.data
        usable = data.corpora and not data.problems()
        self._submit(Prepare(data) if usable else Stop("data"))
        for kind in self.state.running & {"compare", "batch"}:  # it is about other texts
            self._submit(Stop(kind))

    def cancel_data(self) -> None:
        """Read no further."""
        self._submit(Stop("data"))

    def compare(self) -> None:
        """See what each tokenizer makes of the chosen corpora."""
        self._submit(Compare(self.state.config.data))

    def read_batch(self) -> None:
        """See the first batch, as the model will."""
        self._submit(ReadBatch(self.state.config))

    def press_primary(self) -> None:
        """Train, pause or resume: whatever the run button says."""
        state = self.state
        if state.training:
            self._submit(Resume("train") if state.training_paused else Pause("train"))
        elif state.problems:
            self.problem_focused.emit(next(iter(state.problems)))
        else:
            if "calibrate" in state.running:
                self._submit(Stop("calibrate"))
            self._submit(Train(self._trained(state), resume=state.resumable))

    def _trained(self, state: State) -> RunConfig:
        """The config to train with. What is left to the device a run decides once, when it begins."""
        if state.run and state.resumable and state.config.train.attention == "auto":
            return state.config.changed("train", {"attention": state.run.config.train.attention})
        return state.resolved(state.config)

    def stop_training(self) -> None:
        self._submit(Stop("train"))

    def calibrate(self) -> None:
        """Measure how fast the device is with the settings there are."""
        self._submit(Calibrate(self.state.config))

    def check_memory(self) -> None:
        """Find the exact peak of a training step with the settings there are."""
        self._update(checked=None, check_failure="")
        self._submit(CheckMemory(self.state.resolved(self.state.config)))

    def ask(self, prompt: str, stop: str, turn: int) -> None:
        self._submit(Generate(prompt, self.state.config.sample, stop, turn))

    def stop_generating(self) -> None:
        self._submit(Stop("chat"))

    def save(self, path: str) -> None:
        self._file(Save(path))

    def open(self, path: str) -> None:
        self._file(Open(path))

    def export_tokenizer(self, path: str) -> None:
        self._file(ExportTokenizer(self.state.config.data, path))

    def new(self) -> None:
        """Forget the model; the demo model takes its place."""
        self._file(New())
        self.open_demo()

    def open_demo(self) -> None:
        """Have a model to talk to. Where there is none, that is only logged."""
        self._file(OpenDemo())

    def use_device(self, name: str) -> None:
        self._file(UseDevice(name))

    def _file(self, request: Request) -> None:
        self._filed.append(request)
        self._update(filing=self._filing())
        self._submit(request)

    # ------------------------------------------------------------ facts

    def happened(self, batch: list[Event]) -> None:
        """Take in a batch of events: one new state, then everybody is told."""
        if any(isinstance(event, Opened) for event in batch):
            self._undo.remember(self.state.config, "opened")  # undo brings back the settings there were
            self._precision_chosen = True
        batch = [self._filed_away(event) for event in batch]
        changes: dict[str, Any] = {}
        for event in batch:
            changes |= self._learn(dataclasses.replace(self.state, **changes), event)
        if changes:
            self._update(**changes)
        self._tell(batch)

    def _filed_away(self, event: Event) -> Event:
        """Note that a wish about files is done. One for a demo model that is not there just ends."""
        ended = isinstance(event, Finished | Stopped | Failed) and event.kind == "file"
        request = self._filed.pop(0) if ended and self._filed else None  # they are done in their order
        if isinstance(event, Failed) and isinstance(request, OpenDemo):
            log.warning("No demo model: %s %s", event.what, event.detail)
            return Stopped(event.kind)
        return event

    def _learn(self, state: State, event: Event) -> dict[str, Any]:
        """The fields of the state one event changes."""
        match event:
            case Ready(devices, device):
                return self._on_device(dataclasses.replace(state, devices=devices), device)
            case DeviceMeasured(device):
                known = (device if other.name == device.name else other for other in state.devices)
                return {"devices": tuple(known)}
            case DeviceUsed(device):
                return self._on_device(state, device) | {"seconds_per_step": 0.0, "peak": 0}
            case Started(kind):
                begun: dict[str, Any] = {"running": state.running | {kind}}
                return begun | ({"stopped_by": "", "begun_at": state.step} if kind == "train" else {})
            case Finished(kind) | Stopped(kind) | Failed(kind):
                failed = (
                    {"check_failure": event.what} if isinstance(event, Failed) and kind == "check" else {}
                )
                return self._ended(state, kind, type(event).__name__.lower()) | failed
            case Paused(kind):
                return {"paused": state.paused | {kind}}
            case Resumed(kind):
                return {"paused": state.paused - {kind}}
            case Progress(kind):
                return {"progress": {**state.progress, kind: event}}
            case DataReport() if event.data == state.config.data:
                return {"report": event, "config": self._fitted(state.config, event, state.device)}
            case Built(config):
                attention = {"attention": state.config.train.attention}  # "auto" stays so in the form
                shown = config.changed("train", attention)
                built = {"config": shown, "model": event, "seconds_per_step": 0.0, "progress": {}}
                return NO_MODEL | built
            case Step(step, values):
                tokens = state.config.train.effective_batch * state.config.model.max_length
                speed = values["tokens_per_second"]
                took = tokens / speed if speed else 0.0
                return {"step": step, "seconds_per_step": took, "timed": state.config}
            case MemoryMeasured(peak):
                return {"peak": peak}
            case Calibrated(speed):
                return {"speeds": {**state.speeds, (speed.device, speed.shape): speed}}
            case MemoryChecked():
                return {"checked": event}
            case Saved(path, _, step):
                return {"path": path, "saved_step": step}
            case Opened():
                return NO_MODEL | self._opened(state, event)
            case DemoOpened(model):
                return NO_MODEL | {"model": model, "demo": True}
            case Forgotten():
                return NO_MODEL
        return {}

    def _on_device(self, state: State, name: str) -> dict[str, Any]:
        state = dataclasses.replace(state, device_name=name)
        config = self._fitted(state.config, state.report, state.device)
        return {"devices": state.devices, "device_name": name, "config": config}

    def _opened(self, state: State, opened: Opened) -> dict[str, Any]:
        config, step, history = opened.config, opened.step, opened.history
        same_texts = state.report is not None and state.report.data == config.data
        return {
            "config": config,
            "model": Built(config, opened.parameters, opened.device, step, history.bytes_per_token),
            "path": opened.path,
            "seconds_per_step": 0.0,
            "step": step,
            "saved_step": step,
            "report": state.report if same_texts else None,
        }

    def _filing(self) -> int:
        """How many wishes closing has to wait for: nobody waits for the demo model."""
        return sum(not isinstance(request, OpenDemo) for request in self._filed)

    def _ended(self, state: State, kind: str, how: str) -> dict[str, Any]:
        running = state.running - {kind}
        over = {kind} if running - {"chat"} else {kind, "data"}  # any job but a chat may have read texts
        ended: dict[str, Any] = {
            "running": running,
            "paused": state.paused - {kind},
            "progress": {other: event for other, event in state.progress.items() if other not in over},
        }
        if kind == "file":
            ended["filing"] = self._filing()
        if kind == "train":
            ended["stopped_by"] = how if state.step > state.begun_at else ""  # else nothing had begun
        return ended

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
            case _ if type(event) in TOLD:
                getattr(self, TOLD[type(event)]).emit(event)

    def _update(self, **changes: Any) -> None:
        self.state = dataclasses.replace(self.state, **changes)
        self.changed.emit(self.state)
