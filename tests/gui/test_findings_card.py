"""What was found in the texts, and the clicks that mend it."""

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QWidget

from gpt_studio.core.events import Corpus, TextFacts
from gpt_studio.core.findings import findings
from gpt_studio.gui.findings_card import READABLE, FindingsCard
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.widgets import Label

from .made_texts import REFERENCE, config_of, told

CORPUS = Corpus(REFERENCE, "Reference", 455_000, 79, 600_000, 1.0)


@pytest.fixture
def clean(idle: State) -> State:
    config = config_of(REFERENCE)
    return replace(idle, config=config, report=told(CORPUS, data=config.data))


@pytest.fixture
def faulty(clean: State) -> State:
    """One file in an old encoding, and too little text for the context."""
    facts = TextFacts(41, misencoded=("old.txt",))
    config = clean.config.changed("model", {"max_length": 1024})
    report = replace(clean.report, facts=facts, train_tokens=2000)
    return replace(clean, config=config, report=report)


@pytest.fixture
def card(qtbot) -> FindingsCard:
    card = FindingsCard()
    qtbot.addWidget(card)
    card.resize(700, 300)
    return card


def test_nothing_is_said_before_the_texts_are_read(card, clean):
    card.show_state(replace(clean, report=None))
    assert card.isHidden()


def test_clean_texts_get_one_quiet_line(card, clean):
    card.show_state(clean)
    assert not card.isHidden()
    assert not card.clean.isHidden()
    assert card.card.isHidden()


def test_findings_are_said_in_their_order_with_their_clicks(card, faulty, qtbot):
    card.show_state(faulty)
    expected = findings(faulty.report, faulty.config)
    assert len(expected) == 2
    assert card.texts() == [finding.text for finding in expected]
    assert card.clean.isHidden()
    remedies = [remedy for finding in expected for remedy in finding.remedies]
    assert [button.text() for button in card.buttons()] == [remedy.label for remedy in remedies]
    with qtbot.waitSignal(card.remedy_chosen) as heard:
        card.buttons()[0].click()
    assert heard.args == [remedies[0]]


def test_findings_follow_the_form(card, faulty):
    card.show_state(faulty)
    mended = faulty.config.changed("model", {"max_length": 64})
    before = card.texts()
    card.show_state(replace(faulty, config=mended))
    assert card.texts() == [finding.text for finding in findings(faulty.report, mended)] != before
    card.show_state(replace(faulty, report=None))
    assert card.isHidden()


def test_a_half_typed_model_is_judged_as_the_nearest_that_works(card, faulty):
    card.show_state(replace(faulty, config=faulty.config.changed("model", {"max_length": 10**9})))
    nearest = faulty.config.changed("model", {"max_length": 131_072})
    assert card.texts() == [finding.text for finding in findings(faulty.report, nearest)]


def test_nothing_is_mended_while_training(card, faulty):
    card.show_state(replace(faulty, running=frozenset(["train"])))
    assert card.buttons()
    assert not any(button.isEnabled() for button in card.buttons())
    card.show_state(faulty)
    assert all(button.isEnabled() for button in card.buttons())


@pytest.mark.parametrize("width", [700, 430])
def test_each_text_has_the_height_it_needs_and_lines_that_can_be_read(faulty, qtbot, width):
    page, card = QWidget(), FindingsCard()
    column = Column(parent=page)
    column.addWidget(card)
    column.addStretch(1)
    area = Scroll(page)
    qtbot.addWidget(area)
    area.resize(width, 400)
    area.show()
    card.show_state(faulty)
    for row in card._rows:
        qtbot.waitUntil(lambda row=row: row.height() == row.heightForWidth(row.width()))
        (text,) = row.findChildren(Label)
        qtbot.waitUntil(lambda text=text: text.geometry().right() <= min(width, READABLE))
