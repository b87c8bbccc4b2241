"""How soon the window is painted, and when the engine is awake: python -m benchmarks.startup

Each run is a fresh process. Times start before the interpreter does, so they hold everything a person
waits for. The window is a real one, on the platform Qt chooses (offscreen when there is no display).
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 9
PROGRAM = """
import json, sys, time
started = float(sys.argv[1])
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
app = QApplication([])
from gpt_studio.gui.window import Window
from gpt_studio.gui.worker import Worker
window = Window(QSettings(sys.argv[2], QSettings.Format.IniFormat), Worker())
times = {}
def painted():
    times["first paint"] = time.time() - started
    assert "torch" not in sys.modules
    window.start()
def told(state):
    if state.awake and "engine awake" not in times:
        times["engine awake"] = time.time() - started
        window.close()
window.painted.connect(painted)
window.store.changed.connect(told)
window.show()
app.exec()
print(json.dumps(times))
"""


def run_once() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROGRAM, str(time.time()), f"{folder}/settings.ini"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    times: dict[str, float] = json.loads(done.stdout)
    return times


def main() -> None:
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    run_once()  # warm the disk cache
    runs = [run_once() for _ in range(RUNS)]
    machine = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    print(f"{machine}, {RUNS} runs, warm")
    for name in runs[0]:
        seconds = [run[name] for run in runs]
        spread = f"min {min(seconds):.2f}   max {max(seconds):.2f}"
        print(f"{name:14} median {statistics.median(seconds):.2f} s   {spread}")


if __name__ == "__main__":
    main()
