"""Lines that cannot be written wait, in order, and nothing is written twice."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core import line_file
from gpt_studio.core.line_file import LineFile, last_lines, put_in_place


def numbers(path):
    return [json.loads(line)["n"] for line in path.read_text(encoding="utf-8").splitlines()]


@given(moods=st.lists(st.sampled_from(["full", "half", "well", "lost", "cut"]), max_size=40))
def test_whatever_happens_to_the_file_all_lines_are_there_once(tmp_path_factory, moods):
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    known = []
    file = LineFile(path, lambda: known)
    for n, mood in enumerate([*moods, "well"]):
        known.append({"n": n, "text": "größe\n" * 3})
        file.add(known[-1])
        if mood == "lost":
            path.unlink(missing_ok=True)
        if mood == "cut" and path.exists():
            path.write_bytes(path.read_bytes()[:7])
        with pytest.MonkeyPatch.context() as patch:
            if mood in ("full", "half"):
                patch.setattr(line_file.os, "write", refusing(mood))
            try:
                file.write()
            except OSError:
                assert mood in ("full", "half")
    assert numbers(path) == list(range(len(moods) + 1))


def refusing(mood):
    real = os.write

    def write(file, data):
        if mood == "half":
            real(file, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return write


@pytest.mark.parametrize("torn", ["", '{"n": 2', "x" * 200_000])
def test_what_was_torn_is_replaced(tmp_path, torn):
    path = tmp_path / "x.jsonl"
    path.write_text('{"n": 0}\n{"n": 1}\n' + torn)
    file = LineFile(path, list)
    file.add({"n": 2})
    file.write()
    assert numbers(path) == [0, 1, 2]


def test_a_line_is_never_more_than_one(tmp_path):
    path = tmp_path / "x.jsonl"
    file = LineFile(path, list)
    file.add({"n": 1, "text": "one\r\ntwo\u2028three\x85 \udcff"})
    file.write()
    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes())["text"] == "one\r\ntwo\u2028three\x85 ?"


@pytest.mark.parametrize("size", [1, 100, 70_000, 200_000])
def test_the_last_lines_are_whole_ones(tmp_path, size):
    path = tmp_path / "x.jsonl"
    lines = [b"%d" % n * size for n in range(3)]
    path.write_bytes(b"\n".join(lines) + b"\ntorn")
    found = last_lines(path)
    assert found
    assert found == lines[-len(found) :]
    path.write_bytes(b"torn")
    assert last_lines(path) == []
    path.write_bytes(b"")
    assert last_lines(path) == []


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        LineFile(tmp_path / "no" / "x.jsonl", list)


def test_a_file_that_is_being_read_is_replaced_once_it_is_not(tmp_path, monkeypatch):
    partial, place = tmp_path / "run.partial", tmp_path / "run.json"
    partial.write_text("new")
    place.write_text("old")
    replace, refused = Path.replace, []

    def refuses_twice(path, target):
        if len(refused) < 2:
            refused.append(path)
            raise PermissionError(errno.EACCES, "in use")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuses_twice)
    with pytest.raises(PermissionError):  # anywhere but on Windows it is meant so
        put_in_place(partial, place)
    monkeypatch.setattr(line_file, "PATIENCE", 5)
    put_in_place(partial, place)
    assert (place.read_text(), len(refused)) == ("new", 2)
