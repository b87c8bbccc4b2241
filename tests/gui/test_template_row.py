"""How dialogues are written: typed in one line, counted once finished."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gpt_studio.gui.template_row import TemplateRow, meant, written

from .made_texts import LIBRARY, WORLD, config_of


@pytest.fixture
def row(qtbot) -> TemplateRow:
    row = TemplateRow()
    qtbot.addWidget(row)
    row.resize(700, 30)
    return row


@pytest.fixture
def edits(row) -> list[dict[str, str]]:
    heard: list[dict[str, str]] = []
    row.edited.connect(heard.append)
    return heard


def type_into(field, text: str) -> None:
    field.selectAll()
    QTest.keyClicks(field, text)


@given(st.text(alphabet=st.sampled_from('ab \\nt\n\t"é')))
def test_what_is_written_in_one_line_means_the_same(text):
    assert "\n" not in written(text)
    assert meant(written(text)) == text


def test_it_is_shown_only_where_dialogues_may_be(row, idle):
    row.show_state(replace(idle, config=config_of(LIBRARY)))
    assert row.isHidden()
    row.show_state(replace(idle, config=config_of(LIBRARY, "/texts/chats.jsonl")))
    assert not row.isHidden()


def test_it_shows_a_dialogue_as_the_model_reads_it(row, idle):
    row.show_state(replace(idle, config=config_of(WORLD)))
    assert [field.text() for field in row.fields.values()] == ["Q: ", "A: ", "\\n"]
    assert row.example.text() == "Q:·Hi↵A:·Hello↵"


def test_a_text_counts_once_it_is_finished(row, edits, idle):
    row.show_state(replace(idle, config=config_of(WORLD)))
    field = row.fields["turn_end"]
    type_into(field, "\\n--\\n")
    row.show_state(replace(idle, config=config_of(WORLD, validation=0.2)))
    assert field.text() == "\\n--\\n"  # what is half typed stays
    assert edits == []
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert edits == [{"turn_end": "\n--\n"}]
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert len(edits) == 1


def test_settings_from_elsewhere_are_shown(row, edits, idle):
    row.show_state(replace(idle, config=config_of(WORLD)))
    row.show_state(replace(idle, config=config_of(WORLD, user_prefix="User: ")))
    assert row.fields["user_prefix"].text() == "User: "
    assert edits == []


def test_a_template_that_cannot_be_used_is_explained_with_a_way_out(row, edits, idle):
    row.show_state(replace(idle, config=config_of(WORLD, user_prefix="", turn_end="")))
    (fix,) = row.problem.buttons
    fix.click()
    assert edits == [{"user_prefix": "Q: "}]
    row.show_state(replace(idle, config=config_of(WORLD)))
    assert not row.problem.buttons


def test_it_is_locked_while_training(row, edits, idle):
    row.show_state(replace(idle, config=config_of(WORLD), running=frozenset(["train"])))
    type_into(row.fields["user_prefix"], "X")
    assert row.fields["user_prefix"].text() == "Q: "
