"""What the window knows at one moment: a frozen value, and everything derived from it.

Panels draw from it and hold no flags of their own, so that nothing drifts apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gpt_studio.core.config import DataConfig, RunConfig, TrainConfig
from gpt_studio.core.events import Built, DataReport, Device, MemoryChecked, Progress
from gpt_studio.core.presets import first_config
from gpt_studio.core.run_events import StoppedEarly
from gpt_studio.core.settings import Fix, Problem, Value, settings_of
from gpt_studio.core.speed import Shape, Speed, resolved, run_time, shape_of

# What of the plan decides about speed and memory.
DECIDES = ("batch_size", "accumulation", "precision", "optimizer", "attention", "chunked_loss")

CHECKPOINTS = "checkpoints"  # the folder of them in a run's


@dataclass(frozen=True, kw_only=True)
class State:
    """The run being edited, the model there is, and the jobs under way.

    `demo` says that the model is the demo model: it is there to talk to, but it is not this run's.
    """

    config: RunConfig = field(default_factory=first_config)
    devices: tuple[Device, ...] = ()
    device_name: str = ""
    running: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()
    progress: Mapping[str, Progress] = field(default_factory=dict)
    report: DataReport | None = None
    model: Built | None = None
    demo: bool = False
    step: int = 0  # of this run
    seconds_per_step: float = 0.0  # 0 until measured
    timed: RunConfig | None = None  # the settings it was measured with
    peak: int = 0  # bytes measured while training, 0 until measured
    speeds: Mapping[tuple[str, Shape], Speed] = field(default_factory=dict)  # calibrated, by device
    checked: MemoryChecked | None = None  # the last exact peak
    check_failure: str = ""  # why the last wish for one was in vain
    path: str = ""  # the checkpoint last saved or opened
    saved_step: int = -1  # the step the file at `path` holds
    folder: str = ""  # of the run this model belongs to, "" while it has none
    run_name: str = ""  # what the person calls that run
    cut_off: bool = False  # the run opened was killed, and may not have come to its end
    kept_step: int = -1  # the step the run's folder holds
    not_kept: str = ""  # what cannot be written into it at present
    writing: str = ""  # the folder of the run in training, from its beginning on
    early: StoppedEarly | None = None  # why the last training of this run stopped early
    queue: tuple[RunConfig, ...] = ()  # runs to train one after another
    precision_chosen: bool = False  # by hand or by a file; else it follows the device
    filing: int = 0  # a person's wishes about files and devices that are not done yet
    begun_at: int = 0  # the step at which training last began or went on
    stopped_by: str = ""  # why training ended: "", "finished", "early", "stopped" or "failed"

    @property
    def awake(self) -> bool:
        """The engine is loaded."""
        return bool(self.devices)

    @property
    def device(self) -> Device | None:
        return next((device for device in self.devices if device.name == self.device_name), None)

    @property
    def run(self) -> Built | None:
        """The model of this run; None while there is no other than the demo model."""
        return None if self.demo else self.model

    @cached_property
    def problems(self) -> dict[str, Problem]:
        """Settings that cannot be used, under "section.field"."""
        found = self.config.problems()
        wished = self.config.train.precision
        if self.device and wished not in self.device.precisions:
            found.setdefault("train.precision", _no_precision(self.device, wished))
        return found

    @property
    def training(self) -> bool:
        """A training job exists, advancing or paused."""
        return "train" in self.running

    @property
    def training_paused(self) -> bool:
        return "train" in self.paused

    @property
    def generating(self) -> bool:
        return "chat" in self.running

    @property
    def name(self) -> str:
        """What the top bar calls this run."""
        if self.demo:
            return "Demo model"
        return self.run_name or (checkpoint_name(self.path) if self.path else "Untitled run")

    @property
    def unsaved(self) -> bool:
        """The model has learned something that neither its run's folder nor another file holds, or will hold
        as soon as training ends."""
        held = (self.saved_step, self.kept_step)
        being_kept = self.writing and not self.not_kept
        return self.run is not None and self.step > 0 and self.step not in held and not being_kept

    @property
    def resumable(self) -> bool:
        """Train would go on with the model there is: same shape and tokenizer, steps left."""
        return (
            self.run is not None
            and not self.training
            and self.step > 0
            and self.run.config.model == self.config.model
            and _same_tokenizer(self.run.config.data, self.config.data)
            and (self.step < self.config.train.steps or self.cut_off)
        )

    @property
    def primary(self) -> str:
        """What the run button does now: "train", "pause" or "resume"."""
        if self.training:
            return "resume" if self.training_paused else "pause"
        return "resume" if self.resumable else "train"

    @property
    def plan(self) -> TrainConfig:
        """The plan in the form, as the run in training could go on by: what else differs is the run's."""
        if self.run is None:
            return self.config.train
        return self.run.config.train.changed(**live_settings(self.config.train))

    def may_become(self, config: RunConfig) -> bool:
        """Whether the settings may be these now: a run in training has to rest, and be able to go on by them.

        How answers are sampled is not the run's.
        """
        if not self.training:
            return True
        moved = config.train != self.config.train
        return only_live(self.config, config) and (self.training_paused or not moved)

    @property
    def measured_here(self) -> bool:
        """Whether speed and peak, where there are any, were measured with the settings there are now."""
        return self._works_like(self.timed or (self.run or self).config)

    @property
    def exact_peak(self) -> int:
        """Bytes of tensors that a step with these settings takes at most; 0 where that was not checked."""
        checked = self.checked
        same = checked and checked.device == self.device_name and self._works_like(checked.config)
        return checked.peak if checked and same else 0

    def speed_of(self, config: RunConfig) -> Speed | None:
        """What the device in use was measured to need for the parts of a step; None where it was not."""
        return self.speeds.get((self.device_name, shape_of(config)))

    def resolved(self, config: RunConfig) -> RunConfig:
        """The config as it would be trained: attention left to the device is the one known to be faster."""
        return resolved(config, self.speed_of(config))

    def _works_like(self, other: RunConfig) -> bool:
        """Whether a step takes as long and as much as with another config; one of them may be resolved."""
        pairs = ((other, self.config), (self.resolved(other), self.resolved(self.config)))
        return other.model == self.config.model and any(
            all(getattr(a.train, name) == getattr(b.train, name) for name in DECIDES) for a, b in pairs
        )

    def seconds_for(self, config: RunConfig) -> float | None:
        """Predicted time of a config's whole plan, from the steps of this run where it is the one in force,
        else from the parts of a step; None where neither has been timed."""
        same = (config.model, config.train) == (self.config.model, self.config.train)
        if same and self.seconds_per_step > 0 and self.measured_here:
            return self.seconds_per_step * config.train.steps
        speed = self.speed_of(config)
        return run_time(config, speed).total if speed else None

    @property
    def seconds_to_train(self) -> float | None:
        """Predicted time of the whole plan; None where it is not known."""
        return self.seconds_for(self.config)

    @property
    def seconds_left(self) -> float | None:
        """Predicted time to the last step, once a step of this run has been measured."""
        if not self.seconds_per_step or not self.training or self.run is None:
            return None
        return (self.config.train.steps - self.step) * self.seconds_per_step


