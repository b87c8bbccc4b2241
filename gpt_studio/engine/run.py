"""A model and all that belongs to it: built anew, gone on with, read from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from gpt_studio.core import paths, units
from gpt_studio.core.config import SECTIONS, RunConfig, TrainConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.estimate import estimate
from gpt_studio.core.events import Built, DataReport, Device, Event
from gpt_studio.core.line_file import Line
from gpt_studio.core.lock import is_held
from gpt_studio.core.metrics import History, Mark
from gpt_studio.core.plan_changes import in_words
from gpt_studio.core.presets import presets
from gpt_studio.core.run_events import (
    Evaluated,
    Examined,
    Marked,
    PlanChanged,
    Resources,
    RunBegun,
    Sampled,
    Step,
    TextsChanged,
)
from gpt_studio.core.run_index import name_of
from gpt_studio.core.runs import RunFolder, new_folder, read_about
from gpt_studio.core.speed import Speed, run_time
from gpt_studio.engine import checkpoint
from gpt_studio.engine.checkpoint import Checkpoint
from gpt_studio.engine.data import Dataset
from gpt_studio.engine.device import out_of_memory_explained
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import Optimizers, make_optimizer, moments
from gpt_studio.engine.shortage import no_room_for_the_model
from gpt_studio.engine.tokenizers import Tokenizer


@dataclass
class Run:
    """Always after a whole step, whenever a job rests."""

    config: RunConfig
    tokenizer: Tokenizer
    model: GPT
    optimizer: Optimizers
    step: int = 0
    history: History = field(default_factory=History)
    fingerprint: str = ""  # of the texts it learned from
    scale: float = 0.0  # of fp16 losses by now
    folder: RunFolder | None = None  # it is kept in; None: training it makes a new one
    parent: tuple[str, int] | None = None  # the run it was forked from, and the step

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def held(self) -> int:
        """Bytes of memory that its tensors take: a moment that was never changed takes none."""
        weights = sum(p.nbytes for p in self.model.parameters())
        return weights + sum(t.nbytes for t in moments(self.model, self.optimizer).values()) * (self.step > 0)

    @property
    def texts_note(self) -> Mark:
        return Mark(self.step, "texts", "Other texts")

    @property
    def cut_off(self) -> bool:
        """Whether who trained it was killed: even after the last step something may be left to do."""
        return self.folder is not None and read_about(self.folder).get("status") == "training"

    def described(self, device: str) -> Built:
        return Built(self.config, self.parameters, device, self.step, self.history.bytes_per_token)

    def record(self, event: Event) -> None:
        """Take a fact of training in."""
        match event:
            case Step(step, values):
                self.step = step
                self.history.add_step(step, values)
            case Evaluated(step, loss):
                self.history.add_validation(step, loss)
            case Sampled(sample):
                self.history.samples.append(sample)
            case Examined(exam):
                self.history.exams.append(exam)
            case Resources(step, values):
                self.history.add_resources(step, values)
            case PlanChanged(config, mark):
                self.config = config
                self.history.marks.append(mark)
            case Marked(mark):
                self.history.marks.append(mark)
            case TextsChanged():
                self.history.marks.append(self.texts_note)

    def leave_if_taken_further(self) -> None:
        """Leave the folder to whoever has gone on with the run meanwhile: from here it is a fork."""
        if self.folder and checkpoint.step_of(self.folder.last) > self.step:
            self.parent, self.folder = (self.folder.path.name, self.step), None

    @property
    def begun(self) -> RunBegun:
        """What is told once it is written down."""
        assert self.folder
        return RunBegun(str(self.folder.path), name_of(self.folder.path), self.step)

    @property
    def _begins(self) -> Mark:
        """What training says of itself where it goes on."""
        if self.parent and not self.folder:
            return Mark(self.step, "fork", f"Forked from {name_of(Path(self.parent[0]))}")
        return Mark(self.step, "resumed", "Resumed")

    def renew_optimizer(self, config: TrainConfig) -> None:
        """Make the optimizer anew for a plan, on the model's device; it remembers what it knew."""
        self.optimizer = make_optimizer(self.model, config, moments(self.model, self.optimizer))

    def checkpoint(self) -> Checkpoint:
        """All of it as it is now; the tensors are those in use."""
        return Checkpoint(
            self.config,
            self.step,
            self.tokenizer,
            self.model,
            self.history,
            moments(self.model, self.optimizer),
            self.fingerprint,
            self.scale,
        )

    def go_on(self, config: RunConfig, dataset: Dataset) -> list[Event]:
        """Take the settings that may change on the way, and say what is another than before.

        Raises:
            StudioError: it is another model, or all steps are done.
        """
        same = self.config.model == config.model and self.tokenizer.to_dict() == dataset.tokenizer.to_dict()
        if not same:
            raise StudioError(
                "The model was built with other settings.",
                kept="The model is as it was.",
                tries="Put the model's settings back to go on, or train a new one.",
            )
        if self.step >= config.train.steps and not self.cut_off:
            raise StudioError(
                f"All {units.number(config.train.steps)} steps are done.",
                tries="Raise the number of steps to go on.",
            )
        with out_of_memory_explained(no_room_for_the_model):
            self.renew_optimizer(config.train)
        news: list[Event] = [Marked(self._begins)]
        if self.fingerprint not in ("", dataset.report.fingerprint):
            news.append(TextsChanged(self.step))
        if changes := in_words(self.config.train, config.train):
            news.append(PlanChanged(config, Mark(self.step, "plan", changes)))
        self.config, self.fingerprint = config, dataset.report.fingerprint
        return news


