"""JSON lines, tables and Parquet as documents; long texts cut where no token reaches over."""

import csv
import json
import sys
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt_studio.core.chat import Template
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import formats
from gpt_studio.engine.formats import PIECE, conversation, pieces, read
from gpt_studio.engine.tokenizers import tokenizer

TEMPLATE = Template("U: ", "M: ", "\n")


def texts(path):
    """The whole documents of a file."""
    done, found, piece = [], [], ""
    for document in read(path, path.name, TEMPLATE, done.append):
        piece += document.text
        if document.ends:
            found.append(piece)
            piece = ""
    assert not piece
    assert sum(done) == path.stat().st_size
    return found


def failure(path):
    with pytest.raises(StudioError) as caught:
        list(read(path, path.name, TEMPLATE, lambda _: None))
    assert caught.value.tries
    return caught.value.what


def written(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


# ---------------------------------------------------------------- plain text


@pytest.mark.parametrize(
    "text", ["a" * (PIECE + 5) + "\n", " " * 3 * PIECE + "end", "a " * PIECE + "\n" * PIECE]
)
def test_a_long_text_ends_whatever_its_last_piece_is(tmp_path, text):
    """Even where the cut falls before the line end that closes the file."""
    assert texts(written(tmp_path / "a.txt", text)) == [text]


def test_a_long_blank_file_has_no_document(tmp_path):
    assert texts(written(tmp_path / "a.txt", " \n" * 2 * PIECE)) == []


# ---------------------------------------------------------------- JSON lines


def test_each_line_is_a_document(tmp_path):
    lines = [{"text": "one\nü", "id": 1}, {"text": " "}, {"text": "two 🙂\r\nlines"}, {"text": "half \ud83d"}]
    text = "\n\n".join(map(json.dumps, lines))
    assert texts(written(tmp_path / "a.jsonl", text)) == ["one\nü", "two 🙂\nlines", "half \ufffd"]


def test_messages_become_a_dialogue(tmp_path):
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": " Hello "},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Bye"},
        {"role": "model", "content": "Bye."},
    ]
    file = written(tmp_path / "a.jsonl", json.dumps({"messages": messages}))
    assert texts(file) == ["Be kind.\nU: Hello\nM: Hi.\nU: Bye\nM: Bye.\n"]


@pytest.mark.parametrize(
    "messages",
    [
        "text",
        "",
        [1],
        [{"role": "user"}],
        [{"role": "tool", "content": "x"}],
        [{"content": 3, "role": "user"}],
    ],
)
def test_what_is_no_conversation_is_not_taken_for_one(messages):
    assert conversation(messages, TEMPLATE) is None


def test_a_conversation_of_no_messages_is_left_out(tmp_path):
    lines = ['{"messages": []}', '{"text": "An owl."}']
    file = written(tmp_path / "a.jsonl", "\n".join(lines))
    assert [document.text for document in read(file, "a.jsonl", TEMPLATE, lambda size: None)] == ["An owl."]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"text": 3}', "Line 2 of “a.jsonl” has neither a “text” nor “messages”."),
        ("[1]", "Line 2 of “a.jsonl” has neither a “text” nor “messages”."),
        ('{"text": "torn', "Line 2 of “a.jsonl” is not JSON."),
        ("[" * 100_000, "Line 2 of “a.jsonl” is not JSON."),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, what):
    assert failure(written(tmp_path / "a.jsonl", f'{{"text": "fine"}}\n{line}\n')) == what


def test_a_line_without_end_is_damage(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "LONGEST", 1000)
    monkeypatch.setattr(formats, "BLOCK", 100)
    assert "line of more than 1\u202f000 characters" in failure(written(tmp_path / "a.jsonl", "x" * 2000))


