"""Samples while learning: compared, scrubbed from step to step by prompt, with each token's probability."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from gpt_studio.core.metrics import Sample
from gpt_studio.core.units import SPACE
from gpt_studio.gui.sample_scrubber import LONGEST, SampleScrubber, spans_of, whole
from gpt_studio.gui.samples import SamplesCard
from gpt_studio.gui.theme import LIGHT, look, surprise
from gpt_studio.gui.token_popover import TokenPopover

SAILOR, KING = "The old sailor said", "The king"
TEXT = "the storm would be on us before dark and we put in while there was light"


def sample(step: int, prompt: str = SAILOR) -> Sample:
    """Words that were the more expected, the later they were written."""
    tokens = tuple((f" {word}", min(1.0, 0.02 + step / 1200)) for word in TEXT.split())
    tokens += ((f" {step}", 0.5),)
    return Sample(step, prompt, "".join(text for text, _ in tokens), tokens)


STEPS = (100, 200, 300, 400, 500, 600)


@pytest.fixture
def card(qtbot):
    window = QWidget()  # of its own a card would not become as narrow as in a page
    qtbot.addWidget(window)
    window.resize(1200, 400)
    card = SamplesCard()
    card.setParent(window)
    card.resize(420, 186)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    yield card
    window.close()


@pytest.fixture
def scrubbed(card):
    card.add([sample(step) for step in STEPS])
    card._way.click()
    return card


def read(card: SamplesCard) -> str:
    """What the scrubber says."""
    assert card.scrubber.isVisible()
    return card.scrubber.tokens.text()


# ---------------------------------------------------------------- scrubbing


def test_it_rests_as_a_comparison_and_goes_one_by_one_when_asked(card, qtbot):
    assert not card._way.isVisible()
    card.add([sample(step) for step in STEPS])
    assert card.columns[0].isVisible()
    qtbot.mouseClick(card._way, Qt.MouseButton.LeftButton)
    assert not card.columns[0].isVisible()
    assert read(card) == SAILOR + sample(600).text
    assert card.scrubber.step.text() == "Step 600"
    assert card.scrubber.place.text() == "6 of 6"
    assert card.scrubber.slider.hasFocus()
    assert card._way.text() == "Compare"
    qtbot.mouseClick(card._way, Qt.MouseButton.LeftButton)
    assert card.columns[0].isVisible()
    assert card._way.text() == "Scrub"


def test_arrow_keys_go_from_step_to_step(scrubbed):
    slider, seen = scrubbed.scrubber.slider, []
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_End):
        QTest.keyClick(slider, key)
        assert read(scrubbed) == SAILOR + scrubbed.scrubber.shown().text
        seen.append(scrubbed.scrubber.shown().step)
    assert seen == [500, 400, 100, 200, 600]


def test_the_slider_says_where_it_is_and_keeps_its_width(scrubbed, qtbot):
    scrubbed.add([sample(12_000)])
    slider = scrubbed.scrubber.slider
    scrubbed.grab()
    wide = slider.width()
    assert scrubbed.scrubber.step.role() == "accent"
    assert slider.accessibleDescription() == "7 of 7, the latest"
    QTest.keyClick(slider, Qt.Key.Key_Home)
    scrubbed.grab()
    assert slider.width() == wide
    assert (slider.accessibleName(), slider.accessibleDescription()) == ("Sample of step 100", "1 of 7")
    assert scrubbed.scrubber.step.role() == "text2"
    for label in (scrubbed.scrubber.step, scrubbed.scrubber.place):
        assert label.width() >= label.sizeHint().width()


def test_it_stays_at_the_latest_unless_moved_away(scrubbed):
    scrubbed.add([sample(700)])
    assert scrubbed.scrubber.shown().step == 700
    QTest.keyClick(scrubbed.scrubber.slider, Qt.Key.Key_Home)
    QTest.keyClick(scrubbed.scrubber.slider, Qt.Key.Key_Right)
    scrubbed.add([sample(800)])
    assert scrubbed.scrubber.shown().step == 200
    assert scrubbed.scrubber.place.text() == "2 of 8"
    QTest.keyClick(scrubbed.scrubber.slider, Qt.Key.Key_End)
    scrubbed.add([sample(900)])
    assert scrubbed.scrubber.shown().step == 900


def test_another_run_begins_at_its_latest(scrubbed):
    QTest.keyClick(scrubbed.scrubber.slider, Qt.Key.Key_Home)
    scrubbed.clear()
    assert read(scrubbed) == ""
    assert scrubbed.scrubber.shown() is None
    assert not scrubbed._way.isVisible()
    assert not scrubbed.scrubber.slider.isEnabled()
    scrubbed.add([sample(10), sample(20)])
    assert scrubbed.scrubber.shown().step == 20


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.data())
def test_wherever_the_slider_is_there_is_that_sample(qapp, steps, data):
    samples = [sample(step) for step in sorted(steps)]
    scrubber = SampleScrubber()
    scrubber.show_samples(samples)
    assert scrubber.shown() is samples[-1]
    at = data.draw(st.integers(0, len(samples) - 1))
    scrubber.slider.setValue(at)
    assert scrubber.shown() is samples[at]
    more = [*samples, sample(21)]
    scrubber.show_samples(more)
    assert scrubber.shown().step == (21 if at == len(samples) - 1 else samples[at].step)


# ---------------------------------------------------------------- prompts


def both(step: int) -> list[Sample]:
    return [sample(step, SAILOR), sample(step, KING)]


def test_several_prompts_are_switched_between(card, qtbot):
    card.add(both(100))
    card.add(both(200)[:1])  # its companion is still being written
    card._way.click()
    assert card.prompts.isVisible()
    assert card.prompts.text() == f"“{SAILOR}”"
    assert card._caption.text() == ""
    assert read(card).startswith(SAILOR)
    card.add(both(200)[1:])
    assert read(card).startswith(SAILOR)
    _, king = card.prompts.menu_of_prompts.actions()
    king.trigger()
    assert card.prompts.text() == f"“{KING}”"
    assert [action.isChecked() for action in card.prompts.menu_of_prompts.actions()] == [False, True]
    assert read(card) == KING + sample(200).text
    assert card.scrubber.place.text() == "2 of 2"
    card.add(both(300))
    assert read(card) == KING + sample(300).text
    card._way.click()
    assert [column.step.text() for column in card.columns] == ["Step 100", "Step 200", "Step 300"]


def test_another_prompt_is_read_at_the_same_step(card):
    for step in STEPS:
        card.add(both(step))
    card._way.click()
    card.scrubber.slider.setValue(2)
    card.show_prompt(KING)
    assert (card.scrubber.shown().step, card.scrubber.shown().prompt) == (300, KING)


def test_a_prompt_changed_in_the_middle_of_a_run_is_the_one_read(card):
    card.add([sample(100), sample(200), sample(300, KING)])
    card._way.click()
    assert read(card).startswith(KING)
    card.show_prompt(SAILOR)
    assert card.scrubber.shown().step == 200


def test_one_prompt_needs_no_switch(scrubbed):
    assert not scrubbed.prompts.isVisible()
    assert scrubbed._caption.text() == f"“{SAILOR}”"


def test_the_list_of_prompts_opens_at_a_click(card, qtbot):
    card.add([*both(100), Sample(100, "Salt & pepper " * 20, " and so on")])
    qtbot.mouseClick(card.prompts, Qt.MouseButton.LeftButton)
    menu = card.prompts.menu_of_prompts
    qtbot.waitUntil(menu.isVisible)
    assert "Salt && pepper" in menu.actions()[2].text()
    assert len(menu.actions()[2].text()) < 80
    menu.close()


# ---------------------------------------------------------------- tokens


def test_tokens_are_tinted_as_in_chat(scrubbed):
    scrubbed.scrubber.slider.setValue(0)
    prompt, *tokens = scrubbed.scrubber.tokens.spans()
    assert prompt.plain
    for span, (text, p) in zip(tokens, sample(100).tokens, strict=True):
        assert span.text == text
        assert span.background() == surprise(p)
        assert span.underline == (p < 0.12)
    scrubbed.scrubber.slider.setValue(5)
    assert all(span.background() == surprise(0.52) for span in scrubbed.scrubber.tokens.spans()[1:-1])


def test_pointing_at_a_token_tells_it_and_its_probability(scrubbed, qtbot):
    tokens = scrubbed.scrubber.tokens
    qtbot.mouseMove(tokens, tokens.span_rect(2).center())
    (popover,) = scrubbed.window().findChildren(TokenPopover)
    assert popover.isVisible()
    assert popover.title() == ("·storm", f"52.0{SPACE}%")
    qtbot.mouseMove(tokens, tokens.span_rect(0).center())
    assert not popover.isVisible()  # nobody wrote the prompt
    tokens.setFocus()
    QTest.keyClick(tokens, Qt.Key.Key_Right)
    assert popover.title()[0] == "·the"
    scrubbed.scrub(False)
    assert not popover.isVisible()


def test_samples_of_old_files_are_plain_text(card):
    card.add([Sample(100, "The", " rain in Spain")])
    card._way.click()
    assert read(card) == "The rain in Spain"
    assert all(span.plain for span in card.scrubber.tokens.spans())
    card.scrubber.tokens.hovered.emit(1)
    assert card.window().findChildren(TokenPopover) == []


def test_of_a_long_prompt_the_end_is_shown(card):
    prompt = "Once upon a time " * 30 + "there was"
    card.add([sample(100, prompt)])
    card._way.click()
    assert read(card) == f"…{prompt[-LONGEST:]}{sample(100).text}"
    assert spans_of(sample(100, ""))[0].text == " the"


CHARACTERS = st.lists(st.tuples(st.sampled_from(["", "a", " b", "é"]), st.floats(0.01, 1)), max_size=12)


@given(CHARACTERS)
def test_pieces_of_characters_are_put_together(tokens):
    pieces = list(whole(tokens))
    assert "".join(text for text, _ in pieces) == "".join(text for text, _ in tokens)
    assert all(text for text, _ in pieces)
    complete = max((k + 1 for k, (text, _) in enumerate(tokens) if text), default=0)
    assert prod(p for _, p in pieces) == pytest.approx(prod(p for _, p in tokens[:complete]))


# ---------------------------------------------------------------- the head


def test_sample_now_is_a_wish_while_a_model_is_trained(card, qtbot):
    wishes = []
    card.sample_wanted.connect(lambda: wishes.append(1))
    qtbot.mouseClick(card._now, Qt.MouseButton.LeftButton)
    assert wishes == []
    card.set_can_sample(True)
    qtbot.mouseClick(card._now, Qt.MouseButton.LeftButton)
    assert wishes == [1]


def test_nothing_new_leaves_when_the_first_will_come(card):
    card.set_due(100)
    card.add([])
    assert card._caption.text() == "the first at step 100"


def test_all_of_them_hide_what_is_for_a_few(scrubbed):
    scrubbed.show_all(True)
    assert scrubbed.shows_all()
    assert not scrubbed._way.isVisible()
    scrubbed.show_all(False)
    assert scrubbed.scrubber.isVisible()  # as it was before


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_in_a_narrow_card_every_control_is_whole(card, qtbot, scale):
    look.apply(LIGHT, scale)
    card.set_can_sample(True)
    for step in range(100, 12_100, 100):
        card.add(both(step))
    for width in (289, 346, 509, 750, 289):
        card.resize(look.px(width), look.px(186))
        for scrubs in (False, True):
            card.scrub(scrubs)
            assert card.width() == look.px(width)
            assert card.minimumSizeHint().width() <= look.px(289)
            for control in (card._now, card._way, card._link):
                qtbot.waitUntil(lambda c=control: c.width() >= c.sizeHint().width())
                assert card.rect().contains(control.geometry())
            assert card.prompts.width() >= look.px(24)
            assert card._title.width() >= card._title.sizeHint().width()
    slider = card.scrubber.slider
    assert card.rect().contains(slider.mapTo(card, QPoint(0, 0)))
