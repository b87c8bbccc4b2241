"""Texts are read once for all who want them, and again when their files change."""

import os

import pytest

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import library
from gpt_studio.engine.data import prepare
from gpt_studio.engine.library import Library


@pytest.fixture
def folder(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"the cat sat on the mat of {name}. " * 2000)
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """The configs that were read from disk."""
    found = []

    def counted(config):
        found.append(config)
        return (yield from prepare(config))

    monkeypatch.setattr(library, "prepare", counted)
    return found


def finish(*jobs):
    """Advance jobs in turn to their ends; give what they return."""
    results = {}
    while len(results) < len(jobs):
        for job in jobs:
            if job not in results:
                try:
                    next(job)
                except StopIteration as end:
                    results[job] = end.value
    return [results[job] for job in jobs]


def begun(job, turns=1):
    for _ in range(turns):
        next(job)
    return job


def test_the_same_texts_are_read_once(folder, reads):
    config, shelf = DataConfig(corpora=(str(folder),)), Library()
    (first,) = finish(shelf.dataset(config))
    assert finish(shelf.dataset(config)) == [first]
    assert reads == [config]


def test_two_who_want_the_same_share_the_work(folder, reads):
    config, shelf = DataConfig(corpora=(str(folder),)), Library()
    one, two = finish(begun(shelf.dataset(config)), shelf.dataset(config))
    assert one is two
    assert reads == [config]


@pytest.mark.parametrize("stopped", [0, 1])
def test_when_one_is_stopped_the_other_still_gets_its_texts(folder, stopped):
    config, shelf = DataConfig(corpora=(str(folder),)), Library()
    jobs = [begun(shelf.dataset(config)), begun(shelf.dataset(config))]
    jobs.pop(stopped).close()
    (dataset,) = finish(*jobs)
    assert dataset.report.data == config


def test_two_who_want_different_texts_get_their_own(folder):
    shelf = Library()
    configs = [DataConfig(corpora=(str(folder / name),)) for name in ("a.txt", "b.txt")]
    found = finish(*map(shelf.dataset, configs))
    assert [dataset.report.data for dataset in found] == configs


def test_a_failure_is_told_to_both(folder):
    (folder / "b.txt").write_bytes(b"\0\1\2" * 1000)
    config, shelf = DataConfig(corpora=(str(folder / "a.txt"), str(folder / "b.txt"))), Library()
    for job in [begun(shelf.dataset(config)), begun(shelf.dataset(config))]:
        with pytest.raises(StudioError, match=r"b\.txt"):
            finish(job)


def test_only_the_work_that_is_missing_is_done_again(folder, reads):
    config = DataConfig(corpora=(str(folder),), tokenizer="bytes")
    (first,) = finish(Library().dataset(config))
    (again,) = finish(Library().dataset(config))
    (other,) = finish(Library().dataset(config.changed(validation=0.5)))
    assert [found.report.cached for found in (first, again, other)] == [False, True, True]
    assert len(reads) == 3
    assert other.report.validation_tokens > 2 * again.report.validation_tokens


def rewrite(folder):
    (folder / "a.txt").write_text("a dog " * 3000)


def touch(folder):
    os.utime(folder / "a.txt", ns=(1, 1))


def add(folder):
    (folder / "c.txt").write_text("one more " * 100)


def remove(folder):
    (folder / "b.txt").unlink()


@pytest.mark.parametrize("change", [rewrite, touch, add, remove])
def test_texts_that_changed_on_disk_are_read_again(folder, reads, change):
    config, shelf = DataConfig(corpora=(str(folder),)), Library()
    finish(shelf.dataset(config))
    change(folder)
    (found,) = finish(shelf.dataset(config))
    (expected,) = finish(prepare(config))
    assert found.report.characters == expected.report.characters
    assert len(reads) == 2


def test_a_text_that_vanished_is_named(folder):
    config, shelf = DataConfig(corpora=(str(folder / "a.txt"),)), Library()
    finish(shelf.dataset(config))
    (folder / "a.txt").unlink()
    with pytest.raises(StudioError, match=r"a\.txt”? was not found"):
        finish(shelf.dataset(config))


def test_built_in_texts_never_change(reads):
    config, shelf = DataConfig(corpora=("python-reference",)), Library()
    finish(shelf.dataset(config))
    finish(shelf.dataset(config))
    assert len(reads) == 1
