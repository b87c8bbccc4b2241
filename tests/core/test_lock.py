"""A lock is held by one at a time, in this process or another, and is given back however its holder ends."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from gpt_studio.core import lock
from gpt_studio.core.lock import Lock, is_held

HOLD = """
import sys
from pathlib import Path
from gpt_studio.core.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_at_a_time_holds_it(tmp_path):
    path = tmp_path / "run.lock"
    assert not is_held(path)
    with Lock(path):
        assert is_held(path)
        with pytest.raises(BlockingIOError):
            Lock(path)
    assert not is_held(path)
    Lock(path).release()


@pytest.mark.skipif(sys.platform == "win32", reason="it knows no locks that several hold")
def test_who_looks_is_not_taken_for_who_holds_it(tmp_path):
    path = tmp_path / "run.lock"
    with Lock(path, alone=False):
        assert not is_held(path)
        with pytest.raises(BlockingIOError):
            Lock(path)


def test_to_release_it_twice_takes_it_from_nobody(tmp_path):
    first = Lock(tmp_path / "run.lock")
    first.release()
    with Lock(tmp_path / "run.lock"):
        first.release()
        assert is_held(tmp_path / "run.lock")


@pytest.mark.parametrize("end", ["killed", "ended"])
def test_another_process_gives_it_back_however_it_ends(tmp_path, end):
    path = tmp_path / "run.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert is_held(path)
        with pytest.raises(BlockingIOError):
            Lock(path)
        other.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM)) if end == "killed" else None
        other.stdin.close()
        other.wait()
    assert not is_held(path)


def test_looking_makes_no_file(tmp_path):
    assert not is_held(tmp_path / "nothing")
    assert not is_held(tmp_path / "no" / "folder")
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_made_is_an_error_of_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "no" / "run.lock")


def test_a_disk_that_knows_no_locks_hinders_nobody(tmp_path, monkeypatch):
    def unknown(file, alone):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_hold", unknown)
    with Lock(tmp_path / "run.lock"), Lock(tmp_path / "run.lock"):
        assert not is_held(tmp_path / "run.lock")
