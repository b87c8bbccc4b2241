"""The main jobs, as a person does them: the real window, the real engine, real texts and a real file."""

import pytest
import torch
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QFileDialog

from gpt_studio.core.world import SKILLS
from gpt_studio.engine.checkpoint import load
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.theme import look
from gpt_studio.gui.toggles import CheckBox
from gpt_studio.gui.window import Window
from gpt_studio.gui.worker import Worker

RHYME = "The fox lives in the wood. The hen lives in the barn. Where does the fox live? In the wood.\n"
PATIENCE = 60_000  # ms


@pytest.fixture
def window(qtbot, tmp_path):
    look.motion = False
    worker = Worker()
    window = Window(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat), worker)
    window.resize(1440, 900)
    window.painted.connect(window.start)
    window.show()
    yield window
    assert worker.close()
    window.files.guard = lambda then: then()  # closing asks no question here
    window.close()
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
