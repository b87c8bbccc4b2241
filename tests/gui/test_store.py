"""The store: wishes become requests, facts become state, everybody is told once a batch."""

import dataclasses

import pytest

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import (
    Built,
    DataReport,
    Device,
    Failed,
    Finished,
    Forgotten,
    Generate,
    Opened,
    Pause,
    Paused,
    Prepare,
    Progress,
    Ready,
    Resume,
    Resumed,
    Saved,
    Started,
    Step,
    Stop,
    Stopped,
    Train,
)
from gpt_studio.core.metrics import METRICS, History
from gpt_studio.core.presets import presets
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store

CPU = Device("cpu", "2 cores", 8 * 2**30)
VALUES = {metric.name: 1.0 for metric in METRICS} | {"tokens_per_second": 1000.0}


@pytest.fixture
def sent():
    return []


@pytest.fixture
def store(qtbot, sent):
    store = Store(sent.append)
    store.happened([Ready((CPU,), "cpu")])
    sent.clear()
    return store


def built(store, step=0):
    return Built(store.state.config, 1000, "cpu", step)


def report(store):
    data = store.state.config.data
    return DataReport(data, (), 257, 90, 10, 10, 9, 1, 2, 1, (1.0,), (), "t", 0.1)


def train_to(store, step):
    store.happened([Started("train"), built(store), Step(step, VALUES)])


def test_editing_changes_the_config_and_tells(store, qtbot):
    with qtbot.waitSignal(store.changed) as told:
        store.edit("model", {"num_layers": 7})
    assert told.args[0].config.model.num_layers == 7


def test_a_new_tokenizer_sets_the_vocabulary_and_reads_the_data_again(store, sent):
    store.happened([report(store)])
    store.edit("data", {"tokenizer": "gpt2"})
    assert store.state.config.model.vocab_size == 50257
    assert store.state.report is None
    assert sent == [Prepare(store.state.config.data)]


def test_choosing_no_corpus_stops_reading(store, sent):
    store.edit("data", {"corpora": ()})
    assert sent == [Stop("data")]


def test_a_report_for_other_data_is_ignored(store):
    late = dataclasses.replace(report(store), data=store.state.config.data.changed(corpora=("other",)))
    store.happened([late])
    assert store.state.report is None


def test_undo_and_redo_walk_through_edits(store):
    first = store.state.config
    store.edit("model", {"num_layers": 7})
    store.edit("model", {"heads": 2})
    second = store.state.config
    store.undo()
    assert store.state.config.model.num_layers == 7
    store.undo()
    assert store.state.config == first
    store.redo()
    store.redo()
    assert store.state.config == second
    store.redo()
    assert store.state.config == second


def test_dragging_one_slider_is_one_step_of_undo(store):
    first = store.state.config
    for layers in range(5, 20):
        store.edit("model", {"num_layers": layers})
    store.undo()
    assert store.state.config == first


def test_preset_and_reset(store):
    fresh = store.state.config
    store.apply_preset(presets()[2])
    assert store.state.config.model.embed_size == 768
    assert store.state.config.data.tokenizer == "gpt2"
    store.reset()
    assert (store.state.config.model, store.state.config.train) == (fresh.model, fresh.train)


def test_the_run_button_trains_pauses_resumes(store, sent):
    assert store.state.primary == "train"
    store.press_primary()
    store.happened([Started("train"), built(store)])
    assert store.state.primary == "pause"
    store.press_primary()
    store.happened([Paused("train")])
    assert store.state.primary == "resume"
    store.press_primary()
    store.happened([Resumed("train")])
    assert store.state.primary == "pause"
    assert sent == [Train(store.state.config), Pause("train"), Resume("train")]


def test_training_with_a_problem_points_at_it(store, sent, qtbot):
    store.edit("model", {"embed_size": 100, "heads": 12})
    with qtbot.waitSignal(store.problem_focused) as told:
        store.press_primary()
    assert told.args == ["model.embed_size"]
    assert sent == []


