"""Runs as folders: discarded after one question, deleted unless they are written, renamed, annotated."""

import pytest
from PySide6.QtWidgets import QMessageBox, QWidget

from gpt_studio.core.events import Built, Opened, Ready, Started, Stopped
from gpt_studio.core.lock import Lock
from gpt_studio.core.metrics import METRICS, History
from gpt_studio.core.requests import New, OpenDemo, Stop
from gpt_studio.core.run_events import RunBegun, Step
from gpt_studio.gui import run_folders, trash
from gpt_studio.gui.run_folders import RunFolders
from gpt_studio.gui.store import Store

from .conftest import CPU

VALUES = {metric.name: 1.0 for metric in METRICS} | {"tokens_per_second": 1000.0}


class Desk:
    def __init__(self, parent):
        self.sent, self.failures, self.notes = [], [], []
        self.store = Store(self.sent.append)
        self.store.happened([Ready((CPU,), "cpu")])
        self.store.failed.connect(self.failures.append)
        self.folders = RunFolders(self.store, parent)
        self.folders.noted.connect(self.notes.append)

    def train(self, folder):
        built = Built(self.store.state.config, 1000, "cpu", 0)
        self.store.happened([Started("train"), built, RunBegun(str(folder), "Foxes", 0), Step(3, VALUES)])


@pytest.fixture
def desk(qtbot, monkeypatch):
    parent = QWidget()
    qtbot.addWidget(parent)
    monkeypatch.setattr(trash, "_system_trash", lambda _: (False, ""))
    return Desk(parent)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "foxes"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    return folder


def answer(monkeypatch, button):
    asked = []
    monkeypatch.setattr(run_folders.QMessageBox, "exec", lambda box: asked.append(box.text()) or button)
    return asked


def test_discarding_asks_once_stops_and_empties(desk, run, tmp_path, monkeypatch):
    asked = answer(monkeypatch, QMessageBox.StandardButton.Discard)
    desk.train(run)
    desk.folders.discard()
    assert asked == ["Discard “Foxes” after 3 steps?"]
    assert desk.sent == [Stop("train")]
    assert run.exists(), "it is still being written"
    desk.store.happened([Stopped("train")])
    assert not run.exists()
    assert (tmp_path / "trash" / "foxes" / "run.json").exists()
    assert desk.sent[1:] == [New(), OpenDemo()], "the model is forgotten"
    assert desk.notes == [f"“foxes” is in the trash: {tmp_path / 'trash'}"]
    assert desk.failures == []


def test_who_thinks_again_goes_on(desk, run, monkeypatch):
    answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    desk.train(run)
    desk.folders.discard()
    desk.store.happened([Stopped("train")])
    assert desk.sent == []
    assert run.exists()


def test_a_run_that_has_no_folder_yet_takes_no_other_with_it(desk, run, monkeypatch):
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    desk.train(run)
    desk.store.happened([Stopped("train"), Started("train")])
    desk.folders.discard()
    desk.store.happened([Stopped("train")])
    assert desk.sent == [Stop("train")]
    assert run.exists()


def test_a_run_that_begins_while_it_is_discarded_goes_too(desk, run, monkeypatch):
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    before = run.with_name("before")
    before.mkdir()
    desk.train(before)
    desk.store.happened([Stopped("train"), Started("train")])
    desk.folders.discard()
    built = Built(desk.store.state.config, 1000, "cpu", 0)
    desk.store.happened([built, RunBegun(str(run), "Foxes", 0), Step(1, VALUES), Stopped("train")])
    assert before.exists()
    assert not run.exists()


def test_nothing_to_discard_asks_nothing(desk, monkeypatch):
    asked = answer(monkeypatch, QMessageBox.StandardButton.Discard)
    desk.folders.discard()
    assert asked == []


def test_a_run_that_is_written_is_not_deleted(desk, run, tmp_path):
    desk.train(run)
    desk.folders.delete([run])
    elsewhere = run.with_name("hens")
    elsewhere.mkdir()
    with Lock(elsewhere / "run.lock"):
        desk.folders.delete([elsewhere])
    assert [failure.what for failure in desk.failures] == [
        "“foxes” is being trained",
        "“hens” is being trained",
    ]
    assert run.exists()
    assert elsewhere.exists()


def test_deleting_takes_the_model_of_that_run_along(desk, run, tmp_path):
    other = run.with_name("hens")
    other.mkdir()
    path = str(run / "checkpoints" / "last.safetensors")
    desk.store.happened([Opened(path, desk.store.state.config, 3, History(), 1, "cpu", str(run))])
    desk.folders.delete([other])
    assert desk.sent == []
    desk.folders.delete([run])
    assert desk.sent == [New(), OpenDemo()]
    assert sorted(p.name for p in (tmp_path / "trash").iterdir()) == ["foxes", "hens"]


def test_what_cannot_be_moved_is_told_and_kept(desk, run, tmp_path):
    (tmp_path / "trash").write_text("in the way")
    desk.store.happened([Opened("x", desk.store.state.config, 3, History(), 1, "cpu", str(run))])
    desk.folders.delete([run])
    assert "cannot be moved to the trash" in desk.failures[0].what
    assert run.exists()
    assert desk.sent == []


def test_names_and_notes(desk, run, qtbot):
    with qtbot.waitSignal(desk.folders.changed):
        desk.folders.rename(run, "Hens")
    desk.folders.annotate(run, "They learned fast.")
    assert (run / "notes.json").read_text().count("Hens") == 1
    desk.folders.rename(run.with_name("gone"), "Hens")
    assert "cannot be written" in desk.failures[0].what
