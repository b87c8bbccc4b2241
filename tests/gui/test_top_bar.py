"""The top bar: the run button's three faces, what is enabled when, the device chip."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from gpt_studio.gui.buttons import Button
from gpt_studio.gui.state import State
from gpt_studio.gui.top_bar import TopBar, device_text

from .conftest import CPU, GPU, with_model


@pytest.fixture
def top(qtbot):
    top = TopBar(QMenu(), QMenu())
    qtbot.addWidget(top)
    return top


def buttons(top):
    return {button.text(): button for button in top.findChildren(Button)}


def test_nothing_can_be_started_before_the_engine_is_awake(top):
    top.show_state(State())
    assert not buttons(top)["Train"].isEnabled()
    assert not buttons(top)["Starting…"].isEnabled()


def test_train_pause_resume_keep_their_place(top, idle, qtbot):
    top.show_state(idle)
    primary = buttons(top)["Train"]
    with qtbot.waitSignal(top.primary_pressed):
        qtbot.mouseClick(primary, Qt.MouseButton.LeftButton)
    running = with_model(idle, 5, running=frozenset({"train"}))
    top.show_state(running)
    assert primary.text() == "Pause"
    top.show_state(replace(running, paused=frozenset({"train"})))
    assert primary.text() == "Resume"


def test_stop_only_while_training_and_files_only_while_not(top, idle, learned):
    top.show_state(learned)
    found = buttons(top)
    assert not found["Stop"].isEnabled()
    assert found["Save…"].isEnabled()
    assert found["Open…"].isEnabled()
    top.show_state(replace(learned, running=frozenset({"train"})))
    assert found["Stop"].isEnabled()
    assert found["Save…"].isEnabled()
    assert not found["Open…"].isEnabled()
    assert found["Open…"].toolTip() == "Stop the training first"


def test_there_is_nothing_to_save_without_a_model(top, idle):
    top.show_state(idle)
    assert not buttons(top)["Save…"].isEnabled()


def test_the_demo_model_has_a_name_and_nothing_to_save(top, idle):
    top.show_state(with_model(idle, 0, demo=True))
    assert not buttons(top)["Save…"].isEnabled()
    assert buttons(top)["Train"].isEnabled()
    assert top._run.text() == "Demo model"


def test_only_one_filled_button(top, idle):
    top.show_state(idle)
    assert buttons(top)["Train"].kind() == "primary"
    top.set_tonal(True)
    assert buttons(top)["Train"].kind() == "tonal"


def test_devices_can_be_chosen(top, qtbot):
    top.show_state(State(devices=(GPU, CPU), device_name="cuda:0"))
    menu = next(m for m in top.findChildren(QMenu) if len(m.actions()) == 2)
    assert [action.text() for action in menu.actions()] == ["CUDA:0 · NVIDIA RTX 4090", "CPU · 2 cores"]
    assert [action.isChecked() for action in menu.actions()] == [True, False]
    with qtbot.waitSignal(top.device_wanted) as wanted:
        menu.actions()[1].trigger()
    assert wanted.args == ["cpu"]


def test_device_texts():
    gpu = State(devices=(GPU,), device_name="cuda:0")
    assert device_text(gpu, compact=False) == "CUDA:0 · NVIDIA RTX 4090 · 24\u202fGB"
    busy = replace(gpu, peak=int(10.4 * 2**30))
    assert device_text(busy, compact=False) == "CUDA:0 · NVIDIA RTX 4090 · 10.4 / 24\u202fGB"
    assert device_text(busy, compact=True) == "CUDA:0 · 10.4 / 24\u202fGB"
    assert device_text(State(devices=(CPU,), device_name="cpu"), compact=True) == "CPU · 2 cores"


def test_compact_keeps_names_for_people_who_cannot_see_icons(top, idle):
    top.show_state(idle)
    wide = top.sizeHint().width()
    top.set_compact(True)
    assert top.sizeHint().width() < wide
    assert buttons(top)["Open…"].accessibleName() == "Open…"
