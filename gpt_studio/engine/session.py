"""Own the one model, its optimizer, texts and history; turn each request into a job."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from gpt_studio.core import units
from gpt_studio.core.config import SECTIONS, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.events import (
    BatchRead,
    Built,
    DemoOpened,
    DeviceUsed,
    Event,
    Exported,
    Forgotten,
    MemoryChecked,
    Opened,
    Progress,
    Ready,
    Saved,
)
from gpt_studio.core.metrics import History
from gpt_studio.core.paths import data, resources
from gpt_studio.core.requests import (
    Calibrate,
    CheckMemory,
    Compare,
    ExportTokenizer,
    Generate,
    New,
    Open,
    OpenDemo,
    Prepare,
    ReadBatch,
    Request,
    Save,
    Train,
    UseDevice,
)
from gpt_studio.core.run_events import Evaluated, Examined, MemoryMeasured, Sampled, Step, TextsChanged
from gpt_studio.core.runner import Job
from gpt_studio.engine import checkpoint
from gpt_studio.engine.checkpoint import Checkpoint
from gpt_studio.engine.comparison import compare
from gpt_studio.engine.data import Dataset
from gpt_studio.engine.device import (
    default_device,
    devices,
    keep_memory,
    out_of_memory_explained,
    return_memory,
    use_threads,
)
from gpt_studio.engine.footprint_process import peak_elsewhere
from gpt_studio.engine.generator import generate, release
from gpt_studio.engine.knowledge import Knowledge
from gpt_studio.engine.library import Library
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import Optimizers, make_optimizer, moments
from gpt_studio.engine.shortage import no_room_for_the_model, no_room_to_save, no_room_to_write
from gpt_studio.engine.tokenizer_files import write_tiktoken
from gpt_studio.engine.tokenizers import Tokenizer
from gpt_studio.engine.trainer import train

ROWS_SHOWN = 8  # of the first batch


@dataclass
class Run:
    """A model and all that belongs to it. Always after a whole step, whenever a job rests."""

    config: RunConfig
    tokenizer: Tokenizer
    model: GPT
    optimizer: Optimizers
    step: int = 0
    history: History = field(default_factory=History)
    fingerprint: str = ""  # of the texts it learned from

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def record(self, event: Event) -> None:
        """Take a fact of training into the history."""
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

    def renew_optimizer(self, config: TrainConfig) -> None:
        """Make the optimizer anew for a plan, on the model's device; it remembers what it knew."""
        self.optimizer = make_optimizer(self.model, config, moments(self.model, self.optimizer))


def open_session() -> Session:
    """Wake the engine; importing this module has imported torch."""
    use_threads()
    keep_memory()
    return Session()


