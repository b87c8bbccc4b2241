"""The strip that tells what the training doctor found."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from gpt_studio.core.doctor import Diagnosis
from gpt_studio.core.errors import Remedy
from gpt_studio.gui.doctor_card import READABLE, DoctorCard
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.theme import LIGHT, look
from gpt_studio.gui.widgets import Label

HIGH = Diagnosis(
    "rate_high",
    "The learning rate is too high",
    "After 80 steps the loss is 3.22, where counting pairs of tokens gives 1.99. Models get below that soon,"
    " but at a rate of 0.06 each step jumps over what is to be found.",
    Remedy("Lower the learning rate to 4e−3", "train", {"learning_rate": 4e-3}),
)
HEART = Diagnosis(
    "overfitting",
    "The model is overfitting",
    "Validation has risen from 1.92 to 2.14 since step 400 while the training loss fell to 1.01.",
    Remedy("Use dropout 0.1 in a new model", "model", {"dropout": 0.1}),
)
DEAD = Diagnosis("dead", "The model does not learn at all", "After 80 steps the loss is 5.78. It stays.")


@pytest.fixture
def card(qtbot):
    card = DoctorCard()
    qtbot.addWidget(card)
    return card


def said(card: DoctorCard) -> list[str]:
    return [label.text() for label in card.findChildren(Label) if not label.isHidden() and label.text()]


def test_nothing_found_takes_no_room(card):
    assert card.isHidden()
    card.show_diagnoses((HIGH,))
    assert not card.isHidden()
    card.show_diagnoses(())
    assert card.isHidden()


def test_one_finding_is_a_title_a_sentence_and_one_click(card, qtbot):
    card.show_diagnoses((HIGH,))
    assert said(card) == [HIGH.title, HIGH.text.partition(". ")[0] + "."]
    assert card.next.isHidden()
    with qtbot.waitSignal(card.remedy_chosen) as heard:
        card.remedy.click()
    assert card.remedy.text() == HIGH.remedy.label
    assert heard.args == [HIGH.remedy]


def test_why_opens_the_rest(card):
    card.show_diagnoses((HIGH,))
    card.why.click()
    assert said(card)[-1] == HIGH.text.partition(". ")[2]
    card.why.click()
    assert HIGH.text.partition(". ")[2] not in said(card)
    card.show_diagnoses((HEART,))
    assert card.why.isHidden()  # there is no more to say


def test_several_are_told_one_at_a_time_the_first_one_first(card):
    card.show_diagnoses((HIGH, HEART))
    assert card.told() == HIGH
    assert "1 of 2" in said(card)
    card.next.click()
    assert card.told() == HEART
    assert "2 of 2" in said(card)
    card.next.click()
    assert card.told() == HIGH


def test_what_is_read_stays_in_view_while_its_numbers_change(card):
    card.show_diagnoses((HIGH, HEART))
    card.next.click()
    later = Diagnosis(HEART.name, HEART.title, HEART.text.replace("2.14", "2.20"), HEART.remedy)
    card.show_diagnoses((DEAD, HIGH, later))
    assert card.told() == later
    assert "2.20" in said(card)[1]
    assert "3 of 3" in said(card)


def test_what_is_put_away_stays_away_for_this_run(card):
    card.show_diagnoses((HIGH, HEART))
    card.close_button.click()
    assert card.told() == HEART
    assert "1 of 1" not in said(card)
    card.show_diagnoses(())
    card.show_diagnoses((HIGH,))
    assert card.isHidden()
    card.show_diagnoses((HIGH, DEAD))
    assert card.told() == DEAD
    card.forget()
    card.show_diagnoses((HIGH,))
    assert card.told() == HIGH


def test_escape_puts_away(card, qtbot):
    card.show_diagnoses((HIGH,))
    qtbot.keyClick(card, Qt.Key.Key_Escape)
    assert card.isHidden()


def test_a_finding_without_a_remedy_has_no_button(card):
    card.show_diagnoses((DEAD,))
    assert card.remedy.isHidden()
    card.show_diagnoses((HIGH,))
    assert not card.remedy.isHidden()


def test_it_speaks_to_those_who_do_not_see(card):
    card.show_diagnoses((HIGH, HEART))
    assert HIGH.title in card.accessibleName()
    assert card.accessibleDescription() == HIGH.text
    assert card.remedy.accessibleDescription() == HIGH.text
    for button in (card.remedy, card.why, card.next, card.close_button):
        assert button.accessibleName() or button.text()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus


@pytest.mark.parametrize("width", [760, 460])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_its_text_has_the_height_it_needs_and_lines_that_can_be_read(qtbot, width, scale):
    look.apply(LIGHT, scale)
    page, card = QWidget(), DoctorCard()
    qtbot.addWidget(page)
    column = Column(parent=page)
    column.addWidget(card)
    column.addStretch(1)
    page.resize(width, 500)
    page.show()
    card.show_diagnoses((HIGH, HEART))
    card.why.click()
    qtbot.waitUntil(lambda: card.height() == card.heightForWidth(card.width()))
    for text in card.findChildren(Label):
        if not text.isHidden() and text.wordWrap():
            qtbot.waitUntil(lambda text=text: text.height() >= text.heightForWidth(text.width()))
            assert text.width() <= look.px(READABLE)
    assert card.close_button.geometry().right() < card.width()
