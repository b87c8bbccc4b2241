"""The command line: real processes where it matters, otherwise `main` with the same arguments."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from gpt_studio.cli import main
from gpt_studio.commands import COMMANDS
from gpt_studio.commands.headless import Interruption, device_named
from gpt_studio.commands.narrator import Narrator
from gpt_studio.commands.output import PLAIN, StatusLine
from gpt_studio.core import paths, units, world
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Calibrated, Device
from gpt_studio.core.lock import Lock
from gpt_studio.core.machine import Machine
from gpt_studio.core.metrics import METRICS, Exam
from gpt_studio.core.paths import resources
from gpt_studio.core.presets import first_config
from gpt_studio.core.run_events import Evaluated, Examined, Step
from gpt_studio.core.run_file import read_run_file
from gpt_studio.core.runs import RunFolder, read_about, read_metrics, read_samples
from gpt_studio.core.speed import Speed, run_time, seconds_per_step, shape_of
from gpt_studio.engine import checkpoint, trainer
from gpt_studio.engine import step as training_step
from gpt_studio.engine.knowledge import Knowledge

WORDS = "the fox sleeps in a forest and an owl looks at it"
SETTINGS = {
    "model": {"num_layers": 1, "heads": 2, "embed_size": 16, "max_length": 16},
    "data": {"corpora": ["text.txt"], "tokenizer": "bytes"},
    "train": {
        "steps": 12, "batch_size": 2, "warmup": 2, "evaluate_every": 4, "sample_every": 6
    },
    "sample": {"max_tokens": 4},
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a text and a run file about it."""
    folder = tmp_path_factory.mktemp("files")
    lines = [" ".join(WORDS.split()[n % 7 : n % 11 + 2]) for n in range(400)]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "small.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(files):
    """A run that went to its end."""
    assert main(["train", str(files / "small.json"), "--out", str(files / "whole")]) == 0
    return RunFolder(files / "whole")


def train(files, folder, *options):
    return main(["train", str(files / "small.json"), "--out", str(folder), *options])


def weights(path):
    return dict(checkpoint.load(path).model.named_parameters())


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---------------------------------------------------------------- light commands


def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, **options)


