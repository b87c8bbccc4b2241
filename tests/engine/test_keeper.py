"""A run keeps itself on disk while it is trained, and training outlives whatever the disk does."""

import errno
import json
import os
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_studio.core import line_file
from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.lock import is_held
from gpt_studio.core.metrics import METRICS, History, Mark, Sample
from gpt_studio.core.run_events import (
    Evaluated,
    Kept,
    KeptAgain,
    Marked,
    MemoryMeasured,
    NotKept,
    PlanChanged,
    Resources,
    Sampled,
    Step,
)
from gpt_studio.core.run_file import read_run_file
from gpt_studio.core.runs import RunFolder, read_about, read_metrics, read_samples
from gpt_studio.engine import saving
from gpt_studio.engine.checkpoint import Checkpoint, load
from gpt_studio.engine.keeper import Keeper
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer, moments
from gpt_studio.engine.tokenizers import tokenizer

MODEL = GPTConfig(num_layers=1, heads=1, embed_size=4, max_length=4, vocab_size=257)
PLAN = TrainConfig(steps=1000, evaluate_every=4, sample_every=0, save_every=0)


class Run:
    """A run whose losses are given, and whose every weight is the number of the step."""

    def __init__(self, path, history=None, step=0, about=None, **plan):
        self.folder = RunFolder(path)
        self.config = RunConfig(model=MODEL, data=DataConfig(corpora=("a.txt",)), train=PLAN.changed(**plan))
        self.model = GPT(MODEL)
        self.optimizer = make_optimizer(self.model, self.config.train)
        self.history = history or History()
        self.step = step
        self.now = 0.0
        self.told = []
        self.keeper = Keeper(
            self.folder, self.config, self.snapshot, about or {}, 2.0, clock=lambda: self.now
        )

    def snapshot(self):
        remembered = moments(self.model, self.optimizer)
        return Checkpoint(self.config, self.step, tokenizer("bytes"), self.model, self.history, remembered)

    def hear(self, event):
        match event:
            case Step(step, values):
                self.step = step
                self.history.add_step(step, values)
            case Evaluated(step, loss):
                self.history.add_validation(step, loss)
            case Sampled(sample):
                self.history.samples.append(sample)
            case Marked(mark):
                self.history.marks.append(mark)
            case Resources(step, values):
                self.history.add_resources(step, values)
        self.told += self.keeper.hear(event)

    def settle(self):
        """Wait for what is being written; what became of it is told with the next event."""
        if self.keeper._saving:
            self.keeper._saving._thread.join()

    @torch.no_grad()
    def learn(self, *events):
        """One step, and what is due after it."""
        self.keeper.release()
        for parameter in self.model.parameters():
            parameter.fill_(self.step + 1)
        self.hear(Step(self.step + 1, {metric.name: (self.step + 1) / 3 for metric in METRICS}))
        for event in events:
            self.hear(event)

    def learn_to(self, last, losses=None):
        """Steps with validation as the plan has it."""
        while (step := self.step + 1) <= last:
            looks = step % self.config.train.evaluate_every == 0
            self.learn(*[Evaluated(step, (losses or {}).get(step, 10 / step))] * looks)

    def close(self, status="finished"):
        self.told += self.keeper.close(status)

    def kept(self):
        return [event.step for event in self.told if isinstance(event, Kept)]

    def troubles(self):
        return [type(event) for event in self.told if isinstance(event, NotKept | KeptAgain)]


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    yield run
    list(run.keeper.close("stopped"))


def held(path):
    """The step of a checkpoint, whose weights must be those of that step."""
    found = load(path)
    assert all((parameter == found.step).all() for parameter in found.model.parameters())
    return found.step


def names(run):
    return sorted(path.name for path in run.folder.last.parent.iterdir())


# ---------------------------------------------------------------- what is kept


def test_a_run_is_in_its_folder(run):
    run.learn_to(9)
    run.hear(Marked(Mark(9, "plan", "Slower")))
    run.hear(Resources(9, {"process_memory": 5.0}))
    run.close()
    found = read_metrics(run.folder.metrics)
    assert (found.steps, found.columns) == (run.history.steps, run.history.columns)
    assert found.validation_losses == run.history.validation_losses
    assert found.marks == [Mark(9, "plan", "Slower")]
    assert found.resources["process_memory"][0] == 5.0
    assert held(run.folder.last) == 9
    assert load(run.folder.last).history.marks == found.marks
    assert sorted(file.name for file in run.folder.path.iterdir()) == [
        "checkpoints",
        "metrics.jsonl",
        "run.json",
        "run.lock",
        "samples.jsonl",
    ]


