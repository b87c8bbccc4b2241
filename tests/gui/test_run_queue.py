"""The queue outlives the window; nonsense in the settings does no harm."""

import pytest
from PySide6.QtCore import QObject, QSettings

from gpt_studio.core.config import RunConfig
from gpt_studio.gui.run_queue import KEY, RunQueue, from_text, to_text
from gpt_studio.gui.store import Store


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


def test_what_waits_is_remembered(qtbot, settings):
    owner = QObject()
    store = Store(lambda _: None)
    queue = RunQueue(store, settings, owner)
    for layers in (3, 5):
        store.edit("model", {"num_layers": layers})
        store.enqueue()
    settings.sync()
    again = Store(lambda _: None)
    kept = RunQueue(again, settings, owner)
    assert [config.model.num_layers for config in again.state.queue] == [3, 5]
    again.unqueue(0)
    assert [config.model.num_layers for config in from_text(str(settings.value(KEY)))] == [5]
    assert queue is not kept


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "7", "[7]", "{}", "[{}]", '[{"version": 99}]', to_text((RunConfig(),))[:-9], "[null]"],
)
def test_garbage_is_no_queue(text):
    assert from_text(text) == ()


def test_a_value_out_of_range_is_no_queue():
    wrong = to_text((RunConfig(),)).replace('"num_layers": 12', '"num_layers": -4')
    assert from_text(wrong) == ()
    assert from_text(to_text((RunConfig(),))) == (RunConfig(),)
