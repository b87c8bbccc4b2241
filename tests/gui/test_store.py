"""The store: wishes become requests, facts become state, everybody is told once a batch."""

import dataclasses

import pytest

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import (
    BatchRead,
    Built,
    Calibrated,
    Compared,
    DemoOpened,
    Device,
    DeviceUsed,
    Exported,
    Failed,
    Finished,
    Forgotten,
    Opened,
    Paused,
    Progress,
    Ready,
    Resumed,
    Saved,
    Started,
    Stopped,
)
from gpt_studio.core.metrics import METRICS, Exam, History
from gpt_studio.core.presets import presets
from gpt_studio.core.requests import (
    Compare,
    ExportTokenizer,
    Generate,
    New,
    OpenDemo,
    Pause,
    Prepare,
    ReadBatch,
    Resume,
    Stop,
    Train,
)
from gpt_studio.core.run_events import Examined, Step
from gpt_studio.core.speed import Speed, shape_of
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store

from .conftest import report_of

CPU = Device("cpu", "2 cores", 8 * 2**30)
GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * 2**30, bf16=True)
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
    return report_of(store.state.config.data)


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


def test_texts_that_cannot_be_read_yet_are_not_asked_for(store, sent):
    store.edit("data", {"tokenizer": "file"})
    assert sent == [Stop("data")]
    store.edit("data", {"tokenizer_file": "/texts/mine.tiktoken"})
    assert sent[1:] == [Prepare(store.state.config.data)]


def test_other_texts_end_what_is_being_shown_of_the_old_ones(store, sent):
    store.happened([Started("compare")])
    store.edit("data", {"validation": 0.2})
    assert sent == [Prepare(store.state.config.data), Stop("compare")]


def test_a_report_is_never_seen_beside_other_texts(store):
    store.happened([report(store)])
    seen = []
    store.changed.connect(seen.append)
    store.edit("data", {"tokenizer": "bpe", "bpe_size": 10})
    assert [state.report for state in seen if state.config.data.tokenizer == "bpe"] == [None] * len(seen)


def test_how_far_reading_was_ends_with_the_job_that_read(store):
    reading = Progress("data", "Learning the tokenizer")
    store.happened([Started("chat"), Started("batch"), reading])
    store.happened([Failed("batch", "The tokenizer could not be learned.")])
    assert not store.state.progress
    store.happened([Started("data"), Started("batch"), reading, Finished("batch")])
    assert store.state.progress == {"data": reading}


def test_the_vocabulary_is_what_the_texts_have_and_no_step_of_undo(store):
    first = store.state.config
    store.edit("model", {"num_layers": 7})
    store.happened([report(store)])
    assert store.state.config.model.vocab_size == 93
    store.undo()
    assert store.state.config == first.changed("model", {"vocab_size": 93})
    store.reset()
    assert store.state.config.model.vocab_size == 93
    assert presets()[0].matches(store.state.config)


def test_what_is_to_be_seen_of_the_texts(store, sent, qtbot):
    config = store.state.config
    store.compare()
    store.read_batch()
    store.cancel_data()
    store.export_tokenizer("/tmp/own.tiktoken")
    assert sent == [
        Compare(config.data),
        ReadBatch(config),
        Stop("data"),
        ExportTokenizer(config.data, "/tmp/own.tiktoken"),
    ]
    facts = [Compared(config.data, 10, True, ()), BatchRead(config, 16, 8, ()), Exported("own", 7)]
    heard = []
    for signal in (store.compared, store.batch_read, store.exported):
        signal.connect(heard.append)
    store.happened([Compared(config.data.changed(validation=0.3), 10, True, ()), *facts])
    assert heard == facts, "of other texts nothing is told"


def test_precision_follows_the_device_until_it_is_chosen(store):
    def precision():
        return store.state.config.train.precision

    assert precision() == "fp32"
    store.happened([Ready((GPU, CPU), "cuda:0")])
    assert precision() == "bf16"
    store.apply_preset(presets()[0])
    assert precision() == "bf16"
    store.happened([DeviceUsed("cpu")])
    assert precision() == "fp32"
    store.edit("train", {"precision": "bf16"})
    store.edit("train", {"steps": 7})
    assert precision() == "bf16"
    store.edit("train", {"precision": "fp32"})
    store.happened([DeviceUsed("cuda:0")])
    assert precision() == "fp32"
    store.reset()
    assert precision() == "bf16"


def test_an_opened_run_keeps_its_precision(store):
    config = store.state.config.changed("train", {"precision": "bf16"})
    store.happened([Opened("/tmp/a.safetensors", config, 40, History(), 1, "cpu")])
    store.edit("train", {"steps": 70})
    assert store.state.config.train.precision == "bf16"


# ---------------------------------------------------------------- the demo model