def test_it_is_saved_after_each_look_and_at_the_end(run):
    run.learn_to(10)
    run.close()
    assert run.kept()[-1] == 10
    assert set(run.kept()) <= {4, 8, 10}
    assert all(event.size == run.folder.last.stat().st_size for event in run.told[-1:])


def test_what_nobody_learned_is_not_saved_again(run):
    run.learn_to(4)
    run.close()
    assert run.kept() == [4]


def test_a_checkpoint_has_all_that_belongs_to_its_step(tmp_path):
    run = Run(tmp_path / "run", sample_every=4, sample_prompt="a|b", save_every=4)
    samples = [Sampled(Sample(4, prompt, "x")) for prompt in "ab"]
    for _ in range(3):
        run.learn()
    run.learn(Evaluated(4, 1.0), *samples)
    run.learn()
    run.close()
    for path in (run.folder.best, run.folder.numbered(4)):
        assert held(path) == 4
        assert len(load(path).history.samples) == 2
        assert len(load(path).history.validation_steps) == 1


def test_where_nothing_is_held_out_it_is_saved_all_the_same(run):
    while run.step < 14:
        run.learn()
        run.settle()
    run.close()
    assert run.kept() == [5, 8, 12, 14]
    assert not run.folder.best.exists()


def test_the_first_comes_soon_so_that_a_killed_run_can_go_on(tmp_path):
    run = Run(tmp_path / "run", evaluate_every=1000)
    run.now += 19
    run.learn()
    run.settle()
    assert run.kept() == []
    run.now += 1
    run.learn()
    run.settle()
    assert held(run.folder.last) == 2
    run.now += 30
    run.learn()
    run.learn()
    run.settle()
    assert run.kept() == [2]
    run.close()


def test_at_least_every_five_minutes(tmp_path):
    run = Run(tmp_path / "run", evaluate_every=1000)
    for _ in range(3):
        run.now += 5
        run.learn()
    list(run.keeper.keep())
    assert run.kept() == []
    assert held(run.folder.last) == 3
    run.learn()
    run.now += 299
    run.learn()
    run.now += 1
    run.learn()
    run.close()
    assert run.kept() == [6]


def test_the_best_stays_the_best_whatever_comes(tmp_path):
    run = Run(tmp_path / "run")
    run.learn_to(16, {4: 2.0, 8: 1.0, 12: 3.0, 16: 1.5})
    run.close()
    assert (held(run.folder.best), held(run.folder.last)) == (8, 16)
    again = Run(tmp_path / "run", run.history, 16)
    again.learn_to(20, {20: 1.2})
    again.close()
    assert held(again.folder.best) == 8
    again = Run(tmp_path / "run", again.history, 20)
    again.learn_to(24, {24: 0.9})
    again.close()
    assert held(again.folder.best) == 24


def test_numbered_checkpoints_go_but_not_a_person_s(tmp_path):
    run = Run(tmp_path / "run", save_every=3, keep=2)
    own = run.folder.numbered(6)
    own.write_text("mine")
    run.learn_to(17)
    run.close()
    assert [path.name for path in run.folder.checkpoints()] == [
        "last.safetensors",
        "best.safetensors",
        "step-000015.safetensors",
        "step-000012.safetensors",
        "step-000006.safetensors",
    ]
    assert own.read_text() == "mine"
    assert [held(run.folder.numbered(step)) for step in (12, 15)] == [12, 15]

    again = Run(tmp_path / "run", run.history, 17, save_every=3, keep=1)
    again.learn_to(18)
    again.close()
    assert [path.stem for path in again.folder.checkpoints()[2:]] == ["step-000018", "step-000006"]


def test_a_pause_keeps_the_step_there_is(run):
    run.learn_to(6)
    run.told += run.keeper.keep()
    assert run.kept() == [4, 6]
    assert held(run.folder.last) == 6
    assert run.keeper.last_good() == (str(run.folder.last), 6)
    assert list(run.keeper.keep()) == []


def test_the_weights_may_change_while_they_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "PIECE", 64)
    run = Run(tmp_path / "run", evaluate_every=1, save_every=1, keep=100)
    run.learn_to(20, dict.fromkeys(range(1, 30), 1.0))
    run.close()
    assert [held(run.folder.numbered(step)) for step in range(1, 21)] == list(range(1, 21))


# ---------------------------------------------------------------- what run.json says


