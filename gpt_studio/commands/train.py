"""`gpt-studio train`: the window's training with no window, written to a run's folder as it goes."""

from __future__ import annotations

import argparse
import shlex
from contextlib import closing, suppress
from pathlib import Path

from gpt_studio.commands import UsageError, options
from gpt_studio.commands.headless import Engine, Interruption
from gpt_studio.commands.narrator import Narrator
from gpt_studio.commands.output import StatusLine, note, say, say_json
from gpt_studio.core import paths, units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.corpora import label
from gpt_studio.core.errors import StudioError
from gpt_studio.core.estimate import estimate
from gpt_studio.core.events import Built, Calibrated, DataReport, Event, Opened
from gpt_studio.core.findings import findings
from gpt_studio.core.requests import Calibrate, Open, Prepare, Train
from gpt_studio.core.run_events import (
    Kept,
    KeptAgain,
    Marked,
    NotKept,
    PlanChanged,
    RunBegun,
    StoppedEarly,
    TextsChanged,
)
from gpt_studio.core.run_file import check_usable, read_run_file
from gpt_studio.core.run_index import name_of
from gpt_studio.core.run_writer import line_of
from gpt_studio.core.runs import RunFolder, new_folder
from gpt_studio.core.speed import RunTime, Speed, resolved, run_time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the run goes; else a new folder")
    begins = parser.add_mutually_exclusive_group()
    begins.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    begins.add_argument("--fork", metavar="CHECKPOINT", help="a new run that goes on from any checkpoint")
    options.add_device(parser)
    options.add_json(parser)
    options.add_run(parser)


def run(chosen: argparse.Namespace) -> int:
    folder, config = _wanted(chosen)
    try:
        return _train(chosen, folder, config)
    finally:
        if not chosen.out:
            with suppress(OSError):  # there is a run in it
                folder.path.rmdir()


def _train(chosen: argparse.Namespace, folder: RunFolder, config: RunConfig) -> int:
    check_usable(config)
    status = StatusLine()
    with Interruption() as interruption:
        engine = Engine(status, interruption)
        if chosen.device:
            engine.use(chosen.device)
        opened = _opened(engine, chosen, folder)
        if opened and chosen.fork:
            config = options.config_of(chosen, opened.config)
        report = engine.answer(Prepare(config.data), DataReport)
        speed = None
        if report and not interruption.signal:
            config = config.changed("model", {"vocab_size": report.vocab_size})
            status.show("Measuring speed")
            speed = _speed(engine, config)
        status.clear()
        if report is None or interruption.signal:
            note("Stopped before training began.")
            return interruption.code
        if not opened:  # one to go on with has its choice
            config = resolved(config, speed)
        training = _Training(engine, folder, config, report, opened, speed, status, chosen.json)
        training.run()
    if not interruption.signal:
        return 0
    note(f"Stopped. To go on: gpt-studio train --resume --out {shlex.quote(str(folder.path))}")
    return interruption.code


def _opened(engine: Engine, chosen: argparse.Namespace, folder: RunFolder) -> Opened | None:
    """What is gone on from, if anything is."""
    if chosen.fork:
        return engine.answer(Open(chosen.fork, fork=True), Opened)
    return engine.answer(Open(str(folder.last)), Opened) if chosen.resume else None


def _speed(engine: Engine, config: RunConfig) -> Speed | None:
    """How fast the device is; None where that cannot be measured, which is no reason not to train."""
    try:
        calibrated = engine.answer(Calibrate(config), Calibrated)
    except StudioError as error:
        note(error.what)
        return None
    return calibrated.speed if calibrated else None


def _wanted(chosen: argparse.Namespace) -> tuple[RunFolder, RunConfig]:
    """The folder and the config of a new run, or of one to go on with.

    Raises:
        StudioError: there is already a run, or none to go on with.
        UsageError: nobody said which run to go on with.
    """
    if chosen.resume:
        return _resumed(chosen)
    config = options.config_of(chosen)
    if not chosen.out:
        return new_folder(paths.data() / "runs", *_named(chosen, config)), config
    folder = RunFolder(chosen.out)
    if folder.run.exists() or folder.last.exists():
        raise StudioError(
            f"There is already a run in “{folder.path}”.",
            kept="It is as it was.",
            tries="Choose another folder, or go on with it: --resume.",
        )
    return folder, config


def _named(chosen: argparse.Namespace, config: RunConfig) -> tuple[str, tuple[str, ...]]:
    """What a new folder is called after: a name, and texts."""
    if chosen.fork:
        return f"{name_of(Path(chosen.fork).absolute().parent.parent)}-fork", ()
    return chosen.run.stem if chosen.run else chosen.preset or "tiny", config.data.corpora


