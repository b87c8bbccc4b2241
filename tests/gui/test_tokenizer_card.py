"""The tokenizer card: kinds, size, files, figures; and the progress of reading, in its place."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gpt_studio.core.config import TOKENIZERS
from gpt_studio.core.events import Corpus, Progress
from gpt_studio.core.units import SPACE
from gpt_studio.gui.data_progress import Pace, ProgressLine
from gpt_studio.gui.state import State
from gpt_studio.gui.tokenizer_card import TokenizerCard

from .made_texts import REFERENCE, config_of, told

CORPUS = Corpus(REFERENCE, "Reference", 455_000, 79, 600_000, 1.0)


def read_with(idle: State, tokenizer: str, **changes) -> State:
    config = config_of(REFERENCE, tokenizer=tokenizer, **changes)
    return replace(idle, config=config, report=told(CORPUS, data=config.data))


@pytest.fixture
def card(qtbot) -> TokenizerCard:
    card = TokenizerCard()
    qtbot.addWidget(card)
    card.resize(480, 140)
    card.show()
    return card


@pytest.fixture
def edits(card) -> list[dict[str, object]]:
    heard: list[dict[str, object]] = []
    card.edited.connect(heard.append)
    return heard


# ---------------------------------------------------------------- kinds


def test_choosing_a_tokenizer_is_a_wish(card, edits, idle):
    card.show_state(read_with(idle, "gpt2"))
    card.choice.button("bytes").click()
    assert edits == [{"tokenizer": "bytes"}]


def test_a_file_is_asked_for_and_the_kind_stays_until_there_is_one(card, edits, idle, qtbot):
    card.show_state(read_with(idle, "gpt2"))
    with qtbot.waitSignal(card.file_wanted):
        card.choice.button("file").click()
    assert card.choice.value() == "gpt2"
    assert edits == []


def test_a_file_chosen_before_is_taken_again(card, edits, idle, qtbot):
    card.show_state(read_with(idle, "gpt2", tokenizer_file="/some/where.json"))
    with qtbot.assertNotEmitted(card.file_wanted):
        card.choice.button("file").click()
    assert edits == [{"tokenizer": "file"}]
    card.show_state(read_with(idle, "file", tokenizer_file="/some/where.json"))
    assert card.about.text() == "where.json"
    with qtbot.waitSignal(card.file_wanted):
        card.choose.click()


@pytest.mark.parametrize("kind", [choice.value for choice in TOKENIZERS])
def test_each_kind_shows_only_what_there_is_to_set(card, idle, kind):
    card.show_state(read_with(idle, kind, tokenizer_file="/a.json"))
    assert card.choice.value() == kind
    assert card.bpe.isVisible() == (kind == "bpe")
    assert card.choose.isVisible() == (kind == "file")
    assert card.export.isVisible() == (kind in ("bpe", "gpt2", "file"))
    assert card.about.isVisible() == (kind != "bpe")
    assert card.about.text() or kind == "bpe"


def test_only_a_tokenizer_that_exists_can_be_exported(card, idle, qtbot):
    state = read_with(idle, "bpe")
    card.show_state(replace(state, report=None))
    assert not card.export.isEnabled()
    card.show_state(state)
    with qtbot.waitSignal(card.export_wanted):
        card.export.click()


# ---------------------------------------------------------------- the size of the own vocabulary


def test_a_size_counts_once_it_is_typed_in_full(card, edits, idle):
    card.show_state(read_with(idle, "bpe", bpe_size=4096))
    field = card.bpe.field
    field.selectAll()
    QTest.keyClicks(field, "5000")
    assert edits == []
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert edits == [{"bpe_size": 5000}]


def test_the_slider_stops_at_powers_of_two_and_counts_when_it_is_let_go(card, edits, idle):
    card.show_state(read_with(idle, "bpe", bpe_size=4096))
    slider = card.bpe.slider
    middle = slider.height() // 2
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, middle))
    QTest.mouseMove(slider, QPoint(slider.width() - 4, middle))
    assert card.bpe.field.value() == 65536
    assert edits == []
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() - 4, middle))
    assert edits == [{"bpe_size": 65536}]
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert edits[1:] == [{"bpe_size": 32768}]


def test_an_impossible_size_is_explained_with_a_way_out(card, edits, idle, qtbot):
    card.show_state(read_with(idle, "bpe", bpe_size=100))
    (fix,) = card.problem.buttons
    assert fix.text() == "Use 256"
    fix.click()
    assert edits == [{"bpe_size": 256}]
    card.show_state(read_with(idle, "bpe", bpe_size=256))
    assert not card.problem.buttons


# ---------------------------------------------------------------- figures


def test_figures_come_from_the_report(card, idle):
    card.show_state(read_with(idle, "gpt2"))
    shown = {name: (f.value.text(), f.unit.text()) for name, f in card.figures.items()}
    assert shown == {
        "Vocabulary": (f"50{SPACE}257", f"10{SPACE}% used"),
        "Corpus": ("3.62", "M characters"),
        "Tokens": (f"874{SPACE}k", "41 texts"),
        "Compression": ("4.23", "bytes/token"),
        "Validation": (f"10{SPACE}%", "held out"),
    }
    assert card.figures["Compression"].toolTip() == "4.14 characters per token"


def test_what_is_not_known_yet_is_a_dash(card, idle):
    card.show_state(replace(read_with(idle, "bpe", bpe_size=512), report=None))
    shown = {name: figure.value.text() for name, figure in card.figures.items()}
    assert shown == {"Vocabulary": "513"} | dict.fromkeys(list(shown)[1:], "—")
    card.show_state(replace(read_with(idle, "characters"), report=None))
    assert card.figures["Vocabulary"].value.text() == "—"


# ---------------------------------------------------------------- progress


def test_work_that_takes_long_is_shown_with_the_time_left_and_can_be_canceled(card, idle, qtbot):
    clock = [0.0]
    card.progress._clock = lambda: clock[0]
    reading = replace(read_with(idle, "gpt2"), report=None, running=frozenset(["data"]))
    shown = []
    for seconds, done in ((0, 0), (0.2, 10), (5, 25)):
        clock[0] = seconds
        progress = Progress("data", "Tokenizing notes", done, 100)
        card.show_state(replace(reading, progress={"data": progress}))
        shown.append(card.pages.currentWidget() is card.progress)
    assert shown == [False, False, True]
    assert card.progress.label.text() == f"Tokenizing notes · 25{SPACE}%"
    assert card.progress.left.text() == f"about 15{SPACE}s left"
    assert card.progress.bar.value() == 25
    with qtbot.waitSignal(card.cancel_wanted):
        card.progress.cancel.click()
    card.show_state(replace(reading, running=frozenset()))
    assert card.pages.currentWidget() is not card.progress


def test_work_of_unknown_length_shows_only_what_is_done(qtbot):
    line = ProgressLine("Making tokens", clock=lambda: 0.0)
    qtbot.addWidget(line)
    assert not line.show_progress(Progress("data", "Looking for files"))
    assert line.label.text() == "Looking for files"
    assert line.left.text() == ""


def test_the_pace_is_known_after_a_while_and_forgotten_with_other_work():
    pace = Pace()
    assert pace.seconds_left(0, 100, now=10) is None
    assert pace.seconds_left(50, 100, now=10.5) is None  # too soon to tell
    assert pace.seconds_left(50, 100, now=12) == pytest.approx(2)
    assert pace.seconds_left(100, 400, now=13) is None
    assert pace.seconds_left(200, 400, now=15) == pytest.approx(4)
    assert pace.seconds_left(20, 400, now=16) is None
    assert pace.seconds_left(120, 400, now=18) == pytest.approx(5.6)
    assert pace.seconds_left(400, 400, now=20) == 0
