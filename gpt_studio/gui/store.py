"""The only mutable state of the window: wishes come in, facts come back, everybody is told once a batch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import (
    Built,
    DataReport,
    DeviceUsed,
    Evaluated,
    Event,
    Failed,
    Finished,
    Forgotten,
    Generate,
    Generated,
    MemoryMeasured,
    New,
    Open,
    Opened,
    Order,
    Pause,
    Paused,
    Prepare,
    Progress,
    Ready,
    Request,
    Resume,
    Resumed,
    Sampled,
    Save,
    Saved,
    Started,
    Step,
    Stop,
    Stopped,
    Token,
    Train,
    UseDevice,
)
from gpt_studio.core.presets import Preset, first_config
from gpt_studio.core.settings import Value
from gpt_studio.gui.state import State

NO_MODEL: dict[str, Any] = {
    "model": None,
    "step": 0,
    "seconds_per_step": 0.0,
    "peak": 0,
    "begun_at": 0,
    "path": "",
    "saved_step": -1,
    "stopped_by": "",
}
UNDO_LEVELS = 200
ONE_EDIT = 1.0  # seconds within which edits of the same field are one step of undo


class Store(QObject):
    """Holds the state and turns wishes into requests, events into state.

    Signals:
        changed: the state is another one (State).
        built: there is a new model (Built); its curves begin.
        opened: a checkpoint was opened, with the curves so far (Opened).
        stepped: training steps of one batch of events (list[Step]).
        evaluated, sampled, failed, saved, forgotten: the event itself.
        spoke: what generating brought: Token or Generated.
        problem_focused: Train was wished for while a setting is wrong ("section.field").
    """

    changed = Signal(object)
    built = Signal(object)
    opened = Signal(object)
    stepped = Signal(object)
    evaluated = Signal(object)
    sampled = Signal(object)
    spoke = Signal(object)
    failed = Signal(object)
    saved = Signal(object)
    forgotten = Signal()
    problem_focused = Signal(str)

    def __init__(self, submit: Callable[[Request | Order], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = State()
        self._submit = submit
        self._undo: list[RunConfig] = []
        self._redo: list[RunConfig] = []
        self._last_edit: tuple[str, frozenset[str], float] = ("", frozenset(), 0.0)

    # ------------------------------------------------------------ wishes: settings

    def edit(self, section: str, changes: Mapping[str, Value]) -> None:
        """Change some fields of one section; one step of undo."""
        self._remember(section, frozenset(changes))
        self._set_config(self.state.config.changed(section, changes))

    def apply_preset(self, preset: Preset) -> None:
        self._remember("preset", frozenset({preset.name}))
        self._set_config(preset.apply(self.state.config))

    def reset(self) -> None:
        """Model and training settings as on the first launch."""
        self._remember("reset", frozenset())
        fresh = first_config()
        self._set_config(dataclasses.replace(self.state.config, model=fresh.model, train=fresh.train).changed(
            "data", {"tokenizer": fresh.data.tokenizer}
        ))  # fmt: skip

    def undo(self) -> None:
        self._travel(self._undo, self._redo)

    def redo(self) -> None:
        self._travel(self._redo, self._undo)

    def _travel(self, source: list[RunConfig], target: list[RunConfig]) -> None:
        if source and not self.state.training:
            target.append(self.state.config)
            self._last_edit = ("", frozenset(), 0.0)
            self._set_config(source.pop())

    def _remember(self, section: str, fields: frozenset[str]) -> None:
        now = time.monotonic()
        same = self._last_edit[:2] == (section, fields) and now - self._last_edit[2] < ONE_EDIT
        self._last_edit = (section, fields, now)
        if not same:
            self._undo = [*self._undo, self.state.config][-UNDO_LEVELS:]
            self._redo = []

    def _set_config(self, config: RunConfig) -> None:
        before = self.state.config.data
        self._update(config=config)
        if config.data != before:
            self.prepare()

    # ------------------------------------------------------------ wishes: work

    def prepare(self) -> None:
        """Read and tokenize the chosen corpora."""
        self._update(report=None)
        if self.state.config.data.corpora:
            self._submit(Prepare(self.state.config.data))
        else:
            self._submit(Stop("data"))

    def press_primary(self) -> None:
        """Train, pause or resume: whatever the run button says."""
        state = self.state
        if state.training:
            self._submit(Resume("train") if state.training_paused else Pause("train"))
        elif state.problems:
            self.problem_focused.emit(next(iter(state.problems)))
        else:
            self._submit(Train(state.config, resume=state.resumable))

    def stop_training(self) -> None:
        self._submit(Stop("train"))

    def ask(self, prompt: str, stop: str, turn: int) -> None:
        self._submit(Generate(prompt, self.state.config.sample, stop, turn))

    def stop_generating(self) -> None:
        self._submit(Stop("chat"))

    def save(self, path: str) -> None:
        self._file(Save(path))

    def open(self, path: str) -> None:
        self._file(Open(path))

    def new(self) -> None:
        self._file(New())

    def use_device(self, name: str) -> None:
        self._file(UseDevice(name))

    def _file(self, request: Request) -> None:
        self._update(filing=self.state.filing + 1)
        self._submit(request)

    # ------------------------------------------------------------ facts

    def happened(self, events: list[Event]) -> None:
        """Take in a batch of events: one new state, then everybody is told."""
        if any(isinstance(event, Opened) for event in events):
            self._remember("opened", frozenset())  # undo brings back the settings there were
        changes: dict[str, Any] = {}
        for event in events:
            changes |= self._learn(dataclasses.replace(self.state, **changes), event)
        if changes:
            self._update(**changes)
        self._tell(events)

    def _learn(self, state: State, event: Event) -> dict[str, Any]:
        """The fields of the state one event changes."""
        match event:
            case Ready(devices, device):
                return {"devices": devices, "device_name": device}
            case DeviceUsed(device):
                return {"device_name": device, "seconds_per_step": 0.0, "peak": 0}
            case Started(kind):
                begun: dict[str, Any] = {"running": state.running | {kind}}
                return begun | ({"stopped_by": "", "begun_at": state.step} if kind == "train" else {})
            case Finished(kind) | Stopped(kind) | Failed(kind):
                return self._ended(state, kind, type(event).__name__.lower())
            case Paused(kind):
                return {"paused": state.paused | {kind}}
            case Resumed(kind):
                return {"paused": state.paused - {kind}}
            case Progress(kind):
                return {"progress": {**state.progress, kind: event}}
            case DataReport() if event.data == state.config.data:
                return {"report": event}
            case Built(config):
                return NO_MODEL | {"config": config, "model": event, "progress": {}}
            case Step(step, values):
                tokens = state.config.train.effective_batch * state.config.model.max_length
                speed = values["tokens_per_second"]
                return {"step": step, "seconds_per_step": tokens / speed if speed else 0.0}
            case MemoryMeasured(peak):
                return {"peak": peak}
            case Saved(path, _, step):
                return {"path": path, "saved_step": step}
            case Opened():
                return NO_MODEL | self._opened(state, event)
            case Forgotten():
                return NO_MODEL
        return {}

    def _opened(self, state: State, opened: Opened) -> dict[str, Any]:
        config, step = opened.config, opened.step
        same_texts = state.report is not None and state.report.data == config.data
        return {
            "config": config,
            "model": Built(config, opened.parameters, opened.device, step),
            "path": opened.path,
            "step": step,
            "saved_step": step,
            "report": state.report if same_texts else None,
        }

    def _ended(self, state: State, kind: str, how: str) -> dict[str, Any]:
        progress = {other: event for other, event in state.progress.items() if other != kind}
        ended: dict[str, Any] = {
            "running": state.running - {kind},
            "paused": state.paused - {kind},
            "progress": progress,
        }
        if kind == "file":
            ended["filing"] = max(0, state.filing - 1)
        if kind == "train":
            ended["stopped_by"] = how if state.step > state.begun_at else ""  # else nothing had begun
        return ended

    def _tell(self, events: list[Event]) -> None:
        """Pass on the facts that are more than state, in their order; neighbouring steps together."""
        steps: list[Step] = []
        for event in events:
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
            case Built():
                self.built.emit(event)
            case Opened():
                self.opened.emit(event)
            case Evaluated():
                self.evaluated.emit(event)
            case Sampled():
                self.sampled.emit(event)
            case Token() | Generated():
                self.spoke.emit(event)
            case Failed():
                self.failed.emit(event)
            case Saved():
                self.saved.emit(event)
            case Forgotten():
                self.forgotten.emit()

    def _update(self, **changes: Any) -> None:
        self.state = dataclasses.replace(self.state, **changes)
        self.changed.emit(self.state)
