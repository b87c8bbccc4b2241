"""Tokens on the disk: found again, complete or not there at all, whatever happens while they are made."""

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import cache, shards
from gpt_studio.engine.cache import Cache
from gpt_studio.engine.data import prepare

TEXT = "All work and no play makes Jack a dull boy. "


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("GPT_STUDIO_HOME", str(folder))
    return folder / "cache"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT * 2000)
    return path


def done(work):
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def config(file, **settings):
    return DataConfig(corpora=(str(file),), **{"tokenizer": "gpt2", **settings})


def prepared(file, **settings):
    return done(prepare(config(file, **settings)))


def folders(home, name="tokens"):
    return [path for path in (home / name).iterdir() if path.is_dir()]


def ids(dataset):
    return np.concatenate([side.take(np.arange(len(side))) for side in (dataset.train, dataset.validation)])


# ---------------------------------------------------------------- found again


def test_tokens_are_found_again_whatever_else_changes(home, file):
    first = prepared(file)
    again = prepared(file, validation=0.3, weights=(1.0,))
    assert (first.report.cached, again.report.cached) == (False, True)
    assert len(folders(home)) == 1
    assert np.array_equal(np.sort(ids(first)), np.sort(ids(again)))
    assert not prepared(file, tokenizer="bytes").report.cached


def test_the_same_content_under_another_name_is_the_same(home, file, tmp_path):
    first = prepared(file, tokenizer="characters").report
    other = file.rename(tmp_path / "other.txt")
    again = prepared(other, tokenizer="characters").report
    assert (first.cached, again.cached) == (False, True)
    assert first.fingerprint == again.fingerprint
    assert not prepared(other).report.cached
    os.utime(other, ns=(1, 1))
    prepared(other)  # it is read and tokenized at the same time: too late to see that it is known
    assert len(folders(home)) == 2
    assert prepared(other).report.cached


def test_the_template_counts_where_there_are_dialogues(home, file, tmp_path):
    lines = tmp_path / "chat.jsonl"
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    lines.write_text(json.dumps({"messages": messages}) + "\n")
    assert not prepared(lines).report.cached
    assert not prepared(lines, user_prefix="User: ").report.cached
    prepared(file)
    assert prepared(file, user_prefix="User: ").report.cached