def only_live(before: RunConfig, after: RunConfig) -> bool:
    """Whether all that is different may change in the middle of a run."""
    reached = (before.model, before.data, before.train.changed(**live_settings(after.train)))
    return reached == (after.model, after.data, after.train)


def live_settings(plan: TrainConfig) -> dict[str, Value]:
    """What of a plan may change in the middle of a run."""
    return {name: getattr(plan, name) for name, s in settings_of(TrainConfig).items() if s.live}


def checkpoint_name(path: str) -> str:
    """What people call a checkpoint: its file, or its run and which of the run's checkpoints it is."""
    file = Path(path)
    if file.parent.name != CHECKPOINTS:
        return file.stem
    run = file.parent.parent.name
    return run if file.stem == "last" else f"{run} · {file.stem}"


def _same_tokenizer(one: DataConfig, other: DataConfig) -> bool:
    """Whether two choices lead to the same tokenizer; some are learned from the texts."""
    names = {"file": ("tokenizer_file",), "characters": ("corpora",), "bpe": ("corpora", "bpe_size")}
    matters = ("tokenizer", *names.get(one.tokenizer, ()))
    return all(getattr(one, name) == getattr(other, name) for name in matters)


def _no_precision(device: Device, wished: str) -> Problem:
    best = device.precisions[0]
    return Problem(
        f"{device.label} does not train in {wished}. Use {best} there.",
        (Fix(f"Use {best}", {"precision": best}),),
    )
