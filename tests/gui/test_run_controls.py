"""The store and a run in training: pauses, single steps, plans that change, its folder, the queue."""

import dataclasses

import pytest

from gpt_studio.core.events import (
    Built,
    Device,
    Failed,
    Finished,
    Opened,
    Paused,
    Ready,
    Resumed,
    Saved,
    Started,
    Stopped,
)
from gpt_studio.core.metrics import METRICS, History, Mark
from gpt_studio.core.presets import presets
from gpt_studio.core.requests import Advance, Keep, Open, Pause, Replan, Resume, SampleNow, Stop, Train
from gpt_studio.core.run_events import (
    Kept,
    KeptAgain,
    Marked,
    NotKept,
    PlanChanged,
    Resources,
    RunBegun,
    Step,
    StoppedEarly,
)
from gpt_studio.gui.state import checkpoint_name, only_live
from gpt_studio.gui.store import Store

CPU = Device("cpu", "2 cores", 8 * 2**30)
GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * 2**30, bf16=True)
VALUES = {metric.name: 1.0 for metric in METRICS} | {"tokens_per_second": 1000.0}
RUN = "/runs/2026-11-22-small-world"


@pytest.fixture
def sent():
    return []


@pytest.fixture
def store(qtbot, sent):
    store = Store(sent.append)
    store.happened([Ready((CPU,), "cpu")])
    sent.clear()
    return store


def built(store, **train):
    return Built(store.state.config.changed("train", train), 1000, "cpu", 0)


@pytest.fixture
def training(store):
    """At step 10 of a run of its own; what was left to the device it has decided."""
    begun = RunBegun(RUN, "Small world", 0)
    store.happened([Started("train"), built(store, attention="plain"), begun, Step(10, VALUES)])
    return store


@pytest.fixture
def paused(training, sent):
    training.happened([Paused("train")])
    sent.clear()
    training.happened([Started("file"), Finished("file")])
    return training


def test_a_pause_brings_the_folder_up_to_date(training, sent):
    training.happened([Paused("train")])
    assert sent == [Keep()]
    assert training.state.filing == 1, "closing waits for it"
    training.happened([Started("file"), Kept(f"{RUN}/checkpoints/last.safetensors", 10, 5, 0.0)])
    training.happened([Finished("file")])
    assert training.state.filing == 0
    assert not training.state.unsaved


def test_a_pause_before_the_run_began_keeps_nothing(store, sent):
    store.happened([Started("train"), Paused("train")])
    assert sent == []


def test_single_steps_only_in_a_pause(training, sent):
    training.advance()
    assert sent == []
    training.happened([Paused("train")])
    sent.clear()
    training.advance()
    assert sent == [Advance("train")]
    training.happened([Step(11, VALUES), Resumed("train")])
    training.advance()
    assert sent == [Advance("train")]


@pytest.mark.parametrize("go_on", ["press_primary", "advance"])
def test_a_plan_that_changed_goes_before_the_next_step(paused, sent, go_on):
    paused.edit("train", {"learning_rate": 5e-4, "steps": 2000})
    getattr(paused, go_on)()
    order = Resume("train") if go_on == "press_primary" else Advance("train")
    plan = paused.state.run.config.train.changed(learning_rate=5e-4, steps=2000)
    assert sent == [Replan(plan), order]
    assert plan.attention == "plain", "what the run decided stays"
    paused.happened([PlanChanged(paused.state.run.config.changed("train", plan.to_dict()), MARK)])
    sent.clear()
    paused.advance()
    assert sent == [Advance("train")], "the run goes by it now"


MARK = Mark(10, "plan", "Learning rate 5e-4")


def test_what_needs_a_new_model_is_refused_while_training(training):
    before = training.state.config
    training.edit("train", {"learning_rate": 5e-4})  # not paused
    training.edit("model", {"num_layers": 9})
    training.edit("data", {"validation": 0.2})
    training.apply_preset(presets()[2])
    training.reset()
    training.use(before.changed("train", {"steps": 9}))
    assert training.state.config == before
    training.edit("sample", {"temperature": 0.1})
    assert training.state.config.sample.temperature == 0.1, "answers are not the run's"


def test_in_a_pause_only_what_may_change_changes(paused):
    before = paused.state.config
    paused.edit("train", {"batch_size": 3})
    paused.edit("train", {"batch_size": 3, "steps": 50})
    paused.edit("model", {"dropout": 0.5})
    assert paused.state.config == before
    paused.edit("train", {"steps": 50})
    assert paused.state.config.train.steps == 50