def test_a_stopped_run_resumes_unless_its_shape_changed(store, sent):
    train_to(store, 10)
    store.happened([Stopped("train")])
    assert store.state.resumable
    store.press_primary()
    assert sent == [Train(store.state.config, resume=True)]
    store.edit("model", {"num_layers": 9})
    assert not store.state.resumable
    assert store.state.primary == "train"


def test_a_finished_run_resumes_once_there_are_more_steps(store):
    train_to(store, store.state.config.train.steps)
    store.happened([Finished("train")])
    assert store.state.primary == "train"
    store.edit("train", {"steps": store.state.config.train.steps * 2})
    assert store.state.primary == "resume"


def test_unsaved_follows_saving_and_learning(store):
    assert not store.state.unsaved
    train_to(store, 5)
    assert store.state.unsaved
    store.happened([Saved("/tmp/mine.safetensors", 1, 5)])
    assert not store.state.unsaved
    assert store.state.name == "mine"
    store.happened([Step(6, VALUES)])
    assert store.state.unsaved


def test_a_new_run_forgets_the_file_of_the_old_one(store):
    train_to(store, 5)
    store.happened([Saved("/tmp/mine.safetensors", 1, 5), Stopped("train")])
    train_to(store, 1)
    assert store.state.name == "Untitled run"
    assert store.state.unsaved


def test_opening_restores_config_and_step_and_can_be_undone(store, sent):
    config, before = RunConfig(), store.state.config
    store.happened([Opened("/tmp/a.safetensors", config, 40, History(), 1, "cpu")])
    state = store.state
    assert (state.config, state.step, state.name, state.unsaved) == (config, 40, "a", False)
    assert state.model == Built(config, 1, "cpu", 40)
    assert sent == []  # what to read is for the window to decide
    store.undo()
    assert store.state.config == before


def test_forgetting_leaves_no_model(store):
    train_to(store, 5)
    store.happened([Stopped("train"), Forgotten()])
    assert store.state.model is None
    assert not store.state.unsaved


def test_steps_of_a_batch_come_together_and_in_order(store, qtbot):
    heard = []
    store.stepped.connect(lambda steps: heard.append([step.step for step in steps]))
    store.built.connect(lambda _: heard.append("built"))
    store.happened([Started("train"), built(store), *(Step(n, VALUES) for n in range(1, 4))])
    assert heard == ["built", [1, 2, 3]]


def test_a_batch_is_one_change(store):
    changes = []
    store.changed.connect(changes.append)
    store.happened([Started("train"), built(store), *(Step(n, VALUES) for n in range(1, 40))])
    assert len(changes) == 1
    assert changes[0].step == 39


def test_time_left_comes_from_measured_speed(store):
    assert store.state.seconds_left is None
    train_to(store, 10)
    train, model = store.state.config.train, store.state.config.model
    tokens = (train.steps - 10) * train.effective_batch * model.max_length
    assert store.state.seconds_left == pytest.approx(tokens / 1000.0)


def test_a_failure_ends_its_job_and_its_progress(store, qtbot):
    store.happened([Started("train"), Progress("train", "Building")])
    assert store.state.progress["train"].text == "Building"
    with qtbot.waitSignal(store.failed):
        store.happened([Failed("train", "No.")])
    assert not store.state.training
    assert store.state.progress == {}
    assert store.state.stopped_by == "", "nothing had been learned that could have stopped"
    train_to(store, 5)
    store.happened([Failed("train", "No.")])
    assert store.state.stopped_by == "failed"


def test_asking_sends_the_sampling_in_force(store, sent):
    store.edit("sample", {"temperature": 0.1})
    store.ask("Hello", "", 3)
    assert sent == [Generate("Hello", store.state.config.sample, "", 3)]


def test_bf16_is_a_problem_where_the_device_has_none():
    config = RunConfig().changed("train", {"precision": "bf16"})
    assert "train.precision" in State(config=config, devices=(CPU,), device_name="cpu").problems
    able = dataclasses.replace(CPU, bf16=True)
    assert "train.precision" not in State(config=config, devices=(able,), device_name="cpu").problems
