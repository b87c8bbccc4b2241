"""What each fact from the engine makes of the state: one pure function, without signals or wishes."""

from __future__ import annotations

import dataclasses
from typing import Any

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import (
    Built,
    Calibrated,
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
from gpt_studio.core.run_events import (
    Kept,
    KeptAgain,
    MemoryMeasured,
    NotKept,
    PlanChanged,
    RunBegun,
    Step,
    StoppedEarly,
)
from gpt_studio.gui.state import State

Changes = dict[str, Any]
NO_MODEL: Changes = {
    "model": None,
    "demo": False,
    "step": 0,
    "peak": 0,
    "begun_at": 0,
    "path": "",
    "saved_step": -1,
    "folder": "",
    "run_name": "",
    "kept_step": -1,
    "cut_off": False,
    "not_kept": "",
    "early": None,
    "stopped_by": "",
}


def learn(state: State, event: Event) -> Changes:
    """The fields of the state one event changes."""
    match event:
        case Ready(devices, device):
            return _on_device(dataclasses.replace(state, devices=devices), device)
        case DeviceMeasured(device):
            return {"devices": tuple(device if o.name == device.name else o for o in state.devices)}
        case DeviceUsed(device):
            return _on_device(state, device) | {"seconds_per_step": 0.0, "peak": 0}
        case Progress(kind):
            return {"progress": {**state.progress, kind: event}}
        case DataReport() if event.data == state.config.data:
            return {"report": event, "config": fitted(state, state.config, event, state.device)}
        case Calibrated(speed):
            return {"speeds": {**state.speeds, (speed.device, speed.shape): speed}}
        case MemoryChecked():
            return {"checked": event}
    return _of_jobs(state, event) or _of_the_run(state, event) or _of_the_model(state, event)


def _of_jobs(state: State, event: Event) -> Changes:
    match event:
        case Started(kind):
            begun: Changes = {"running": state.running | {kind}}
            training = (
                {"stopped_by": "", "early": None, "cut_off": False, "begun_at": state.step}
                if kind == "train"
                else {}
            )
            return begun | training
        case Finished(kind) | Stopped(kind) | Failed(kind):
            return _ended(state, kind, event)
        case Paused(kind):
            return {"paused": state.paused | {kind}}
        case Resumed(kind):
            return {"paused": state.paused - {kind}}
    return {}


def _of_the_run(state: State, event: Event) -> Changes:
    match event:
        case RunBegun(folder, name):
            return {
                "folder": folder,
                "run_name": name,
                "writing": folder,
                "not_kept": "",
                "model": _by_the_plan(state),
            }
        case PlanChanged(config):
            return _replanned(state, config)
        case Step(step, values):
            tokens = state.config.train.effective_batch * state.config.model.max_length
            speed = values["tokens_per_second"]
            took = tokens / speed if speed else 0.0
            return {"step": step, "seconds_per_step": took, "timed": state.config}
        case MemoryMeasured(peak):
            return {"peak": peak}
        case Kept(_, step):
            return {"kept_step": step}
        case NotKept(what):
            return {"not_kept": what}
        case KeptAgain():
            return {"not_kept": ""}
        case StoppedEarly():
            return {"early": event}
    return {}


def _of_the_model(state: State, event: Event) -> Changes:
    match event:
        case Built(config):
            attention = {"attention": state.config.train.attention}  # "auto" stays so in the form
            shown = config.changed("train", attention)
            return NO_MODEL | {"config": shown, "model": event, "seconds_per_step": 0.0, "progress": {}}
        case Saved(path, _, step):
            return {"path": path, "saved_step": step}
        case Opened():
            return NO_MODEL | _opened(state, event)
        case DemoOpened(model):
            return NO_MODEL | {"model": model, "demo": True}
        case Forgotten():
            return dict(NO_MODEL)
    return {}


def fitted(state: State, config: RunConfig, report: DataReport | None, device: Device | None) -> RunConfig:
    """The config with what follows from the texts read and from the device."""
    if report and report.data == config.data:
        config = config.changed("model", {"vocab_size": report.vocab_size})
    if device and not state.precision_chosen:
        config = config.changed("train", {"precision": device.precisions[0]})
    return config


def _on_device(state: State, name: str) -> Changes:
    state = dataclasses.replace(state, device_name=name)
    config = fitted(state, state.config, state.report, state.device)
    return {"devices": state.devices, "device_name": name, "config": config}


def _opened(state: State, opened: Opened) -> Changes:
    config, step, history = opened.config, opened.step, opened.history
    same_texts = state.report is not None and state.report.data == config.data
    return {
        "config": config,
        "model": Built(config, opened.parameters, opened.device, step, history.bytes_per_token),
        "path": opened.path,
        "folder": opened.folder,
        "run_name": opened.name,
        "cut_off": opened.cut_off,
        "seconds_per_step": 0.0,
        "step": step,
        "saved_step": step,
        "report": state.report if same_texts else None,
        "precision_chosen": True,
    }


def _by_the_plan(state: State) -> Built | None:
    """The model of a run that begins or goes on: by the plan in the form, its kernel as it began."""
    if state.run is None:
        return state.model
    attention = state.run.config.train.attention
    plan = state.config.train.changed(attention=attention)
    config = dataclasses.replace(state.run.config, train=plan)
    return dataclasses.replace(state.run, config=config)


def _replanned(state: State, config: RunConfig) -> Changes:
    """The plan in force is another one; the form follows, but for what a person has changed meanwhile."""
    if state.run is None:
        return {}
    before, shown = state.run.config.train.to_dict(), state.config.train.to_dict()
    news = {
        name: value
        for name, value in config.train.to_dict().items()
        if value != before[name] and shown[name] == before[name]
    }
    return {
        "model": dataclasses.replace(state.run, config=config),
        "config": state.config.changed("train", news),
    }


def _ended(state: State, kind: str, event: Event) -> Changes:
    running = state.running - {kind}
    over = {kind} if running - {"chat"} else {kind, "data"}  # any job but a chat may have read texts
    ended: Changes = {
        "running": running,
        "paused": state.paused - {kind},
        "progress": {other: event for other, event in state.progress.items() if other not in over},
    }
    if kind == "check" and isinstance(event, Failed):
        ended["check_failure"] = event.what
    if kind == "train":
        how = "early" if state.early else type(event).__name__.lower()
        ended["stopped_by"] = how if state.step > state.begun_at else ""  # else nothing had begun
        ended["writing"] = ""
    return ended
