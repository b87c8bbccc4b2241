"""What guessing and counting come to, beside the loss: from the run's own texts, in view where it helps."""

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from gpt_studio.core.config import RunConfig
from gpt_studio.gui.marks import STRIP
from gpt_studio.gui.reference_lines import references

from .conftest import report_of
from .made_charts import trained

CONFIG = RunConfig().changed("model", {"vocab_size": 93})
REPORT = report_of(CONFIG.data, unigram=3.6, bigram=3.3)
KNOWN = references(CONFIG, REPORT)


def test_the_levels_are_those_of_the_run():
    assert [(one.name, one.loss) for one in KNOWN] == [
        ("blind guess", math.log(93)),
        ("token frequencies", 3.6),
        ("pairs of tokens", 3.3),
    ]
    assert all(one.meaning.endswith(".") for one in KNOWN)
    assert [one.name for one in references(CONFIG, None)] == ["blind guess"]
    assert [one.name for one in references(CONFIG, replace(REPORT, bigram=0.0))] == [
        "blind guess",
        "token frequencies",
    ]


def shown(qtbot, everything=False):
    loss = trained(qtbot)
    loss.set_references(KNOWN)
    loss.set_everything(everything)
    loss.refresh()
    return loss


def texts(loss):
    return [label.toPlainText() for _, label in loss.references._items if label.isVisible()]


def test_lines_are_drawn_where_they_are_in_view_and_stretch_nothing(qtbot):
    loss = shown(qtbot)
    assert loss.view.viewRange() == trained(qtbot).view.viewRange()
    assert loss.references.shown() == ["blind guess", "token frequencies", "pairs of tokens"]
    assert texts(loss) == ["blind guess · 4.53", "token frequencies · 3.60", "pairs of tokens · 3.30"]
    loss.set_references(references(CONFIG, replace(REPORT, bigram=1.0)))
    loss.refresh()
    assert "pairs of tokens" not in loss.references.shown()
    loss.set_everything(True)
    assert "pairs of tokens" in loss.references.shown()
    assert loss.view.viewRange()[1][0] < 1.0


def test_each_is_explained_where_one_points(qtbot):
    loss = shown(qtbot)
    line, label = loss.references._items[1]
    assert line.toolTip() == label.toolTip()
    assert line.toolTip().startswith("Token frequencies: What knowing how often")
    with qtbot.waitExposed(loss):
        loss.show()
    loss.refresh()
    middle = sum(loss.span()) / 2
    at = loss.plot.mapFromScene(loss.view.mapViewToScene(QPointF(middle, line.value()))) + QPoint(0, 2)
    viewport = loss.plot.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, at, viewport.mapToGlobal(at)))
    assert QToolTip.text() == line.toolTip()
    QToolTip.hideText()


def test_labels_make_room_for_each_other_and_for_marks(qtbot):
    loss = shown(qtbot)
    loss.set_references(references(CONFIG, replace(REPORT, unigram=3.31, bigram=3.3)))
    loss.refresh()
    assert len(texts(loss)) == 3
    anchors = [label.anchor.y() for _, label in loss.references._items]
    assert anchors == [1, 1, 0], "the last one below its line"
    bottom, top = loss.view.viewRange()[1]
    below_the_strip = top - (STRIP + 8) * (top - bottom) / loss.view.height()
    loss.set_references(references(CONFIG, replace(REPORT, unigram=below_the_strip, bigram=0.0)))
    loss.refresh()
    assert loss.references._items[1][1].anchor.y() == 1
    loss.mark_event(4990, "Stopped", "bad")
    loss.refresh()
    assert loss.references._items[1][1].anchor.y() == 0


def test_they_follow_the_unit_and_can_be_left_out(qtbot):
    loss = trained(qtbot)
    loss._bytes_per_token = 2.0
    loss.set_references(KNOWN)
    loss.set_unit("bits")
    loss.refresh()
    assert texts(loss)[2] == f"pairs of tokens · {3.3 / math.log(2) / 2:.2f}"
    loss.set_unit("nats")
    assert loss.finding().endswith(
        "to compare: blind guess 4.53, token frequencies 3.60, pairs of tokens 3.30"
    )
    switch = next(entry for entry in loss.menu().actions() if entry.text() == "Reference lines")
    assert switch.isChecked()
    switch.trigger()
    assert loss.references.shown() == []
    assert texts(loss) == []


@pytest.mark.parametrize("log", [False, True])
def test_a_line_stands_at_its_loss(qtbot, log):
    loss = shown(qtbot)
    loss.set_log_values(log)
    line, _ = loss.references._items[1]
    assert line.value() == pytest.approx(math.log10(3.6) if log else 3.6)
