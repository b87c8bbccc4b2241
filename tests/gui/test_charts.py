"""Charts: the arithmetic is exact, the picture follows the theme, the keyboard reads every point."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from gpt_studio.core import units
from gpt_studio.gui import chart as chart_module
from gpt_studio.gui import exportable
from gpt_studio.gui.charts import BarChart, Legend, LossChart, SmallChart
from gpt_studio.gui.plotting import (
    Growing,
    Series,
    Smoother,
    decay_of,
    half_ticks,
    log_ticks,
    robust_range,
    round_ticks,
    thin,
)
from gpt_studio.gui.read_out import paint_mark
from gpt_studio.gui.theme import DARK, LIGHT, MARKS, look

from .made_charts import trained

finite = st.floats(-1e6, 1e6)


@pytest.fixture(autouse=True)
def dark(qapp: QApplication):
    look.apply(DARK)
    yield
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)  # or every old chart is restyled


# Arithmetic


@given(st.lists(st.lists(finite, max_size=600), max_size=5))
def test_growing_holds_what_was_appended(parts):
    growing = Growing()
    for part in parts:
        growing.extend(np.array(part, dtype=float))
    assert growing.values.tolist() == [value for part in parts for value in part]


def average(values: list[float], decay: float) -> list[float]:
    """The definition, value by value."""
    found, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = decay * total + value, decay * weight + 1
        found.append(total / weight)
    return found


@given(st.lists(finite, min_size=1, max_size=300), st.floats(0, 1), st.lists(st.integers(1, 90), max_size=6))
def test_smoothing_is_the_corrected_average_however_it_arrives(values, smoothing, cuts):
    smoother = Smoother(decay_of(smoothing))
    parts = np.split(np.array(values), np.unique(np.cumsum(cuts)).astype(int)) if cuts else [np.array(values)]
    found = np.concatenate([smoother.extend(part) for part in parts])
    np.testing.assert_allclose(found, average(values, smoother.decay), rtol=1e-7, atol=1e-5)


def test_smoothing_does_not_lag_at_the_start_and_none_is_none():
    assert Smoother(decay_of(1.0)).extend(np.full(10, 7.0)) == pytest.approx(7.0)
    values = np.array([3.0, -1.0, 4.0])
    assert Smoother(decay_of(0)).extend(values).tolist() == values.tolist()


@given(st.lists(finite, min_size=1, max_size=3000), st.integers(2, 200))
def test_thinning_keeps_extremes_and_at_most_a_point_per_pixel(values, pixels):
    y = np.array(values)
    x = np.arange(len(y), dtype=float)
    few_x, few_y = thin(x, y, 0, len(y), pixels)
    assert len(few_x) == len(few_y) <= max(pixels, 2)
    assert (few_y.min(), few_y.max()) == (y.min(), y.max())
    assert (few_x[0], few_x[-1]) == (x[0], x[-1])
    assert (np.diff(few_x) >= 0).all()


def test_thinning_looks_only_at_the_range_in_view():
    x = np.arange(1000.0)
    y = np.where(x == 900, 50.0, 1.0)
    few_x, few_y = thin(x, y, 100, 200, 400)
    assert (few_x[0], few_x[-1]) == (99, 201)
    assert few_y.max() == 1.0


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e9), st.integers(3, 7))
def test_round_ticks_are_round_few_and_inside(place, span, most):
    low, high = place * span, (place + 1) * span
    ticks = round_ticks(low, high, most)
    slack = 1e-6 * span
    assert 1 <= len(ticks) <= most
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = np.diff(ticks)
    if len(steps):
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
        digits = steps[0] / 10.0 ** math.floor(math.log10(steps[0]) + 1e-6)
        assert min(abs(digits - round_digits) for round_digits in (1, 2, 5)) < 1e-6


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0, 12_600, 7, [0, 2000, 4000, 6000, 8000, 10_000, 12_000]),
        (3, 7.2, 6, [3, 4, 5, 6, 7]),
        (3.31, 3.45, 6, [3.35, 3.4, 3.45]),
        (1, 1, 5, []),
        (0, math.inf, 5, []),
    ],
)
def test_round_ticks_of_known_ranges(low, high, most, ticks):
    assert round_ticks(low, high, most) == ticks


def test_ticks_of_small_and_logarithmic_axes():
    assert half_ticks(6e-4) == [0, 3e-4, 6e-4]
    assert half_ticks(73_100) == [0, 40_000, 80_000]
    assert half_ticks(2.1) == [0, 1, 2]
    assert half_ticks(0) == [0, 0.5, 1]
    assert log_ticks(1, 11, 6) == [1, 2, 5, 10]
    assert log_ticks(3, 7.2, 6) == [3, 4, 5, 6, 7]
    assert len(log_ticks(1e-9, 1e3, 6)) <= 6


def test_range_ignores_the_start_and_outliers_of_a_long_run():
    values = np.concatenate([np.full(15, 11.0), np.linspace(4, 3, 985)])
    values[500] = 900.0
    low, high = robust_range(values)
    assert 3 <= low < 3.1
    assert 3.9 < high <= 4.1
    assert robust_range(np.array([2.0, 9.0]))[1] > 8.9


def test_series_takes_up_again_from_an_earlier_step_and_leaves_out_nan():
    data = Series()
    data.append([1, 2, 3, 4], [4.0, float("nan"), 3.0, math.inf])
    assert data.steps.tolist() == [1, 3]
    assert data.append([3, 4], [2.5, 2.4]) == 1
    assert (data.steps.tolist(), data.values.tolist()) == ([1, 3, 4], [4.0, 2.5, 2.4])
    assert [data.nearest(step) for step in (-9, 1.9, 2.1, 99)] == [1, 1, 3, 4]


# Charts


def inks(picture: QImage) -> set[str]:
    """Every color in a picture."""
    plain = picture.convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(plain.constBits(), dtype=np.uint32)
    return {f"#{pixel & 0xFFFFFF:06x}" for pixel in np.unique(pixels).tolist()}


def test_appending_repaints_later_and_once(qtbot, monkeypatch):
    monkeypatch.setattr(chart_module, "INTERVAL", 1)
    loss = LossChart()
    drawn = []
    draw = loss.draw
    loss.draw = lambda: (drawn.append(1), draw())
    qtbot.addWidget(loss)
    for step in range(50):
        loss.append([step], [5.0])
    assert not loss._timer.isActive(), "a hidden chart asks for no repaint"
    assert not drawn
    loss.show()
    assert len(drawn) == 1
    for step in range(50, 100):
        loss.append([step], [5.0])
    qtbot.waitUntil(lambda: len(drawn) == 2)


def test_loss_chart_tells_its_finding(qtbot):
    loss = LossChart()
    qtbot.addWidget(loss)
    assert loss.finding() == "No losses yet"
    loss.append(np.arange(1, 101), np.linspace(5, 3, 100))
    loss.append_validation(100, 3.21)
    loss.set_smoothing(0)
    loss.refresh()
    assert loss.accessibleName() == "Loss"
    assert loss.accessibleDescription() == (
        "Loss, step 100: train 3.000, validation 3.210 nats per token, falling"
    )
    loss.append(np.arange(101, 201), np.full(100, 3.0))
    assert loss.finding().endswith("level")
    loss.append(np.arange(201, 301), np.linspace(3, 9, 100))
    assert loss.finding().endswith("rising")
    loss.clear()
    assert loss.finding() == "No losses yet"


def test_the_loss_in_bits_per_byte(qtbot, tmp_path):
    loss = trained(qtbot)
    told = []
    loss.unit_changed.connect(told.append)
    nats = [float(cell) for cell in loss.table()[1][-1][1:]]
    bounds = loss.view.viewRange()[1]
    loss.set_unit("bits")
    assert (loss.shown_unit(), loss.table()[0][1]) == ("nats", "train_loss"), "not without bytes per token"
    loss._bytes_per_token = 2.0
    loss.reset_view()
    header, rows = loss.table()
    assert header[1:] == ["train_bits_per_byte", "train_bits_per_byte_smoothed", "validation_bits_per_byte"]
    bits = [float(cell) for cell in rows[-1][1:]]
    assert bits == pytest.approx([value / math.log(2) / 2 for value in nats])
    assert loss.view.viewRange()[1][1] < 0.8 * bounds[1]
    drawn = loss._diamonds.getData()[1]
    assert drawn[-1] == pytest.approx(bits[-1])
    loss.show_cursor(5000)
    lines = {line.label: line.value for line in loss.read_out.lines}
    assert lines["Unit"] == "bits per byte"
    assert lines["Validation @ 5\u202f000"] == units.loss(bits[-1])
    assert "bits per byte" in loss.finding()
    loss.set_unit("furlongs")
    unit = next(action.menu() for action in loss.menu().actions() if action.text() == "Unit")
    assert [action.text() for action in unit.actions() if action.isChecked()] == ["Bits per byte"]
    unit.actions()[0].trigger()
    assert told == ["bits", "nats"]


def test_arrows_move_the_crosshair_over_the_data(qtbot):
    loss = trained(qtbot)
    loss.set_extras(lambda step: [("Tokens seen", units.short(step * 512))])
    qtbot.keyClick(loss, Qt.Key.Key_Home)
    assert loss.cursor_at == 10
    qtbot.keyClick(loss, Qt.Key.Key_Right)
    after = loss.cursor_at
    assert after > 10
    assert after % 10 == 0
    qtbot.keyClick(loss, Qt.Key.Key_Left)
    assert loss.cursor_at == 10
    qtbot.keyClick(loss, Qt.Key.Key_End)
    assert loss.cursor_at == 5000
    assert loss.read_out.title == "Step 5\u202f000"
    assert [line.label for line in loss.read_out.lines] == [
        "Train",
        "Raw",
        "Validation @ 5\u202f000",
        "Unit",
        "Tokens seen",
    ]
    assert "Tokens seen 2.56\u202fM" in loss.accessibleDescription()
    qtbot.keyClick(loss, Qt.Key.Key_Escape)
    assert loss.cursor_at is None
    assert not loss.read_out.isVisibleTo(loss)


def test_every_point_can_be_reached_when_there_are_few(qtbot):
    loss = LossChart()
    qtbot.addWidget(loss)
    loss.append([10, 20, 1000], [3.0, 2.0, 1.0])
    loss.refresh()
    qtbot.keyClick(loss, Qt.Key.Key_Home)
    seen = [loss.cursor_at]
    for _ in range(3):
        qtbot.keyClick(loss, Qt.Key.Key_Right)
        seen.append(loss.cursor_at)
    assert seen == [10, 20, 1000, 1000]


def test_read_out_changes_sides_and_stays_inside(qtbot):
    loss = trained(qtbot)
    for step in (0, 500, 2500, 4900, 5000):
        loss.show_cursor(step)
        card = loss.read_out.card().translated(loss.read_out.pos())
        assert loss.rect().contains(card)
        line = loss.pixel_of(loss.cursor_at)
        assert card.left() > line if step <= 2500 else card.right() < line


def test_log_axis_shows_the_same_losses(qtbot):
    loss = trained(qtbot)
    shown = loss.readings(2000)[1][0].value
    loss.set_log_values(True)
    bottom, top = loss.view.viewRange()[1]
    assert 10**bottom < 3.1
    assert 10**top > 4
    assert loss.readings(2000)[1][0].value == shown
    names = [loss.axis_left.name(tick) for tick in loss.axis_left.chosen]
    assert len(names) >= 3
    assert "4" in names
    assert all(10**bottom <= float(name) <= 10**top for name in names)


def test_include_all_shows_the_first_losses(qtbot):
    loss = trained(qtbot)
    highest = 3 + 7 * np.exp(-10 / 800)
    assert loss.view.viewRange()[1][1] < highest - 0.3
    next(action for action in loss.menu().actions() if action.text() == "Include all").trigger()
    assert loss.view.viewRange()[1][1] > highest


def test_double_click_shows_everything_again(qtbot):
    loss = trained(qtbot)
    everything = loss.view.viewRange()
    loss.view.setRange(xRange=(100, 200), yRange=(5, 6))
    loss.view.sigRangeChangedManually.emit([True, True])
    loss.refresh()
    assert loss.view.viewRange()[0] != everything[0]
    qtbot.mouseDClick(loss.plot.viewport(), Qt.MouseButton.LeftButton)
    np.testing.assert_allclose(loss.view.viewRange(), everything)


def test_resuming_from_a_checkpoint_replaces_what_followed(qtbot):
    resumed, direct = trained(qtbot), trained(qtbot, points=299)
    more = np.arange(3000, 3200, 10), np.full(20, 1.0)
    resumed.append(*more)
    direct.append(*more)
    header, rows = direct.table()
    assert resumed.table()[0] == header
    assert [row[0] for row in resumed.table()[1]] == [row[0] for row in rows]
    for column in (1, 2, 3):
        numbers = [[float(row[column] or 0) for row in table] for table in (resumed.table()[1], rows)]
        np.testing.assert_allclose(*numbers)


def test_events_stand_in_the_chart_and_leave_with_the_run(qtbot):
    loss = trained(qtbot)
    before = inks(loss.grab().toImage())
    loss.mark_event(4000, "Stopped · 4\u202f000", "bad")
    loss.refresh()
    assert DARK.bad.lower() not in before
    assert DARK.bad.lower() in inks(loss.grab().toImage())
    loss.clear()
    loss.refresh()
    assert DARK.bad.lower() not in inks(loss.grab().toImage())


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_switching_themes_restyles_all_of_a_chart(qtbot, theme):
    look.apply(LIGHT if theme is DARK else DARK)
    switched = trained(qtbot)
    switched.mark_event(4000, "Stopped", "bad")
    look.apply(theme)
    fresh = trained(qtbot)
    fresh.mark_event(4000, "Stopped", "bad")
    fresh.refresh()
    switched.refresh()
    assert switched.grab().toImage() == fresh.grab().toImage()
    shown = inks(switched.grab().toImage())
    assert {theme.card.lower(), theme.border.lower(), theme.series[0].lower()} <= shown


def test_pointing_shows_the_read_out_and_leaving_hides_it(qtbot):
    loss = trained(qtbot)
    loss.plot.scene().sigMouseMoved.emit(loss.view.mapViewToScene(QPointF(2003, 5)))
    assert loss.cursor_at == 2000
    loss.plot.scene().sigMouseMoved.emit(QPointF(-500, -500))
    assert loss.cursor_at is None


def test_csv_holds_every_number_exactly(qtbot, tmp_path):
    loss = trained(qtbot, points=137)
    steps, losses = loss._train.steps.tolist(), loss._train.values.tolist()
    loss.export_csv(tmp_path / "loss.csv")
    with (tmp_path / "loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step"]) for row in rows] == steps
    assert [float(row["train_loss"]) for row in rows] == losses
    validated = {float(row["step"]): float(row["validation_loss"]) for row in rows if row["validation_loss"]}
    assert validated[100.0] == float(3.1 + 7 * np.exp(-100 / 800))
    assert len(validated) == 13


def test_png_is_written_at_twice_the_size(qtbot, tmp_path):
    loss = trained(qtbot)
    loss.export_png(tmp_path / "loss.png")
    picture = QImage(str(tmp_path / "loss.png"))
    assert (picture.width(), picture.height()) == (1200, 600)
    assert QColor(DARK.series[0]).name() in inks(picture)
    pixels = np.frombuffer(
        picture.convertToFormat(QImage.Format.Format_RGB32).constBits(), dtype=np.uint32
    ).reshape(600, 1200)
    one, other = pixels[20:500:2, 100:1100:2], pixels[21:501:2, 101:1101:2]
    drawn = one != one[0, 0]
    assert (one[drawn] == other[drawn]).mean() < 0.4, "not one of half the size, enlarged"


def test_an_export_that_fails_is_told_not_raised(qtbot, tmp_path, monkeypatch):
    loss = trained(qtbot)
    for suffix in ("png", "svg", "csv"):
        path = str(tmp_path / "no such folder" / f"loss.{suffix}")
        monkeypatch.setattr(exportable, "ask_where_to_save", lambda *_, path=path: path)
        entry = next(a for a in loss.menu().actions() if a.text() == f"Export {suffix.upper()}…")
        with qtbot.waitSignal(loss.failed) as told:
            entry.trigger()
        assert told.args[0].what.startswith("The chart was not exported")


def test_small_chart_shows_now_plan_and_limit(qtbot):
    small = SmallChart("Learning rate", "LR", show=units.rate)
    qtbot.addWidget(small)
    small.resize(240, 127)
    assert small.finding() == "Learning rate: no values yet"
    plan = np.arange(0, 20_001, 100)
    small.set_plan(plan, np.full(len(plan), 6e-4))
    small.append(plan[:100], np.linspace(0, 6e-4, 100))
    small.refresh()
    assert small.finding() == "Learning rate, step 9\u202f900: 6e−4"
    assert small.axis_left.chosen == [0, 3e-4, 6e-4]
    ahead = small._plan_curve.getData()[0]
    assert (ahead[0], ahead[-1]) == (9900, 20_000)
    small.set_limit(5e-4)
    small.refresh()
    assert small._limit_curve.getData()[1].tolist() == [5e-4, 5e-4]
    small.show_cursor(0)
    assert small._value.text() == "Step 0 · 0"
    small.hide_cursor()
    assert small._value.text() == "6e−4"
    small.set_narrow(True)
    assert small._title.text() == "LR"
    assert small.accessibleName() == "Learning rate"


def test_bars_are_named_and_read_out(qtbot):
    bars = BarChart("Token length", units.percent, "characters")
    qtbot.addWidget(bars)
    bars.resize(400, 200)
    bars.set_bars(["1", "2", "3"], [0.14, 0.6, 0.26])
    bars.refresh()
    assert bars.accessibleDescription() == "Token length: highest at 2 characters, 60\u202f%"
    assert [bars.axis_bottom.name(tick) for tick in bars.axis_bottom.chosen] == ["1", "2", "3"]
    qtbot.keyClick(bars, Qt.Key.Key_End)
    assert bars.read_out.title == "3 characters"
    assert bars.read_out.lines[0].value == "26.0\u202f%"
    qtbot.keyClick(bars, Qt.Key.Key_Left)
    assert bars.read_out.title == "2 characters"
    assert bars.table() == (["characters", "value"], [["1", "0.14"], ["2", "0.6"], ["3", "0.26"]])


def test_empty_charts_draw_and_take_keys(qtbot):
    for chart in (LossChart(), SmallChart("Throughput", unit="/s"), BarChart("Token length")):
        qtbot.addWidget(chart)
        chart.resize(300, 150)
        chart.mark_dirty()
        chart.refresh()
        qtbot.keyClick(chart, Qt.Key.Key_Right)
        assert chart.cursor_at is None
        assert len(chart.table()[1]) == 0
        assert not chart.grab().isNull()


def test_a_million_points_draw_as_few(qtbot):
    loss = LossChart()
    qtbot.addWidget(loss)
    loss.resize(600, 300)
    steps = np.arange(1_000_000)
    loss.append(steps, 5 - steps / 1e6)
    loss.refresh()
    for curve in (loss._raw_curve, loss._smooth_curve):
        assert len(curve.getData()[0]) <= loss.view.width()


def test_every_series_has_a_mark_of_its_own(qtbot):
    pictures = []
    for mark in ("line", *MARKS):
        picture = QImage(24, 24, QImage.Format.Format_RGB32)
        picture.fill(0)
        painter = QPainter(picture)
        paint_mark(painter, mark, QPointF(12, 12), QColor(DARK.ok))
        painter.end()
        assert DARK.ok.lower() in inks(picture)
        assert all(picture != other for other in pictures)
        pictures.append(picture)
    assert len(MARKS) == len(DARK.series)


def test_legend_shows_what_fits(qtbot):
    legend = Legend(trained(qtbot))
    qtbot.addWidget(legend)
    assert legend.minimumSizeHint().width() == 0
    legend.resize(legend.sizeHint())
    assert DARK.series[1].lower() in inks(legend.grab().toImage())
    legend.resize(60, 20)
    shown = inks(legend.grab().toImage())
    assert DARK.series[0].lower() in shown
    assert DARK.series[1].lower() not in shown


# What is expected of the last validation loss


def expecting(qtbot, band=(1.32, 1.48)):
    chart = LossChart()
    qtbot.addWidget(chart)
    chart.resize(600, 300)
    with qtbot.waitExposed(chart):
        chart.show()
    chart.start(2000, 2.0)
    chart.append(range(1, 501), np.linspace(4.0, 2.0, 500))
    chart.set_expected(band)
    chart.refresh()
    return chart


def test_the_expected_band_is_in_view_and_in_words(qtbot):
    chart = expecting(qtbot)
    (_, right), (bottom, top) = chart.view.viewRange()
    assert bottom < 1.32 < 1.48 < top
    assert chart.band.is_shown()
    assert chart.band.text() == "expected 1.32–1.48 at 2\u202fk"
    assert right < 2000
    assert [entry.label for entry in chart.legend()] == ["Train", "Raw", "Validation", "Expected"]
    assert ("Expected @ 2\u202f000", "1.32–1.48") in [(x.label, x.value) for x in chart.readings(100)[1]]
    assert "1.32–1.48 expected at the end" in chart.finding()


def test_the_band_lies_at_the_end_of_a_plan_that_changed(qtbot):
    chart = expecting(qtbot)
    chart.set_total(3000)
    chart.refresh()
    assert chart.band.text() == "expected 1.32–1.48 at 3\u202fk"


@pytest.mark.parametrize("band", [(1.32, 1.48), (0.1, 0.2), (0.0, 0.05)])
def test_the_label_of_the_band_is_not_cut_off(qtbot, band):
    chart = expecting(qtbot, band)
    chart.grab()
    label, plot = chart.band._label.textItem.sceneBoundingRect(), chart.view.sceneBoundingRect()
    assert plot.top() <= label.top()
    assert label.bottom() <= plot.bottom() + 1


def test_the_band_follows_unit_and_end_and_goes_with_the_run(qtbot):
    chart = expecting(qtbot)
    chart.set_unit("bits")
    low, high = (loss / math.log(2) / 2 for loss in (1.32, 1.48))
    assert chart.band.text().startswith(f"expected {units.losses(low, high)}")
    chart.set_unit("nats")
    chart.append(range(501, 2001), np.full(1500, 1.9))
    chart.refresh()
    assert chart.band.text() == "expected 1.32–1.48"
    chart.set_expected(None)
    chart.refresh()
    assert not chart.band.is_shown()
    assert "Expected" not in [entry.label for entry in chart.legend()]