def test_undo_in_a_pause_stays_within_the_run(store, qtbot):
    fresh = store.state.config.train
    store.edit("train", {"batch_size": 3})
    store.edit("train", {"steps": 70})
    store.happened([Started("train"), built(store), RunBegun(RUN, "x", 0), Step(1, VALUES)])
    store.undo()
    assert store.state.config.train.steps == 70, "not paused"
    store.happened([Paused("train")])
    store.edit("train", {"learning_rate": 5e-4})
    store.undo()
    store.undo()
    assert store.state.config.train == fresh.changed(batch_size=3)
    store.undo()
    assert store.state.config.train.batch_size == 3, "that would be another run"
    store.redo()
    assert store.state.config.train.steps == 70
    store.happened([Stopped("train")])
    store.undo()
    store.undo()
    assert store.state.config.train == fresh


def test_a_wrong_plan_is_pointed_at_before_a_run_goes_on(paused, sent, qtbot):
    paused.edit("train", {"learning_rate": 7.0})
    for go_on in (paused.press_primary, paused.advance):
        with qtbot.waitSignal(paused.problem_focused) as told:
            go_on()
        assert told.args == ["train.learning_rate"]
    assert sent == []


def test_less_at_a_time_is_shown_and_is_no_edit(training, sent):
    config = training.state.run.config.changed("train", {"batch_size": 8, "accumulation": 2})
    heard = []
    training.marked.connect(heard.append)
    mark = Mark(10, "memory", "Batch 8 × 2")
    training.happened([PlanChanged(config, mark)])
    train = training.state.config.train
    assert (train.batch_size, train.accumulation, train.attention) == (8, 2, "auto")
    assert heard == [mark]
    training.happened([Paused("train")])
    training.undo()
    assert training.state.config.train.batch_size == 8
    sent.clear()
    training.press_primary()
    assert sent == [Resume("train")], "it goes by that plan already"


def test_what_a_person_types_meanwhile_is_not_overwritten(paused):
    paused.edit("train", {"learning_rate": 5e-4})
    late = paused.state.run.config.changed("train", {"learning_rate": 2e-4, "batch_size": 8})
    paused.happened([PlanChanged(late, MARK)])
    train = paused.state.config.train
    assert (train.learning_rate, train.batch_size) == (5e-4, 8)


def test_a_run_is_steered_without_a_pause(training, sent):
    training.steer({"learning_rate": 5e-4})
    assert sent == [Replan(training.state.run.config.train.changed(learning_rate=5e-4))]
    assert training.state.config.train.learning_rate == 5e-4
    assert training.state.training


def test_a_run_that_goes_on_by_another_plan_knows_it(training, sent):
    training.happened([Stopped("train")])
    training.edit("train", {"steps": 3000})
    training.press_primary()
    training.happened([Started("train"), RunBegun(RUN, "Small world", 10), Paused("train")])
    sent.clear()
    training.press_primary()
    assert sent == [Resume("train")]
    assert training.state.run.config.train.steps == 3000


def test_samples_now(store, training, sent):
    training.sample_now()
    assert sent == [SampleNow()]


def test_no_samples_of_no_model(store, sent):
    store.sample_now()
    assert sent == []


def test_facts_of_a_run_are_passed_on(training):
    facts = [
        Resources(10, {"process_memory": 5.0}),
        StoppedEarly(10, 5, 1.5, "best"),
        NotKept("The disk is full."),
        KeptAgain(),
        Kept("last", 10, 1, 0.0),
    ]
    heard = []
    names = ("resources", "stopped_early", "not_kept", "kept_again", "kept", "marked")
    for name in names:
        getattr(training, name).connect(heard.append)
    training.happened([*facts, Marked(MARK)])
    assert heard == [*facts, MARK]


# ---------------------------------------------------------------- the folder


def test_a_run_has_a_folder_a_name_and_what_it_holds(training):
    state = training.state
    assert (state.folder, state.writing, state.name) == (RUN, RUN, "Small world")
    assert not state.unsaved, "its folder holds it as soon as it ends"
    training.happened([NotKept("The disk is full.")])
    assert training.state.unsaved
    training.happened([KeptAgain(), Kept("last", 10, 5, 0.0)])
    assert not training.state.unsaved
    training.happened([Step(11, VALUES), Stopped("train")])
    assert training.state.unsaved, "it ended, and nothing was kept"
    training.happened([Saved("/tmp/mine.safetensors", 1, 11)])
    assert not training.state.unsaved
    assert (training.state.name, training.state.folder, training.state.writing) == ("Small world", RUN, "")
    training.name_run("Foxes")
    assert training.state.name == "Foxes"


def test_what_cannot_be_kept_is_known(training):
    training.happened([NotKept("The disk is full.")])
    assert training.state.not_kept == "The disk is full."
    training.happened([KeptAgain()])
    assert training.state.not_kept == ""


def test_a_new_run_has_another_folder(training):
    training.happened([Kept("last", 10, 5, 0.0), Stopped("train"), Started("train")])
    assert training.state.writing == "", "it has none yet: nobody may take the old one for it"
    training.happened([built(training), RunBegun("/runs/2", "Second", 0), Step(10, VALUES)])
    training.happened([Stopped("train")])
    assert (training.state.folder, training.state.unsaved) == ("/runs/2", True)