def test_a_long_record_comes_in_pieces(tmp_path):
    long = "All work and no play. " * 5000
    file = written(tmp_path / "a.jsonl", json.dumps({"text": long}) + '\n{"text": "short"}\n')
    found = list(read(file, "a.jsonl", TEMPLATE, lambda _: None))
    assert max(len(piece.text) for piece in found) <= 2 * PIECE
    assert texts(file) == [long, "short"]


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize("name", ["text", "Content", " body ", "story"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_column_with_a_name_for_texts_is_read(tmp_path, name, delimiter):
    file = tmp_path / "a.csv"
    rows = [["a much longer title than the text", "one, two; \n three"], ["t", ""], ["t"], ["t", "“four”"]]
    with file.open("w", newline="", encoding="utf-8-sig") as out:
        csv.writer(out, delimiter=delimiter).writerows([["title", name], *rows])
    assert texts(file) == ["one, two; \n three", "“four”"]


def test_else_the_column_with_the_most_text_is_read(tmp_path):
    file = written(tmp_path / "a.csv", "id,label,what\n1,good,a long review\n2,bad,another one\n")
    assert texts(file) == ["a long review", "another one"]


def test_a_table_without_rows_is_empty(tmp_path):
    assert texts(written(tmp_path / "a.csv", "id,text\n")) == []
    assert texts(written(tmp_path / "b.csv", "")) == []


def test_a_quote_that_never_ends_is_damage(tmp_path):
    limit = csv.field_size_limit(1000)
    try:
        assert "is not a table" in failure(written(tmp_path / "a.csv", 'text\n"' + "word\n" * 1000))
    finally:
        csv.field_size_limit(limit)


def test_large_fields_are_read(tmp_path):
    file = written(tmp_path / "a.csv", "text\n" + "word " * 100_000 + "\n")
    assert texts(file) == ["word " * 100_000]


# ---------------------------------------------------------------- Parquet


def parquet(path, columns):
    table = pytest.importorskip("pyarrow").table(columns)
    pytest.importorskip("pyarrow.parquet").write_table(table, path, row_group_size=100)
    return path


def test_the_text_of_a_parquet_file_is_read(tmp_path):
    rows = [f"row {n} ü" for n in range(1000)]
    columns = {"id": list(range(1000)), "title": ["a longer title"] * 1000}
    assert texts(parquet(tmp_path / "a.parquet", {**columns, "text": rows})) == rows
    assert (
        texts(parquet(tmp_path / "b.parquet", {"id": columns["id"], "what": [*rows[1:], None]})) == rows[1:]
    )


def test_the_messages_of_a_parquet_file_are_dialogues(tmp_path):
    messages = [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], None]
    file = parquet(tmp_path / "a.parquet", {"id": ["x", "y"], "messages": messages})
    assert texts(file) == ["U: Hi\nM: Hello\n"]


def test_a_parquet_file_that_cannot_be_used_is_named(tmp_path):
    assert failure(parquet(tmp_path / "a.parquet", {"n": [1, 2]})) == "“a.parquet” has no column of text."
    (tmp_path / "b.parquet").write_bytes(b"PAR1 damaged PAR1")
    assert failure(tmp_path / "b.parquet") == "“b.parquet” is not a Parquet file, or is damaged."


def test_without_pyarrow_it_says_how_to_install_it(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StudioError, match=r"pip install gpt-studio\[parquet\]"):
        texts(tmp_path / "a.parquet")


# ---------------------------------------------------------------- pieces


words = st.text(st.sampled_from("ab1'!é\n\t\x1c\u2003 字"), max_size=80)


@given(text=words, size=st.integers(1, 12))
def test_pieces_give_the_tokens_of_the_whole(text, size):
    found = list(pieces((text,), size))
    assert "".join(found) == text
    assert all(len(piece) <= 2 * size for piece in found)
    assume(all(piece[0] in " \n" and not before[-1].isspace() for before, piece in pairwise(found)))
    gpt2 = tokenizer("gpt2")
    assert [id for piece in found for id in gpt2.encode(piece)] == gpt2.encode(text)


@given(blocks=st.lists(words, max_size=6), size=st.integers(1, 12))
def test_pieces_do_not_depend_on_the_blocks_read(blocks, size):
    assert list(pieces(blocks, size)) == list(pieces(("".join(blocks),), size))
