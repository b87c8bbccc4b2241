"""How long an edit takes to reach the screen: from the keystroke or slider to the repainted estimate.

Run: python -m benchmarks.form_latency [edits]
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gpt_studio.core.events import Device, Ready
from gpt_studio.gui.form_rows import NumberRow
from gpt_studio.gui.settings_panel import SettingsPanel
from gpt_studio.gui.store import Store
from gpt_studio.gui.theme import DARK, look

GPU = Device("cuda:0", "Pretend GPU", 24 * 2**30, bf16=True)


def edits(panel: SettingsPanel) -> Iterator[Callable[[], None]]:
    """Endless edits as people make them: sliders, half-typed numbers (many not usable), switches, sizes."""
    rows = [row for form in panel.forms.values() for row in form.rows.values()]
    numbers = [row for row in rows if isinstance(row, NumberRow) and row.slider]
    while True:
        for preset in ("gpt2-1558m", "tiny", "gpt2-124m"):
            yield lambda preset=preset: panel.presets.changed.emit(preset)
            for row in numbers:
                panel.show_section("model" if row in panel.forms["model"].rows.values() else "train")
                QApplication.processEvents()
                yield lambda row=row: QTest.keyClick(row.slider, Qt.Key.Key_Right)
                row.field.selectAll()
                for key in "13":
                    yield lambda row=row, key=key: QTest.keyClicks(row.field, key)
                yield lambda row=row: QTest.keyClick(row.slider, Qt.Key.Key_Left)


def main(count: int) -> None:
    app = QApplication([])
    look.motion = False
    look.apply(DARK)
    panel = SettingsPanel()
    store = Store(lambda request: None)
    store.changed.connect(panel.show_state)
    panel.edited.connect(store.edit)
    panel.preset_chosen.connect(store.apply_preset)
    panel.resize(312, 840)
    panel.show()
    store.happened([Ready((GPU,), GPU.name)])
    app.processEvents()
    times = []
    for edit in edits(panel):
        config = store.state.config
        app.processEvents()
        started = time.perf_counter()
        edit()
        app.processEvents()  # lays out and paints
        if store.state.config != config:
            times.append(1000 * (time.perf_counter() - started))
        if len(times) == count:
            break
    cuts = statistics.quantiles(times, n=100)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    worst = f"99th percentile {cuts[98]:.1f} ms, most {max(times):.1f} ms"
    print(f"{count} edits: median {cuts[49]:.1f} ms, {worst}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
