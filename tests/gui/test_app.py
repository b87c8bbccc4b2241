"""Starting for real: the three ways in, the log file, and errors nobody caught."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import gpt_studio
import gpt_studio.gui as gui
from gpt_studio.core import paths
from gpt_studio.core.runs import RunFolder, read_about
from gpt_studio.gui.app import ErrorCatcher, start_log

CHECKOUT = Path(gpt_studio.__file__).parent.parent


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Log file and settings go where nobody keeps theirs."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("command", [["main.py"], ["-m", "gpt_studio"]], ids=["main.py", "module"])
def test_a_real_start_reaches_an_awake_engine(home, command):
    log = paths.logs() / "gpt-studio.log"
    started = subprocess.Popen([sys.executable, *command], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and started.poll() is None:
            if log.exists() and "The engine is awake" in log.read_text(encoding="utf-8"):
                break
            time.sleep(0.1)
        assert started.poll() is None, started.stderr.read()
        text = log.read_text(encoding="utf-8")
    finally:
        started.kill()
        _, complaints = started.communicate()
    assert text.index("the window is open") < text.index("The engine is awake on")
    assert complaints == ""


IN_TRAINING = """
from gpt_studio.gui import app, window
start = window.Window.start

def train_at_once(self, checkpoint=""):
    def look(state):
        if state.report and state.awake and not state.running and not state.run:
            self.store.press_primary()
    self.store.changed.connect(look)
    self.store.stepped.connect(lambda steps: print("step", flush=True))
    start(self, checkpoint)

window.Window.start = train_at_once
raise SystemExit(app.main())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows ends programs in other ways")
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT], ids=lambda told: told.name)
def test_who_is_told_to_end_saves_what_is_in_training(home, told):
    environment = {**os.environ, "GPT_STUDIO_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, "-c", IN_TRAINING], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    ) as window:
        assert window.stdout.readline() == "step\n"
        window.send_signal(told)
        assert window.wait(60) == 0
    (folder,) = map(RunFolder, (home / "data" / "runs").iterdir())
    assert read_about(folder)["status"] == "stopped"
    assert folder.last.exists()


def test_version_needs_no_window():
    environment = {**os.environ, "QT_QPA_PLATFORM": "nowhere"}
    done = subprocess.run(
        [sys.executable, "-m", "gpt_studio", "--version"],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"GPT Studio {gpt_studio.__version__}\n"


@pytest.fixture
def catcher(qapp):
    before = sys.excepthook, threading.excepthook
    catcher = ErrorCatcher()
    catcher.install()
    yield catcher
    sys.excepthook, threading.excepthook = before


def test_an_error_on_any_thread_reaches_the_window(qtbot, catcher):
    def fail():
        raise ZeroDivisionError("on purpose")

    with qtbot.waitSignal(catcher.caught) as caught:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    failure = caught.args[0]
    assert failure.what == "ZeroDivisionError: on purpose"
    assert "in fail" in failure.detail


def test_a_log_that_cannot_be_written_costs_only_the_log(monkeypatch):
    def full():
        raise OSError("no space left")

    monkeypatch.setattr(paths, "logs", full)
    start_log()


def test_on_windows_torch_comes_before_qt_and_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "torch" / "lib" / "c10.dll").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    loaded = []
    monkeypatch.setattr(gui.os, "add_dll_directory", loaded.append, raising=False)
    monkeypatch.setattr(gui.ctypes, "CDLL", loaded.append)
    gui.load_torch_library_before_qt()
    library = tmp_path / "torch" / "lib"
    assert loaded == [str(library), str(library / "c10.dll")]