def test_run_json_says_how_the_run_goes_and_how_it_ended(tmp_path):
    about = {"parameters": 5, "name": "Owl", "memory": {"predicted": 7}, "parent": {"run": "fox", "step": 2}}
    run = Run(tmp_path / "run", about=about)
    assert read_about(run.folder)["status"] == "training"
    run.hear(MemoryMeasured(9))
    run.hear(MemoryMeasured(8))
    run.learn_to(3)
    run.close("early")
    found = read_about(run.folder)
    assert (found["status"], found["name"], found["parent"]) == ("early", "Owl", {"run": "fox", "step": 2})
    assert (found["memory"], found["seconds"]) == ({"predicted": 7, "measured": 9}, {"measured": 1.0})

    again = Run(tmp_path / "run", run.history, 3, {"memory": {"predicted": 8}})
    assert read_about(again.folder)["memory"] == {"predicted": 8, "measured": 9}
    assert read_about(again.folder)["begun"] == found["begun"]
    assert read_about(again.folder)["status"] == "training"
    again.close("stopped")
    assert read_about(again.folder)["status"] == "stopped"


def test_a_plan_that_changes_is_in_run_json_and_counts_at_once(run):
    run.learn_to(3)
    changed = run.config.changed("train", {"learning_rate": 1e-4, "save_every": 5})
    run.hear(PlanChanged(changed, Mark(3, "plan", "Learning rate 1e-3 → 1e-4")))
    assert read_run_file(run.folder.run).train == changed.train
    assert read_metrics(run.folder.metrics).marks == [Mark(3, "plan", "Learning rate 1e-3 → 1e-4")]
    run.learn_to(6)
    run.close()
    assert held(run.folder.numbered(5)) == 5


