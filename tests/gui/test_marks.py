"""What happened to a run, in its chart: lines, labels where there is room, a read-out for the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QFontMetricsF

from gpt_studio.gui.charts import LossChart
from gpt_studio.gui.marks import LONGEST, MOST_TOLD, WEIGHT
from gpt_studio.gui.theme import LIGHT, color, look, style_font

from .made_charts import trained


def labels(loss):
    return [label.toPlainText() for label in loss.marks._labels if label.isVisible()]


def lines(loss, role):
    return loss.marks._lines[role].getData()[0][::2].tolist()


def test_a_mark_is_a_line_and_a_label_in_its_color(qtbot):
    loss = trained(qtbot)
    loss.mark_event(2000, "Learning rate 5e−4")
    loss.mark_event(4000, "Batch 8 × 2", "warn")
    loss.refresh()
    assert (lines(loss, "text3"), lines(loss, "warn")) == ([2000], [4000])
    assert labels(loss) == ["Batch 8 × 2", "Learning rate 5e−4"]
    look.apply(LIGHT)
    assert loss.marks._lines["warn"].opts["pen"].color() == color("warn")


def test_labels_without_room_are_left_to_the_read_out(qtbot):
    loss = trained(qtbot)
    for step in range(100, 5001, 100):
        loss.mark_event(step, f"Saved · {step}", "ok")
    loss.mark_event(2550, "Stopped", "bad")
    loss.refresh()
    assert len(lines(loss, "ok")) == 50
    assert 1 <= len(labels(loss)) <= 4
    loss.show_cursor(1500)
    assert "Saved · 1500 @ 1\u202f500" in [line.label for line in loss.read_out.lines]
    loss.show_cursor(1550)
    assert not [line for line in loss.read_out.lines if line.label.startswith("Saved")]


def test_the_gravest_and_latest_is_labeled_first(qtbot):
    loss = trained(qtbot)
    for step, role in ((2000, "text3"), (2005, "bad"), (2010, "ok")):
        loss.mark_event(step, role, role)
    loss.refresh()
    assert labels(loss)[0] == "bad"
    assert lines(loss, "text3") == [], "what stands on the same pixels is one line"
    loss.show_cursor(2010)
    assert {"text3 @ 2\u202f000", "bad @ 2\u202f005", "ok @ 2\u202f010"} <= {
        line.label for line in loss.read_out.lines
    }


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.sampled_from(WEIGHT), st.text("abc ", min_size=1, max_size=40)),
        max_size=40,
    )
)
def test_labels_never_lie_over_each_other(qapp, happened):
    loss = LossChart()
    loss.resize(600, 300)
    loss.append(range(1, 5001), np.linspace(5, 3, 5000))
    for step, role, text in happened:
        loss.mark_event(step, text, role)
    loss.grab()
    loss.refresh()
    (left, right), _ = loss.view.viewRange()
    pixel = (right - left) / loss.view.width()
    metrics, taken = QFontMetricsF(style_font("micro", tabular=True)), []
    for label in loss.marks._labels:
        if label.isVisible():
            at, width = label.pos().x(), metrics.horizontalAdvance(label.toPlainText()) * pixel
            taken.append((at - width, at) if label.anchor.x() else (at, at + width))
    for number, (a, b) in enumerate(taken):
        assert left - 1e-6 <= a <= b <= right + 1e-6
        assert all(b <= c + 1e-6 or d <= a + 1e-6 for c, d in taken[number + 1 :])
    assert len(loss.marks.labeled) == len(taken)
    loss.deleteLater()


def test_two_labels_in_one_gap_are_one_left_and_one_right(qtbot):
    loss = trained(qtbot)
    for step in (100, 1500):
        loss.mark_event(step, "Learning rate 5e−4")
    loss.refresh()
    shown = {label.pos().x(): label.anchor.x() for label in loss.marks._labels if label.isVisible()}
    assert shown == {1500: 0} or shown == {100: 0, 1500: 0}
    loss.marks.clear()
    for step in (100, 1500, 1520):  # the second has no room on either side, then
        loss.mark_event(step, "Learning rate 5e−4", "bad" if step == 100 else "text3")
    loss.refresh()
    shown = {label.pos().x(): label.anchor.x() for label in loss.marks._labels if label.isVisible()}
    assert shown == {100: 0, 1520: 0}


def test_room_is_left_for_the_label_of_a_late_event_alone(qtbot):
    early, late = trained(qtbot), trained(qtbot)
    early.mark_event(1000, "Resumed")
    late.mark_event(4990, "Stopped", "bad")
    for loss in (early, late):
        loss.refresh()
    assert early.span()[1] == pytest.approx(5000, rel=0.02)
    assert late.span()[1] == pytest.approx(6000, rel=0.01)
    assert labels(late) == ["Stopped"]
    late.set_log_steps(True)
    assert labels(late) == ["Stopped"], "left of its line, then"


def test_steps_made_again_forget_what_happened_after(qtbot):
    loss = trained(qtbot)
    for step in (1000, 2990, 3000, 4000):
        loss.mark_event(step, str(step))
    loss.append([3000], [3.5])
    assert [event.step for event in loss.marks.events] == [1000, 2990]
    loss.clear()
    loss.refresh()
    assert (loss.marks.events, labels(loss), lines(loss, "text3")) == ([], [], [])


def test_long_texts_are_cut_and_many_are_few_in_the_read_out(qtbot):
    loss = trained(qtbot)
    for _ in range(9):
        loss.mark_event(2000, "a learning rate that is told at great length " * 3)
    loss.refresh()
    metrics = QFontMetricsF(style_font("micro", tabular=True))
    assert metrics.horizontalAdvance(labels(loss)[0]) <= LONGEST
    loss.show_cursor(2000)
    told = [line for line in loss.read_out.lines if "…" in line.label]
    assert len(told) == MOST_TOLD
    assert loss.rect().contains(loss.read_out.card().translated(loss.read_out.pos()))
