"""The banner: what happened, what was kept, what to try; a programmer's error once."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit

from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import Failed
from gpt_studio.gui.alerts import LOOKS, Banner, Notice
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.theme import color

HALVE = Remedy("Resume with batch size 8", "train", {"batch_size": 8}, train=True)


@pytest.fixture
def banner(qtbot):
    banner = Banner()
    qtbot.addWidget(banner)
    return banner


def button(banner, text):
    return next(b for b in banner.findChildren(Button) if b.text() == text and not b.isHidden())


def test_it_says_all_three_things(banner):
    banner.show_failure(Failed("train", "No room.", "The checkpoint.", "A smaller batch."))
    assert not banner.isHidden()
    assert banner.text() == "No room\nThe checkpoint.\nA smaller batch."


def test_a_remedy_is_one_click(banner, qtbot):
    banner.show_failure(Failed("train", "No room.", remedies=(HALVE,)))
    assert banner.has_primary
    with qtbot.waitSignal(banner.remedy_chosen) as chosen:
        qtbot.mouseClick(button(banner, HALVE.label), Qt.MouseButton.LeftButton)
    assert chosen.args == [HALVE]
    assert banner.isHidden()
    assert not banner.has_primary


def test_a_later_failure_leaves_nothing_of_the_earlier_one(banner):
    banner.show_failure(Failed("train", "No room.", "Kept.", "Try.", remedies=(HALVE,)))
    banner.show_failure(Failed("file", "Not a checkpoint."))
    assert banner.text() == "Not a checkpoint"
    assert not banner.has_primary


def test_our_error_shows_once_with_details_to_copy(banner, qtbot):
    crash = Failed("train", "ValueError: x", detail="Traceback: line 1")
    banner.show_failure(crash)
    assert "Something in GPT Studio went wrong — ValueError: x" in banner.text()
    details = banner.findChild(QPlainTextEdit)
    assert details.isHidden()
    qtbot.mouseClick(button(banner, "Details"), Qt.MouseButton.LeftButton)
    assert not details.isHidden()
    qtbot.mouseClick(button(banner, "Copy details"), Qt.MouseButton.LeftButton)
    assert "Traceback: line 1" in QGuiApplication.clipboard().text()
    banner.dismiss()
    banner.show_failure(crash)
    assert banner.isHidden()


def test_a_persons_error_shows_every_time(banner):
    failure = Failed("file", "Not a checkpoint.")
    banner.show_failure(failure)
    banner.dismiss()
    banner.show_failure(failure)
    assert not banner.isHidden()


def test_escape_dismisses(banner, qtbot):
    banner.show_failure(Failed("file", "Not a checkpoint."))
    qtbot.keyClick(banner, Qt.Key.Key_Escape)
    assert banner.isHidden()


def test_a_notice_is_withdrawn_when_it_is_over(banner):
    banner.show_notice(Notice("The disk is full", "Training goes on.", "Make room.", topic="kept"))
    assert banner.text() == "The disk is full\nTraining goes on.\nMake room."
    banner.withdraw("another")
    assert not banner.isHidden()
    banner.withdraw("kept")
    assert banner.isHidden()


def test_what_came_later_is_not_withdrawn_with_it(banner):
    banner.show_notice(Notice("The disk is full", topic="kept"))
    banner.show_failure(Failed("file", "Not a checkpoint."))
    banner.withdraw("kept")
    assert banner.text() == "Not a checkpoint"


def test_only_a_person_declines(banner, qtbot):
    declined = []
    banner.declined.connect(declined.append)
    offer = Notice("It was interrupted", topic="crash", remedies=(HALVE,), kind="offer")
    banner.show_notice(offer)
    assert not banner.has_primary, "an offer leaves the filled button to the page"
    banner.dismiss()
    banner.show_notice(offer)
    qtbot.mouseClick(button(banner, HALVE.label), Qt.MouseButton.LeftButton)
    assert declined == []
    banner.show_notice(offer)
    qtbot.mouseClick(banner._close, Qt.MouseButton.LeftButton)
    banner.show_notice(offer)
    qtbot.keyClick(banner, Qt.Key.Key_Escape)
    assert declined == ["crash", "crash"]


@pytest.mark.parametrize("kind", LOOKS)
def test_every_kind_is_drawn_in_its_colors(banner, kind):
    banner.resize(500, 120)
    banner.show_notice(Notice("Something", kind=kind))
    assert banner.grab().toImage().pixelColor(250, 100) == color(LOOKS[kind].fill)


def test_clicks_for_another_model_go_and_the_words_stay(banner):
    banner.show_failure(Failed("train", "No room.", remedies=(HALVE,)))
    banner.drop_remedies()
    assert banner.text() == "No room"
    assert not [b for b in banner.findChildren(Button) if b.text() == HALVE.label and b.isVisible()]
    assert not banner.has_primary
    banner.show_notice(Notice("It was interrupted", kind="offer", remedies=(HALVE,)))
    banner.drop_remedies()
    assert banner.isHidden()
