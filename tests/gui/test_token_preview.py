"""The preview: tokens in colors, as ids or plain, searched; the first batch; why there is nothing to see."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gpt_studio.core.events import Corpus, Preview, PreviewToken
from gpt_studio.core.units import SPACE
from gpt_studio.gui.state import State
from gpt_studio.gui.token_popover import TokenPopover
from gpt_studio.gui.token_preview import PreviewCard

from .made_texts import REFERENCE, WORDS, WORLD, batch_of, config_of, told

CORPUS = Corpus(REFERENCE, "Reference", 455_000, 79, 600_000, 1.0)


@pytest.fixture
def read(idle: State) -> State:
    config = config_of(REFERENCE)
    return replace(idle, config=config, report=told(CORPUS, data=config.data))


@pytest.fixture
def card(qtbot) -> PreviewCard:
    card = PreviewCard()
    qtbot.addWidget(card)
    card.resize(740, 400)
    card.show()
    return card


def test_the_preview_shows_colors_ids_or_plain_text(card, read):
    card.show_state(read, REFERENCE)
    tokens = card.tokens
    assert tokens.text() == "".join(f" {word}" for word in WORDS)
    assert all(span.background for span in tokens.spans())
    card.mode.button("ids").click()
    assert tokens.text().split() == [str(100 + k) for k in range(len(WORDS))]
    card.mode.button("plain").click()
    assert tokens.text() == "".join(f" {word}" for word in WORDS)
    assert not any(span.background for span in tokens.spans())


def test_parts_of_characters_show_as_bytes_and_whole_in_plain_text(card, read):
    preview = [PreviewToken("\ufffd", byte, bytes([byte]), 1, 1) for byte in "é".encode()]
    previews = (Preview(REFERENCE, "Reference", tuple(preview)),)
    card.show_state(replace(read, report=replace(read.report, previews=previews)), REFERENCE)
    assert card.tokens.text() == "C3A9"
    card.mode.button("plain").click()
    assert card.tokens.text() == "é"


def test_hovering_a_token_tells_what_it_is(card, read):
    card.show_state(read, REFERENCE)
    tokens = card.tokens
    QTest.mouseMove(tokens, tokens.span_rect(3).center())
    card = card.findChild(TokenPopover)
    assert card.isVisible()
    assert card.title() == ("·time", "id 103")
    assert [row[:2] for row in card.rows()] == [
        ("Bytes", "20 74 69 6D 65"),
        ("In these texts", f"4 times · rank 9{SPACE}120"),
    ]
    card.hide()
    assert card.isHidden()


def test_search_marks_and_counts_and_goes_round(card, read, qtbot):
    card.show_state(read, REFERENCE)
    card.activateWindow()
    QTest.keyClick(card, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    field, hits = card.field, card.hits
    assert field.isVisible()
    before = card.tokens.grab().toImage()
    QTest.keyClicks(field, "O")
    assert hits.text() == "1 of 5"
    assert card.tokens.grab().toImage() != before
    shown = []
    back = Qt.KeyboardModifier.ShiftModifier
    for modifier in (Qt.KeyboardModifier.NoModifier, back, back):
        QTest.keyClick(field, Qt.Key.Key_Return, modifier)
        shown.append(hits.text())
    assert shown == ["2 of 5", "1 of 5", "5 of 5"]
    QTest.keyClicks(field, "z")
    assert hits.text() == "Not found"
    QTest.keyClick(field, Qt.Key.Key_Backspace)
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert not field.isVisible()
    assert card.tokens.grab().toImage() == before


def test_search_scrolls_to_what_it_finds(card, read, qtbot):
    words = [f"word{k}" for k in range(1000)]
    report = told(CORPUS, data=read.config.data, words=words)
    card.show_state(replace(read, report=report), REFERENCE)
    qtbot.waitUntil(lambda: card.area.verticalScrollBar().maximum() > 1000)
    card.open_search()
    card.field.setText("word990")
    tokens = card.tokens
    assert tokens.visibleRegion().boundingRect().contains(tokens.span_rect(990))


def test_search_makes_room_for_itself(card, read):
    card.show_state(read, REFERENCE)
    card.search.click()
    assert card.field.isVisible()
    assert not card.view.isVisible()
    card.search.click()
    assert card.view.isVisible()


# ---------------------------------------------------------------- nothing to see


def test_without_text_the_preview_offers_to_add_some(card, idle, qtbot):
    card.show_state(replace(idle, config=config_of()), "")
    assert card.pages.currentWidget() is card.empty
    with qtbot.waitSignal(card.files_wanted):
        card.add.click()


def test_a_text_that_is_not_learned_from_has_no_preview(card, read):
    card.show_state(read, "python-library")
    assert card.pages.currentWidget() is card.left_out
    card.show_state(read, REFERENCE)
    assert card.pages.currentWidget() is card.area


def test_while_there_is_no_report_the_preview_says_why(card, read, qtbot):
    reading = replace(read, report=None, running=frozenset(["data"]))
    card.show_state(replace(reading, devices=()), REFERENCE)
    assert card.waiting.label.text() == "Starting"
    card.show_state(reading, REFERENCE)
    assert card.waiting.label.text() == "Making tokens"
    assert not card.waiting.again.isVisible()
    card.show_state(replace(reading, running=frozenset()), REFERENCE)  # canceled
    assert card.waiting.label.text() == "The texts were not read."
    with qtbot.waitSignal(card.read_wanted):
        card.waiting.again.click()
    card.show_state(reading, REFERENCE)
    assert not card.waiting.again.isVisible()
    wrong = replace(read, config=read.config.changed("data", {"bpe_size": 1}), report=None)
    card.show_state(wrong, REFERENCE)
    assert "mended" in card.waiting.label.text()


# ---------------------------------------------------------------- the first batch


@pytest.fixture
def wishes(card) -> list[None]:
    heard: list[None] = []
    card.batch_wanted.connect(lambda: heard.append(None))
    return heard


def test_the_batch_is_wished_for_once_while_it_can_be_seen(card, read, wishes):
    card.show_state(read, REFERENCE)
    assert not wishes
    card.view.button("batch").click()
    card.show_state(replace(read, step=1), REFERENCE)
    assert len(wishes) == 1
    card.show_batch(batch_of(read.config))
    card.show_state(replace(read, step=2), REFERENCE)
    card.view.button("text").click()
    card.view.button("batch").click()
    assert len(wishes) == 1


def test_another_batch_is_wished_for_when_it_would_be_another(card, read, wishes):
    card.show_state(read, REFERENCE)
    card.view.button("batch").click()
    card.show_batch(batch_of(read.config))
    for section, changes in (("train", {"learning_rate": 0.5}), ("model", {"num_layers": 3})):
        read = replace(read, config=read.config.changed(section, changes))
        card.show_state(read, REFERENCE)
    assert len(wishes) == 1
    assert card.pages.currentWidget() is card.batch_area
    for section, changes in (
        ("train", {"seed": 5}),
        ("train", {"batch_size": 5}),
        ("model", {"max_length": 3}),
    ):
        read = replace(read, config=read.config.changed(section, changes))
        card.show_state(read, REFERENCE)
        assert card.pages.currentWidget() is card.waiting
        card.show_batch(batch_of(read.config))
        assert card.pages.currentWidget() is card.batch_area
    assert len(wishes) == 4


def test_the_batch_waits_until_the_texts_are_read_and_the_card_is_seen(card, read, wishes):
    card.hide()
    card.view.button("batch").click()
    card.show_state(replace(read, report=None), REFERENCE)
    card.show()
    assert not wishes
    card.hide()
    card.show_state(read, REFERENCE)
    assert not wishes
    card.show()
    assert len(wishes) == 1


def test_a_batch_of_other_settings_is_dropped(card, read):
    card.show_state(read, REFERENCE)
    card.view.button("batch").click()
    card.show_batch(batch_of(read.config.changed("train", {"seed": 5})))
    assert card.pages.currentWidget() is card.waiting
    assert card.waiting.label.text() == "Reading the first batch"


def test_a_batch_that_cannot_be_read_is_not_waited_for(card, read, wishes):
    card.show_state(read, REFERENCE)
    card.view.button("batch").click()
    card.show_state(replace(read, running=frozenset(["batch"])), REFERENCE)
    assert card.waiting.label.text() == "Reading the first batch"
    card.show_state(read, REFERENCE)
    assert card.waiting.label.text() == "The first batch could not be read."
    assert len(wishes) == 1
    card.show_state(replace(read, config=read.config.changed("model", {"max_length": 3})), REFERENCE)
    assert len(wishes) == 2
    assert card.waiting.label.text() == "Reading the first batch"


def test_inputs_stand_above_their_targets(card, read):
    card.show_state(read, REFERENCE)
    card.view.button("batch").click()
    card.show_batch(batch_of(read.config))
    assert card._title.text() == "What the model sees"
    assert card._caption.text() == "2 of 16 texts · 4 tokens each"
    first = card.batch.texts[0]
    assert first.columns() == 4
    assert first.accessibleDescription() == " Once upon a time there"
    card.mode.button("ids").click()
    assert card.batch.texts[0].accessibleDescription().split() == ["100", "101", "102", "103", "104"]
    assert not card.search.isEnabled()


def test_pointing_at_an_input_tells_what_must_be_predicted(card, read):
    card.show_state(read, REFERENCE)
    card.view.button("batch").click()
    card.show_batch(batch_of(read.config))
    text = card.batch.texts[1]
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right):
        QTest.keyClick(text, key)
    popover = card.findChild(TokenPopover)
    assert popover.isVisible()
    assert popover.title() == ("·a", "id 102")
    assert [row[:2] for row in popover.rows()] == [
        ("Sees", "2 tokens, up to this one"),
        ("Must predict", "·time · id 103"),
        ("Place", "2 of 4"),
    ]
    card.view.button("text").click()
    assert popover.isHidden()


def test_dialogues_and_their_template_are_above_the_tokens(card, read, qtbot):
    card.show_state(read, REFERENCE)
    assert not card.template.isVisible()
    card.show_state(replace(read, config=config_of(WORLD), report=None), WORLD)
    assert card.template.isVisible()
    with qtbot.waitSignal(card.edited) as heard:
        card.template.edited.emit({"turn_end": "!"})
    assert heard.args == [{"turn_end": "!"}]
