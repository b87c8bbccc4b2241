"""A run's folder goes to the trash whole, or stays where it is."""

import pytest

from gpt_studio.core.errors import StudioError
from gpt_studio.gui import trash
from gpt_studio.gui.trash import move_to_trash


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    return folder


def test_the_systems_trash_takes_it(run, tmp_path, monkeypatch):
    bin = tmp_path / "bin"

    def take(folder):
        return True, str(folder.rename(bin))

    monkeypatch.setattr(trash, "_system_trash", take)
    assert move_to_trash(run) == bin
    assert not run.exists()


def test_where_there_is_none_a_folder_beside_the_runs_is_the_trash(run, tmp_path, monkeypatch):
    monkeypatch.setattr(trash, "_system_trash", lambda _: (False, ""))
    assert move_to_trash(run) == tmp_path / "trash" / "one"
    run.mkdir()
    assert move_to_trash(run) == tmp_path / "trash" / "one-2", "nothing in it is written over"
    assert (tmp_path / "trash" / "one" / "run.json").exists()


def test_what_cannot_be_moved_stays(run, tmp_path, monkeypatch):
    monkeypatch.setattr(trash, "_system_trash", lambda _: (False, ""))
    (tmp_path / "trash").write_text("in the way")
    with pytest.raises(StudioError, match="cannot be moved to the trash"):
        move_to_trash(run)
    assert (run / "run.json").exists()
