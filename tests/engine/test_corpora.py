"""Built-in corpora, files and folders as documents; every way they can fail, said in words."""

import codecs
import os
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from gpt_studio.core import world
from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import BUILT_IN, TEXT_SUFFIXES, label
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.engine import formats
from gpt_studio.engine.corpora import WORLD_SIZE, Meter, documents, fingerprint
from gpt_studio.engine.formats import PIECE, Document

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
DATA = DataConfig()


def read(name, data=DATA):
    """The whole documents, and the progress that was reported."""
    texts, reported, open_piece = [], [], ""
    for item in documents(str(name), data):
        if isinstance(item, Progress):
            reported.append(item)
        elif item:
            open_piece += item.text
            if item.ends:
                texts.append(open_piece)
                open_piece = ""
    assert not open_piece
    return texts, reported


def texts(name, data=DATA):
    return read(name, data)[0]


def failure(name):
    with pytest.raises(StudioError) as caught:
        read(name)
    assert caught.value.kept
    assert caught.value.tries
    return caught.value


# ---------------------------------------------------------------- what can be read


def test_every_built_in_corpus_can_be_read():
    for corpus in BUILT_IN:
        found, reported = read(corpus.name)
        assert len(found) > 50
        assert all(found)
        assert reported[-1].done == reported[-1].total > 100_000
        assert reported[-1].text == f"Reading {corpus.label}"


def test_the_small_world_is_four_megabytes_of_dialogues():
    found = texts("world")
    assert WORLD_SIZE <= sum(len(text.encode()) for text in found) < WORLD_SIZE + 10_000
    assert found[:50] == [text for text, _ in zip(world.documents(0, DATA.template), range(50), strict=False)]
    assert texts("world") == found  # the second time from memory
    other = texts("world", DATA.changed(user_prefix="User> "))
    assert sum("User> " in text for text in other) > len(other) / 2


def test_the_reference_is_english_about_python():
    assert any(text.startswith('The "assert" statement') for text in texts("python-reference"))


def test_the_library_is_its_sources_without_tests_tables_and_guests():
    found = set(texts("python-library"))
    stdlib = Path(sysconfig.get_path("stdlib"))
    assert (stdlib / "json" / "decoder.py").read_text("utf-8") in found
    assert (stdlib / "encodings" / "cp1252.py").read_text("utf-8") not in found
    assert (stdlib / "pydoc_data" / "topics.py").read_text("utf-8") not in found
    assert 5e6 < sum(len(text.encode()) for text in found) < 15e6


def test_a_file_of_any_ending_is_one_document(tmp_path):
    for name in ("notes.txt", "Makefile", "odd.xyz"):
        (tmp_path / name).write_bytes("Ünï\n\n字 \t 🙂\rend".encode())
        assert texts(tmp_path / name) == ["Ünï\n\n字 \t 🙂\rend"]


def test_only_the_mark_and_windows_line_ends_are_changed(tmp_path):
    file = tmp_path / "windows.txt"
    file.write_bytes(codecs.BOM_UTF8 + b"one\r\n\r\ntwo \xef\xbb\xbf\r three\r\n")
    assert texts(file) == ["one\n\ntwo \ufeff\r three\n"]


