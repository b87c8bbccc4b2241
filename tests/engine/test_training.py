"""A run in a person's hands: paused, changed, kept, forked, ended; its folder holds what happened."""

import json
from pathlib import Path

import pytest

from gpt_studio.core import paths
from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Opened
from gpt_studio.core.lock import Lock, is_held
from gpt_studio.core.requests import Calibrate, Keep, Open, Replan, SampleNow, Train
from gpt_studio.core.run_events import (
    Kept,
    KeptAgain,
    NotKept,
    PlanChanged,
    RunBegun,
    Sampled,
    Step,
    StoppedEarly,
)
from gpt_studio.core.run_index import rename
from gpt_studio.core.runner import ended
from gpt_studio.core.runs import RunFolder, read_metrics, read_samples
from gpt_studio.engine import checkpoint, training
from gpt_studio.engine.keeper import Keeper
from gpt_studio.engine.session import Session

MODEL = GPTConfig(num_layers=1, heads=2, embed_size=32, max_length=16, vocab_size=257, dropout=0.1)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("the cat sat on the mat and the dog sat on the log. " * 100)
    plan = TrainConfig(
        steps=20, batch_size=4, learning_rate=1e-2, warmup=2, evaluate_every=5, sample_every=10, save_every=5
    )
    return RunConfig(model=MODEL, data=DataConfig(corpora=(str(path),), tokenizer="bytes"), train=plan)


@pytest.fixture
def session():
    return Session()


def do(session, request):
    return [event for event in session.start(request) if event is not None]


def begun(session, request, step):
    """A job that has come to a step, and its events so far."""
    job, found = session.start(request), []
    for event in job:
        found.append(event)
        if isinstance(event, Step) and event.step == step:
            return job, found
    raise AssertionError("the job ended")


def only(kind, events):
    return next(event for event in events if isinstance(event, kind))


def folder_of(events):
    return RunFolder(Path(only(RunBegun, events).folder))


def losses(folder):
    return list(read_metrics(folder.metrics).columns["loss"])


def about(folder):
    return json.loads(folder.run.read_text())["about"]


# ---------------------------------------------------------------- the folder


def test_a_run_is_a_folder_of_its_own(session, config):
    events = do(session, Train(config, name="first"))
    folder = folder_of(events)
    assert folder.path.parent == paths.data() / "runs"
    assert "first" in folder.path.name
    assert losses(folder) == [event.values["loss"] for event in events if isinstance(event, Step)]
    assert [sample.step for sample in read_samples(folder.samples)] == [10, 20]
    assert about(folder)["status"] == "finished"
    assert about(folder)["memory"]["predicted"] > about(folder)["parameters"]
    assert checkpoint.load(folder.last).step == 20
    another = folder_of(do(session, Train(config, name="first")))
    assert another != folder
    assert losses(another) == losses(folder)


@pytest.mark.parametrize("attention", ["auto", "plain"])
def test_the_time_foreseen_is_written_down(session, config, attention):
    do(session, Calibrate(config))
    chosen = session._knowledge.speed(config, "cpu").attention
    resolved = config.changed("train", {"attention": attention if attention == "auto" else chosen})
    assert about(folder_of(do(session, Train(resolved))))["seconds"]["predicted"] > 0


def test_who_is_stopped_has_said_what_is_kept(session, config):
    job, before = begun(session, Train(config), 7)
    last = list(ended(job))
    assert [event.step for event in last if isinstance(event, Kept)][-1] == 7
    folder = folder_of(before)
    assert (about(folder)["status"], checkpoint.load(folder.last).step) == ("stopped", 7)


@pytest.mark.parametrize("step", [3, 5, 10])
def test_a_run_goes_on_in_its_folder_as_if_never_stopped(session, config, step):
    whole = losses(folder_of(do(session, Train(config))))
    job, before = begun(session, Train(config), step)
    job.close()
    folder = folder_of(before)
    rename(folder.path, "Cats")
    fresh = Session()
    opened = only(Opened, do(fresh, Open(str(folder.last))))
    assert (opened.folder, opened.name, opened.step) == (str(folder.path), "Cats", step)
    do(fresh, Train(opened.config, resume=True))
    assert losses(folder) == whole
    assert about(folder)["status"] == "finished"


