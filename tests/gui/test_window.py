"""The whole window with a pretended engine: what gives way, is remembered, is asked and is shown."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.events import (
    Built,
    DemoOpened,
    Exported,
    Failed,
    Finished,
    Opened,
    Ready,
    Saved,
    Started,
)
from gpt_studio.core.metrics import METRICS, History, Mark
from gpt_studio.core.requests import (
    Compare,
    ExportTokenizer,
    Keep,
    New,
    Open,
    OpenDemo,
    Prepare,
    ReadBatch,
    Replan,
    Save,
    Stop,
    Train,
    UseDevice,
)
from gpt_studio.core.run_events import (
    Kept,
    KeptAgain,
    Marked,
    NotKept,
    PlanChanged,
    RunBegun,
    Step,
    StoppedEarly,
    TextsChanged,
)
from gpt_studio.core.runner import Ending
from gpt_studio.gui import window as window_module
from gpt_studio.gui.buttons import Button, ToolButton
from gpt_studio.gui.closing import Closing
from gpt_studio.gui.columns import Rail
from gpt_studio.gui.dialogs import save_dialog
from gpt_studio.gui.files import CHECKPOINTS, SUFFIX
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.theme import DARK, LIGHT, look
from gpt_studio.gui.window import PAGES, Window
from gpt_studio.gui.worker import Worker

from .conftest import CPU, GPU, with_model

VALUES = {metric.name: 1.0 for metric in METRICS}
ANSWERS = QMessageBox.StandardButton


class PretendSession:
    """Remembers what it was asked, and does the least."""

    def __init__(self):
        self.asked = []
        self.ended = []
        self.slow = False  # saving takes until this is taken back
        self.demo = None  # the demo model, if there is one
        self.last = None  # what is told of the run's folder when training is stopped

    def greet(self):
        yield Ready((GPU, CPU), "cuda:0")

    def start(self, request):
        self.asked.append(request)
        match request:
            case Train(config):
                yield Built(config, 812_345, "cuda:0", 0)
                yield Step(1, VALUES)
                try:
                    while True:
                        yield None
                except Ending:
                    yield self.last
                finally:
                    self.ended.append("train")
            case OpenDemo():
                if self.demo is None:
                    raise StudioError("There is no such file.")
                yield DemoOpened(self.demo)
            case Save(path):
                while self.slow:
                    yield None
                yield Saved(path, 2**20, 1)
            case Open("bad.safetensors"):
                raise StudioError("This file is not a GPT Studio checkpoint.", kept="Nothing was changed.")
            case Open("crash.safetensors"):
                raise ValueError("not foreseen")


@pytest.fixture
def session():
    return PretendSession()


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def open_window(qtbot, session, settings):
    opened = []

    def open_one(width=1440, height=900):
        window = Window(settings, Worker(make_session=lambda: session))
        window.resize(width, height)
        window.show()
        window.worker.start()
        qtbot.waitUntil(lambda: window.store.state.awake)
        opened.append(window)
        return window

    yield open_one
    for window in opened:
        assert window.worker.close()
        window.files.guard = lambda then: then()
        window.close()
        window.deleteLater()


@pytest.fixture
def window(open_window):
    return open_window()


def asked(session, kind):
    return [request for request in session.asked if isinstance(request, kind)]


def press(qtbot, window, text):
    button = next(b for b in window.findChildren(Button) if b.text() == text and b.isVisible())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def learn(qtbot, window):
    """Have a model at step 1 that no file holds, training stopped."""
    window.files.train()
    qtbot.waitUntil(lambda: window.store.state.step == 1)
    window.store.stop_training()
    qtbot.waitUntil(lambda: not window.store.state.training)
    assert window.store.state.unsaved


def rail(window, side):
    return next(r for r in window.findChildren(Rail) if ("settings" in name(r)) == (side == "left"))


def name(rail):
    return rail.findChild(ToolButton).accessibleName()


# ---------------------------------------------------------------- size


def test_the_first_window_fits_the_screen(qtbot, session, settings):
    window = Window(settings, Worker(make_session=lambda: session))
    qtbot.addWidget(window)
    assert window.height() < window.screen().availableSize().height() < 900


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scene", ["empty", "model", "problem", "failure"])
def test_every_page_fits_the_smallest_window(window, page, scene):
    window.show_page(page)
    state = window.store.state
    if scene == "model":
        window.store.state = with_model(state, 12_345, running=frozenset({"train"}), peak=2**33)
    elif scene == "problem":
        window.store.state = replace(state, config=state.config.changed("model", {"embed_size": 1001}))
    elif scene == "failure":
        window.banner.show_failure(Failed("train", "Training stopped at step 3 150 — " + "memory " * 20))
    window.store.changed.emit(window.store.state)
    window.resize(960, 600)
    assert (window.width(), window.height()) == (960, 600)
    needed = window.centralWidget().layout().minimumSize()
    assert needed.width() <= 960
    assert needed.height() <= 600


def test_chat_then_settings_fold_as_the_window_narrows(open_window):
    window = open_window(1440)
    assert window.chat.isVisible()
    window.resize(1070, 800)
    assert not window.chat.isVisible()
    assert rail(window, "right").isVisible()
    assert window.settings_panel.isVisible()
    window.resize(1440, 900)
    assert window.chat.isVisible()
    assert not rail(window, "right").isVisible()


def test_a_panel_hidden_by_hand_stays_hidden(window):
    window.columns.toggle("left")
    assert not window.settings_panel.isVisible()
    window.resize(1500, 900)
    assert not window.settings_panel.isVisible()
    window.columns.toggle("left")
    assert window.settings_panel.isVisible()


def test_nothing_overlaps_its_neighbor(window):
    parts = [window.settings_panel, window.pages, window.chat]
    boxes = [part.rect().translated(part.mapTo(window, part.rect().topLeft())) for part in parts]
    for left, right in pairwise(boxes):
        assert left.right() < right.left()


# ---------------------------------------------------------------- remembered


def test_theme_page_size_and_hidden_panels_are_remembered(open_window, settings):
    first = open_window(1300, 650)
    first.switch_theme()
    first.show_page("data")
    first.columns.toggle("right")
    first.close()
    look.apply(DARK)
    second = Window(settings, Worker(make_session=PretendSession))
    assert look.theme is LIGHT
    assert second.tabs.value() == "data"
    assert second.chat.isHidden()
    assert second.height() == 650  # the pretended screen is too narrow to keep the width
    second.deleteLater()


def test_spoiled_settings_do_no_harm(settings):
    keys = ("geometry", "splitter", "recent", "texts", "tokenizers", "page", "theme", "scale", "unit")
    for key in (*keys, "chat/dialogues", "chat/text", "queue", "interrupted"):
        settings.setValue(key, "nonsense")
    window = Window(settings, Worker(make_session=PretendSession))
    assert window.tabs.value() == "training"
    assert window.files.recent() == []
    window.deleteLater()


def test_recent_files_lead_back(qtbot, window, session, tmp_path):
    file = tmp_path / "mine.safetensors"
    file.touch()
    window.store.happened([Opened(str(file), window.store.state.config, 3, History(), 1, "cpu")])
    assert [action.text() for action in window.recent.actions()] == ["mine"]
    window.recent.actions()[0].trigger()
    qtbot.waitUntil(lambda: asked(session, Open) == [Open(str(file))])


# ---------------------------------------------------------------- nothing is lost


def answer(monkeypatch, button):
    monkeypatch.setattr(window_module.Files, "_ask_about_unsaved", lambda self, why: button)


def test_new_asks_before_an_unsaved_model_goes(qtbot, window, session, monkeypatch):
    learn(qtbot, window)
    answer(monkeypatch, ANSWERS.Cancel)
    press(qtbot, window, "New")
    answer(monkeypatch, ANSWERS.Discard)
    press(qtbot, window, "New")
    qtbot.waitUntil(lambda: len(asked(session, New)) == 1)


def test_save_first_then_go_on(qtbot, window, session, monkeypatch, tmp_path):
    learn(qtbot, window)
    answer(monkeypatch, ANSWERS.Save)
    file = str(tmp_path / "kept.safetensors")
    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", lambda *_: file)
    press(qtbot, window, "New")
    qtbot.waitUntil(lambda: len(asked(session, New)) == 1)
    assert asked(session, Save) == [Save(file)]


def answered(qtbot, window, session):
    """Everything wished for so far has reached the engine."""
    device = "cpu" if window.store.state.device_name != "cpu" else "cuda:0"
    window.store.use_device(device)
    qtbot.waitUntil(lambda: UseDevice(device) in session.asked)


def test_a_dialog_that_is_cancelled_changes_nothing(qtbot, window, session, monkeypatch):
    learn(qtbot, window)
    answer(monkeypatch, ANSWERS.Save)
    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", lambda *_: "")
    press(qtbot, window, "New")
    answered(qtbot, window, session)
    assert not asked(session, New)
    assert window.store.state.unsaved


def test_another_save_does_not_go_on_in_its_place(qtbot, window, session, monkeypatch, tmp_path):
    learn(qtbot, window)
    session.slow = True
    window.store.save(str(tmp_path / "earlier.safetensors"))
    answer(monkeypatch, ANSWERS.Save)

    def dialog(*_):
        session.slow = False
        qtbot.waitUntil(lambda: window.store.state.filing == 0)
        return ""

    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", dialog)
    window.store.happened([Step(2, VALUES)])
    press(qtbot, window, "New")
    answered(qtbot, window, session)
    assert not asked(session, New)


def test_the_ending_is_added_before_a_file_would_be_replaced(window, tmp_path):
    dialog = save_dialog(window, "Save", str(tmp_path / "mine.safetensors"), CHECKPOINTS, SUFFIX)
    assert dialog.defaultSuffix() == "safetensors"
    assert dialog.acceptMode() == dialog.AcceptMode.AcceptSave
    assert not dialog.testOption(dialog.Option.DontConfirmOverwrite)
    assert dialog.selectedFiles() == [str(tmp_path / "mine.safetensors")]


def test_training_anew_asks_before_an_unsaved_model_goes(qtbot, window, session, monkeypatch):
    learn(qtbot, window)
    window.store.edit("model", {"num_layers": 2})
    answer(monkeypatch, ANSWERS.Cancel)
    press(qtbot, window, "Train")
    answered(qtbot, window, session)
    assert len(asked(session, Train)) == 1


def test_closing_waits_for_a_file_that_is_being_written(qtbot, window, session, tmp_path):
    learn(qtbot, window)
    session.slow = True
    window.store.save(str(tmp_path / "slow.safetensors"))
    window.store.happened([Saved("elsewhere", 1, 1)])  # nothing is unsaved
    window.close()
    assert window.isVisible()
    session.slow = False
    qtbot.waitUntil(lambda: not window.isVisible())


def test_closing_asks_and_can_be_cancelled(qtbot, window, monkeypatch):
    learn(qtbot, window)
    answer(monkeypatch, ANSWERS.Cancel)
    window.close()
    assert window.isVisible()
    answer(monkeypatch, ANSWERS.Discard)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())


def test_closing_saves_first(qtbot, window, session, monkeypatch, tmp_path):
    learn(qtbot, window)
    answer(monkeypatch, ANSWERS.Save)
    file = str(tmp_path / "kept.safetensors")
    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", lambda *_: file)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert asked(session, Save) == [Save(file)]


def train_one(qtbot, window):
    window.store.press_primary()
    qtbot.waitUntil(lambda: window.store.state.step == 1)


def answer_closing(monkeypatch, agreed):
    asked = []
    monkeypatch.setattr(Closing, "_ask", lambda self, state: asked.append(state.step) or agreed)
    return asked


def test_closing_while_training_asks_once_and_ends_it(qtbot, window, session, monkeypatch):
    train_one(qtbot, window)
    asked = answer_closing(monkeypatch, False)
    window.close()
    assert window.isVisible()
    assert window.store.state.training
    session.last = Kept("last.safetensors", 1, 5, 0.0)
    asked = answer_closing(monkeypatch, True)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert asked == [1]
    assert window.worker.isFinished()
    assert session.ended == ["train"], "what was learned could be saved"


@pytest.mark.parametrize("before", [True, False], ids=["known before", "only at the end"])
def test_closing_what_is_not_being_saved_asks_where_to(qtbot, window, session, monkeypatch, tmp_path, before):
    train_one(qtbot, window)
    window.store.happened([RunBegun("/runs/foxes", "Foxes", 0)])
    if before:
        window.store.happened([NotKept("The disk is full.")])
    else:
        session.last = NotKept("The disk is full.")
    answer_closing(monkeypatch, True)
    answer(monkeypatch, ANSWERS.Save)
    file = str(tmp_path / "kept.safetensors")
    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", lambda *_: file)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert asked(session, Save) == [Save(file)]


def test_who_closes_twice_does_not_wait_for_a_long_step(qtbot, window, session, monkeypatch):
    train_one(qtbot, window)
    monkeypatch.setattr(window.store, "stop_training", lambda: None)  # it does not come to an end
    asked = answer_closing(monkeypatch, True)
    window.close()
    assert window.isVisible()
    assert "as soon as the run is saved" in window.status.text()
    window.close()
    assert not window.isVisible()
    assert (asked, session.ended) == ([1], ["train"])


# ---------------------------------------------------------------- runs and their folders


def test_a_pause_shows_what_may_change_and_steps_once(qtbot, window, session):
    train_one(qtbot, window)
    window.store.happened([RunBegun("/runs/foxes", "Foxes", 0)])
    assert window.windowTitle().startswith("Foxes")
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: asked(session, Keep) == [Keep()])
    assert window.store.state.training_paused
    window.store.edit("train", {"learning_rate": 5e-4})
    qtbot.keyClick(window, Qt.Key.Key_F10)
    qtbot.waitUntil(lambda: len(asked(session, Replan)) == 1)
    assert asked(session, Replan)[0].train.learning_rate == 5e-4


def test_what_is_not_saved_is_said_once_until_it_is(qtbot, window):
    window.store.happened([NotKept("The disk is full.", "Make room.")])
    assert "Make room." in window.banner.text()
    assert "Training goes on" in window.banner.text()
    window.banner.decline()
    window.store.happened([NotKept("The disk is full.", "Make room.")])
    assert window.banner.isHidden(), "who has put it away knows"
    window.store.happened([NotKept("The folder is gone.")])
    assert not window.banner.isHidden()
    window.store.happened([KeptAgain()])
    assert window.banner.isHidden()
    assert "being saved again" in window.status.text()


def test_what_happens_to_a_run_is_said(window):
    config = window.store.state.config
    window.store.happened([PlanChanged(config, Mark(40, "plan", "Learning rate 3e−3 → 1e−3"))])
    assert window.status.text().endswith("Learning rate 3e−3 → 1e−3")
    window.store.happened([Marked(Mark(41, "plain", "Without torch.compile"))])
    assert window.status.text().endswith("Without torch.compile")


def test_stopping_early_offers_the_best_weights(qtbot, window, session):
    train_one(qtbot, window)
    window.store.happened([StoppedEarly(1, 1, 1.25, "/runs/foxes/checkpoints/best.safetensors")])
    assert "best validation 1.250 at step 1" in window.status.text()
    window.store.happened([Kept("last", 1, 1, 0.0), Finished("train")])
    window.status.best_wanted.emit()
    best = Open("/runs/foxes/checkpoints/best.safetensors")
    qtbot.waitUntil(lambda: asked(session, Open) == [best])


def test_a_fork_says_where_it_comes_from(window):
    path = "/runs/2026-11-23-foxes/checkpoints/step-000040.safetensors"
    window.store.happened([Opened(path, window.store.state.config, 40, History(), 1, "cpu")])
    assert "Training goes on as a fork of foxes at step 40" in window.status.text()


def test_a_run_that_is_opened_is_told_by_its_name(window):
    path = "/runs/2026-11-23-foxes/checkpoints/last.safetensors"
    told = Opened(path, window.store.state.config, 40, History(), 1, "cpu", "/runs/2026-11-23-foxes", "foxes")
    window.store.happened([told])
    assert "Opened foxes" in window.status.text()


def test_what_a_run_keeps_is_not_proposed_to_be_written_over(window, monkeypatch):
    proposed = []
    monkeypatch.setattr("gpt_studio.gui.files.ask_where_to_save", lambda *args: proposed.append(args[2]))
    path = "/runs/foxes/checkpoints/last.safetensors"
    window.store.happened([Opened(path, window.store.state.config, 40, History(), 1, "cpu", "/runs/foxes")])
    window.files.save()
    assert proposed == [str(Path.home() / "step-000040.safetensors")]


def test_the_queue_begins_with_a_click(qtbot, window, session):
    window.store.edit("model", {"num_layers": 2})
    window.store.enqueue()
    window.store.edit("model", {"num_layers": 3})
    window.show_page("data")
    window.status.queue_wanted.emit()
    qtbot.waitUntil(lambda: len(asked(session, Train)) == 1)
    assert asked(session, Train)[0].config.model.num_layers == 2
    assert window.tabs.value() == "training"


# ---------------------------------------------------------------- wishes and facts


def test_a_wrong_file_is_explained_and_changes_nothing(qtbot, window):
    before = window.store.state
    window.store.open("bad.safetensors")
    qtbot.waitUntil(lambda: window.banner.isVisible())
    assert window.banner.text() == "This file is not a GPT Studio checkpoint\nNothing was changed."
    assert window.store.state == before
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.banner.isVisible()


def test_our_error_is_shown_and_logged(qtbot, window, caplog):
    window.store.open("crash.safetensors")
    qtbot.waitUntil(lambda: window.banner.isVisible())
    assert "ValueError: not foreseen" in window.banner.text()
    assert "Traceback" in caplog.text


def test_a_remedy_changes_the_setting_and_trains(qtbot, window, session):
    remedy = Remedy("Resume with batch size 8", "train", {"batch_size": 8}, train=True)
    window.banner.show_failure(Failed("train", "No room.", remedies=(remedy,)))
    press(qtbot, window, remedy.label)
    qtbot.waitUntil(lambda: len(asked(session, Train)) == 1)
    assert asked(session, Train)[0].config.train.batch_size == 8


def test_one_filled_button_per_view(window):
    def filled():
        return [b for b in window.findChildren(Button) if b.isVisible() and b.kind() == "primary"]

    window.show_page("training")
    assert [b.text() for b in filled()] == ["Train this model"]
    window.show_page("data")
    assert [b.text() for b in filled()] == ["Train"]


def test_train_with_a_problem_leads_to_the_field(qtbot, window):
    window.show_page("data")
    window.store.edit("model", {"embed_size": 130})
    press(qtbot, window, "Train")
    assert window.focusWidget().accessibleName() == "Embedding"
    assert "not divisible" in window.status.text()


def test_the_device_chip_moves_the_work(qtbot, window, session):
    window.top.device_wanted.emit("cpu")
    qtbot.waitUntil(lambda: asked(session, UseDevice) == [UseDevice("cpu")])


def test_a_dropped_checkpoint_is_opened(qtbot, window, session, tmp_path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "mine.safetensors"))])
    flags = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(QDropEvent(QPointF(5, 5), *flags))
    qtbot.waitUntil(lambda: asked(session, Open) == [Open(str(tmp_path / "mine.safetensors"))])


def test_f6_walks_through_the_panes(qtbot, window):
    panes = [window.top, window.settings_panel, window.pages, window.chat]

    def here():
        return next(i for i, pane in enumerate(panes) if pane.isAncestorOf(window.focusWidget()))

    window.top.findChild(QWidget).setFocus()
    visited = []
    for _ in panes:
        window.next_pane(1)
        visited.append(here())
    assert sorted(visited) == [0, 1, 2, 3]


def test_the_size_of_the_interface_follows_the_keys(qtbot, window):
    qtbot.keyClick(window, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    assert look.scale == pytest.approx(1.1)
    qtbot.keyClick(window, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert look.scale == 1.0


@pytest.mark.parametrize(("wish", "request_kind"), [("new", New), ("open", Open)])
def test_nothing_replaces_a_model_in_training(qtbot, window, session, wish, request_kind):
    window.files.train()
    qtbot.waitUntil(lambda: window.store.state.step == 1)
    getattr(window.files, wish)()
    assert "being trained" in window.banner.text()
    answered(qtbot, window, session)
    assert window.store.state.training
    assert not asked(session, request_kind)


@pytest.mark.parametrize(
    ("corpora", "read"), [(("python-reference",), True), (("/etc",), False), (("//host/share/x",), False)]
)
def test_a_strangers_checkpoint_does_not_make_us_read_its_paths(qtbot, window, session, corpora, read):
    config = window.store.state.config.changed("data", {"corpora": corpora})
    window.store.happened([Opened("theirs.safetensors", config, 3, History(), 1, "cpu")])
    answered(qtbot, window, session)
    assert bool(asked(session, Prepare)) is read


def test_a_strangers_checkpoint_does_not_make_us_read_its_tokenizer_file(qtbot, window, session):
    data = {"corpora": ("world",), "tokenizer": "file", "tokenizer_file": "/etc/their.json"}
    config = window.store.state.config.changed("data", data)
    window.store.happened([Opened("theirs.safetensors", config, 3, History(), 1, "cpu")])
    answered(qtbot, window, session)
    assert not asked(session, Prepare)


def test_what_a_person_added_is_read_when_it_is_opened_again(qtbot, window, session, tmp_path):
    window.texts.add([str(tmp_path)])
    config = window.store.state.config
    window.store.happened([Opened("mine.safetensors", config, 3, History(), 1, "cpu")])
    answered(qtbot, window, session)
    assert asked(session, Prepare) == [Prepare(config.data)] * 2


# ---------------------------------------------------------------- the demo model


def test_the_demo_model_is_there_at_the_start_and_after_new(qtbot, window, session, monkeypatch):
    session.demo = Built(RunConfig(), 812_345, "cuda:0", 9000)
    window.start()
    qtbot.waitUntil(lambda: window.store.state.demo)
    assert window.windowTitle() == "Demo model — GPT Studio"
    assert window.training_page.hero.isVisible()
    assert not window.settings_panel.header._locked.isVisible()
    assert window.chat.header.weights.text() == "Demo · 0.8\u202fM"
    assert not next(b for b in window.top.findChildren(Button) if b.text() == "Save…").isEnabled()
    window.files.save()  # with Ctrl+S: there is nothing to save, and no dialog asks
    learn(qtbot, window)
    assert not window.store.state.demo
    answer(monkeypatch, ANSWERS.Discard)
    press(qtbot, window, "New")
    qtbot.waitUntil(lambda: window.store.state.demo)
    assert window.training_page.hero.isVisible()


def test_training_beside_the_demo_model_asks_nothing_and_starts_anew(qtbot, window, session, monkeypatch):
    session.demo = Built(window.store.state.config, 812_345, "cuda:0", 9000)
    window.store.open_demo()
    qtbot.waitUntil(lambda: window.store.state.demo)
    monkeypatch.setattr(window_module.Files, "_ask_about_unsaved", lambda *_: pytest.fail("asked"))
    press(qtbot, window, "Train this model")
    qtbot.waitUntil(lambda: window.store.state.step == 1)
    assert asked(session, Train) == [Train(window.store.state.config, resume=False)]


def test_a_demo_model_that_is_not_there_disturbs_nobody(qtbot, window, session):
    window.start()
    qtbot.waitUntil(lambda: asked(session, OpenDemo) == [OpenDemo()])
    answered(qtbot, window, session)
    assert not window.banner.isVisible()
    assert window.chat.welcome.title.text() == "No model yet"


def test_a_named_checkpoint_comes_instead_of_the_demo_model(qtbot, window, session, tmp_path):
    window.start(str(tmp_path / "mine.safetensors"))
    qtbot.waitUntil(lambda: len(asked(session, Open)) == 1)
    answered(qtbot, window, session)
    assert not asked(session, OpenDemo)


# ---------------------------------------------------------------- the Data page


def test_what_the_data_page_wishes_for_reaches_the_engine(qtbot, window, session, tmp_path, monkeypatch):
    own = str(tmp_path / "own.tiktoken")
    monkeypatch.setattr("gpt_studio.gui.texts.ask_where_to_save", lambda *_: own)
    page, config = window.data_page, window.store.state.config
    page.compare_wanted.emit()
    page.batch_wanted.emit()
    page.export_wanted.emit()
    answered(qtbot, window, session)
    wishes = (Compare, ReadBatch, ExportTokenizer)
    assert [asked(session, wish) for wish in wishes] == [
        [Compare(config.data)],
        [ReadBatch(config)],
        [ExportTokenizer(config.data, own)],
    ]
    window.store.happened([Exported(own, 2**20)])
    assert "own.tiktoken written · 1.0\u202fMB" in window.status.text()
    page.remedy_chosen.emit(Remedy("Less", "data", {"validation": 0.2}))
    assert window.store.state.config.data.validation == 0.2


def test_reading_can_be_canceled_and_taken_up_again(window, monkeypatch):
    sent = []
    monkeypatch.setattr(window.store, "_submit", sent.append)
    window.data_page.cancel_wanted.emit()
    window.data_page.read_wanted.emit()
    assert sent == [Stop("data"), Prepare(window.store.state.config.data)]


def test_an_added_text_gets_a_share(window, tmp_path, monkeypatch):
    window.store.edit("data", {"corpora": ("world", "python-library"), "weights": (3.0, 1.0)})
    file = str(tmp_path / "mine.txt")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([file], ""))
    window.data_page.files_wanted.emit()
    data = window.store.state.config.data
    assert data.corpora == ("world", "python-library", file)
    assert data.weights == pytest.approx((0.5, 1 / 6, 1 / 3))


def test_a_tokenizer_file_is_chosen_and_trusted_from_then_on(open_window, settings, monkeypatch):
    window = open_window()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/texts/mine.tiktoken", ""))
    window.data_page.tokenizer_file_wanted.emit()
    data = window.store.state.config.data
    assert (data.tokenizer, data.tokenizer_file) == ("file", "/texts/mine.tiktoken")
    window.close()
    assert open_window().texts.trusts(data)


def test_train_with_a_problem_of_the_data_leads_to_its_page(qtbot, window):
    window.store.edit("data", {"tokenizer": "file"})
    press(qtbot, window, "Train")
    assert window.tabs.value() == "data"
    assert "No tokenizer file is chosen" in window.status.text()
    assert window.data_page.tokenizer.isAncestorOf(window.focusWidget())


def test_unit_and_mode_are_remembered(open_window, settings):
    first = open_window()
    first.training_page.set_unit("bits")
    first.chat.composer.mode.button("continue").click()
    first.close()
    second = open_window()
    assert second.training_page.unit() == "bits"
    assert second.chat.composer.mode.value() == "continue"


def test_only_a_run_that_learned_is_marked_as_stopped(window, monkeypatch):
    marks = []
    monkeypatch.setattr(window.training_page, "mark", lambda *mark: marks.append(mark))
    window.store.happened([Started("train"), Built(window.store.state.config, 1, "cpu", 0), Step(1, VALUES)])
    window.store.happened([Failed("train", "The loss became infinite")])
    assert [mark[0] for mark in marks] == [1]
    window.store.happened([Started("train"), Failed("train", "No corpus is chosen.")])
    assert len(marks) == 1


def test_column_widths_are_remembered(open_window, settings):
    first = open_window(1440, 700)
    first.columns.setSizes([0, 400, 538, 500, 0])
    chosen = first.settings_panel.width(), first.chat.width()
    first.close()
    second = open_window(1440, 700)
    assert (second.settings_panel.width(), second.chat.width()) == chosen


def test_undo_works_with_the_cursor_in_a_field(qtbot, window):
    field = next(f for f in window.settings_panel.findChildren(NumberField) if f.accessibleName() == "Heads")
    window.activateWindow()
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "8")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert window.store.state.config.model.heads == 8
    qtbot.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.store.state.config.model.heads == 4


def test_the_warning_of_a_problem_goes_with_it(qtbot, window):
    window.store.edit("model", {"embed_size": 130})
    press(qtbot, window, "Train")
    assert "not divisible" in window.status.text()
    window.store.edit("model", {"embed_size": 128})
    assert "not divisible" not in window.status.text()


def test_a_first_file_dialog_begins_at_home(window):
    assert window.files._folder() == str(Path.home())


def test_going_on_with_other_texts_is_marked_and_said(window, monkeypatch):
    marks = []
    monkeypatch.setattr(window.training_page, "mark", lambda *mark: marks.append(mark))
    window.store.happened([TextsChanged(1200)])
    assert marks == [(1200, "Other texts · 1\u202f200", "warn")]
    assert "other texts" in window.status.text()