@pytest.mark.parametrize("block", [7, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_blocks(tmp_path, monkeypatch, encoding, block):
    monkeypatch.setattr(formats, "BLOCK", block)
    file = tmp_path / "large.txt"
    text = "a\r\né字🙂" * 50
    file.write_bytes(text.encode(encoding))
    size = file.stat().st_size
    found, reported = read(file)
    assert found == [text.replace("\r\n", "\n")]
    assert reported[-1] == Progress("data", "Reading large.txt", size, size)


def test_a_long_text_comes_in_pieces(tmp_path):
    file = tmp_path / "long.txt"
    file.write_text("All work and no play. " * 20_000)
    found = list(documents(str(file), DATA))
    pieces = [item for item in found if isinstance(item, Document)]
    assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert max(len(piece.text) for piece in pieces) <= 2 * PIECE
    assert "".join(piece.text for piece in pieces) == file.read_text()
    assert any(isinstance(item, Progress) for item in found)


def test_a_folder_is_its_text_files_in_order(tmp_path):
    for name, data in {
        "b.txt": b"second",
        "a.MD": b"first",
        "sub/deep/c.py": b"fifth",
        "sub/blank.txt": b" \n",
        "sub/picture.png": b"\x89PNG",
        "sub/binary.txt": b"zero \0 byte",
        "sub/lines.jsonl": b'{"text": "third"}\n{"text": "fourth"}\n',
        ".hidden.txt": b"hidden",
        ".git/config.txt": b"hidden",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert texts(tmp_path) == ["first", "second", "third", "fourth", "fifth"]
    labels = [item.label for item in documents(str(tmp_path), DATA) if isinstance(item, Document)]
    assert labels == ["a.MD", "b.txt", "sub/lines.jsonl", "sub/lines.jsonl", "sub/deep/c.py"]


@posix
def test_links_in_a_folder_lead_nowhere_forever(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.txt").symlink_to("self.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    assert texts(tmp_path) == ["text"]


def test_labels_are_short():
    assert label("python-reference") == "Python reference"
    assert label("/some/where/notes.txt") == "notes.txt"
    assert label("/some/where/") == "where"
    assert all(suffix[0] == "." and suffix == suffix.lower() for suffix in TEXT_SUFFIXES)
    assert {".txt", ".md", ".py", ".json", ".csv"} <= TEXT_SUFFIXES


# ---------------------------------------------------------------- other encodings


def misencoded(path):
    return {
        item.label for item in documents(str(path), DATA) if isinstance(item, Document) and item.misencoded
    }


def test_bytes_that_are_not_utf8_are_an_older_encoding(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("“naïve”".encode("cp1252") + b" \x81 " + "und größer".encode())
    assert texts(file) == ["“naïve” \x81 und größer"]
    (tmp_path / "fine.txt").write_text("größer", "utf-8")
    assert texts(tmp_path) == ["größer", "“naïve” \x81 und größer"]
    assert misencoded(tmp_path) == {"latin.txt"}


def test_an_odd_byte_after_the_first_block_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "BLOCK", 10)
    file = tmp_path / "late.txt"
    file.write_bytes("größe ".encode() * 20 + b"\xff" + "größe".encode())
    assert texts(file) == ["größe " * 20 + "ÿgröße"]
    assert misencoded(file) == {"late.txt"}


def test_utf16_with_a_mark_is_text(tmp_path):
    for encoding, mark in (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)):
        file = tmp_path / f"{encoding}.txt"
        file.write_bytes(mark + "notepad\r\n字🙂".encode(encoding))
        assert texts(file) == ["notepad\n字🙂"]
        assert not misencoded(file)


def test_a_character_cut_off_at_the_end_is_kept_as_bytes(tmp_path):
    file = tmp_path / "torn.txt"
    file.write_bytes("né".encode()[:-1])
    assert texts(file) == ["nÃ"]


# ---------------------------------------------------------------- what cannot


def test_a_missing_file_is_named(tmp_path):
    assert failure(tmp_path / "gone.txt").what == "“gone.txt” was not found."
    (tmp_path / "file").write_text("text")
    assert "was not found" in failure(tmp_path / "file" / "inside.txt").what
    assert "was not found" in failure("no-such-corpus").what


def test_a_binary_file_is_refused(tmp_path):
    file = tmp_path / "program"
    file.write_bytes(b"\x7fELF\0\0\xff")
    assert failure(file).what == "“program” is not a text file: it holds zero bytes."


@pytest.mark.parametrize("data", [b"", b" \n\t", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(tmp_path, data):
    file = tmp_path / "empty.txt"
    file.write_bytes(data)
    assert failure(file).what == "“empty.txt” is empty."
    assert failure(tmp_path).what == f"“{tmp_path.name}” is empty."


def test_a_folder_without_text_files_is_refused(tmp_path):
    assert failure(tmp_path).what == f"The folder “{tmp_path.name}” has no text files."
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "sub.txt").mkdir()
    assert "no text files" in failure(tmp_path).what


def test_a_folder_of_files_that_cannot_be_used_says_why(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\0\1")
    assert failure(tmp_path).what == "“a.txt” is not a text file: it holds zero bytes."
    (tmp_path / "b.jsonl").write_text('{"title": "no text"}\n')
    (tmp_path / "c.txt").write_text("text")
    assert texts(tmp_path) == ["text"]


@posix
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert failure(tmp_path / "pipe").what == "“pipe” is neither a file nor a folder."


@pytest.fixture
def locked():
    """A folder with a file and a folder in it that this process may not read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "file.txt").write_text("text")
        (folder / "inner").mkdir()
        (folder / "file.txt").chmod(0)
        (folder / "inner").chmod(0)
        administrator = os.geteuid() == 0  # may read everything, so become somebody else
        if administrator:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if administrator:
                os.seteuid(0)
            (folder / "inner").chmod(0o700)


@posix
def test_a_lack_of_permission_is_named(locked):
    assert failure(locked / "file.txt").what == "There is no permission to read “file.txt”."
    assert failure(locked / "inner").what == "There is no permission to read “inner”."
    assert failure(locked).what == "There is no permission to read “inner”."


def test_a_failing_disk_is_explained(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("text")

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert failure(tmp_path / "a.txt").what == "“a.txt” cannot be read: Input/output error."
    assert "Input/output error" in failure(tmp_path).what


def test_a_file_that_fails_halfway_ends_its_document(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "BLOCK", 5 * PIECE)
    (tmp_path / "a.txt").write_text("first " * PIECE)
    (tmp_path / "b.txt").write_text("second")
    decoded, calls = formats.Source._decoded, []

    def fail_the_second_time(self, decoder, block):
        calls.append(self.label)
        if calls == ["a.txt", "a.txt"]:
            raise OSError(5, "Input/output error")
        return decoded(self, decoder, block)

    monkeypatch.setattr(formats.Source, "_decoded", fail_the_second_time)
    first, second = texts(tmp_path)
    assert first.startswith("first first")
    assert PIECE < len(first) < 5 * PIECE
    assert second == "second"


def test_a_python_without_its_sources_says_so(tmp_path, monkeypatch):
    for folder in (tmp_path, tmp_path / "python311.zip"):
        monkeypatch.setattr(sysconfig, "get_path", lambda _, folder=folder: str(folder))
        assert "does not carry the sources" in failure("python-library").what
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "does not carry its language reference" in failure("python-reference").what


# ---------------------------------------------------------------- changes and progress


def files_of(name):
    work = fingerprint(str(name))
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_a_change_on_the_disk_is_seen(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    before = files_of(tmp_path)
    assert files_of(tmp_path) == before
    os.utime(tmp_path / "a.txt", ns=(1, 1))
    touched = files_of(tmp_path)
    (tmp_path / "b.txt").write_text("text")
    assert len({before, touched, files_of(tmp_path)}) == 3
    assert all(files_of(corpus.name) for corpus in BUILT_IN)


def test_progress_is_told_at_most_every_20_ms():
    now = 0.0
    meter = Meter("Reading", 100, clock=lambda: now)
    told = []
    for _ in range(10):
        meter.add(10)
        told.append(meter.due())
        now += 0.008
    assert [progress.done for progress in told if progress] == [10, 40, 70, 100]
