"""Built-in corpora, files and folders as documents; every way they can fail, said in words."""

import codecs
import os
import sys
import sysconfig
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpt_studio.core.corpora import BUILT_IN, TEXT_SUFFIXES, label
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.engine import corpora
from gpt_studio.engine.corpora import SOURCES, Document, Meter, read

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def run(work: Generator[Any, None, Any]) -> tuple[Any, list[Progress]]:
    """What the work returns and the progress it reported."""
    reported = []
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            return stop.value, reported
        if event:
            reported.append(event)


def texts(path: Path | str) -> list[str]:
    documents, _ = run(read(str(path)))
    return [document.text for document in documents]


def failure(path: Path | str) -> StudioError:
    with pytest.raises(StudioError) as caught:
        run(read(str(path)))
    error = caught.value
    assert error.kept
    assert error.tries
    return error


# ---------------------------------------------------------------- what can be read


def test_the_data_page_and_the_engine_know_the_same_built_in_corpora() -> None:
    assert [corpus.name for corpus in BUILT_IN] == list(SOURCES)


def test_the_reference_is_english_about_python() -> None:
    found = texts("python-reference")
    assert len(found) > 50
    assert any(text.startswith('The "assert" statement') for text in found)


def test_the_library_is_its_sources_without_tests_tables_and_guests() -> None:
    documents, reported = run(read("python-library"))
    found = {document.text for document in documents}
    stdlib = Path(sysconfig.get_path("stdlib"))
    assert (stdlib / "json" / "decoder.py").read_text("utf-8") in found
    assert (stdlib / "encodings" / "cp1252.py").read_text("utf-8") not in found
    assert (stdlib / "pydoc_data" / "topics.py").read_text("utf-8") not in found
    assert 5e6 < sum(document.size for document in documents) < 15e6
    assert reported[-1].done == reported[-1].total > 5e6


def test_a_file_of_any_ending_is_one_document(tmp_path: Path) -> None:
    for name in ("notes.txt", "Makefile", "odd.xyz"):
        (tmp_path / name).write_bytes("Ünï\n\n字 \t 🙂\rend".encode())
        assert texts(tmp_path / name) == ["Ünï\n\n字 \t 🙂\rend"]


def test_only_the_mark_and_windows_line_ends_are_changed(tmp_path: Path) -> None:
    file = tmp_path / "windows.txt"
    file.write_bytes(codecs.BOM_UTF8 + b"one\r\n\r\ntwo \xef\xbb\xbf\r three\r\n")
    assert texts(file) == ["one\n\ntwo \ufeff\r three\n"]


def test_a_large_file_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "BLOCK", 7)
    file = tmp_path / "large.txt"
    text = "a\r\né字🙂" * 50
    file.write_bytes(text.encode())
    work = read(str(file))
    assert len(list(work)) > len(text.encode()) / 7
    documents, reported = run(read(str(file)))
    assert documents == [Document(text.replace("\r\n", "\n"))]
    assert reported[-1] == Progress("data", "Reading large.txt", len(text.encode()), len(text.encode()))


def test_a_folder_is_its_text_files_in_order(tmp_path: Path) -> None:
    for name, data in {
        "b.txt": b"second",
        "a.MD": b"first",
        "sub/deep/c.py": b"third",
        "sub/blank.txt": b" \n",
        "sub/picture.png": b"\x89PNG",
        "sub/binary.txt": b"zero \0 byte",
        ".hidden.txt": b"hidden",
        ".git/config.txt": b"hidden",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert texts(tmp_path) == ["first", "second", "third"]


@posix
def test_links_in_a_folder_lead_nowhere_forever(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.txt").symlink_to("self.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    assert texts(tmp_path) == ["text"]


def test_the_same_text_is_the_same_document() -> None:
    assert Document("one é") == Document("one é")
    assert Document("one").digest != Document("two").digest
    assert Document("é").size == 2


def test_labels_are_short() -> None:
    assert label("python-reference") == "Python reference"
    assert label("/some/where/notes.txt") == "notes.txt"
    assert label("/some/where/") == "where"
    assert all(suffix[0] == "." and suffix == suffix.lower() for suffix in TEXT_SUFFIXES)
    assert {".txt", ".md", ".py", ".json", ".csv"} <= TEXT_SUFFIXES


# ---------------------------------------------------------------- what cannot


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert failure(tmp_path / "gone.txt").what == "“gone.txt” was not found."
    (tmp_path / "file").write_text("text")
    assert "was not found" in failure(tmp_path / "file" / "inside.txt").what
    assert "was not found" in failure("no-such-corpus").what


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(codecs.BOM_UTF8 + b"na" + "ïve".encode("latin-1"))
    error = failure(file)
    assert error.what == "“latin.txt” is not UTF-8 text: the byte at offset 5 does not fit."
    assert "Save it as UTF-8" in error.tries
    (tmp_path / "fine.txt").write_text("fine")
    assert "latin.txt" in failure(tmp_path).what


def test_utf16_is_not_taken_for_binary(tmp_path: Path) -> None:
    file = tmp_path / "notepad.txt"
    file.write_bytes("text".encode("utf-16"))
    assert "Save it as UTF-8" in failure(file).tries
    assert "notepad.txt" in failure(tmp_path).what


def test_a_character_cut_off_at_the_end_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "torn.txt"
    file.write_bytes("né".encode()[:-1])
    assert "offset 1 " in failure(file).what


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"\x7fELF\0\0\xff")
    assert failure(file).what == "“program” is not a text file: it holds zero bytes."


@pytest.mark.parametrize("data", [b"", b" \n\t", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "empty.txt"
    file.write_bytes(data)
    assert failure(file).what == "“empty.txt” is empty."
    assert failure(tmp_path).what == f"“{tmp_path.name}” is empty."


def test_a_folder_without_text_files_is_refused(tmp_path: Path) -> None:
    assert failure(tmp_path).what == f"The folder “{tmp_path.name}” has no text files."
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "sub.txt").mkdir()
    assert "no text files" in failure(tmp_path).what


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert failure(tmp_path / "pipe").what == "“pipe” is neither a file nor a folder."


@pytest.fixture
def locked() -> Iterator[Path]:
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
def test_a_lack_of_permission_is_named(locked: Path) -> None:
    assert failure(locked / "file.txt").what == "There is no permission to read “file.txt”."
    assert failure(locked / "inner").what == "There is no permission to read “inner”."
    assert failure(locked).what == "There is no permission to read “inner”."


def test_a_failing_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("text")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert failure(tmp_path / "a.txt").what == "“a.txt” cannot be read: Input/output error."
    assert "Input/output error" in failure(tmp_path).what


def test_a_python_without_its_sources_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, tmp_path / "python311.zip"):
        monkeypatch.setattr(sysconfig, "get_path", lambda _, folder=folder: str(folder))
        assert "does not carry the sources" in failure("python-library").what
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "does not carry its language reference" in failure("python-reference").what


# ---------------------------------------------------------------- progress


def test_progress_is_told_at_most_every_50_ms() -> None:
    now = 0.0
    meter = Meter("Reading", 100, clock=lambda: now)
    told = []
    for _ in range(10):
        told.append(meter.add(10))
        now += 0.02
    assert [progress.done for progress in told if progress] == [10, 40, 70, 100]