@pytest.mark.parametrize(("size", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_ids_are_stored_as_small_as_they_fit(home, file, size, dtype):
    class Large:
        vocab_size = size

    assert shards.token_type(Large()) == dtype


# ---------------------------------------------------------------- damage


def truncate(folder):
    os.truncate(folder / "tokens.bin", (folder / "tokens.bin").stat().st_size - 2)


def remove_one(folder):
    (folder / "starts.bin").unlink()


def scribble(folder):
    (folder / cache.MANIFEST).write_text("{")


def lie(folder):
    (folder / cache.MANIFEST).write_text('["not what it was"]')


@pytest.mark.parametrize("damage", [truncate, remove_one, scribble, lie])
@pytest.mark.parametrize("which", ["tokens", "texts"])
def test_what_is_damaged_is_made_again(home, file, damage, which):
    first = ids(prepared(file))
    (folder,) = folders(home, which)
    if which == "texts":
        for name, other in (("tokens.bin", "documents.bin"), ("starts.bin", "sketches.bin")):
            if damage in (truncate, remove_one):
                (folder / other).rename(folder / name)
    damage(folder)
    again = prepared(file)
    assert np.array_equal(first, ids(again))
    assert not again.report.cached
    assert prepared(file).report.cached


@pytest.mark.parametrize("tokenizer", ["gpt2", "characters"])
def test_a_file_that_changes_while_it_is_read_is_refused(home, file, tokenizer):
    work = prepare(config(file, tokenizer=tokenizer))
    next(event for event in work if event)
    file.write_text(TEXT * 3000)
    with pytest.raises(StudioError, match="changed while it was read"):
        done(work)
    assert not any((home / "texts").iterdir())
    prepared(file)


def test_a_file_that_changes_between_reading_and_tokenizing_is_refused(home, file, monkeypatch):
    make = shards.make

    def changed(*arguments):
        file.write_text(TEXT * 3000)
        return make(*arguments)

    monkeypatch.setattr(shards, "make", changed)
    with pytest.raises(StudioError, match="changed while it was read"):
        prepared(file, tokenizer="characters")
    assert folders(home, "tokens") == []


# ---------------------------------------------------------------- killed, raced, full

CHILD = """
import sys
from pathlib import Path
from gpt_studio.core.config import DataConfig
from gpt_studio.engine.data import prepare
from gpt_studio.engine import shards
config = DataConfig(corpora=(sys.argv[1],), tokenizer="gpt2")
for event in prepare(config):
    if event and event.text.startswith("Tokenizing"):
        print(event.done, flush=True)
print("done", flush=True)
"""


def child(file):
    return subprocess.Popen([sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_process_that_is_killed_leaves_nothing_that_is_used(home, tmp_path):
    large = tmp_path / "large.txt"
    large.write_text(TEXT * 400_000)
    process = child(large)
    while int(process.stdout.readline()) < 5_000_000:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (left,) = folders(home)
    assert left.name.startswith(f".{process.pid}-")
    assert (left / "tokens.bin").stat().st_size > 0
    leave(left)
    large.write_text(TEXT * 2000)  # quicker
    assert not prepared(large).report.cached
    assert not left.exists()


def test_two_processes_at_once_do_no_harm(home, file):
    file.write_text(TEXT * 20_000)
    processes = [child(file) for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert all(text.endswith("done\n") for text in said)
    assert len(folders(home)) == len(folders(home, "texts")) == 1
    assert prepared(file).report.cached


def test_one_who_comes_second_uses_what_the_first_made(home):
    shelf = Cache("things", 10**9)
    with shelf.making("a") as first:
        with shelf.making("a") as second:
            (second.path / "file").write_bytes(b"second")
        (first.path / "file").write_bytes(b"first")
    entry = shelf.find("a")
    assert (entry.path / "file").read_bytes() == b"second"
    assert len(list(entry.path.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (errno.ENOSPC, "There is no room left on the disk for the tokens"),
        (errno.EIO, "The tokens of these texts cannot be written"),
    ],
)
def test_a_disk_that_fails_is_explained(home, file, monkeypatch, code, what):
    def fail(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StudioError) as caught:
        prepared(file)
    assert caught.value.what.startswith(what)
    assert caught.value.tries
    assert folders(home, "texts") == []
    monkeypatch.undo()


def test_a_cache_that_cannot_be_made_is_explained(file, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path / "a file"))
    with pytest.raises(StudioError, match="cannot be written") as caught:
        prepared(file)
    assert "GPT_STUDIO_HOME" in caught.value.tries


# ---------------------------------------------------------------- the limit


def fill(shelf, key, size=100):
    with shelf.making(key) as draft:
        draft.facts = {"key": key}
        with draft.file("file") as out:
            out.write(bytes(size))


def test_the_least_recently_used_go_first(home):
    shelf = Cache("things", 500)
    for n, key in enumerate("abc"):
        fill(shelf, key)
        os.utime(home / "things" / key, (n, n))
    assert shelf.find("a").facts == {"key": "a"}  # used just now
    fill(shelf, "d")
    assert sorted(path.name for path in folders(home, "things")) == ["a", "c", "d"]
    fill(shelf, "e", 10_000)  # too large for the limit: it stays alone
    assert [path.name for path in folders(home, "things")] == ["e"]


def leave(folder):
    """As if nobody had written there for some hours."""
    for path in (*folder.iterdir(), folder):
        os.utime(path, (10**9, 10**9))


def test_only_what_dead_processes_left_is_swept(home):
    shelf = Cache("things", 10**9)
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    dead = home / "things" / f".{int(process.stdout)}-x"
    alive = home / "things" / f".{os.getpid()}-y"
    elsewhere = home / "things" / f".{int(process.stdout)}-z"  # of a machine that shares the folder
    for folder in (dead, alive, elsewhere):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"half")
        leave(folder)
    (elsewhere / "file").write_bytes(b"more")
    fill(shelf, "a")
    assert not dead.exists()
    assert alive.exists()
    assert elsewhere.exists()


def test_what_another_process_completes_while_it_is_looked_for_stays(home, monkeypatch):
    shelf = Cache("things", 10**9)
    fill(shelf, "a")
    place, made = home / "things" / "a", home / "made"
    place.rename(made)
    remove = cache._remove

    def late(path):
        made.rename(place)  # by the other process, just now
        remove(path)

    monkeypatch.setattr(cache, "_remove", late)
    assert shelf.find("a") is None
    assert made.exists() or shelf.find("a")


def test_an_error_while_making_leaves_nothing(home):
    shelf = Cache("things", 10**9)
    with pytest.raises(ZeroDivisionError), shelf.making("a") as draft:
        (draft.path / f"{1 // 0}").write_bytes(b"half")
    assert shelf.find("a") is None
    assert folders(home, "things") == []


# ---------------------------------------------------------------- memory

MEMORY = """
import resource, sys
from gpt_studio.core.config import DataConfig
from gpt_studio.engine.data import prepare
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
for event in prepare(DataConfig(corpora=(sys.argv[1],), tokenizer="bytes")):
    pass
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Others count memory in other units")
@pytest.mark.parametrize("name", ["large.txt", "large.jsonl", "large.csv"])
def test_memory_does_not_grow_with_the_text(home, tmp_path, name):
    line = {"txt": "{} {}", "jsonl": '{{"text": "{} {}"}}', "csv": "{},{}"}[name.split(".")[1]]
    with (tmp_path / name).open("w") as file:
        file.write("id,text\n" if name.endswith("csv") else "")
        for number in range(300_000_000 // len(TEXT) // 20):
            file.write(line.format(number, TEXT.replace("Jack", f"Jack {number}") * 20) + "\n")
    command = [sys.executable, "-c", MEMORY, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100_000_000