def test_help_and_estimates_load_neither_torch_nor_qt():
    program = """
import sys
from gpt_studio.cli import main
for arguments in (["--help"], ["--version"], *([name, "--help"] for name in sys.argv[1:])):
    try:
        main(arguments)
    except SystemExit as end:
        assert end.code == 0, arguments
assert main(["estimate"]) == main(["estimate", "--preset", "gpt2-124m", "--device", "cuda", "--json"]) == 0
assert not sys.modules.keys() & {"torch", "numpy", "PySide6", "tiktoken", "safetensors"}
"""
    done = python("-c", program, *COMMANDS, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["parameters"] == 124_439_808


def test_an_estimate_says_how_a_run_would_fit(capsys):
    asked = ["estimate", "--preset", "gpt2-124m", "--device", "cuda", "--memory"]
    assert main([*asked, "80GB"]) == 0
    assert "In 80.0 GB          fits\n" in capsys.readouterr().out
    assert main([*asked, "6gb", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["memory"]
    assert not found["fits"]
    assert found["fitted"]["need"] <= found["capacity"] == 6 * 2**30
    plan = found["fitted"]["train"]
    assert plan["batch_size"] * plan["accumulation"] == 64
    assert main([*asked, "512 MB"]) == 0
    assert "does not fit: takes at least" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*asked, "much"])
    assert "no amount of memory" in capsys.readouterr().err


def test_an_estimate_remembers_what_was_measured_here(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path))
    device = Device("cpu", "2 cores", 8 * 2**30, overhead=123 * 2**20)
    speed = Speed("cpu", shape_of(first_config()), "plain", 1e-3, 3e-4, 1e-3, 3e-4, 1e-5, 1e-10, watts=36.0)
    machine = Machine(paths.data() / "machine.json", "torch")
    machine.remember_overhead(device)
    machine.remember_speed(device, speed)
    machine.save()
    assert main(["estimate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["training"]["overhead"] == 123 * 2**20
    assert found["time"]["seconds"] == pytest.approx(run_time(first_config(), speed).total)
    assert found["time"]["kwh"] > 0
    assert main(["estimate"]) == 0
    assert "Energy" in capsys.readouterr().out
    assert main(["estimate", "--train.batch_size", "3", "--json"]) == 0
    assert "time" not in json.loads(capsys.readouterr().out)


def test_an_exact_peak_is_near_the_estimate(capsys):
    assert main(["estimate", "--exact", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    parts = ("weights", "gradients", "optimizer", "activations", "logits")
    assert sum(found["training"][name] for name in parts) == pytest.approx(found["exact"], rel=0.015)


def test_no_command_ever_loads_qt(trained):
    program = "import sys; from gpt_studio.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    done = python("-c", program, "generate", str(trained.last), "--prompt", "the", check=True)
    loaded = done.stdout.split()
    assert "torch" in loaded
    assert not [name for name in loaded if name.startswith(("PySide6", "gpt_studio.gui"))]


def test_every_setting_is_an_option_that_is_checked(capsys):
    assert main(["estimate", "--model.num_layers", "2", "--model.bias", "no", "--json"]) == 0
    two = json.loads(capsys.readouterr().out)["parameters"]
    assert main(["estimate", "--model.num_layers", "4", "--model.bias", "off", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] > two
    for option, value, words in (
        ("--model.num_layers", "many", "must be a whole number"),
        ("--model.num_layers", "0", "must be between 1 and 96"),
        ("--train.learning_rate", "nan", "must be between"),
        ("--model.bias", "maybe", "neither yes nor no"),
        ("--train.schedule", "square", "cosine"),
        ("--data.weights", "heavy", "wrong kind"),
        ("--preset", "huge", "tiny"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["estimate", option, value])
        assert ended.value.code == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", "--model.num_layer", "3"],
        ["estimate", "run.json", "--preset", "tiny"],
        ["train", "--resume"],
        ["generate"],
        ["generate", "x.safetensors", "--chat", "--prompt", "a"],
        ["generate", "x.safetensors", "--seed", "-1"],
        ["exam", "x.safetensors", "--count", "0"],
        ["one.safetensors", "two.safetensors"],
        ["trian"],
    ],
)
def test_wrong_usage_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_config_that_cannot_be_used_ends_with_1_and_what_would_mend_it(capsys):
    assert main(["estimate", "--model.embed_size", "65", "--model.heads", "4"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "gpt-studio: model.embed_size: Embedding size 65 is not divisible by 4 heads.",
        "Try: Use 64, or use 68.",
    ]


@pytest.mark.parametrize("text", ["{", '{"train": {"stepps": 1}}', '{"train": {"steps": -1}}'])
@pytest.mark.parametrize("command", ["train", "estimate"])
def test_a_bad_run_file_ends_with_1(tmp_path, capsys, command, text):
    (tmp_path / "bad.json").write_text(text)
    assert main([command, str(tmp_path / "bad.json")]) == 1
    assert "“bad.json”" in capsys.readouterr().err


def test_what_is_printed_can_be_searched_for(capsys):
    main(["estimate"])
    out = capsys.readouterr().out
    assert "\u202f" not in out
    assert "Training memory" in out


def test_anything_else_opens_the_window(monkeypatch):
    asked = []
    monkeypatch.setattr("gpt_studio.gui.app.main", lambda checkpoint: asked.append(checkpoint) or 7)
    assert main([]) == main(["my run.safetensors"]) == 7
    assert asked == ["", "my run.safetensors"]


# ---------------------------------------------------------------- training


def test_a_run_is_a_folder(trained, files):
    written = {
        file.relative_to(trained.path).as_posix() for file in trained.path.rglob("*") if file.is_file()
    }
    assert written == {
        "run.json",
        "run.lock",
        "metrics.jsonl",
        "samples.jsonl",
        "checkpoints/last.safetensors",
        "checkpoints/best.safetensors",
    }
    about = read_about(trained)
    assert about["versions"]["torch"] == torch.__version__
    assert about["memory"]["predicted"] > 0
    assert about["memory"]["measured"] > 0
    assert about["data"]["fingerprint"]
    assert (about["seed"], about["device"].split()[0], about["status"]) == (1337, "cpu", "finished")
    config = read_run_file(trained.run)
    assert config == checkpoint.load(trained.last).config
    assert config.data.corpora == (str(files / "text.txt"),)


def test_its_curves_are_those_of_the_checkpoint(trained):
    history, inside = read_metrics(trained.metrics), checkpoint.load(trained.last).history
    assert list(history.steps) == list(inside.steps) == list(range(1, 13))
    assert history.columns == inside.columns
    assert history.validation_losses == inside.validation_losses
    assert read_samples(trained.samples) == inside.samples
    assert list(history.validation_steps) == [4, 8, 12]
    assert [sample.step for sample in read_samples(trained.samples)] == [6, 12]


def test_the_small_world_brings_exams_into_both(files, tmp_path):
    assert train(files, tmp_path / "run", "--data.corpora", "world", "--train.steps", "8") == 0
    folder = RunFolder(tmp_path / "run")
    exams = read_metrics(folder.metrics).exams
    assert [exam.step for exam in exams] == [4, 8]
    assert checkpoint.load(folder.last).history.exams == exams


def test_the_best_checkpoint_has_the_lowest_validation_loss(trained):
    best, _ = read_metrics(trained.metrics).best_validation
    assert checkpoint.load(trained.best).step == best


def test_one_line_for_each_look_at_how_well_it_goes(files, tmp_path, capsys):
    assert train(files, tmp_path / "run") == 0
    shown = capsys.readouterr()
    lines = [line for line in shown.out.splitlines() if line.startswith("step")]
    assert [line.split(" · ")[0] for line in lines] == ["step  4 of 12", "step  8 of 12", "step 12 of 12"]
    assert all("validation" in line and "tokens/s" in line for line in lines)
    assert (
        shown.out.splitlines()[-1]
        == f"Saved step 12 in {tmp_path / 'run' / 'checkpoints' / 'last.safetensors'}"
    )
    assert shown.err == ""  # no terminal


def test_what_may_spoil_a_run_is_said_before_it(files, tmp_path, capsys):
    (tmp_path / "short.txt").write_text(WORDS)
    assert (
        train(files, tmp_path / "run", "--data.corpora", str(tmp_path / "short.txt"), "--train.steps", "1")
        == 0
    )
    assert "Note: " in capsys.readouterr().out.partition("step 1")[0]


def test_lines_for_programs(files, tmp_path, capsys):
    assert train(files, tmp_path / "run", "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1].count("") == 0
    metrics = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in metrics] == [
        line for line in map(json.loads, lines[:-1]) if "prompt" not in line
    ]
    assert json.loads(lines[-1])["step"] == 12


def test_a_run_can_be_repeated_by_its_own_file(trained, tmp_path):
    assert main(["train", str(trained.run), "--out", str(tmp_path / "again")]) == 0
    assert same(weights(RunFolder(tmp_path / "again").last), weights(trained.last))


def test_without_a_folder_it_makes_a_new_one_among_the_runs(files, tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path))
    assert main(["train", str(files / "small.json"), "--train.steps", "1"]) == 0
    (folder,) = (tmp_path / "data" / "runs").iterdir()
    assert folder.name.endswith("-small-text")
    assert main(["train", str(files / "small.json"), "--data.corpora", "nowhere.txt"]) == 1
    assert list((tmp_path / "data" / "runs").iterdir()) == [folder]  # none for what never began


def test_a_run_is_never_written_over(trained, files, capsys):
    before = trained.last.stat().st_mtime_ns
    assert train(files, trained.path) == 1
    assert "already a run" in capsys.readouterr().err
    assert trained.last.stat().st_mtime_ns == before


def test_a_failure_before_training_leaves_no_folder(files, tmp_path, capsys):
    assert train(files, tmp_path / "run", "--data.corpora", "nowhere.txt") == 1
    assert train(files, tmp_path / "run", "--model.max_length", "100000") == 1
    assert train(files, tmp_path / "run", "--device", "cuda") == 1
    assert "There is no device “cuda” here." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_held_out_text_it_is_saved_on_the_way_too(files, tmp_path, monkeypatch):
    folder, saved = RunFolder(tmp_path / "run"), []
    at_step(monkeypatch, 12, lambda: saved.append(checkpoint.load(folder.last).step))
    assert train(files, folder.path, "--data.validation", "0") == 0
    assert saved[0] in (5, 8)
    assert checkpoint.load(folder.last).step == 12
    assert not folder.best.exists()


# ---------------------------------------------------------------- stopping, going on, failing


def at_step(monkeypatch, step, act):
    """Do something in the middle of a run, as if from outside."""
    hear = Narrator.hear

    def heard(self, event):
        hear(self, event)
        if isinstance(event, Step) and event.step == step:
            act()

    monkeypatch.setattr(Narrator, "hear", heard)


def test_stopped_while_speed_is_measured_nothing_is_there_to_go_on_with(files, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)
        yield None

    monkeypatch.setattr(Knowledge, "calibrate", interrupted)
    assert train(files, tmp_path / "run") == 130
    assert "Stopped before training began." in (told := capsys.readouterr().err)
    assert "--resume" not in told


def test_the_time_predicted_is_that_of_what_is_measured(trained, files, tmp_path, monkeypatch, capsys):
    """Of all steps without validation and samples; announced is what is still to come, with those."""
    speed = Speed(
        "cpu", (), "plain", block=1.0, again=0.5, ends=2.0, scoring=1.0, block_update=0.0, update=0.0
    )

    def calibrated(*_):
        yield Calibrated(speed)

    monkeypatch.setattr(Knowledge, "calibrate", calibrated)
    monkeypatch.setattr(Knowledge, "speed", lambda *_: speed)
    shutil.copytree(trained.path, tmp_path / "run")
    assert main(["train", "--resume", "--out", str(tmp_path / "run"), "--train.steps", "14"]) == 0
    config = read_run_file(tmp_path / "run" / "run.json")
    seconds = read_about(RunFolder(tmp_path / "run"))["seconds"]
    assert seconds["predicted"] == pytest.approx(14 * seconds_per_step(config, speed))
    told = f"2 steps take {units.about(run_time(config, speed).total * 2 / 14)}"
    assert told.translate(PLAIN) in capsys.readouterr().out


def test_who_stops_and_goes_on_comes_to_the_same_weights(trained, files, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda: signal.raise_signal(signal.SIGINT))
        assert train(files, tmp_path / "run") == 130
    folder = RunFolder(tmp_path / "run")
    assert checkpoint.load(folder.last).step == 7
    assert f"gpt-studio train --resume --out {folder.path}" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    assert main(["train", "--resume", "--out", str(folder.path)]) == 0
    assert same(weights(folder.last), weights(trained.last))
    history = read_metrics(folder.metrics)
    assert list(history.steps) == list(range(1, 13))
    assert list(history.validation_steps) == [4, 8, 12]
    assert [sample.step for sample in read_samples(folder.samples)] == [6, 12]


def test_a_fork_is_a_run_of_its_own_and_retraces_its_parent(trained, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda: signal.raise_signal(signal.SIGINT))
        train(files, tmp_path / "parent")
    parent, fork = RunFolder(tmp_path / "parent"), RunFolder(tmp_path / "fork")
    assert main(["train", "--fork", str(parent.last), "--out", str(fork.path)]) == 0
    assert same(weights(fork.last), weights(trained.last))
    assert read_metrics(fork.metrics).columns["loss"] == read_metrics(trained.metrics).columns["loss"]
    assert read_about(fork)["parent"] == {"run": "parent", "step": 7}
    assert len(read_metrics(parent.metrics)) == 7
    assert (
        main(["train", "--fork", str(tmp_path / "nowhere.safetensors"), "--out", str(fork.path) + "2"]) == 1
    )


def test_the_best_checkpoint_stays_the_best(files, tmp_path, monkeypatch):
    """While the loss rises again, and also for who goes on."""
    losses = {4: 2.0, 8: 1.0, 12: 3.0, 16: 1.5}
    monkeypatch.setattr(trainer.Trainer, "_validation_loss", lambda self, _: losses[self._done])
    folder = RunFolder(tmp_path / "run")
    assert train(files, folder.path) == 0
    assert checkpoint.load(folder.best).step == 8
    assert train(files, folder.path, "--resume", "--train.steps", "16") == 0
    assert (checkpoint.load(folder.best).step, checkpoint.load(folder.last).step) == (8, 16)


def test_more_steps_go_on_from_the_last(trained, files, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run")
    assert train(files, tmp_path / "run", "--resume", "--train.steps", "14") == 0
    folder = RunFolder(tmp_path / "run")
    assert checkpoint.load(folder.last).step == 14
    assert read_run_file(folder.run).train.steps == 14
    assert read_about(folder)["begun"] == read_about(trained)["begun"]


def test_a_vocabulary_the_texts_decide_is_no_obstacle(files, tmp_path):
    """The run file knows only what is usual; the run knows what it was."""
    settings = {**SETTINGS, "preset": "tiny", "data": {"corpora": ["text.txt"], "tokenizer": "characters"}}
    path = files / "characters.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    run = ["train", str(path), "--out", str(tmp_path / "run")]
    assert main([*run, "--train.steps", "1"]) == 0
    assert main([*run, "--train.steps", "2", "--resume"]) == 0
    saved = checkpoint.load(RunFolder(tmp_path / "run").last)
    assert saved.step == 2
    assert saved.config.model.vocab_size == read_run_file(RunFolder(tmp_path / "run").run).model.vocab_size


def test_what_cannot_be_gone_on_with_is_explained(trained, files, tmp_path, capsys):
    assert main(["train", "--resume", "--out", str(tmp_path / "nowhere")]) == 1
    assert "no checkpoint" in capsys.readouterr().err
    before = trained.run.read_text()
    assert main(["train", "--resume", "--out", str(trained.path)]) == 1
    assert "All 12 steps are done." in capsys.readouterr().err
    options = ["--train.steps", "20", "--model.num_layers", "2"]
    assert main(["train", "--resume", "--out", str(trained.path), *options]) == 1
    assert "built with other settings" in capsys.readouterr().err
    assert trained.run.read_text() == before


def test_a_killed_run_goes_on_from_its_last_checkpoint(trained, files, tmp_path):
    folder = RunFolder(tmp_path / "run")
    killed = """
import os, sys
from gpt_studio.cli import main
from gpt_studio.commands.narrator import Narrator
from gpt_studio.core.run_events import Kept, Step
from gpt_studio.core.runner import ended
kept = []
def hear(self, event):
    kept.extend([event.step] if isinstance(event, Kept) else [])
    if isinstance(event, Step) and event.step >= 7 and kept:
        os._exit(9)
Narrator.hear = hear
main(sys.argv[1:])
"""
    command = ["train", str(files / "small.json"), "--out", str(folder.path)]
    assert python("-c", killed, *command).returncode == 9
    assert checkpoint.load(folder.last).step in (4, 8)
    assert read_about(folder)["status"] == "training"
    with folder.metrics.open("a") as torn:
        torn.write('{"step": 8, "lo')
    assert main(["train", "--resume", "--out", str(folder.path)]) == 0
    assert same(weights(folder.last), weights(trained.last))
    assert list(read_metrics(folder.metrics).steps) == list(range(1, 13))
    assert read_about(folder)["status"] == "finished"


def test_a_failure_keeps_what_was_learned(files, tmp_path, monkeypatch, capsys):
    def spoil():
        monkeypatch.setattr(training_step, "loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))

    at_step(monkeypatch, 6, spoil)
    assert train(files, tmp_path / "run") == 1
    folder = RunFolder(tmp_path / "run")
    assert checkpoint.load(folder.last).step == 6
    what, kept, tries = capsys.readouterr().err.splitlines()
    assert "Training stopped at step 7" in what
    assert kept == f"Kept: Step 6, in {folder.last}"
    assert tries.startswith("Try: Halve the learning rate")


def test_training_outlives_a_save_that_fails(files, tmp_path, monkeypatch, capsys):
    folder = RunFolder(tmp_path / "run")
    at_step(monkeypatch, 3, lambda: shutil.rmtree(folder.path))
    assert train(files, tmp_path / "run") == 0
    told = capsys.readouterr().err.splitlines()
    assert [line.rpartition(". ")[2] for line in told] == [
        "Training goes on.",
        "What could not be written is written now.",
    ]
    assert checkpoint.load(folder.last).step == 12
    assert list(read_metrics(folder.metrics).steps) == list(range(1, 13))
    assert read_run_file(folder.run).train.steps == 12


def test_what_could_not_be_saved_to_the_end_is_a_failure(files, tmp_path, monkeypatch, capsys):
    folder = RunFolder(tmp_path / "run")

    def replace():
        shutil.rmtree(folder.path)
        folder.path.write_text("in the way")

    at_step(monkeypatch, 3, replace)
    assert train(files, tmp_path / "run") == 1
    told = capsys.readouterr().err
    assert told.count("Training goes on.") == 1
    assert f"gpt-studio: “{folder.path}” cannot be written" in told


def test_a_run_that_is_being_trained_is_left_alone(trained, capsys):
    with Lock(trained.lock):
        assert main(["train", "--resume", "--out", str(trained.path), "--train.steps", "14"]) == 1
    assert "is being trained already" in capsys.readouterr().err
    assert checkpoint.load(trained.last).step == 12


def test_stopping_early_says_where_the_best_weights_are(files, tmp_path, monkeypatch, capsys):
    losses = {4: 2.0, 8: 3.0, 12: 4.0}
    monkeypatch.setattr(trainer.Trainer, "_validation_loss", lambda self, _: losses[self._done])
    folder = RunFolder(tmp_path / "run")
    assert train(files, folder.path, "--train.steps", "100", "--train.patience", "2") == 0
    assert f"the weights of step 4 are in {folder.best}" in capsys.readouterr().err
    assert (checkpoint.load(folder.best).step, checkpoint.load(folder.last).step) == (4, 12)
    assert read_about(folder)["status"] == "early"


def test_ctrl_c_in_a_real_process(files, tmp_path):
    folder = RunFolder(tmp_path / "run")
    command = ["train", str(files / "small.json"), "--out", str(folder.path), "--train.steps", "1000000"]
    running = subprocess.Popen(
        [sys.executable, "-m", "gpt_studio", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        while running.poll() is None and len(read_metrics(folder.metrics)) < 3:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    assert running.returncode == 130, said
    assert "To go on: gpt-studio train --resume" in said
    assert checkpoint.load(folder.last).step == read_metrics(folder.metrics).steps[-1] >= 3


@pytest.mark.parametrize(("first", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_at_once(first, code):
    with Interruption() as interruption:
        signal.raise_signal(first)
        assert interruption.code == code
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


# ---------------------------------------------------------------- talking, exams, exports


def generated(capsys, *arguments):
    assert main(["generate", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_model_goes_on_with_a_text(trained, capsys, monkeypatch):
    options = [trained.last, "--seed", 3, "--sample.max_tokens", 20]
    one = generated(capsys, *options, "--prompt", "the ")
    assert one == generated(capsys, *options, "--prompt", "the ")
    assert one != generated(capsys, *options[:2], 4, *options[3:], "--prompt", "the ")
    assert one.endswith("\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("the \n"))
    assert one == generated(capsys, *options, "--prompt", "-")
    assert generated(capsys, *options)


def test_a_chat_writes_an_answer_for_each_line(trained, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("one?\ntwo?\n"))
    prompts = []
    from gpt_studio.engine import generator

    real = generator.generate
    monkeypatch.setattr(
        generator, "generate", lambda *given: prompts.append((given[2].prompt, given[2].stop)) or real(*given)
    )
    out = generated(capsys, trained.last, "--chat", "--sample.max_tokens", "5", "--seed", "1")
    assert prompts[0] == ("Q: one?\nA:", "\nQ:")
    assert prompts[1][0].startswith("Q: one?\nA: ")
    assert prompts[1][0].endswith("\nQ: two?\nA:")
    assert out.count("\n") >= 2


@pytest.mark.parametrize("command", ["generate", "exam", "export"])
def test_a_file_that_is_no_checkpoint_is_explained(files, tmp_path, capsys, command):
    more = [str(tmp_path / "out.safetensors")] if command == "export" else []
    assert main([command, str(files / "text.txt"), *more]) == 1
    assert "not a GPT Studio checkpoint" in capsys.readouterr().err
    assert main([command, str(files / "none.safetensors"), *more]) == 1


def test_an_exam_tells_each_skill_and_the_mean(trained, capsys):
    assert main(["exam", str(trained.last), "--count", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["exam"].keys() <= {skill.name for skill in world.SKILLS}
    assert found["mean"] == 0.0
    assert main(["exam", str(trained.last), "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found["exam"]) + 1
    assert lines[-1].split() == ["All", "0.0", "%"]


def test_an_exported_model_is_the_same_without_what_only_training_needs(trained, tmp_path, capsys):
    whole, light = tmp_path / "whole.safetensors", tmp_path / "light.safetensors"
    assert main(["export", str(trained.last), str(whole)]) == 0
    assert main(["export", str(trained.last), str(light), "--weights-only"]) == 0
    assert same(weights(whole), weights(trained.last))
    assert same(weights(light), weights(trained.last))
    assert not checkpoint.load(whole).moments
    assert len(checkpoint.load(whole).history) == 12
    assert len(checkpoint.load(light).history) == 0
    assert light.stat().st_size < whole.stat().st_size < trained.last.stat().st_size
    capsys.readouterr()
    seed = ["--seed", "5", "--prompt", "the"]
    assert generated(capsys, light, *seed) == generated(capsys, trained.last, *seed)


def test_a_tokenizer_is_exported_alone(files, tmp_path):
    assert train(files, tmp_path / "run", "--data.tokenizer", "gpt2", "--train.steps", "1") == 0
    target = tmp_path / "x.tiktoken"
    assert main(["export", str(RunFolder(tmp_path / "run").last), str(target)]) == 0
    assert target.read_bytes() == (resources() / "tokenizers" / "gpt2.tiktoken").read_bytes()


def test_a_tokenizer_that_has_no_ranks_is_refused(trained, tmp_path, capsys):
    assert main(["export", str(trained.last), str(tmp_path / "x.tiktoken")]) == 1
    assert "no ranks" in capsys.readouterr().err
    assert not (tmp_path / "x.tiktoken").exists()


def test_exports_that_make_no_sense_are_refused(trained, tmp_path, capsys):
    before = trained.last.stat().st_mtime_ns
    assert main(["export", str(trained.last), str(tmp_path / "x.exe")]) == 1
    assert main(["export", str(trained.last), str(trained.last)]) == 1
    assert "replace itself" in capsys.readouterr().err
    assert trained.last.stat().st_mtime_ns == before


def test_whoever_has_read_enough_may_close_the_pipe(trained):
    command = [
        sys.executable,
        "-m",
        "gpt_studio",
        "generate",
        str(trained.last),
        "--sample.max_tokens",
        "3000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.read(5)
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 1


# ---------------------------------------------------------------- parts


def narrated(events, steps=100, done=0):
    now = [0.0]
    said = []
    narrator = Narrator(steps, done, 2.0, StatusLine(), said.append, lambda: now[0])
    for seconds, event in events:
        now[0] = seconds
        narrator.hear(event)
    narrator.finish()
    return said


def step(number, loss):
    return Step(
        number, {metric.name: 0.0 for metric in METRICS} | {"loss": loss, "tokens_per_second": 2000.0}
    )


def test_a_line_says_what_is_known_and_how_long_it_takes():
    exam = Exam(20, {"facts": 1.0, "letters": 0.5})
    events = [(5, step(10, 3.0)), (10, step(20, 1.0)), (10, Evaluated(20, 1.0)), (10, Examined(exam))]
    (line,) = narrated([*events, (10, step(21, 9.0))])
    facts = [fact.replace("\u202f", " ") for fact in line.split(" · ")]
    assert facts[:4] == ["step  20 of 100", "loss 2.000", "validation 1.000", "0.721 bits/byte"]
    assert facts[4:] == ["exams 75 %", "2.00 k tokens/s", "40 s left"]


def test_the_last_line_says_how_long_it_took():
    (line,) = narrated([(90, step(100, 1.0)), (95, Evaluated(100, 1.0))])
    assert line.endswith("took 2\u202fmin")


def test_time_left_counts_only_the_steps_of_this_time():
    (line,) = narrated([(10, step(60, 1.0)), (10, Evaluated(60, 1.0))], done=50)
    assert line.endswith("40\u202fs left")


def test_devices_by_name():
    devices = (Device("cuda:0", "", 1), Device("cuda:1", "", 1), Device("cpu", "", 1))
    assert [device_named(name, devices).name for name in ("", "cuda", "cuda:1", "cpu")] == [
        "cuda:0",
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    with pytest.raises(StudioError, match="cuda:2"):
        device_named("cuda:2", devices)


def test_options_come_over_the_run_file_and_paths_from_where_one_is(files, tmp_path, monkeypatch):
    import argparse

    from gpt_studio.commands import options

    parser = argparse.ArgumentParser()
    options.add_run(parser)
    monkeypatch.chdir(tmp_path)
    arguments = [
        str(files / "small.json"),
        "--train.steps",
        "3",
        "--data.corpora",
        "a.txt",
        "--data.corpora",
        "world",
    ]
    config = options.config_of(parser.parse_args(arguments))
    assert config.train.steps == 3
    assert config.model.num_layers == 1
    assert config.data.corpora == (str(tmp_path / "a.txt"), "world")
    assert options.config_of(parser.parse_args([])) == first_config()
    assert options.config_of(parser.parse_args([]), RunConfig()) == RunConfig()
