"""Own the one model, its optimizer, texts and history; turn each request into a job."""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterable, Iterator
from functools import cached_property
from pathlib import Path

import torch

from gpt_studio.core.config import GPTConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import (
    BatchRead,
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
from gpt_studio.core.paths import data, resources
from gpt_studio.core.requests import (
    Calibrate,
    CheckMemory,
    Compare,
    ExportTokenizer,
    Generate,
    Keep,
    New,
    Open,
    OpenDemo,
    Prepare,
    ReadBatch,
    Replan,
    Request,
    SampleNow,
    Save,
    Train,
    UseDevice,
)
from gpt_studio.core.run_events import NotKept
from gpt_studio.core.run_index import name_of
from gpt_studio.core.runner import Job
from gpt_studio.engine import checkpoint
from gpt_studio.engine.comparison import compare
from gpt_studio.engine.data import Dataset
from gpt_studio.engine.device import (
    default_device,
    devices,
    keep_memory,
    out_of_memory_explained,
    return_memory,
    spare_libraries,
    use_threads,
)
from gpt_studio.engine.footprint_process import peak_elsewhere
from gpt_studio.engine.generator import generate, release
from gpt_studio.engine.keeper import Keeper
from gpt_studio.engine.knowledge import Knowledge
from gpt_studio.engine.library import Library
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.run import Run, about, built, check, folder_for, opened
from gpt_studio.engine.samples import samples
from gpt_studio.engine.shortage import no_room_for_the_model, no_room_to_save, no_room_to_write
from gpt_studio.engine.tokenizer_files import write_tiktoken
from gpt_studio.engine.training import Training

ROWS_SHOWN = 8  # of the first batch


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
        self._busy = False  # from the wish to train to its end
        self._training: Training | None = None  # once it has begun

    @cached_property
    def _knowledge(self) -> Knowledge:
        return Knowledge(data() / "machine.json")

    def greet(self) -> Iterator[Event]:
        """Say what there is to compute on, and what the program takes there before any model."""
        _load_libraries()
        spare_libraries()
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
                return self._knowledge.calibrate(request.config, self._device, self._held)
            case CheckMemory():
                return self._check_memory(request)
            case Train():
                job = self._train(request)
                next(job)  # from now on the model is being trained, whatever is wished next
                return job
            case Replan():
                return self._under_way().replan(request.train)
            case SampleNow():
                return self._sample_now()
            case Generate():
                return self._generate(request)
            case Keep():
                return self._keep()
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
        check(request.config)
        peak = yield from peak_elsewhere(request.config, self._device)
        yield MemoryChecked(request.config, self._device, peak)

    def _train(self, request: Train) -> Job:
        """A failure before the new model is built leaves the old one as it was."""
        config = request.config
        self._busy = True
        try:
            yield None  # `start` comes this far, so that ending the job always ends training
            check(config)
            dataset = yield from self._library.dataset(config.data)
            dataset.check(config.model.max_length)
            config = config.changed("model", {"vocab_size": dataset.tokenizer.vocab_size})
            left = self._knowledge.left_over(self._device, self._held)
            if request.resume:
                run = self._needed_run()
                run.leave_if_taken_further()
                news = run.go_on(config, dataset)
            else:
                yield Progress("train", "Building the model")
                run, news = built(config, dataset, self._device), []
                self._replace(run)
                yield run.described(self._device)
            keeper = yield from self._kept(request, run, dataset)
            if keeper:
                news = [run.begun, *news]

            def keep() -> Keeper:
                return self._keeper(request, run, dataset)

            yield from self._learn(Training(run, dataset, keeper, keep), news, left)
        finally:
            self._busy, self._training = False, None
            return_memory()

    def _kept(self, request: Train, run: Run, dataset: Dataset) -> Generator[Event, None, Keeper | None]:
        """Begin to write the run down. A disk that cannot be written to is no reason not to train.

        Nothing is told once there is a keeper: whoever ends the job has to end that one too.
        """
        try:
            return self._keeper(request, run, dataset)
        except StudioError as error:
            if request.folder:
                raise
            yield NotKept(error.what, error.tries)
            return None

    def _keeper(self, request: Train, run: Run, dataset: Dataset) -> Keeper:
        """Who writes the run down from now on.

        Raises:
            StudioError: that cannot be done at present.
        """
        device = self._knowledge.device(self._device, run.held)
        speed = self._knowledge.speed(run.config, self._device)
        run.leave_if_taken_further()
        run.folder = run.folder or folder_for(run, request.folder, request.name)
        facts = about(run, dataset.report, device, speed)
        return Keeper(run.folder, run.config, run.checkpoint, facts, run.history.bytes_per_token)

    def _learn(self, training: Training, news: Iterable[Event], left: int) -> Job:
        """`left` bytes of memory were taken before by what is no part of it."""
        self._training = training
        try:
            yield from training.work(news)
        finally:
            if training.representative:
                self._knowledge.remember_run(training.config, self._device, training.peak - left)

    def _under_way(self) -> Training:
        if self._training is None:
            raise StudioError("Nothing is being trained.", tries="Press Train first.")
        return self._training

    # ------------------------------------------------------------ chat

    def _generate(self, request: Generate) -> Job:
        self._answer = self._written(self._needed_run(), request)
        with out_of_memory_explained(no_room_to_write):
            yield from self._answer

    def _written(self, run: Run, request: Generate) -> Job:
        def version() -> object:
            return run.step, self._device

        return generate(run.model, run.tokenizer, request, version, packs=not self._busy)

    def _sample_now(self) -> Job:
        """Samples of a run in training belong to it; else they are only shown."""
        run = self._needed_run()
        with out_of_memory_explained(no_room_to_write):
            if self._training:
                yield from self._training.sample()
            else:
                yield from samples(run.model, run.tokenizer, run.config, run.step)

    # ------------------------------------------------------------ files and devices

    def _keep(self) -> Job:
        if self._training:
            yield from self._training.keep()

    def _save(self, request: Save) -> Job:
        run = self._needed_run()
        with out_of_memory_explained(no_room_to_save):
            size = checkpoint.save(request.path, run.checkpoint())
        yield Saved(request.path, size, run.step)

    def _open(self, request: Open) -> Job:
        run = self._opened(request.path, request.fork)
        place = run.folder.path if run.folder else None
        yield Opened(
            request.path,
            run.config,
            run.step,
            copy.deepcopy(run.history),
            run.parameters,
            self._device,
            folder=str(place or ""),
            name=name_of(place) if place else "",
            cut_off=run.cut_off,
        )

    def _open_demo(self) -> Job:
        yield DemoOpened(
            self._opened(resources() / "demo" / "small-world.safetensors").described(self._device)
        )

    def _opened(self, path: str | Path, fork: bool = False) -> Run:
        """The run of a checkpoint, in the place of the one there is."""
        self._refuse_while_training()
        run = opened(path, self._device, fork)
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

    @property
    def _held(self) -> int:
        """Bytes that the model there is takes; another one takes its place."""
        return self._run.held if self._run else 0

    def _needed_run(self) -> Run:
        if self._run is None:
            raise StudioError("There is no model yet.", tries="Press Train, or open a checkpoint.")
        return self._run

    def _refuse_while_training(self) -> None:
        if self._busy:
            raise StudioError(
                "The model is being trained.", kept="Training is as it was.", tries="Stop the training first."
            )


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