@pytest.fixture
def demo(store):
    """Only the demo model is there; it was made with other settings than those in the form."""
    config = store.state.config.changed("model", {"num_layers": 5})
    store.open_demo()
    store.happened([Started("file"), DemoOpened(Built(config, 812_345, "cpu", 9000)), Finished("file")])
    return store


def test_the_demo_model_is_there_but_is_no_run(demo, sent):
    state = demo.state
    assert (state.model.parameters, state.run, state.demo, state.filing) == (812_345, None, True, 0)
    assert (state.name, state.unsaved, state.primary, state.training) == ("Demo model", False, "train", False)
    assert state.config.model.num_layers == 4, "settings stay as they are"
    demo.edit("model", {"num_layers": 5})
    assert demo.state.primary == "train", "not even with the demo model's own settings"
    demo.press_primary()
    assert sent[-1] == Train(demo.state.config, resume=False)


@pytest.mark.parametrize("fact", ["built", "opened"])
def test_a_run_takes_the_place_of_the_demo_model(demo, fact):
    config = demo.state.config
    opened = Opened("/tmp/a.safetensors", config, 40, History(), 1, "cpu")
    demo.happened([built(demo) if fact == "built" else opened])
    assert not demo.state.demo
    assert demo.state.run is demo.state.model
    assert demo.state.name == ("Untitled run" if fact == "built" else "a")


def test_after_new_the_demo_model_comes_back(store, sent):
    train_to(store, 5)
    store.happened([Stopped("train")])
    store.new()
    assert sent == [New(), OpenDemo()]
    assert store.state.filing == 1, "nobody waits for the demo model"


def test_a_demo_model_that_is_not_there_is_only_logged(store, qtbot, caplog):
    failures = []
    store.failed.connect(failures.append)
    store.open_demo()
    store.save("/tmp/mine.safetensors")
    store.happened([Started("file"), Failed("file", "There is no such file.")])
    assert (failures, store.state.filing, store.state.model) == ([], 1, None)
    assert "There is no such file" in caplog.text
    store.happened([Started("file"), Failed("file", "There is no model yet.")])
    assert [failure.what for failure in failures] == ["There is no model yet."]
    assert store.state.filing == 0


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


@pytest.mark.parametrize("cut_off", [True, False])
def test_a_run_killed_after_its_last_step_can_come_to_its_end(store, sent, cut_off):
    config = store.state.config
    end = config.train.steps
    store.happened([Opened("a", config, end, History(), 1000, "cpu", folder="runs/a", cut_off=cut_off)])
    assert store.state.resumable is cut_off
    store.press_primary()
    assert sent[-1] == Train(store.state.config, resume=cut_off)
    store.happened([Started("train"), Finished("train")])
    assert not store.state.resumable


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


def test_a_run_goes_on_with_the_attention_it_began_with(store, sent):
    """Another kernel rounds otherwise: the run would not be the one that never stopped."""
    train_to(store, 10)  # with "auto", before the speed is known
    speed = Speed("cpu", shape_of(store.state.config), "fused", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    store.happened([Stopped("train"), Calibrated(speed)])
    store.press_primary()
    assert sent == [Train(store.state.config, resume=True)]
    assert sent[0].config.train.attention == "auto"
    store.edit("model", {"num_layers": 9})
    store.press_primary()
    assert sent[1].config.train.attention == "fused"
    store.happened([Started("train"), Built(sent[1].config, 1000, "cpu", 0, 1.0), Step(1, VALUES)])
    store.happened([Stopped("train"), Calibrated(dataclasses.replace(speed, attention="plain"))])
    store.press_primary()
    assert sent[2] == Train(sent[1].config, resume=True)


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


@pytest.mark.parametrize(
    ("tokenizer", "changes", "resumable"),
    [
        ("characters", {"corpora": ("python-library",)}, False),
        ("gpt2", {"corpora": ("python-library",)}, True),
        ("bpe", {"validation": 0.2}, True),
        ("file", {"tokenizer_file": "/texts/other.tiktoken"}, False),
    ],
)
def test_a_run_goes_on_only_with_its_tokenizer(store, tokenizer, changes, resumable):
    store.edit("data", {"tokenizer": tokenizer, "tokenizer_file": "/texts/mine.tiktoken"})
    train_to(store, 10)
    store.happened([Stopped("train")])
    store.edit("data", changes)
    assert store.state.resumable is resumable


def test_exams_are_passed_on(store):
    heard = []
    store.examined.connect(heard.append)
    fact = Examined(Exam(100, {"facts": 0.5}))
    store.happened([fact])
    assert heard == [fact]


def test_the_speed_once_measured_is_known_until_there_is_another_model(store):
    train_to(store, 10)
    config, seconds = store.state.config, store.state.seconds_per_step
    store.happened([Stopped("train"), Forgotten()])
    assert (store.state.seconds_per_step, store.state.timed) == (seconds, config)
    store.happened([Started("train")])
    assert store.state.seconds_left is None, "this run has made no step yet"
    store.happened([built(store)])
    assert store.state.seconds_per_step == 0


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
