"""Charts over steps: logarithmic axes, outliers, one crosshair for all, drawings."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtSvg import QSvgRenderer

from gpt_studio.core import units
from gpt_studio.gui.charts import LossChart, SmallChart
from gpt_studio.gui.linking import link_cursors, link_steps
from gpt_studio.gui.plotting import HEAP, Peaks, Rows, Series, thin

from .made_charts import trained

# Arithmetic


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    st.integers(2, 120),
    st.floats(0, 1),
    st.floats(0.05, 1),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_remembered_peaks_are_those_of_the_points(parts, pixels, place, share, log, seed):
    """However it was appended and cut: each stretch drawn has the extremes of the points it stands for."""
    random = np.random.default_rng(seed)
    values = random.standard_normal(sum(parts))
    peaks = Peaks()
    peaks.extend(random.standard_normal(HEAP + 7))
    peaks.cut(0)
    for part in np.split(values, np.cumsum(parts)[:-1]):
        peaks.extend(part)
    x = np.cumsum(random.integers(1, 4, len(values))).astype(float)
    low, high = place * x[-1], (place + share) * x[-1]
    few_x, few_y = thin(x, peaks, low, high, pixels, log)
    plain_x, plain_y = thin(x, values, low, high, pixels, log)
    assert (few_x[0], few_x[-1]) == (plain_x[0], plain_x[-1])
    assert (few_y.min(), few_y.max()) == (plain_y.min(), plain_y.max())
    assert len(few_x) <= max(pixels, 2 * max(1, pixels // 2))
    assert (np.diff(few_x) >= 0).all()
    if ((x >= low) & (x <= high)).sum() > pixels + 2:  # thinned: each pair stands for what lies between
        for at in range(0, len(few_x), 2):
            inside = values[(x >= few_x[at]) & (x <= few_x[at + 1])]
            assert {few_y[at], few_y[at + 1]} == {inside.min(), inside.max()}
    assert peaks.range() == (values.min(), values.max())


def test_a_logarithmic_view_is_thinned_evenly():
    x = np.arange(1.0, 1_000_001.0)
    few_x, _ = thin(x, np.sin(x), 1, 1_000_000, 600, log=True)
    widths = np.diff(np.log10(few_x[few_x > 1000][::2]))
    assert widths.max() < 1.2 * 6 / 300
    assert (few_x <= 100).sum() > 60, "an even thinning would leave nothing of the first hundred"


def test_the_next_point_of_a_logarithmic_view():
    data = Series()
    data.append(range(1, 10_001), np.ones(10_000))
    assert data.neighbor(1000, 1, 1, 10_000, log=True) == round(1000 * 10_000**0.01)
    assert data.neighbor(1000, 1, 1, 10_000) == 1100
    assert data.neighbor(1, -1, 1, 10_000, log=True) == 1


def test_rows_are_text_and_sort_with_empty_cells_last():
    rows = Rows(np.array([1.0, 2.0, 3.0]), np.array([0.5, np.nan, 0.1]))
    assert list(rows) == [["1", "0.5"], ["2", ""], ["3", "0.1"]] == [rows[at] for at in range(3)]
    assert rows[1:] == [["2", ""], ["3", "0.1"]]
    assert rows.order(1, falling=False).tolist() == [2, 0, 1]
    assert rows.order(1, falling=True).tolist() == [0, 2, 1]


# Axes


def names(axis):
    return [axis.name(tick) for tick in axis.chosen]


def test_logarithmic_steps_show_the_same_run(qtbot):
    loss = trained(qtbot)
    shown = loss.readings(2000)
    told = []
    loss.log_steps_changed.connect(told.append)
    loss.set_log_steps(True)
    loss.set_log_steps(True)
    assert told == [True]
    left, right = loss.span()
    assert (left, right) == (pytest.approx(10), pytest.approx(5000, rel=0.2))
    assert names(loss.axis_bottom) == ["10", "100", f"1{units.SPACE}k"] or len(names(loss.axis_bottom)) >= 3
    assert all(left * 0.99 <= loss.position(tick) <= right * 1.01 for tick in loss.axis_bottom.chosen)
    drawn = loss._raw_curve.getData()[0]
    assert (drawn[0], drawn[-1]) == (pytest.approx(1), pytest.approx(np.log10(5000)))
    assert loss.readings(2000) == shown
    loss.set_log_values(True)
    loss.set_log_steps(False)
    assert loss.log_values
    assert loss.span()[0] == 0


def test_pointing_and_keys_read_logarithmic_steps(qtbot):
    loss = trained(qtbot)
    loss.set_log_steps(True)
    loss.plot.scene().sigMouseMoved.emit(loss.view.mapViewToScene(QPointF(np.log10(2004), 5)))
    assert loss.cursor_at == 2000
    assert loss._hair.value() == pytest.approx(np.log10(2000))
    assert loss._dots.getData()[0][0] == pytest.approx(np.log10(2000))
    at = loss.pixel_of(2000)
    assert loss.pixel_of(200) < at - 100 < loss.pixel_of(5000) - 100
    qtbot.keyClick(loss, Qt.Key.Key_Home)
    assert loss.cursor_at == 10
    qtbot.keyClick(loss, Qt.Key.Key_Right)
    assert loss.cursor_at == 20
    qtbot.keyClick(loss, Qt.Key.Key_End)
    assert loss.cursor_at == 5000


def test_a_zoom_stays_while_steps_arrive(qtbot):
    loss = trained(qtbot)
    loss.set_log_steps(True)
    loss.view.setRange(xRange=(2, 3), yRange=(4, 5), padding=0)
    loss.view.sigRangeChangedManually.emit([True, True])
    loss.append([5010], [3.0])
    loss.refresh()
    assert loss.view.viewRange() == [[2, 3], [4, 5]]
    loss.set_log_steps(False)
    assert loss.span()[0] == 0, "another axis shows everything"


def test_a_step_before_the_first_stands_at_the_edge(qtbot):
    loss = LossChart()
    qtbot.addWidget(loss)
    loss.append([0, 1, 10], [3.0, 2.0, 1.0])
    loss.append_validation(0, 3.1)
    loss.set_log_steps(True)
    assert loss._raw_curve.getData()[0].tolist() == [0, 0, 1]
    assert loss.span()[0] == 1


def switches(chart):
    return {entry.text(): entry for entry in chart.menu().actions() if entry.isCheckable()}


def test_small_charts_have_the_same_switches(qtbot):
    small = SmallChart("Gradient norm")
    qtbot.addWidget(small)
    small.resize(300, 130)
    values = np.full(1000, 0.5)
    values[500] = 100.0
    small.append(range(1, 1001), values)
    small.refresh()
    assert small.view.viewRange()[1][1] < 1
    switches(small)["Include all"].trigger()
    assert small.view.viewRange()[1][1] >= 100
    switches(small)["Logarithmic values"].trigger()
    bottom, top = small.view.viewRange()[1]
    assert 10**bottom < 0.5
    assert 10**top > 100
    assert "10" in names(small.axis_left)
    small.set_everything(False)
    assert switches(small)["Logarithmic values"].isChecked()
    switches(small)["Logarithmic steps"].trigger()
    assert "100" in names(small.axis_bottom)
    small.show_cursor(500)
    assert small.dots(500)[0][1] == pytest.approx(np.log10(0.5))


# One crosshair


def linked(qtbot):
    loss, small = trained(qtbot), SmallChart("Gradient norm")
    qtbot.addWidget(small)
    small.append(range(1, 5001), np.linspace(2, 1, 5000))
    link_cursors((loss, small))
    link_steps((loss, small))
    for chart in (loss, small):
        chart.resize(500, 250)
        chart.show()
    return loss, small


def test_what_is_pointed_at_in_one_chart_is_shown_in_all(qtbot):
    loss, small = linked(qtbot)
    loss.plot.scene().sigMouseMoved.emit(loss.view.mapViewToScene(QPointF(2003, 5)))
    assert small.cursor_at == 2000
    assert small._hair.isVisible()
    assert small._value.text() == "1.60", "the step is told where it is pointed at"
    loss.plot.scene().sigMouseMoved.emit(QPointF(-500, -500))
    assert small.cursor_at is None
    assert small._value.text() == "1"
    qtbot.keyClick(small, Qt.Key.Key_Home)
    assert loss.cursor_at == 10
    assert loss.read_out.isVisible()
    assert small._value.text() == f"Step 1 · {units.short(2.0)}"
    qtbot.keyClick(small, Qt.Key.Key_Escape)
    assert loss.cursor_at is None


def test_a_hidden_chart_does_not_follow(qtbot):
    loss, small = linked(qtbot)
    small.hide()
    qtbot.keyClick(loss, Qt.Key.Key_Home)
    assert small.cursor_at is None


def test_the_steps_are_logarithmic_in_all_charts_or_in_none(qtbot):
    loss, small = linked(qtbot)
    switches(small)["Logarithmic steps"].trigger()
    assert loss.log_steps
    switches(loss)["Logarithmic values"].trigger()
    assert not small.log_values
    loss.set_log_steps(False)
    assert not small.log_steps


# Drawings


def test_an_svg_is_lines_not_pictures(qtbot, tmp_path):
    loss = trained(qtbot)
    loss.show_cursor(2000)
    loss.export_svg(tmp_path / "loss.svg")
    text = (tmp_path / "loss.svg").read_text("utf-8")
    assert loss.cursor_at is None
    assert "<title>Loss</title>" in text
    longest = max((path.count("L") for path in re.findall(r' d="([^"]*)"', text)), default=0)
    assert longest >= 499, "the raw curve, point by point"
    assert all(len(picture) < 2000 for picture in re.findall(r"<image[^>]*>", text)), (
        "an empty ground at most"
    )
    drawing = QSvgRenderer(str(tmp_path / "loss.svg"))
    assert drawing.isValid()
    assert drawing.viewBoxF().width() == 600
    before = loss.grab().toImage()
    assert before == trained(qtbot).grab().toImage(), "nothing of it stays"


def test_every_export_is_in_the_menu(qtbot):
    texts = [entry.text() for entry in trained(qtbot).menu().actions()]
    assert texts[-3:] == ["Export PNG…", "Export SVG…", "Export CSV…"]
    assert texts[-4].startswith("Show as table")
