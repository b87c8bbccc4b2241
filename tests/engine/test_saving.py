"""A file written on another thread holds the tensors as they were when it was begun, whatever comes next."""

import errno
import os
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from gpt_studio.core.errors import StudioError
from gpt_studio.engine import saving
from gpt_studio.engine.saving import Saving


class Content:
    """Tensors by name, as a checkpoint gives them."""

    def __init__(self, **tensors):
        self._tensors = tensors

    def tensors(self):
        return dict(self._tensors)

    def metadata(self):
        return {"format": "test", "text": "größe “1”\n"}


def some():
    """Tensors of all kinds: empty, of one number, of several pieces, not in one piece of memory."""
    torch.manual_seed(0)
    return {
        "bytes": torch.arange(7, dtype=torch.uint8),
        "one": torch.tensor(3.5),
        "none": torch.empty(0, dtype=torch.float64),
        "steps": torch.arange(1000),
        "large": torch.randn(300, 700),
        "turned": torch.randn(20, 30).T,
    }


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(saving, "PIECE", 1 << 12)


class Gate:
    """Lets the writing thread do so many writes, then wait; or fail at one."""

    def __init__(self, monkeypatch):
        self._real = saving.write_all
        self._allowed = threading.Semaphore(0)
        self.arrived = threading.Semaphore(0)
        monkeypatch.setattr(saving, "write_all", self._write)

    def _write(self, file, data):
        self.arrived.release()
        assert self._allowed.acquire(timeout=60)
        self._real(file, data)

    def open(self, writes=10_000):
        if writes:
            self._allowed.release(writes)


def same(path, tensors):
    found = load_file(path)
    assert found.keys() == tensors.keys()
    return all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_the_library_reads_what_is_written(tmp_path, small_pieces):
    path, tensors = tmp_path / "x.safetensors", some()
    assert Saving(path, Content(**tensors)).wait() == path.stat().st_size
    assert same(path, tensors)
    with safe_open(path, "pt") as file:
        assert file.metadata() == Content().metadata()
    assert list(tmp_path.iterdir()) == [path]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(writes=st.integers(0, 220))
def test_it_holds_what_there_was_when_it_was_begun(tmp_path, small_pieces, writes):
    """However much was written when the tensors are about to change."""
    path, tensors = tmp_path / "x.safetensors", some()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    with pytest.MonkeyPatch.context() as patch:
        gate = Gate(patch)
        job = Saving(path, Content(**tensors))
        gate.open(writes)
        for _ in range(writes):
            if not job.done():
                gate.arrived.acquire(timeout=0.2)
        threading.Timer(0.02, gate.open).start()  # the piece being written is waited for
        job.release()
        for tensor in tensors.values():
            tensor.fill_(9)
        job.wait()
    assert same(path, before)


def test_without_memory_to_copy_it_waits_for_the_writer(tmp_path, small_pieces, monkeypatch):
    tensors = some()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    monkeypatch.setattr(saving, "free_memory", lambda: 0)
    gate = Gate(monkeypatch)
    job = Saving(tmp_path / "x.safetensors", Content(**tensors))
    released = threading.Thread(target=job.release)
    released.start()
    gate.open(5)
    for _ in range(6):
        assert gate.arrived.acquire(timeout=60)
    assert released.is_alive()
    gate.open()
    released.join(60)
    for tensor in tensors.values():
        tensor.fill_(9)
    job.wait()
    assert same(tmp_path / "x.safetensors", before)
    assert job.waited > 0


def test_who_released_it_can_do_so_again_and_after_the_end(tmp_path):
    job = Saving(tmp_path / "x.safetensors", Content(**some()))
    job.release()
    job.release()
    job.wait()
    assert job.done()
    job.release()
    assert same(tmp_path / "x.safetensors", some())


def test_other_names_are_of_the_same_file(tmp_path):
    path, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    best.write_text("the best so far")
    Saving(path, Content(**some()), [best]).wait()
    assert best.samefile(path)
    Saving(path, Content(one=torch.tensor(1.0))).wait()
    assert same(best, some())


def test_the_file_has_its_other_names_before_its_own(tmp_path, monkeypatch):
    """Who is killed in between goes on from the file before, and gives them again."""
    path, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    replace, replaced = Path.replace, []

    def noted(self, target):
        replaced.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    Saving(path, Content(**some()), [best]).wait()
    assert replaced == [best, path]


@pytest.mark.parametrize("place", [0, 1, 3, 60])
def test_who_waits_to_change_the_tensors_is_let_go_by_a_failure(tmp_path, small_pieces, monkeypatch, place):
    writes = iter(range(1000))
    at_it = threading.Event()
    go = threading.Event()

    def fail(file, data):
        if next(writes) == place:
            at_it.set()
            assert go.wait(60)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(saving, "write_all", fail)
    monkeypatch.setattr(saving, "free_memory", lambda: 0)
    job = Saving(tmp_path / "x.safetensors", Content(**some()))
    assert at_it.wait(60)
    threading.Timer(0.02, go.set).start()
    job.release()
    with pytest.raises(StudioError, match="the disk did not take"):
        job.wait()
    assert list(tmp_path.iterdir()) == []


def test_another_name_that_cannot_be_given_is_a_failure_too(tmp_path):
    with pytest.raises(StudioError, match="not saved"):
        Saving(tmp_path / "x.safetensors", Content(), [tmp_path / "no" / "x.safetensors"]).wait()


def test_what_is_no_fault_of_the_disk_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "write_all", None)
    with pytest.raises(TypeError):
        Saving(tmp_path / "x.safetensors", Content()).wait()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_spoiled_weights_replace_no_good_ones(tmp_path, value):
    path = tmp_path / "x.safetensors"
    Saving(path, Content(**some())).wait()
    spoiled = some()
    spoiled["large"][200, 3] = value
    with pytest.raises(StudioError, match="not finite"):
        Saving(path, Content(**spoiled)).wait()
    assert same(path, some())
    curves = {"history": torch.tensor([value], dtype=torch.float64)}
    Saving(path, Content(**curves)).wait()
