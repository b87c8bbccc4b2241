"""The lengths of tokens, and the tokenizers compared in a table."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gpt_studio.core.events import Compared, Comparison, Corpus
from gpt_studio.core.units import SPACE
from gpt_studio.gui.comparison_table import COLUMNS
from gpt_studio.gui.length_card import LengthCard
from gpt_studio.gui.state import State

from .made_texts import REFERENCE, config_of, told

CORPUS = Corpus(REFERENCE, "Reference", 455_000, 79, 600_000, 1.0)
ROWS = (
    Comparison("bytes", "Bytes", 257, 128, 4_194_304, 1.0),
    Comparison("gpt2", "GPT-2 BPE", 50257, 5176, 1_013_000, 4.14),
)


@pytest.fixture
def read(idle: State) -> State:
    config = config_of(REFERENCE)
    return replace(idle, config=config, report=told(CORPUS, data=config.data, size=2 * 2**30))


@pytest.fixture
def card(qtbot, read) -> LengthCard:
    card = LengthCard()
    qtbot.addWidget(card)
    card.resize(480, 260)
    card.show_state(read)
    card.show()
    return card


def compared(read: State, rows=ROWS, whole=False) -> Compared:
    return Compared(read.config.data, 4 * 2**20, whole, rows)


def cells(card: LengthCard) -> list[list[str]]:
    model = card.table.model()
    return [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_lengths_are_drawn_until_the_texts_change(card, read):
    assert card.pages.currentWidget() is card.lengths
    assert card.lengths.table()[1] == [["1", "0.1"], ["2", "0.2"], ["3", "0.4"], ["4+", "0.3"]]
    card.show_state(replace(read, report=None))
    assert card.lengths.table()[1] == []


def test_a_comparison_is_asked_for_by_a_button(card, read, qtbot):
    card.view.button("compare").click()
    assert card.pages.currentWidget() is card.offer
    with qtbot.waitSignal(card.compare_wanted):
        card.compare.click()
    card.show_state(replace(read, running=frozenset(["compare"])))
    assert not card.compare.isEnabled()
    card.show_state(replace(read, report=None))
    assert not card.compare.isEnabled()


def test_rows_fill_one_by_one_and_say_what_they_are_made_from(card, read):
    card.view.button("compare").click()
    card.show_state(replace(read, running=frozenset(["compare"])))
    card.show_comparison(compared(read, ROWS[:1]))
    assert card.pages.currentWidget() is card.table
    assert len(cells(card)) == 1
    assert card._caption.text() == f"on 4.0{SPACE}MB of 2.00{SPACE}GB · comparing"
    card.show_comparison(compared(read))
    card.show_state(read)
    assert cells(card) == [
        ["Bytes", "257", f"50{SPACE}%", f"4.19{SPACE}M", "1.00"],
        ["GPT-2 BPE", f"50{SPACE}257", f"10{SPACE}%", f"1.01{SPACE}M", "4.14"],
    ]
    assert card._caption.text() == f"on 4.0{SPACE}MB of 2.00{SPACE}GB"
    card.show_comparison(compared(read, whole=True))
    assert card._caption.text() == "on all of the text"


def test_the_row_in_use_says_so_and_follows_the_choice(card, read):
    card.show_comparison(compared(read))
    assert [card.table.rows.is_used(row) for row in (0, 1)] == [False, True]
    name = card.table.rows.index(1, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert name == "Tokenizer: GPT-2 BPE, in use"
    other = read.config.changed("data", {"tokenizer": "bytes"})
    card.show_state(replace(read, config=other, report=None))
    assert [card.table.rows.is_used(row) for row in (0, 1)] == [True, False]


def test_a_comparison_of_other_texts_goes_away_or_is_never_shown(card, read):
    card.view.button("compare").click()
    card.show_comparison(compared(read))
    other = replace(read, config=read.config.changed("data", {"bpe_size": 512}))
    card.show_state(other)
    assert card.pages.currentWidget() is card.offer
    card.show_comparison(compared(read))
    assert card.pages.currentWidget() is card.offer


def test_enter_or_a_double_click_uses_another_tokenizer(card, read, qtbot):
    card.view.button("compare").click()
    card.show_comparison(compared(read))
    heard = []
    card.tokenizer_chosen.connect(heard.append)
    card.table.setCurrentIndex(card.table.rows.index(1, 0))
    QTest.keyClick(card.table, Qt.Key.Key_Return)  # in use already
    QTest.keyClick(card.table, Qt.Key.Key_Up)
    QTest.keyClick(card.table, Qt.Key.Key_Return)
    assert heard == ["bytes"]
    where = card.table.visualRect(card.table.rows.index(0, 1)).center()
    QTest.mouseClick(card.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    QTest.mouseDClick(card.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert heard == ["bytes", "bytes"]


def test_all_columns_have_room(card, read, qtbot):
    card.view.button("compare").click()
    card.show_comparison(compared(read))
    head = card.table.horizontalHeader()
    assert head.length() == card.table.viewport().width()
    for column, title in enumerate(COLUMNS):
        metrics = card.table.fontMetrics()
        assert head.sectionSize(column) >= metrics.horizontalAdvance(title) * 12 / 13
