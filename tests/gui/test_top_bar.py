"""The top bar: the run button's three faces, what is enabled when, the device chip."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from gpt_studio.gui.buttons import Button, ToolButton
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


def test_a_single_step_only_in_a_pause(top, idle, qtbot):
    step = next(b for b in top.findChildren(ToolButton) if b.accessibleName().startswith("Single step"))
    running = with_model(idle, 5, running=frozenset({"train"}))
    for state in (idle, running):
        top.show_state(state)
        assert not step.isEnabled()
    top.show_state(replace(running, paused=frozenset({"train"})))
    with qtbot.waitSignal(top.advance_wanted):
        qtbot.mouseClick(step, Qt.MouseButton.LeftButton)


def relatives(top):
    """What the small menu of Stop offers, by its words."""
    return {action.text(): action for action in top._stop.menu.actions() if action.text()}


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("Stop and keep\tShift+F5", "stop_wanted"),
        ("Stop and discard…", "discard_wanted"),
        ("Sample now", "sample_wanted"),
        ("Add to queue", "enqueue_wanted"),
    ],
)
def test_stop_has_relatives(top, idle, qtbot, words, wish):
    top.show_state(with_model(idle, 5, running=frozenset({"train"})))
    with qtbot.waitSignal(getattr(top, wish)):
        relatives(top)[words].trigger()


def test_what_the_menu_of_stop_offers_when_nothing_is_trained(top, idle, learned):
    top.show_state(idle)
    enabled = {words for words, action in relatives(top).items() if action.isEnabled()}
    assert enabled == {"Add to queue"}
    top.show_state(learned)
    enabled = {words for words, action in relatives(top).items() if action.isEnabled()}
    assert enabled == {"Add to queue", "Sample now"}


def test_the_run_has_a_name_and_a_dot_while_no_file_holds_it(top, learned):
    top.show_state(replace(learned, run_name="Foxes"))
    assert top._run.text() == "Foxes"
    assert not top._unsaved.isHidden()
    top.show_state(replace(learned, kept_step=learned.step))
    assert top._unsaved.isHidden()


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
