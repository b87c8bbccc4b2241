"""After a crash: the interrupted run is offered once, and goes on from its last checkpoint."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QSettings, Qt

from gpt_studio.core.events import Started
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui.alerts import Banner
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.recovery import Recovery
from gpt_studio.gui.store import Store

LAST = Path("/runs/foxes/checkpoints/last.safetensors")


def run(status="interrupted", checkpoints=(LAST,), folder="foxes"):
    return RunSummary(Path("/runs") / folder, "Foxes", status, step=1200, checkpoints=checkpoints)


class Start:
    """One start of the program."""

    def __init__(self, qtbot, settings):
        self.banner, self.owner = Banner(), QObject()
        qtbot.addWidget(self.banner)
        self.store = Store(lambda _: None)
        self.recovery = Recovery(self.store, self.banner, settings, self.owner)

    def offered(self, *runs):
        self.recovery.look(runs)
        return not self.banner.isHidden()


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def start(qtbot, settings):
    return lambda: Start(qtbot, settings)


def test_an_interrupted_run_is_offered_and_goes_on(qtbot, start):
    one = start()
    assert one.offered(run(), run("finished"))
    assert "“Foxes” was interrupted at step 1\u202f200" in one.banner.text()
    button = next(b for b in one.banner.findChildren(Button) if b.text() == "Continue")
    with qtbot.waitSignal(one.banner.remedy_chosen) as chosen:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    remedy = chosen.args[0]
    assert (remedy.checkpoint, remedy.train, dict(remedy.changes)) == (str(LAST), True, {})
    assert start().offered(run()), "it did not go on after all: asked again"


@pytest.mark.parametrize(
    "runs",
    [(), (run("finished"), run()), (run("training"),), (run(checkpoints=()),)],
    ids=["none", "an older one", "trained elsewhere", "nothing kept"],
)
def test_nothing_else_is_offered(start, runs):
    assert not start().offered(*runs)


def test_an_older_run_that_was_gone_on_with_last_is_offered(start, tmp_path):
    runs = [
        replace(run("finished"), folder=tmp_path / "new"),
        replace(run(), folder=tmp_path / "old"),
    ]
    for age, one in enumerate(runs):
        one.folder.mkdir()
        (one.folder / "run.json").write_text("{}")
        os.utime(one.folder / "run.json", (1000 + age, 1000 + age))
    assert start().offered(*runs)


def test_who_declines_is_not_asked_again_about_that_run(start):
    one = start()
    one.offered(run())
    one.banner.decline()
    assert not start().offered(run())
    assert start().offered(run(folder="hens"))


def test_only_the_first_look_counts(start):
    one = start()
    assert not one.offered(run("finished"))
    assert not one.offered(run())


def test_who_trains_already_is_not_disturbed(start):
    one = start()
    one.store.happened([Started("train")])
    assert not one.offered(run())
