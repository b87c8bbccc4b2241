"""The numbers behind a chart: read, sorted, copied, exported, by keyboard too."""

import csv

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from gpt_studio.gui import exportable
from gpt_studio.gui.charts import BarChart, LossChart
from gpt_studio.gui.theme import LIGHT, look

from .made_charts import trained

COPY = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def dialog(qtbot):
    loss = trained(qtbot, points=30)
    made = loss.show_table()
    qtbot.addWidget(made)
    made.chart = loss
    return made


def shown(dialog, column):
    model = dialog.table.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_enter_opens_it_beside_the_chart(qtbot):
    loss = trained(qtbot)
    qtbot.keyClick(loss, Qt.Key.Key_Return)
    dialog = next(
        widget for widget in QApplication.topLevelWidgets() if widget.windowTitle() == "Loss — numbers"
    )
    assert not dialog.isModal()
    assert dialog.table.accessibleName() == "Loss, numbers"
    assert dialog.focusWidget() is dialog.table
    dialog.close()


def test_it_holds_what_the_chart_holds(dialog):
    assert [dialog.table.model().headerData(at, Qt.Orientation.Horizontal) for at in range(4)] == [
        "Step ↑",
        "Train loss",
        "Train loss smoothed",
        "Validation loss",
    ]
    assert shown(dialog, 0) == [str(10 * step) for step in range(1, 31)]
    assert [cell for cell in shown(dialog, 3) if cell] == ["9.27748", "8.55161", "7.91102"]
    assert dialog._count.text() == "30 rows"


def test_a_heading_sorts_by_number(dialog):
    dialog.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    numbers = [float(cell) for cell in shown(dialog, 1)]
    assert numbers == sorted(numbers)
    dialog.table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert shown(dialog, 3)[:4] == ["9.27748", "8.55161", "7.91102", ""]
    assert dialog.table.model().headerData(3, Qt.Orientation.Horizontal) == "Validation loss ↓"


def test_the_keyboard_sorts_and_copies_what_is_exact(dialog, qtbot):
    table = dialog.table
    table.setCurrentIndex(table.model().index(0, 1))
    qtbot.keyClick(table, Qt.Key.Key_S, COPY)
    assert float(shown(dialog, 1)[0]) == min(float(cell) for cell in shown(dialog, 1))
    qtbot.keyClick(table, Qt.Key.Key_S, COPY)
    assert float(shown(dialog, 1)[0]) == max(float(cell) for cell in shown(dialog, 1))
    qtbot.keyClick(table, Qt.Key.Key_A, COPY)
    qtbot.keyClick(table, Qt.Key.Key_C, COPY)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().split("\n")]
    header, rows = dialog.chart.table()
    assert lines[0] == header
    assert sorted(lines[1:]) == sorted(rows)


def test_only_what_is_selected_is_copied(dialog):
    table = dialog.table
    select = QItemSelectionModel.SelectionFlag.Select
    for row, column in ((4, 0), (2, 0), (2, 2)):
        table.selectionModel().select(table.model().index(row, column), select)
    dialog.table.copy()
    row = dialog.chart.table()[1][2]
    assert QGuiApplication.clipboard().text() == f"step\ttrain_loss_smoothed\n30\t{row[2]}\n50\t"


def test_update_shows_what_came_since(dialog):
    dialog.chart.append([310], [1.0])
    assert len(shown(dialog, 0)) == 30
    dialog.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    dialog.update_numbers()
    assert shown(dialog, 0)[0] == "310"
    assert dialog._count.text() == "31 rows"


def test_export_writes_the_chart(dialog, tmp_path, monkeypatch):
    monkeypatch.setattr(exportable, "ask_where_to_save", lambda *_: str(tmp_path / "loss.csv"))
    dialog.export_wanted.emit()
    with (tmp_path / "loss.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [dialog.chart.table()[0], *dialog.chart.table()[1]]


def test_words_sort_after_numbers(qtbot):
    bars = BarChart("Token length", of="characters")
    qtbot.addWidget(bars)
    bars.set_bars(["10", "2", "20+"], [0.14, 0.6, 0.26])
    dialog = bars.show_table()
    qtbot.addWidget(dialog)
    assert shown(dialog, 0) == ["2", "10", "20+"]
    look.apply(LIGHT)
    assert shown(dialog, 1) == ["0.6", "0.14", "0.26"]


def test_a_million_rows_open_and_sort(qtbot):
    loss = LossChart()
    qtbot.addWidget(loss)
    loss.append(np.arange(1, 1_000_001), np.linspace(5, 3, 1_000_000))
    dialog = loss.show_table()
    qtbot.addWidget(dialog)
    dialog.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert dialog.table.model().index(0, 0).data() == "1000000"
    dialog.grab()