def _resumed(chosen: argparse.Namespace) -> tuple[RunFolder, RunConfig]:
    if not chosen.out:
        raise UsageError("--resume needs --out FOLDER: the run to go on with")
    folder = RunFolder(chosen.out)
    if not folder.last.exists():
        raise StudioError(
            f"There is no checkpoint in “{folder.path}” to go on from.",
            tries="Name another folder, or begin a new run without --resume.",
        )
    before = read_run_file(folder.run)
    config = options.config_of(chosen, before)
    if config.data == before.data:  # then the vocabulary is known
        config = config.changed("model", {"vocab_size": before.model.vocab_size})
    return folder, config


class _Training:
    """A run under way, told to whoever looks on; the engine writes it down."""

    def __init__(
        self,
        engine: Engine,
        folder: RunFolder,
        config: RunConfig,
        report: DataReport,
        opened: Opened | None,
        speed: Speed | None,
        status: StatusLine,
        json: bool,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._config = config
        self._report = report
        self._resumed = opened is not None
        self._time = run_time(config, speed) if speed else RunTime(0, 0, 0)  # predicted, 0 if unknown
        self._status = status
        self._json = json
        self._began = self._saved = opened.step if opened else 0
        self._lack: NotKept | None = None  # what cannot be written at present
        known = opened.history.bytes_per_token if opened else 0.0
        self._bytes_per_token = known or report.bytes_per_token
        tell = (lambda _: None) if json else say
        self._narrator = Narrator(config.train.steps, self._began, self._bytes_per_token, status, tell)

    def run(self) -> None:
        """Train to the end, or to an interruption, and keep what was learned.

        Raises:
            StudioError: training failed, or the last checkpoint could not be written.
        """
        training = Train(self._config, self._resumed, str(self._folder.path))
        try:
            with closing(self._engine.events(training)) as events:
                for event in events:
                    self._happened(event)
            self._narrator.finish()
        except StudioError as error:
            raise StudioError(error.what, kept=self._kept() or error.kept, tries=error.tries) from error
        except Exception:
            note(f"Kept: {self._kept() or 'nothing'}")
            raise
        finally:
            self._status.clear()
        if self._lack:
            raise StudioError(self._lack.what, kept=self._kept(), tries=self._lack.tries)
        if self._json:
            say_json({"step": self._saved, "saved": str(self._folder.last)})
        elif self._saved:
            say(f"Saved step {units.number(self._saved)} in {self._folder.last}")

    def _happened(self, event: Event) -> None:
        match event:
            case Built(config=config):
                self._config = config
            case RunBegun() if not self._json:
                self._introduce()
            case TextsChanged():
                self._note("Note: these are not the texts the run learned from so far.")
            case Marked(mark) | PlanChanged(mark=mark):
                self._note(f"Note: {mark.text}")
            case StoppedEarly(best_step=step, checkpoint=best) if best:
                self._note(f"Note: the weights of step {units.number(step)} are in {best}")
            case Kept(step=step):
                self._saved = step
            case NotKept(what):
                self._lack = event
                self._note(f"{what}. Training goes on.")
            case KeptAgain():
                self._lack = None
                self._note("What could not be written is written now.")
        if self._json and (line := line_of(event, self._bytes_per_token)):
            say_json(line)
        self._narrator.hear(event)

    def _note(self, text: str) -> None:
        self._status.clear()
        note(text)

    def _introduce(self) -> None:
        report, device = self._report, self._engine.device
        predicted = estimate(self._config, device)
        texts = ", ".join(label(corpus) for corpus in self._config.data.corpora)
        tokens = f"{units.short(report.train_tokens)} tokens to learn from"
        self._status.clear()
        say(f"{texts} · {tokens} · {units.short(report.validation_tokens)} held out")
        size = f"{units.parameters(predicted.parameters)} parameters"
        memory = f"about {units.memory(predicted.training.total)} of memory on {device.name}"
        say(f"{size} · {memory} · {device.label}")
        if self._time.total:
            ahead, steps = self._config.train.steps - self._began, self._config.train.steps
            say(f"{units.number(ahead)} steps take {units.about(self._time.total * ahead / steps)}")
        for finding in findings(report, self._config):
            say(f"Note: {finding.text}")
        say(f"The run goes into {self._folder.path}")

    def _kept(self) -> str:
        """What is on disk after a failure, if anything is."""
        lack = f"{self._lack.what}. " if self._lack else ""
        return lack + (f"Step {units.number(self._saved)}, in {self._folder.last}" if self._saved else "")
