"""Many Qt calls and chart updates in one process: it must live, and None must keep its references.

PySide6 6.12.0 loses a reference to None per call on Python 3.11 and aborts after some 5 000 calls.
"""

import subprocess
import sys

import pytest

QT_CALLS = """
import sys
from PySide6.QtCore import QObject
thing = QObject()
before = sys.getrefcount(None)
for number in range(20_000):
    thing.setObjectName(str(number))
lost = before - sys.getrefcount(None)
assert abs(lost) < 100, f"{lost} references to None were lost"
print("alive")
"""

CHART_UPDATES = """
import math
from PySide6.QtWidgets import QApplication
from gpt_studio.gui.charts import LossChart
from gpt_studio.gui.theme import DARK, look
app = QApplication([])
look.apply(DARK)
chart = LossChart()
chart.resize(800, 400)
chart.show()
chart.start(3_000)
for step in range(1, 3_001):
    chart.append([step], [7 * math.exp(-step / 500) + 1])
    if step % 100 == 0:
        chart.append_validation(step, 7 * math.exp(-step / 500) + 1.1)
    app.processEvents()
chart.grab()
print("alive")
"""


@pytest.mark.parametrize("program", [QT_CALLS, CHART_UPDATES], ids=["qt calls", "chart updates"])
def test_the_process_lives(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
