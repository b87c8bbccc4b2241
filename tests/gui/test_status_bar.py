"""The status bar: one line that says what is going on."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from gpt_studio.core.events import Progress
from gpt_studio.core.run_events import StoppedEarly
from gpt_studio.gui.state import State
from gpt_studio.gui.status_bar import StatusBar, queue_text, status_of

from .conftest import with_model


def said(state):
    status = status_of(state)
    return status.word, status.text.replace("\u202f", " ")


def test_starting():
    assert said(State()) == ("Starting", "Loading the engine")


def test_ready(idle, learned):
    assert said(idle) == ("Ready", "")
    assert said(replace(learned, stopped_by="stopped")) == ("Ready", "Stopped at step 120")
    assert said(replace(learned, stopped_by="finished")) == ("Ready", "Finished at step 120")
    assert said(replace(learned, stopped_by="early")) == ("Ready", "Stopped early at step 120")
    assert said(replace(learned, stopped_by="failed"))[0] == "Stopped at step 120"
    assert said(learned) == ("Ready", "0.8 M parameters · step 120")


def test_the_demo_model(idle):
    demo = with_model(idle, 0, demo=True)
    assert said(demo) == ("Ready", "Demo model loaded · 0.8 M parameters")
    assert said(replace(demo, stopped_by="stopped")) == said(demo)


def test_training_says_how_far_and_how_long(idle):
    idle = replace(idle, config=idle.config.changed("train", {"steps": 2000}))
    state = with_model(idle, 500, running=frozenset({"train"}), seconds_per_step=0.1)
    assert said(state) == ("Training", "25 %   500 of 2 000 steps · 2 min left")
    assert status_of(state).share == pytest.approx(0.25)
    paused = replace(state, paused=frozenset({"train"}))
    assert said(paused) == ("Paused", "25 %   500 of 2 000 steps")


def test_preparing_and_reading(idle):
    building = {"train": Progress("train", "Building the model")}
    state = replace(idle, running=frozenset({"train"}), progress=building)
    assert said(state) == ("Preparing", "Building the model")
    timed = replace(state, seconds_per_step=0.1)  # a run before this one
    assert said(timed) == ("Preparing", "Building the model")
    reading = {"data": Progress("data", "Tokenizing", 1, 4)}
    state = replace(idle, running=frozenset({"data"}), progress=reading)
    assert said(state) == ("Reading", "Tokenizing")
    assert status_of(state).share == pytest.approx(0.25)


def test_problems_are_counted(idle):
    one = replace(idle, config=idle.config.changed("model", {"embed_size": 130}))
    assert status_of(one).word == "1 setting needs attention"
    two = replace(one, config=one.config.changed("train", {"steps": 0}))
    assert status_of(two).word == "2 settings need attention"


def test_the_bar_shows_and_notes(qtbot, idle):
    bar = StatusBar()
    qtbot.addWidget(bar)
    bar.show_state(idle)
    bar.note("Saved", "check", "ok")
    assert bar.text() == "Ready  | Saved"
    assert bar.accessibleName().startswith("Ready")


def test_a_queue_waits_for_a_click(qtbot, idle):
    bar = StatusBar()
    qtbot.addWidget(bar)
    bar.show_state(idle)
    assert bar._queue.isHidden()
    waiting = replace(idle, queue=(idle.config, idle.config))
    bar.show_state(waiting)
    assert bar._queue.text() == "2 runs queued · Start"
    with qtbot.waitSignal(bar.queue_wanted):
        qtbot.mouseClick(bar._queue, Qt.MouseButton.LeftButton)
    bar.show_state(replace(waiting, running=frozenset({"train"})))
    assert bar._queue.text() == "2 runs queued"
    assert not bar._queue.isEnabled()
    assert queue_text(replace(idle, queue=(idle.config,))) == "1 run queued · Start"


def test_the_best_weights_are_a_click_away_after_stopping_early(qtbot, learned):
    bar = StatusBar()
    qtbot.addWidget(bar)
    early = StoppedEarly(120, 90, 1.5, "/runs/1/checkpoints/best.safetensors")
    bar.show_state(replace(learned, early=early))
    with qtbot.waitSignal(bar.best_wanted):
        qtbot.mouseClick(bar._best, Qt.MouseButton.LeftButton)
    bar.show_state(replace(learned, early=replace(early, checkpoint="")))
    assert bar._best.isHidden(), "they were not kept"
    bar.show_state(replace(learned, early=early, running=frozenset({"train"})))
    assert bar._best.isHidden()