def test_who_is_killed_after_the_last_step_comes_to_an_end(session, config):
    folder = folder_of(do(session, Train(config)))
    told = json.loads(folder.run.read_text())
    told["about"]["status"] = "training"
    folder.run.write_text(json.dumps(told))
    fresh = Session()
    assert only(Opened, do(fresh, Open(str(folder.last)))).cut_off
    do(fresh, Train(config, resume=True))
    assert about(folder)["status"] == "finished"
    assert not only(Opened, do(Session(), Open(str(folder.last)))).cut_off


def test_training_needs_no_place_to_be_kept_in(session, config, monkeypatch, tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")
    monkeypatch.setattr(paths, "data", lambda: occupied)
    events = do(session, Train(config))
    assert only(NotKept, events).what
    assert sum(isinstance(event, Step) for event in events) == 20


def test_a_run_that_could_not_be_kept_at_first_is_kept_once_it_can(session, config, monkeypatch, tmp_path):
    whole = losses(folder_of(do(session, Train(config))))
    occupied = tmp_path / "file"
    occupied.write_text("")
    monkeypatch.setattr(training, "RETRY", 0)
    with monkeypatch.context() as patch:
        patch.setattr(paths, "data", lambda: occupied)
        job, before = begun(session, Train(config), 7)
    assert [event for event in before if isinstance(event, NotKept)]
    rest = [event for event in job if event]
    assert only(RunBegun, rest).step == 7
    assert only(KeptAgain, rest)
    folder = folder_of(rest)
    assert losses(folder) == whole
    assert (about(folder)["status"], checkpoint.load(folder.last).step) == ("finished", 20)


def test_a_named_folder_that_another_writes_is_refused(session, config, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.make()
    with Lock(folder.lock), pytest.raises(StudioError, match="being trained already"):
        do(session, Train(config, folder=str(folder.path)))


# ---------------------------------------------------------------- forks


def test_a_fork_without_a_change_retraces_its_parent(session, config):
    parent = folder_of(do(session, Train(config)))
    fresh = Session()
    opened = only(Opened, do(fresh, Open(str(parent.numbered(10)))))
    assert (opened.folder, opened.step) == ("", 10)
    fork = folder_of(do(fresh, Train(opened.config, resume=True)))
    assert fork != parent
    assert losses(fork) == losses(parent)
    assert about(fork)["parent"] == {"run": parent.path.name, "step": 10}
    assert [(mark.step, mark.kind) for mark in read_metrics(fork.metrics).marks] == [(10, "fork")]


def test_the_last_checkpoint_can_be_forked_too(session, config):
    job, before = begun(session, Train(config), 6)
    job.close()
    parent = folder_of(before)
    fresh = Session()
    opened = only(Opened, do(fresh, Open(str(parent.last), fork=True)))
    longer = opened.config.changed("train", {"steps": 25})
    fork = folder_of(do(fresh, Train(longer, resume=True)))
    assert len(losses(parent)) == 6
    assert len(losses(fork)) == 25


def test_a_run_that_another_writes_is_forked(session, config):
    job, before = begun(session, Train(config), 6)
    folder = folder_of(before)
    kept = [event for event in job if isinstance(event, Kept)]
    assert kept
    with Lock(folder.lock):
        assert only(Opened, do(Session(), Open(str(folder.last)))).folder == ""


# ---------------------------------------------------------------- wishes on the way


def test_a_plan_changes_on_the_way_and_the_folder_tells(session, config):
    job, before = begun(session, Train(config), 8)
    slower = config.train.changed(learning_rate=5e-3, steps=12)
    changed = only(PlanChanged, do(session, Replan(slower)))
    assert changed.config.train == slower
    assert "5e−3" in changed.mark.text
    rest = [event for event in job if isinstance(event, Step)]
    assert rest[-1].step == 12
    folder = folder_of(before)
    assert [(mark.step, mark.kind) for mark in read_metrics(folder.metrics).marks] == [(8, "plan")]
    assert json.loads(folder.run.read_text())["train"]["steps"] == 12
    again = Session()  # who goes on has the plan in force
    assert only(Opened, do(again, Open(str(folder.last)))).config.train == slower


def test_what_needs_a_new_model_does_not_change_on_the_way(session, config):
    job, _ = begun(session, Train(config), 3)
    with pytest.raises(StudioError, match="cannot change in the middle"):
        do(session, Replan(config.train.changed(batch_size=2)))
    assert sum(isinstance(event, Step) for event in job) == 17
    with pytest.raises(StudioError, match="Nothing is being trained"):
        session.start(Replan(config.train))


def test_samples_can_be_had_at_any_time_and_change_nothing(session, config):
    whole = losses(folder_of(do(session, Train(config))))
    job, before = begun(session, Train(config), 4)
    sample = only(Sampled, do(session, SampleNow())).sample
    assert sample.step == 4
    assert "".join(text for text, _ in sample.tokens) == sample.text
    assert all(0 < p <= 1 for _, p in sample.tokens)
    for _ in job:
        pass
    folder = folder_of(before)
    assert losses(folder) == whole
    assert [one.step for one in read_samples(folder.samples)] == [4, 10, 20]
    assert read_samples(folder.samples)[0].tokens == sample.tokens


def test_a_pause_can_be_kept(session, config):
    job, before = begun(session, Train(config), 7)
    assert do(session, Keep())[-1].step == 7
    assert checkpoint.load(folder_of(before).last).step == 7
    job.close()


def test_stopping_early_names_the_best_weights(session, config):
    text = Path(config.data.corpora[0])
    text.write_text("".join(chr(97 + (i * i * 7919) % 23) for i in range(400)))
    doomed = config.changed("train", {"steps": 400, "patience": 2, "learning_rate": 3e-2})
    events = do(session, Train(doomed))
    early = only(StoppedEarly, events)
    assert early.best_step < early.step < 400
    best = checkpoint.load(early.checkpoint)
    assert best.step == early.best_step
    assert about(folder_of(events))["status"] == "early"


def test_who_ends_training_as_it_begins_holds_no_lock(session, config):
    job = session.start(Train(config))
    folder = folder_of([next(event for event in job if isinstance(event, RunBegun))])
    list(ended(job))
    assert not is_held(folder.lock)
    assert about(folder)["status"] == "stopped"


def test_what_became_of_a_checkpoint_is_told_however_training_ends(session, config, monkeypatch):
    job, _ = begun(session, Train(config), 7)
    kept = only(Kept, do(session, Keep()))
    monkeypatch.setattr(Keeper, "hear", lambda self, event: iter([kept]))
    assert any(isinstance(event, Step) for event in job)
    assert kept in list(ended(job))


def test_a_run_that_another_took_further_is_left_to_it(session, config):
    job, before = begun(session, Train(config), 6)
    list(ended(job))
    folder, fresh = folder_of(before), Session()
    opened = only(Opened, do(fresh, Open(str(folder.last))))
    whole = do(fresh, Train(opened.config, resume=True))
    assert folder_of(whole) == folder
    late = folder_of(do(session, Train(config, resume=True)))
    assert late != folder
    assert checkpoint.load(folder.last).step == 20
    assert about(late)["parent"] == {"run": folder.path.name, "step": 6}
    assert losses(late) == losses(folder)


def test_samples_that_take_several_steps_stand_where_they_ended(session, config):
    job, before = begun(session, Train(config), 8)
    writing = session.start(SampleNow())
    next(writing)
    while not (isinstance(event := next(job), Step) and event.step == 12):
        pass
    sample = only(Sampled, [event for event in writing if event]).sample
    assert sample.step == 12
    list(ended(job))
    assert [one.step for one in read_samples(folder_of(before).samples)] == [10, 12]


def test_a_run_that_is_stopped_while_it_ends_has_ended(session, config):
    job, before = begun(session, Train(config), 20)
    assert any(isinstance(event, Kept) and event.step == 20 for event in job)
    list(ended(job))
    assert about(folder_of(before))["status"] == "finished"


def test_the_best_weights_are_the_best_on_the_texts_there_are_now(session, config):
    do(session, Train(config))
    other = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. " * 80
    Path(config.data.corpora[0]).write_text(other, "utf-8")
    longer = config.changed("train", {"steps": 30, "learning_rate": 1e-4})
    events = do(session, Train(longer, resume=True))
    folder = folder_of(events)
    step, loss = read_metrics(folder.metrics).best_validation
    assert step > 20
    assert loss > min(read_metrics(folder.metrics).validation_losses), "the texts before were easier"
    assert checkpoint.load(folder.best).step == step
