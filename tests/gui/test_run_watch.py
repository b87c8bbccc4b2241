"""Runs are followed while others write them: here a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QThread

from gpt_studio.core.run_index import rename
from gpt_studio.gui.run_watch import RunWatch

from .made_runs import a_curve, make_run

WRITER = """
import json, sys, time
from pathlib import Path
from gpt_studio.core.lock import Lock
folder = Path(sys.argv[1])
with Lock(folder / "run.lock"), (folder / "metrics.jsonl").open("a") as file:
    for step in range(1, 10_000):
        line = json.dumps({"step": step, "loss": 1 / step, "tokens": step, "seconds": step}) + "\\n"
        for part in (line[:7], line[7:]):
            file.write(part)
            file.flush()
            time.sleep(0.01)
"""


@pytest.fixture
def watch(tmp_path):
    watch = RunWatch(tmp_path / "runs", interval=0.02)
    watch.heard = []
    watch.looked.connect(watch.heard.append)
    watch.histories = []
    watch.read.connect(lambda folder, history: watch.histories.append((folder, history)))
    watch.start()
    yield watch
    assert watch.close()


def test_it_tells_once_what_there_is(watch, tmp_path, qtbot):
    qtbot.waitUntil(lambda: watch.heard == [()])
    make_run(tmp_path / "runs", "a", a_curve(3))
    qtbot.waitUntil(lambda: len(watch.heard[-1]) == 1)
    qtbot.waitUntil(lambda: watch.heard[-1][0].step == 3)
    told = len(watch.heard)
    qtbot.wait(100)
    assert len(watch.heard) == told


def test_another_name_is_seen(watch, tmp_path, qtbot):
    folder = make_run(tmp_path / "runs", "a")
    qtbot.waitUntil(lambda: bool(watch.heard) and len(watch.heard[-1]) == 1)
    rename(folder, "mine")
    watch.look_now()
    qtbot.waitUntil(lambda: watch.heard[-1][0].name == "mine")


def test_curves_are_read_of_followed_runs_alone(watch, tmp_path, qtbot):
    one, other = (make_run(tmp_path / "runs", name, a_curve(5)) for name in "ab")
    watch.follow([one])
    qtbot.waitUntil(lambda: bool(watch.histories))
    assert [(folder, len(history)) for folder, history in watch.histories] == [(one, 5)]
    watch.follow([other])
    qtbot.waitUntil(lambda: watch.histories[-1][0] == other)
    watch.follow([other, one])
    qtbot.waitUntil(lambda: watch.histories[-1][0] == one)
    assert len(watch.histories) == 3


def test_another_process_is_followed_as_it_writes_and_found_dead_when_it_is_killed(watch, tmp_path, qtbot):
    folder = make_run(tmp_path / "runs", "theirs", status="training")
    watch.follow([folder])
    root = str(Path(__file__).parents[2])
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], env={"PYTHONPATH": root})
    try:
        qtbot.waitUntil(lambda: bool(watch.histories) and len(watch.histories[-1][1]) > 3, timeout=30_000)
        before = len(watch.histories[-1][1])
        qtbot.waitUntil(lambda: len(watch.histories[-1][1]) > before)
        qtbot.waitUntil(lambda: watch.heard[-1][0].status == "training")
    finally:
        writer.kill()
        writer.wait()
    qtbot.waitUntil(lambda: watch.heard[-1][0].status == "interrupted")
    qtbot.waitUntil(lambda: watch.heard[-1][0].step == watch.histories[-1][1].steps[-1])
    history = watch.histories[-1][1]
    assert list(history.steps) == list(range(1, len(history) + 1))
    assert history.columns["loss"][-1] == 1 / len(history)


def test_files_are_read_on_another_thread(watch, tmp_path, qtbot, monkeypatch):
    threads = []
    look = watch._index.look
    monkeypatch.setattr(watch._index, "look", lambda: threads.append(QThread.currentThread()) or look())
    qtbot.waitUntil(lambda: bool(threads))
    assert QThread.currentThread() not in threads


def test_a_failure_does_not_end_the_watching(watch, tmp_path, qtbot, monkeypatch, caplog):
    look = watch._index.look
    failing = [True]

    def fails_at_first():
        if failing:
            failing.pop()
            raise RuntimeError("strange")
        return look()

    monkeypatch.setattr(watch._index, "look", fails_at_first)
    make_run(tmp_path / "runs", "a")
    qtbot.waitUntil(lambda: bool(watch.heard) and len(watch.heard[-1]) == 1)
    assert "strange" in caplog.text