def opened(store, folder, name="last"):
    path = f"{RUN}/checkpoints/{name}.safetensors"
    return Opened(path, store.state.config, 40, History(), 1, "cpu", folder)


def test_an_opened_run_is_called_as_its_folder(store):
    store.happened([opened(store, RUN)])
    assert (store.state.folder, store.state.name) == (RUN, "2026-11-22-small-world")
    assert not store.state.unsaved
    store.happened([opened(store, "", "step-000040")])
    assert (store.state.folder, store.state.name) == ("", "2026-11-22-small-world · step-000040")
    assert checkpoint_name("/home/me/fox.safetensors") == "fox"


def test_a_fork_is_asked_for(store, sent):
    store.fork("/a.safetensors")
    assert sent == [Open("/a.safetensors", fork=True)]
    assert store.state.filing == 1


def test_a_fork_holds_nothing_until_it_is_kept(store):
    store.happened([opened(store, "")])
    store.happened([Started("train"), RunBegun("/runs/fork", "Fork", 40), Step(41, VALUES)])
    store.happened([Stopped("train")])
    assert store.state.unsaved
    assert store.state.folder == "/runs/fork"


def test_stopping_early_is_not_just_finishing(training):
    early = StoppedEarly(10, 5, 1.5, "/best.safetensors")
    training.happened([early, Finished("train")])
    assert (training.state.stopped_by, training.state.early) == ("early", early)
    training.happened([Started("train")])
    assert training.state.early is None


# ---------------------------------------------------------------- the queue


@pytest.fixture
def queued(store):
    """Two runs wait: one of 7 layers, one of 8."""
    for layers in (7, 8):
        store.edit("model", {"num_layers": layers})
        store.enqueue()
    store.edit("model", {"num_layers": 2})
    return store


def layers_trained(sent):
    return [request.config.model.num_layers for request in sent if isinstance(request, Train)]


def ends(store, event, *, kept=True):
    """A run ends, all of it in its folder or not."""
    store.happened([Started("train"), built(store), RunBegun(RUN, "x", 0), Step(3, VALUES)])
    store.happened([*([Kept("last", 3, 1, 0.0)] if kept else []), event])


@pytest.mark.parametrize("event", [Finished("train"), Failed("train", "The loss became infinite.")])
def test_the_next_run_begins_when_one_ends_by_itself(queued, sent, event):
    ends(queued, event)
    assert layers_trained(sent) == [7]
    assert queued.state.config.model.num_layers == 7, "the form shows what is trained"
    assert len(queued.state.queue) == 1
    ends(queued, event)
    assert layers_trained(sent) == [7, 8]
    ends(queued, event)
    assert layers_trained(sent) == [7, 8]


def test_a_person_who_stops_holds_the_queue(queued, sent):
    ends(queued, Stopped("train"))
    assert layers_trained(sent) == []
    queued.start_queue()
    assert layers_trained(sent) == [7]


def test_what_is_not_kept_is_not_replaced(queued, sent):
    ends(queued, Finished("train"), kept=False)
    assert layers_trained(sent) == []
    assert len(queued.state.queue) == 2


def test_a_run_is_taken_out_of_the_queue(queued):
    queued.unqueue(0)
    assert [config.model.num_layers for config in queued.state.queue] == [8]


def test_only_what_can_be_trained_is_queued(store, qtbot):
    store.edit("model", {"embed_size": 130})
    with qtbot.waitSignal(store.problem_focused):
        store.enqueue()
    store.undo()
    store.edit("data", {"corpora": ()})
    with qtbot.waitSignal(store.failed) as told:
        store.enqueue()
    assert told.args[0].what == "No corpus is chosen."
    assert store.state.queue == ()


def test_a_queued_run_this_device_cannot_train_waits_in_the_form(store, sent, qtbot):
    store.happened([Ready((GPU,), "cuda:0")])
    store.enqueue()
    store.happened([Ready((CPU,), "cpu")])
    with qtbot.waitSignal(store.problem_focused) as told:
        store.start_queue()
    assert told.args == ["train.precision"]
    assert layers_trained(sent) == []


def test_the_queue_does_not_start_while_a_run_trains(queued, sent):
    queued.happened([Started("train")])
    queued.start_queue()
    assert layers_trained(sent) == []


def test_what_is_live():
    store = Store(lambda _: None)
    config = store.state.config
    assert only_live(config, config.changed("train", {"steps": 5, "learning_rate": 1e-4}))
    assert only_live(config, config.changed("sample", {"temperature": 0.5}))
    for section, change in (("train", {"batch_size": 2}), ("model", {"heads": 2})):
        assert not only_live(config, config.changed(section, change))
    other = dataclasses.replace(config, data=config.data.changed(corpora=("x",)))
    assert not only_live(config, other)


def test_stop_and_pause_are_orders(training, sent):
    training.press_primary()
    training.stop_training()
    assert sent == [Pause("train"), Stop("train")]
