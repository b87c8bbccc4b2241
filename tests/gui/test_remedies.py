"""One click that helps: what is in the way ends first, then a file, then settings, then training."""

import pytest
from PySide6.QtCore import QObject

from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import Built, Failed, Opened, Paused, Ready, Started, Stopped
from gpt_studio.core.metrics import METRICS, History
from gpt_studio.core.requests import Open, Replan, Resume, Stop, Train
from gpt_studio.core.run_events import RunBegun, Step
from gpt_studio.gui.remedies import Remedies
from gpt_studio.gui.store import Store

from .conftest import CPU

VALUES = {metric.name: 1.0 for metric in METRICS} | {"tokens_per_second": 1000.0}
SLOWER = Remedy("Halve the learning rate", "train", {"learning_rate": 1e-4}, train=True)
SMALLER = Remedy("Train with batch size 8", "train", {"batch_size": 8}, train=True)
BACK = Remedy("Go on from step 40", "train", {"learning_rate": 1e-4}, train=True, checkpoint="/last")


class Desk:
    def __init__(self):
        self.sent, self.owner = [], QObject()
        self.store = Store(self.sent.append)
        self.store.happened([Ready((CPU,), "cpu")])
        self.remedies = Remedies(self.store, self.store.press_primary, self.owner)

    def train(self):
        built = Built(self.store.state.config, 1000, "cpu", 0)
        self.store.happened([Started("train"), built, RunBegun("/runs/1", "x", 0), Step(3, VALUES)])
        self.sent.clear()

    def opened(self, path="/last", step=40):
        self.store.happened([Opened(path, self.store.state.config, step, History(), 1, "cpu")])


@pytest.fixture
def desk(qtbot):
    return Desk()


def test_with_nothing_in_the_way_it_changes_and_trains(desk):
    desk.remedies.apply(SMALLER)
    assert desk.sent == [Train(desk.store.state.config)]
    assert desk.store.state.config.train.batch_size == 8


def test_a_run_in_training_goes_on_where_it_can(desk):
    desk.train()
    desk.remedies.apply(SLOWER)
    assert desk.sent == [Replan(desk.store.state.plan)]
    assert desk.store.state.config.train.learning_rate == 1e-4


def test_a_paused_run_resumes_by_the_new_plan(desk):
    desk.train()
    desk.store.happened([Paused("train")])
    desk.sent.clear()
    desk.remedies.apply(SLOWER)
    assert desk.sent == [Replan(desk.store.state.plan), Resume("train")]


def test_what_needs_another_run_ends_this_one_first(desk):
    desk.train()
    desk.remedies.apply(SMALLER)
    assert desk.sent == [Stop("train")]
    assert desk.store.state.config.train.batch_size != 8
    desk.store.happened([Step(4, VALUES)])
    assert len(desk.sent) == 1
    desk.store.happened([Stopped("train")])
    assert desk.sent[1:] == [Train(desk.store.state.config, resume=True)]
    assert desk.store.state.config.train.batch_size == 8


def test_what_belongs_to_a_new_model_says_what_became_of_this_run(desk):
    told = []
    desk.remedies.told.connect(told.append)
    desk.train()
    desk.remedies.apply(Remedy("Use dropout 0.1 in a new model", "model", {"dropout": 0.1}))
    desk.store.happened([Stopped("train")])
    assert desk.sent == [Stop("train")]
    assert desk.store.state.config.model.dropout == 0.1
    assert len(told) == 1


def test_a_checkpoint_is_opened_before_anything_else(desk):
    desk.train()
    desk.remedies.apply(BACK)
    desk.store.happened([Stopped("train")])
    assert desk.sent == [Stop("train"), Open("/last")]
    desk.opened()
    assert desk.sent[2:] == [Train(desk.store.state.config, resume=True)]
    assert desk.store.state.config.train.learning_rate == 1e-4
    assert desk.store.state.step == 40


def test_a_checkpoint_that_cannot_go_on_begins_no_new_model(desk):
    desk.remedies.apply(BACK)
    desk.opened(step=desk.store.state.config.train.steps)
    assert desk.sent == [Open("/last")]


def test_a_checkpoint_that_cannot_be_opened_changes_nothing(desk):
    before = desk.store.state.config
    desk.remedies.apply(BACK)
    desk.store.happened([Started("file"), Failed("file", "There is no such file.")])
    desk.opened("/another")
    assert desk.sent == [Open("/last")]
    assert desk.store.state.config == before


def test_another_file_that_is_opened_meanwhile_is_not_trained(desk):
    desk.remedies.apply(BACK)
    desk.opened("/another")
    assert desk.sent == [Open("/last")]


def test_what_a_click_changes_as_training_ends_is_shown(desk):
    desk.train()
    shown = []
    desk.store.changed.connect(lambda state: shown.append(state.config.train.batch_size))
    desk.remedies.apply(Remedy("Use batch size 8", "train", {"batch_size": 8}))
    desk.store.happened([Stopped("train")])
    assert desk.store.state.config.train.batch_size == 8
    assert shown[-1] == 8
