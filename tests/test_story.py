"""The main jobs, as a person does them: the real window, the real engine, real texts and a real file."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QFileDialog

from gpt_studio.core import units
from gpt_studio.core.run_index import name_of
from gpt_studio.core.runs import RunFolder
from gpt_studio.core.world import SKILLS
from gpt_studio.engine.checkpoint import load
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.closing import Closing
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.theme import look
from gpt_studio.gui.toggles import CheckBox
from gpt_studio.gui.window import Window
from gpt_studio.gui.worker import Worker

RHYME = "The fox lives in the wood. The hen lives in the barn. Where does the fox live? In the wood.\n"
PATIENCE = 60_000  # ms


def open_window(tmp_path):
    look.motion = False
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    window = Window(settings, Worker())
    window.resize(1440, 900)
    window.painted.connect(window.start)
    window.show()
    return window


def end(window):
    assert window.worker.close()
    window.close()  # asks no question once the engine has ended


@pytest.fixture
def window(qtbot, tmp_path):
    window = open_window(tmp_path)
    yield window
    end(window)
    window.deleteLater()


def press(qtbot, parent, text):
    button = next(b for b in parent.findChildren(Button) if b.text() == text and b.isVisible())
    assert button.isEnabled(), text
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def type_into(qtbot, parent, name, value):
    field = next(f for f in parent.findChildren(NumberField) if f.accessibleName() == name)
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, str(value))
    qtbot.keyClick(field, Qt.Key.Key_Return)


def logits_of(model):
    """What the model says to some fixed ids; the worker is at rest when this is asked."""
    model.eval()
    with torch.inference_mode():
        return model(torch.arange(32).unsqueeze(0) % 257)


def test_the_main_job(qtbot, window, tmp_path, monkeypatch):
    store = window.store
    qtbot.waitUntil(lambda: store.state.awake, timeout=PATIENCE)

    # Choose a corpus.
    corpus = tmp_path / "rhymes.txt"
    corpus.write_text(RHYME * 300, encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(corpus)], ""))
    window.show_page("data")
    window.data_page.files_wanted.emit()
    boxes = {box.accessibleName(): box for box in window.data_page.findChildren(CheckBox)}
    world = next(box for name, box in boxes.items() if "Small world" in name)
    qtbot.mouseClick(world, Qt.MouseButton.LeftButton)
    assert store.state.config.data.corpora == (str(corpus),)
    qtbot.waitUntil(lambda: store.state.report is not None, timeout=PATIENCE)
    assert store.state.report.vocab_used == len(set(RHYME)) + 1  # and the end of text
    assert store.state.config.model.vocab_size == store.state.report.vocab_size

    # Set a tiny model.
    panel = window.settings_panel
    for name, value in {"Layers": 2, "Heads": 2, "Embedding": 32, "Context": 32}.items():
        type_into(qtbot, panel, name, value)
    model = store.state.config.model
    assert (model.num_layers, model.heads, model.embed_size, model.max_length) == (2, 2, 32, 32)
    store.edit("train", {"steps": 100_000, "batch_size": 8, "learning_rate": 3e-3, "warmup": 10})

    # Train; the loss falls by more than a third of its start.
    losses = []
    store.stepped.connect(lambda steps: losses.extend(step.values["loss"] for step in steps))
    press(qtbot, window.top, "Train")
    qtbot.waitUntil(lambda: len(losses) > 20 and losses[-1] < losses[0] * 2 / 3, timeout=PATIENCE)

    # Chat streams text while training goes on.
    spoken = []
    store.spoke.connect(lambda event: spoken.append((store.state.step, event)))
    window.chat.composer.editor.setFocus()
    qtbot.keyClicks(window.chat.composer.editor, "The fox ")
    qtbot.keyClick(window.chat.composer.editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(spoken) > 40, timeout=PATIENCE)
    assert store.state.training
    spoken_at = spoken[0][0]  # training goes on while the answer comes, or right after a quick one
    qtbot.waitUntil(lambda: store.state.step > spoken_at, timeout=PATIENCE)
    press(qtbot, window.top, "Stop")
    qtbot.waitUntil(lambda: not store.state.running, timeout=PATIENCE)

    # Save.
    file = tmp_path / "fox.safetensors"
    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", lambda *_: str(file))
    press(qtbot, window.top, "Save…")
    qtbot.waitUntil(lambda: store.state.saved_step == store.state.step, timeout=PATIENCE)
    session = window.worker._runner._session
    saved_logits, saved_step, saved_config = (
        logits_of(session._run.model),
        store.state.step,
        store.state.config,
    )

    # New, then Open: the same model, bit for bit, and everything around it.
    press(qtbot, window.top, "New")
    qtbot.waitUntil(lambda: store.state.run is None and not store.state.running, timeout=PATIENCE)
    store.reset()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    press(qtbot, window.top, "Open…")
    qtbot.waitUntil(lambda: store.state.run is not None and not store.state.running, timeout=PATIENCE)
    assert torch.equal(logits_of(session._run.model), saved_logits)
    assert torch.equal(logits_of(load(file).model), saved_logits)
    assert (store.state.step, store.state.config, store.state.name) == (saved_step, saved_config, "fox")
    assert not store.state.unsaved

    # Training goes on from there, and the chat speaks with the opened model.
    press(qtbot, window.top, "Resume")
    qtbot.waitUntil(lambda: store.state.step > saved_step + 5, timeout=PATIENCE)
    assert losses[-1] < losses[0] * 2 / 3
    assert window.banner.isHidden(), window.banner.text()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """No other runs are there."""
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture
def another(qtbot, tmp_path):
    """Opens the window another day."""
    opened = []

    def open_one():
        window = open_window(tmp_path)
        opened.append(window)
        return window

    yield open_one
    for window in opened:
        end(window)
        window.deleteLater()


def choose_small_run(qtbot, window, tmp_path):
    """A tiny model for a long time, of a text that is learned fast."""
    corpus = tmp_path / "rhymes.txt"
    corpus.write_text(RHYME * 300, encoding="utf-8")
    store = window.store
    qtbot.waitUntil(lambda: store.state.awake, timeout=PATIENCE)
    window.texts.edit({"corpora": (str(corpus),)})
    store.edit("model", {"num_layers": 1, "heads": 2, "embed_size": 32, "max_length": 32})
    plan = {"steps": 100_000, "warmup": 0, "schedule": "constant", "learning_rate": 3e-3, "batch_size": 8}
    store.edit("train", plan | {"evaluate_every": 20, "sample_every": 1_000_000})
    qtbot.waitUntil(lambda: store.state.report is not None, timeout=PATIENCE)


def test_a_run_in_a_persons_hands(qtbot, home, window, tmp_path):
    store, page = window.store, window.runs_page
    choose_small_run(qtbot, window, tmp_path)
    steps, marks = [], []
    store.stepped.connect(steps.extend)
    store.marked.connect(marks.append)

    # Train, and pause: the run's folder holds the step there is.
    press(qtbot, window.top, "Train")
    qtbot.waitUntil(lambda: store.state.step > 30, timeout=PATIENCE)
    first = Path(store.state.folder)
    press(qtbot, window.top, "Pause")
    qtbot.waitUntil(lambda: store.state.training_paused and not store.state.filing, timeout=PATIENCE)
    paused_at = store.state.step
    assert store.state.kept_step == paused_at
    assert load(RunFolder(first).last).step == paused_at

    # Change the rate, and do one step by it.
    window.settings_panel.show_section("train")
    type_into(qtbot, window.settings_panel, "Learning rate", "1e-3")
    store.edit("model", {"num_layers": 4})
    assert store.state.config.model.num_layers == 1, "that would be another model"
    qtbot.keyClick(window, Qt.Key.Key_F10)
    qtbot.waitUntil(lambda: store.state.step == paused_at + 1, timeout=PATIENCE)
    assert store.state.training_paused
    assert [step.values["learning_rate"] for step in steps[-2:]] == [3e-3, 1e-3]
    assert [(mark.step, mark.kind) for mark in marks] == [(paused_at, "plan")]

    # Go on, and stop: nothing is unsaved.
    press(qtbot, window.top, "Resume")
    qtbot.waitUntil(lambda: store.state.step > paused_at + 30, timeout=PATIENCE)
    press(qtbot, window.top, "Stop")
    qtbot.waitUntil(lambda: not store.state.running, timeout=PATIENCE)
    stopped_at = store.state.step
    assert [step.step for step in steps] == list(range(1, stopped_at + 1))
    assert not store.state.unsaved

    # Open it from the list of runs.
    window.show_page("runs")
    runs = page.card.table.runs
    qtbot.waitUntil(lambda: runs.find(first) >= 0 and runs.row(0).status == "stopped", timeout=PATIENCE)
    page.select(first)
    assert runs.row(0).run.step == stopped_at
    qtbot.mouseClick(page.card.tools.open, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not store.state.filing, timeout=PATIENCE)
    assert (store.state.folder, store.state.step) == (str(first), stopped_at)
    assert window.tabs.value() == "training"
    assert window.training_page.history.steps[-1] == stopped_at

    # Fork it, and train on: a run of its own, from the very step.
    page.fork_wanted.emit(str(RunFolder(first).last))
    qtbot.waitUntil(lambda: not store.state.filing, timeout=PATIENCE)
    assert f"fork of {name_of(first)} at step {units.number(stopped_at)}" in window.status.text()
    press(qtbot, window.top, "Resume")
    qtbot.waitUntil(lambda: store.state.step > stopped_at + 5, timeout=PATIENCE)
    press(qtbot, window.top, "Stop")
    qtbot.waitUntil(lambda: not store.state.running, timeout=PATIENCE)
    second = Path(store.state.folder)
    assert second != first

    # Both are in the list, and the parent is as it was.
    window.show_page("runs")
    qtbot.waitUntil(lambda: runs.find(second) >= 0, timeout=PATIENCE)
    qtbot.waitUntil(lambda: runs.row(runs.find(second)).status == "stopped", timeout=PATIENCE)
    parent, fork = (runs.row(runs.find(folder)).run for folder in (first, second))
    assert (parent.step, parent.status) == (stopped_at, "stopped")
    assert (fork.parent, fork.parent_step) == (first.name, stopped_at)
    assert fork.step == store.state.step
    assert window.banner.isHidden(), window.banner.text()


def test_closing_while_training_saves(qtbot, home, window, tmp_path, monkeypatch):
    store = window.store
    choose_small_run(qtbot, window, tmp_path)
    press(qtbot, window.top, "Train")
    qtbot.waitUntil(lambda: store.state.step > 30, timeout=PATIENCE)
    folder = RunFolder(Path(store.state.folder))
    monkeypatch.setattr(Closing, "_ask", lambda *_: True)
    window.close()
    qtbot.waitUntil(window.isHidden, timeout=PATIENCE)
    assert window.worker.isFinished()
    steps = [line["step"] for line in map(json.loads, folder.metrics.read_text().splitlines())]
    assert load(folder.last).step == max(steps) > 30
    assert json.loads(folder.run.read_text())["about"]["status"] == "stopped"


def test_after_a_crash(qtbot, home, window, another, tmp_path):
    """What a killed process leaves behind is offered at the next start, and goes on exactly from there."""
    choose_small_run(qtbot, window, tmp_path)
    press(qtbot, window.top, "Train")
    qtbot.waitUntil(lambda: window.store.state.step > 30, timeout=PATIENCE)
    press(qtbot, window.top, "Pause")
    qtbot.waitUntil(lambda: window.store.state.kept_step == window.store.state.step, timeout=PATIENCE)
    lost_at, folder = window.store.state.step, Path(window.store.state.folder)
    shutil.copytree(folder, tmp_path / "left behind")  # as it is in the middle of the run
    end(window)
    shutil.rmtree(folder)
    (tmp_path / "left behind").rename(folder)

    window = another()
    qtbot.waitUntil(lambda: not window.banner.isHidden(), timeout=PATIENCE)
    assert f"was interrupted at step {lost_at}" in window.banner.text()
    qtbot.waitUntil(lambda: window.store.state.awake, timeout=PATIENCE)
    steps = []
    window.store.stepped.connect(steps.extend)
    press(qtbot, window.banner, "Continue")
    qtbot.waitUntil(lambda: len(steps) > 5, timeout=PATIENCE)
    assert steps[0].step == lost_at + 1
    assert window.store.state.folder == str(folder)
    assert window.banner.isHidden(), window.banner.text()


def test_the_first_minute(qtbot, window):
    """Nothing is chosen: the small world is there, one button trains, exams tell what was learned."""
    store, page, chat = window.store, window.training_page, window.chat
    qtbot.waitUntil(lambda: store.state.report is not None, timeout=PATIENCE)
    assert page.hero.isVisible()
    assert page.hero.corpus.value() == "Small world"
    assert store.state.config.model.vocab_size == store.state.report.vocab_size
    store.edit("model", {"num_layers": 1, "embed_size": 32, "heads": 2})  # as fast as a test has to be
    store.edit("train", {"steps": 40, "evaluate_every": 20, "sample_every": 20, "batch_size": 8})
    press(qtbot, page, "Train this model")
    qtbot.waitUntil(lambda: len(page.skills.chart.exams) == 2, timeout=PATIENCE)
    assert page.skills.isVisible()
    assert [label for label, _ in page.skills.chart.rows()] == [skill.label for skill in SKILLS]
    qtbot.waitUntil(lambda: not store.state.training, timeout=PATIENCE)
    assert "bits/byte" in page.tiles.validation.caption()

    # It is asked in the template it learned from.
    assert chat.composer.mode.value() == "chat"
    qtbot.mouseClick(chat.welcome.prompts[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: chat._live is None, timeout=PATIENCE)
    turn = chat.conversation.turns[0]
    assert turn.prompt == f"Q: {turn.text}\nA:"
    assert window.banner.isHidden(), window.banner.text()


def test_the_demo_model_answers(qtbot, window):
    store, chat = window.store, window.chat
    qtbot.waitUntil(lambda: store.state.demo, timeout=PATIENCE)
    assert window.training_page.hero.isVisible()
    store.edit("sample", {"temperature": 0.0})
    chat.send("Where does the fox live?")
    qtbot.waitUntil(lambda: chat._live is None, timeout=PATIENCE)
    assert "wood" in chat.conversation.turns[0].answer.text()
