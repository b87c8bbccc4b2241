"""How smooth the loss of a million steps stays while more come in: python -m benchmarks.charts [frames]

A frame is what a person sees after one change: the new steps of a twentieth of a second, a moved crosshair,
a zoom. Timed are drawing and painting it. The peer is pyqtgraph's own PlotItem with the same arrays, its
downsampling and clipping on, one plain curve each for the raw and the smoothed loss; both take turns.
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QApplication

from gpt_studio.gui.charts import LossChart
from gpt_studio.gui.plotting import Floats
from gpt_studio.gui.theme import DARK, color, look, series

STEPS = 1_000_000
BATCH = 40  # steps of a batch of events; 20 come a second
SIZE = (712, 271)  # of the chart in a window of 1440 by 900
VIEWS = (0.0, 1.0), (0.2, 0.7), (0.4, 0.45), (0.9, 1.0)  # shares of the steps
WARM = 4  # frames before any is timed


def losses(first: int, count: int) -> tuple[Floats, Floats]:
    """A noisy curve as training makes them, with an outlier now and then."""
    steps = np.arange(first, first + count, dtype=float)
    noise = np.random.default_rng(first).standard_normal(count)
    spikes = 3.0 * (noise > 3.5)
    return steps, 1.5 + 4.0 * np.exp(-steps / 2e4) + 40.0 / np.sqrt(steps + 100) + 0.08 * noise + spikes


class Ours:
    """The chart of the Training page."""

    def __init__(self) -> None:
        chart = self.widget = LossChart()
        chart.start(2 * STEPS)
        self.next = 1
        self.append(STEPS)
        for step in range(1000, STEPS, 1000):
            chart.append_validation(step, 1.6 + 40.0 / (step + 100) ** 0.5)

    def append(self, count: int) -> None:
        self.widget.append(*losses(self.next, count))
        self.next += count

    def point(self, share: float) -> None:
        self.widget.show_cursor(share * self.next)

    def zoom(self, low: float, high: float) -> None:
        self.widget.view.setXRange(low * self.next, high * self.next, padding=0)
        self.widget.zoomed = True
        self.widget.mark_dirty()

    def draw(self) -> None:
        self.widget.refresh()


class Peer:
    """A plain plot with the library's own means for long curves."""

    def __init__(self) -> None:
        self.widget = pg.PlotWidget(background=color("card"))
        self.plot = self.widget.getPlotItem()
        pens = pg.mkPen(series(0, 0.42), width=1), pg.mkPen(series(0), width=2)
        self.curves = [self.plot.plot(pen=pen, antialias=True) for pen in pens]
        self.plot.setDownsampling(auto=True, mode="peak")
        self.plot.setClipToView(True)
        self.hair = pg.InfiniteLine(angle=90)
        self.plot.addItem(self.hair, ignoreBounds=True)
        self.steps, self.values, self.smooth = np.empty(0), np.empty(0), np.empty(0)
        self.append(STEPS)

    def append(self, count: int) -> None:
        steps, values = losses(len(self.steps) + 1, count)
        smooth = np.convolve(values, np.full(64, 1 / 64), mode="same")
        self.steps, self.values, self.smooth = (
            np.append(*pair) for pair in ((self.steps, steps), (self.values, values), (self.smooth, smooth))
        )
        self.curves[0].setData(self.steps, self.values)
        self.curves[1].setData(self.steps, self.smooth)

    def point(self, share: float) -> None:
        self.hair.setValue(share * len(self.steps))

    def zoom(self, low: float, high: float) -> None:
        self.plot.setXRange(low * len(self.steps), high * len(self.steps), padding=0)

    def draw(self) -> None:
        """It draws as it is painted."""


def changes(way: Ours | Peer) -> dict[str, Callable[[], None]]:
    """What happens in turn."""
    places, views = cycle(np.linspace(0.05, 0.95, 37)), cycle(VIEWS)
    return {
        "steps arrive": lambda: way.append(BATCH),
        "crosshair moves": lambda: way.point(next(places)),
        "zoom": lambda: way.zoom(*next(views)),
    }


def frame(app: QApplication, way: Ours | Peer, change: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds to take up a change, draw and paint it: by the clock, and of this thread's own."""
    app.processEvents()
    started, worked = time.perf_counter(), time.thread_time()
    change()
    way.draw()
    app.processEvents()  # lays out and paints
    return 1000 * (time.perf_counter() - started), 1000 * (time.thread_time() - worked)


def main(frames: int) -> None:
    app = QApplication([])
    look.motion = False
    look.apply(DARK)
    ways: dict[str, Ours | Peer] = {"GPT Studio": Ours(), "pyqtgraph": Peer()}
    for way in ways.values():
        way.widget.resize(*SIZE)
        way.widget.show()
    todo = {name: changes(way) for name, way in ways.items()}
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(frames + WARM):
        for name, way in ways.items():
            for what, change in todo[name].items():
                took = frame(app, way, change)
                if number >= WARM:
                    times.setdefault((what, name), []).append(took)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{STEPS + BATCH * frames} steps, {SIZE[0]} by {SIZE[1]} pixels, {frames} frames of each kind")
    print(f"{'milliseconds a frame':29} median   p99   of the thread's own: median   p99")
    for (what, name), pairs in times.items():
        (median, worst), (own, own_worst) = (_cuts(column) for column in zip(*pairs, strict=True))
        print(f"{what:16} {name:12} {median:6.1f} {worst:5.1f} {own:28.1f} {own_worst:5.1f}")


def _cuts(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[98]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