def built(config: RunConfig, dataset: Dataset, device: str) -> Run:
    """A new model for these texts."""
    with out_of_memory_explained(no_room_for_the_model):
        torch.manual_seed(config.train.seed)
        model = GPT(config.model).to(device)  # made on the CPU: the same weights on any device
        optimizer = make_optimizer(model, config.train)
    run = Run(config, dataset.tokenizer, model, optimizer, fingerprint=dataset.report.fingerprint)
    run.history.bytes_per_token = dataset.bytes_per_token
    return run


def opened(path: str | Path, device: str, fork: bool = False) -> Run:
    """The run of a checkpoint. The last one of a run's folder goes on there, unless it is to be a fork."""
    found = checkpoint.load(path)
    with out_of_memory_explained(no_room_for_the_model):
        model = found.model.to(device)
        optimizer = make_optimizer(model, found.config.train, found.moments)
    run = Run(found.config, found.tokenizer, model, optimizer, found.step, found.history)
    run.fingerprint, run.scale = found.fingerprint, found.scale
    folder = _folder_of(Path(path))
    if folder and (fork or not _goes_on(Path(path), folder)):
        run.parent = (folder.path.name, found.step)
    else:
        run.folder = folder
    return run


def check(config: RunConfig) -> None:
    """Refuse a config that cannot be used, with the clicks that mend it."""
    for section in SECTIONS:
        for problem in getattr(config, section).problems().values():
            remedies = tuple(Remedy(fix.label, section, fix.changes) for fix in problem.fixes)
            raise StudioError(problem.text, kept="Nothing was changed.", remedies=remedies)


def _folder_of(path: Path) -> RunFolder | None:
    """The run's folder that a checkpoint lies in."""
    folder = RunFolder(path.absolute().parent.parent)
    inside = path.parent.name == folder.last.parent.name
    return folder if inside and folder.run.exists() else None


def _goes_on(path: Path, folder: RunFolder) -> bool:
    """Whether nobody is writing the run, and this is where it ends."""
    return path.name == folder.last.name and not is_held(folder.lock)


def folder_for(run: Run, path: str, name: str) -> RunFolder:
    """Where a run is kept that has no folder yet: at `path`, else under the person's runs.

    Raises:
        StudioError: it cannot be made.
    """
    if path:
        return RunFolder(Path(path))
    known = (preset.name for preset in presets() if preset.matches(run.config))
    shape = f"{run.config.model.num_layers}x{run.config.model.embed_size}"
    called = name or next(known, shape)
    return new_folder(paths.data() / "runs", called, run.config.data.corpora)


def about(run: Run, report: DataReport, device: Device, speed: Speed | None) -> Line:
    """What run.json says beside the config: how the run is made, and what it is expected to take."""
    predicted = estimate(run.config, device)
    facts: Line = {
        "seed": run.config.train.seed,
        "device": f"{device.name} · {device.label}",
        "parameters": predicted.parameters,
        "data": {
            "fingerprint": report.fingerprint,
            "train_tokens": report.train_tokens,
            "validation_tokens": report.validation_tokens,
            "bytes_per_token": run.history.bytes_per_token,
        },
        "memory": {"predicted": predicted.training.total, "measured": 0},
        "seconds": {"predicted": run_time(run.config, speed).steps if speed else 0.0, "measured": 0.0},
    }
    if run.parent:
        facts["parent"] = dict(zip(("run", "step"), run.parent, strict=True))
    return facts