def test_a_spoiled_run_json_is_no_obstacle(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"mod')
    run = Run(tmp_path / "run")
    run.close()
    assert read_run_file(run.folder.run).train == run.config.train


# ---------------------------------------------------------------- who writes


def test_one_at_a_time_writes_a_run(run):
    with pytest.raises(StudioError, match="is being trained already"):
        Run(run.folder.path)
    run.close()
    assert not is_held(run.folder.lock)
    Run(run.folder.path).close()


def test_a_run_that_cannot_begin_holds_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(line_file.os, "fsync", fail)
        with pytest.raises(StudioError, match="cannot be written"):
            Run(tmp_path / "run")
    assert not is_held(tmp_path / "run" / "run.lock")


def test_what_a_killed_writer_left_is_removed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.make()
    for path in (folder.path / "run.partial", folder.last.parent / "last.0123abcd.partial"):
        path.write_text("half")
    Run(folder.path).close()
    assert list(folder.path.rglob("*.partial")) == []


def test_what_a_killed_writer_did_not_remove_is_removed(tmp_path):
    run = Run(tmp_path / "run", save_every=1, keep=3)
    run.learn_to(3)
    run.close()
    Run(tmp_path / "run", run.history, 3, keep=1).close()
    assert [path.stem for path in run.folder.checkpoints()[1:]] == ["step-000003"]


def test_a_best_step_that_was_not_kept_is_no_measure_of_the_next(run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run.learn_to(4, {4: 5.0})
    run.settle()
    with monkeypatch.context() as patch:
        patch.setattr(saving, "write_all", full)
        run.learn_to(8, {8: 3.0})
        run.settle()
        run.learn_to(9)
    assert run.troubles() == [NotKept]
    run.now += 10
    run.learn_to(12, {12: 4.0})
    run.close()
    assert run.troubles() == [NotKept, KeptAgain]
    assert held(run.folder.best) == 12, "better than what was kept before"


def test_a_fork_has_the_curves_of_its_parent(tmp_path):
    parent = Run(tmp_path / "parent")
    parent.learn_to(8)
    parent.hear(Sampled(Sample(8, "The", "fox")))
    parent.close()
    child = Run(tmp_path / "child", load(parent.folder.last).history, 8)
    child.learn_to(10)
    child.close()
    found = read_metrics(child.folder.metrics)
    assert list(found.steps) == list(range(1, 11))
    assert found.validation_losses == parent.history.validation_losses
    assert read_samples(child.folder.samples) == parent.history.samples
    assert held(child.folder.last) == 10


def test_lines_that_were_lost_are_written_from_the_checkpoint(tmp_path):
    run = Run(tmp_path / "run")
    run.learn_to(8)
    run.close()
    whole = run.folder.metrics.read_bytes()
    lines = whole.splitlines(keepends=True)
    run.folder.metrics.write_bytes(b"".join(lines[:5]) + lines[5][:10])  # step 5, after step 4's validation
    again = Run(tmp_path / "run", load(run.folder.last).history, 8)
    again.learn_to(9)
    again.close()
    found = read_metrics(run.folder.metrics)
    assert list(found.steps) == list(range(1, 10))
    assert list(found.validation_steps) == [4, 8]


# ---------------------------------------------------------------- what cannot be written


def test_a_folder_that_is_removed_comes_back(run):
    run.learn_to(5)
    run.settle()
    shutil.rmtree(run.folder.path)
    run.learn_to(7)
    run.now += 2.9
    run.learn()
    assert run.troubles() == [NotKept]
    assert not run.folder.path.exists()
    run.now += 0.1
    run.learn_to(12)
    run.close()
    assert run.troubles() == [NotKept, KeptAgain]
    assert list(read_metrics(run.folder.metrics).steps) == list(range(1, 13))
    assert held(run.folder.last) == 12
    assert read_about(run.folder)["status"] == "finished"
    assert run.folder.lock.exists()


def test_a_folder_of_checkpoints_that_is_removed_comes_back(run):
    run.learn_to(5)
    list(run.keeper.keep())
    shutil.rmtree(run.folder.last.parent)
    run.learn_to(8)
    while run.troubles() != [NotKept, KeptAgain]:
        run.now += 3
        run.learn()
        assert run.step < 500
    run.close()
    assert held(run.folder.last) == run.step


def test_at_the_end_it_is_tried_once_more(run):
    run.learn_to(5)
    run.settle()
    shutil.rmtree(run.folder.path)
    run.learn_to(6)
    run.close("stopped")
    assert run.troubles() == [NotKept, KeptAgain]
    assert (held(run.folder.last), read_about(run.folder)["status"]) == (6, "stopped")


def test_a_place_that_is_gone_for_good_ends_nothing(run):
    run.learn_to(5)
    run.settle()
    shutil.rmtree(run.folder.path)
    run.folder.path.write_text("in the way")
    for _ in range(10):
        run.now += 3
        run.learn()
    run.close()
    assert run.troubles() == [NotKept]
    run.folder.path.unlink()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="who may do anything")
def test_permission_that_is_lost_comes_back(run):
    run.learn_to(5)
    folders = (run.folder.last.parent, run.folder.path)
    for file in (run.folder.metrics, run.folder.samples, *folders):
        file.chmod(0o500)
    run.learn_to(9)
    assert run.troubles() == [NotKept]
    for file in (run.folder.metrics, run.folder.samples, *folders):
        file.chmod(0o700)
    run.now += 3
    run.learn_to(12)
    run.close()
    assert run.troubles() == [NotKept, KeptAgain]
    assert held(run.folder.last) == 12


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    fails=st.lists(st.integers(0, 3), max_size=60),
    code=st.sampled_from([errno.ENOSPC, errno.EACCES, errno.EIO, errno.EDQUOT]),
)
def test_a_disk_that_refuses_now_and_then_loses_nothing(tmp_path_factory, fails, code):
    """0 refuses, 1 takes a part and refuses the rest, 2 and more take all."""
    real, left = os.write, list(fails)

    def write(file, data):
        mood = left.pop() if left else 2
        if mood == 1:
            real(file, bytes(data)[: len(data) // 2])
        if mood < 2:
            raise OSError(code, os.strerror(code))
        return real(file, data)

    run = Run(tmp_path_factory.mktemp("disk") / "run", save_every=6, keep=100, sample_every=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_file.os, "write", write)
        while run.step < 24:
            run.now += 1
            step = run.step + 1
            looks = [Evaluated(step, 1.0)] * (step % 4 == 0)
            run.learn(*looks, *[Sampled(Sample(step, "The", "fox " * 50))] * (step % 8 == 0))
    run.close()
    found = read_metrics(run.folder.metrics)
    assert (found.steps, found.columns) == (run.history.steps, run.history.columns)
    assert found.validation_steps == run.history.validation_steps
    assert read_samples(run.folder.samples) == run.history.samples
    assert len(run.folder.metrics.read_text().splitlines()) == 24 + 6
    assert held(run.folder.last) == 24
    assert all(held(path) == int(path.stem[5:]) for path in run.folder.checkpoints()[2:])
    assert run.troubles() == [NotKept, KeptAgain] * (len(run.troubles()) // 2)
    assert list(run.folder.path.rglob("*.partial")) == []
    json.loads(run.folder.run.read_text())
