"""The chart of compared runs: one color and mark a run, what the crosshair reads, what is told in words."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from gpt_studio.core import units
from gpt_studio.core.metrics import Mark
from gpt_studio.gui.compare_chart import CompareCard
from gpt_studio.gui.theme import LIGHT, MARKS, look, series

from .test_comparing import compared, history_of, with_config


@pytest.fixture
def card(qtbot):
    card = CompareCard()
    qtbot.addWidget(card)
    card.resize(400, 340)
    card.show()
    qtbot.waitExposed(card)
    return card


@pytest.fixture
def chart(card):
    return card.chart


LONG, SHORT = history_of([4.0, 3.0, 2.0, 1.0]), history_of([5.0, 4.0])


def test_the_curve_ends_where_the_run_does(card, chart):
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    chart.refresh()
    assert [line.steps[-1] for _, line in chart.drawn_runs()] == [256.0, 128.0]
    card.across.button("steps").click()
    assert [line.steps[-1] for _, line in chart.drawn_runs()] == [4.0, 2.0]
    card.kind.button("train").click()
    assert chart.accessibleName() == "Train loss"
    assert [len(line) for _, line in chart.drawn_runs()] == [4, 2]


def test_color_and_mark_stay_with_their_run(card, chart):
    runs = compared(("long", LONG), ("short", SHORT))
    card.show_runs([replace(runs[1], slot=4)])
    (entry,) = chart.legend()
    assert (entry.label, entry.mark, entry.color) == ("short", MARKS[4], series(4))


def test_the_crosshair_reads_all_runs(card, chart):
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    card.across.button("steps").click()
    title, lines = chart.readings(2.0)
    assert title == "Step 2"
    assert [(line.label, line.value) for line in lines] == [("long", "3.500"), ("short", "4.500")]
    assert [line.value for line in chart.readings(3.0)[1]] == ["2.500", units.UNKNOWN]
    assert len(chart.dots(2.0)) == 2
    assert len(chart.dots(3.0)) == 1
    card.across.button("seconds").click()
    assert chart.readings(4.0)[0] == units.duration(4.0)


def test_keys_walk_along_the_points(card, chart, qtbot):
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    card.across.button("steps").click()
    chart.setFocus()
    qtbot.keyClick(chart, Qt.Key.Key_Home)
    assert chart.cursor_at == 1.0
    for place in (2.0, 3.0, 4.0, 4.0):
        qtbot.keyClick(chart, Qt.Key.Key_Right)
        assert chart.cursor_at == place
    assert "long 1.500" in chart.accessibleDescription()


def test_what_happened_is_a_tick_that_the_crosshair_tells_of(card, chart):
    history = history_of([4.0, 3.0, 2.0])
    history.marks.append(Mark(2, "plan", "Learning rate 3e−4"))
    card.show_runs(compared(("long", history), ("short", SHORT)))
    chart.refresh()
    assert chart._ticks[0].getData()[0].tolist() == [128.0, 128.0]
    labels = [line.label for line in chart.readings(128.0)[1]]
    assert labels == ["long", "short", "Learning rate 3e−4"]
    assert len(chart.readings(192.0)[1]) == 2


def test_a_run_that_fell_from_a_height_does_not_flatten_the_rest(card, chart):
    low = [2.0 - step / 1000 for step in range(200)]
    card.show_runs(compared(("a", history_of([9.0, 8.0, *low])), ("b", history_of([9.5, 8.5, *low]))))
    chart.refresh()
    assert chart.view.viewRange()[1][1] < 3
    chart.set_everything(True)
    assert chart.view.viewRange()[1][1] > 9.5


def test_what_a_short_run_came_to_is_in_view(card, chart):
    card.show_runs(compared(("a", history_of([9.0] + 99 * [2.0])), ("b", history_of([9.0, 7.0]))))
    chart.refresh()
    assert 7.5 < chart.view.viewRange()[1][1] < 9


def test_both_axes_may_be_logarithmic(card, chart):
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    chart.set_log_steps(True)
    chart.set_log_values(True)
    chart.refresh()
    (left, right), (bottom, top) = chart.view.viewRange()
    assert right == pytest.approx(2.41, abs=0.1)  # of 256 tokens
    assert bottom < 0.18 < top  # of 1.5 nats
    assert left >= 0


def test_different_tokenizers_are_drawn_by_the_byte(card, chart):
    one, other = compared(
        ("one", history_of([2.0], bytes_per_token=4.0)), ("other", history_of([1.5], bytes_per_token=2.0))
    )
    card.show_runs([one, with_config(other, "data", tokenizer="bytes")])
    assert chart.unit() == "bits per byte"
    assert chart.drawn_runs()[0][1].values[0] == pytest.approx(0.9017, abs=1e-3)
    card.show_runs([one, other])
    assert chart.unit() == "nats per token"


def test_the_finding_is_told_in_words(card, chart):
    assert chart.finding() == "No losses to compare yet"
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    assert chart.finding() == "Validation loss by tokens, nats per token: long 1.500, short 4.500"


def test_the_numbers_are_a_table(card, chart):
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    header, rows = chart.table()
    assert header == ["run", "tokens", "validation_loss"]
    assert rows[0] == ["long", "64", "4.5"]
    assert len(rows) == 6


def test_a_growing_run_keeps_the_crosshair_and_another_choice_does_not(card, chart):
    runs = compared(("long", LONG), ("short", SHORT))
    card.show_runs(runs)
    chart.refresh()
    chart.show_cursor(128.0)
    card.show_runs([replace(runs[0], history=history_of([4.0, 3.0, 2.0, 1.0, 0.5])), runs[1]])
    chart.refresh()
    assert chart.cursor_at == 128.0
    card.show_runs(runs[:1])
    assert chart.cursor_at is None


def test_it_follows_the_theme(card, chart):
    card.show_runs(compared(("long", LONG), ("short", SHORT)))
    look.apply(LIGHT)
    assert chart._curves[1].opts["pen"].color().name() == LIGHT.series[1].lower()
    card.grab()