class Session:
    """What `core.runner.Session` asks for."""

    def __init__(self) -> None:
        self._device = default_device()
        self._run: Run | None = None
        self._library = Library()
        self._answer: Job | None = None  # being written by the model there is
        self._training = False

    @cached_property
    def _knowledge(self) -> Knowledge:
        return Knowledge(data() / "machine.json")

    def greet(self) -> Iterator[Event]:
        """Say what there is to compute on, and what the program takes there before any model."""
        _load_libraries()
        yield Ready(self._knowledge.devices, self._device)

    def start(self, request: Request) -> Job:
        """The job a request asks for; its work begins when it is first advanced."""
        match request:
            case Prepare():
                return self._prepare(request)
            case Compare():
                return self._compare(request)
            case ReadBatch():
                return self._read_batch(request)
            case ExportTokenizer():
                return self._export_tokenizer(request)
            case Calibrate():
                return self._knowledge.calibrate(request.config, self._device)
            case CheckMemory():
                return self._check_memory(request)
            case Train():
                job = self._train(request)
                next(job)  # from now on the model is being trained, whatever is wished next
                return job
            case Generate():
                return self._generate(request)
            case Save():
                return self._save(request)
            case Open():
                return self._open(request)
            case OpenDemo():
                return self._open_demo()
            case New():
                return self._new()
            case UseDevice():
                return self._use_device(request)
        raise TypeError(f"No job for {request!r}")

    # ------------------------------------------------------------ data and training

    def _prepare(self, request: Prepare) -> Job:
        dataset = yield from self._library.dataset(request.data)
        yield dataset.report

    def _compare(self, request: Compare) -> Job:
        dataset = yield from self._library.dataset(request.data)
        yield from compare(dataset, request.data)

    def _read_batch(self, request: ReadBatch) -> Job:
        dataset = yield from self._library.dataset(request.config.data)
        context, plan = request.config.model.max_length, request.config.train
        dataset.check(context)
        rows = dataset.first_rows(context, plan.batch_size, plan.seed, ROWS_SHOWN)
        yield BatchRead(request.config, plan.batch_size, context, rows)

    def _export_tokenizer(self, request: ExportTokenizer) -> Job:
        dataset = yield from self._library.dataset(request.data)
        yield Exported(request.path, write_tiktoken(dataset.tokenizer, Path(request.path)))

    def _check_memory(self, request: CheckMemory) -> Job:
        _check(request.config)
        peak = yield from peak_elsewhere(request.config, self._device)
        yield MemoryChecked(request.config, self._device, peak)

    def _train(self, request: Train) -> Job:
        """A failure before the new model is built leaves the old one as it was."""
        config = request.config
        self._training = True
        try:
            yield None  # `start` comes this far, so that closing the job always ends training
            _check(config)
            dataset = yield from self._library.dataset(config.data)
            dataset.check(config.model.max_length)
            config = config.changed("model", {"vocab_size": dataset.tokenizer.vocab_size})
            if request.resume:
                learned_from = self._needed_run().fingerprint
                run = self._resumed(config, dataset)
                if learned_from not in ("", run.fingerprint):
                    yield TextsChanged(run.step)
            else:
                yield Progress("train", "Building the model")
                run = self._built(config, dataset)
                self._replace(run)
                yield self._described(run)
            yield from self._learn(run, dataset)
        finally:
            self._training = False
            return_memory()

    def _built(self, config: RunConfig, dataset: Dataset) -> Run:
        with out_of_memory_explained(no_room_for_the_model):
            torch.manual_seed(config.train.seed)
            model = GPT(config.model).to(self._device)  # made on the CPU: the same weights on any device
            optimizer = make_optimizer(model, config.train)
        run = Run(config, dataset.tokenizer, model, optimizer, fingerprint=dataset.report.fingerprint)
        run.history.bytes_per_token = dataset.bytes_per_token
        return run

    def _described(self, run: Run) -> Built:
        return Built(run.config, run.parameters, self._device, run.step, run.history.bytes_per_token)

    def _resumed(self, config: RunConfig, dataset: Dataset) -> Run:
        """The run there is, with the settings that may change on the way."""
        run = self._needed_run()
        same = run.config.model == config.model and run.tokenizer.to_dict() == dataset.tokenizer.to_dict()
        if not same:
            raise StudioError(
                "The model was built with other settings.",
                kept="The model is as it was.",
                tries="Put the model's settings back to go on, or train a new one.",
            )
        if run.step >= config.train.steps:
            raise StudioError(
                f"All {units.number(config.train.steps)} steps are done.",
                tries="Raise the number of steps to go on.",
            )
        with out_of_memory_explained(no_room_for_the_model):
            run.renew_optimizer(config.train)
        run.config, run.fingerprint = config, dataset.report.fingerprint
        return run

    def _learn(self, run: Run, dataset: Dataset) -> Job:
        release()  # weights that are about to change need no copy
        last = run.history.row(-1) if run.history else {"tokens": 0.0, "seconds": 0.0}
        before = (run.step, int(last["tokens"]), last["seconds"])
        left, taken = self._knowledge.left_over(self._device), 0
        try:
            with closing(train(run.model, run.optimizer, dataset, run.config, *before)) as events:
                for event in events:
                    if event is not None:
                        run.record(event)
                    if isinstance(event, MemoryMeasured):
                        taken = event.peak
                    yield event
        finally:
            if taken and run.step > before[0] + 1:
                self._knowledge.remember_run(run.config, self._device, taken - left)

    # ------------------------------------------------------------ chat

    def _generate(self, request: Generate) -> Job:
        self._answer = self._written(self._needed_run(), request)
        with out_of_memory_explained(no_room_to_write):
            yield from self._answer

    def _written(self, run: Run, request: Generate) -> Job:
        def version() -> object:
            return run.step, self._device

        return generate(run.model, run.tokenizer, request, version, packs=not self._training)

    # ------------------------------------------------------------ files and devices

    def _save(self, request: Save) -> Job:
        run = self._needed_run()
        with out_of_memory_explained(no_room_to_save):
            remembered = moments(run.model, run.optimizer)
            kept = Checkpoint(
                run.config, run.step, run.tokenizer, run.model, run.history, remembered, run.fingerprint
            )
            size = checkpoint.save(request.path, kept)
        yield Saved(request.path, size, run.step)

    def _open(self, request: Open) -> Job:
        run = self._opened(request.path)
        history = copy.deepcopy(run.history)
        yield Opened(request.path, run.config, run.step, history, run.parameters, self._device)

    def _open_demo(self) -> Job:
        yield DemoOpened(self._described(self._opened(resources() / "demo" / "small-world.safetensors")))

    def _opened(self, path: str | Path) -> Run:
        """The run of a checkpoint, in the place of the one there is."""
        self._refuse_while_training()
        found = checkpoint.load(path)
        with out_of_memory_explained(no_room_for_the_model):
            model = found.model.to(self._device)
            optimizer = make_optimizer(model, found.config.train, found.moments)
        run = Run(
            found.config, found.tokenizer, model, optimizer, found.step, found.history, found.fingerprint
        )
        self._replace(run)
        return run

    def _new(self) -> Job:
        self._refuse_while_training()
        self._replace(None)
        yield Forgotten()

    def _use_device(self, request: UseDevice) -> Job:
        self._refuse_while_training()
        if request.device not in [device.name for device in devices()]:
            raise StudioError(f"There is no device “{request.device}” any more.")
        if self._run:
            self._move(self._run, request.device)
        self._device = request.device
        _return_memory()
        yield DeviceUsed(request.device)

    def _move(self, run: Run, device: str) -> None:
        try:
            with out_of_memory_explained(no_room_for_the_model):
                run.model.to(device)
                run.renew_optimizer(run.config.train)
        except Exception:
            run.model.to(self._device)  # the old optimizer never left it
            raise

    # ------------------------------------------------------------ shared

    def _replace(self, run: Run | None) -> None:
        """Put a model, or none, in the place of the one there is, and give that one's memory back."""
        if self._answer:
            self._answer.close()  # it cannot go on with a model that is gone
        self._run = run
        _return_memory()

    def _needed_run(self) -> Run:
        if self._run is None:
            raise StudioError("There is no model yet.", tries="Press Train, or open a checkpoint.")
        return self._run

    def _refuse_while_training(self) -> None:
        if self._training:
            raise StudioError(
                "The model is being trained.", kept="Training is as it was.", tries="Stop the training first."
            )


def _check(config: RunConfig) -> None:
    """Refuse a config that cannot be used, with the clicks that mend it."""
    for section in SECTIONS:
        for problem in getattr(config, section).problems().values():
            remedies = tuple(Remedy(fix.label, section, fix.changes) for fix in problem.fixes)
            raise StudioError(problem.text, kept="Nothing was changed.", remedies=remedies)


def _load_libraries() -> None:
    """Make one step with a model of nothing: what it leaves in memory is there in every run."""
    model = GPT(GPTConfig(vocab_size=8, embed_size=8, num_layers=1, heads=1, max_length=8))
    ids = torch.zeros(1, 8, dtype=torch.long)
    torch.autograd.backward(loss(model(ids), ids))
    make_optimizer(model, TrainConfig()).step()


def _return_memory() -> None:
    """Give memory that is no longer used back, for others."""
    release()
    return_memory()
