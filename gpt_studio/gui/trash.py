"""Folders go to the system's trash, or where there is none to a folder of that name beside them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFile

from gpt_studio.core.errors import StudioError


def move_to_trash(folder: Path) -> Path:
    """Move a run's folder there, and say where it is now.

    Raises:
        StudioError: it cannot be moved; it is where it was.
    """
    moved, place = _system_trash(folder)
    if moved:
        return Path(place)
    own = folder.parent.parent / "trash"  # beside the folder of all runs
    try:
        own.mkdir(exist_ok=True)
        return folder.rename(_free_place(own / folder.name))
    except OSError as error:
        raise StudioError(
            f"“{folder.name}” cannot be moved to the trash: {error.strerror}", kept="The run is where it was."
        ) from error


def _system_trash(folder: Path) -> tuple[bool, str]:
    file = QFile(str(folder))
    return file.moveToTrash(), file.fileName()


def _free_place(wished: Path) -> Path:
    """A place of that name, numbered if it is taken."""
    number, place = 1, wished
    while place.exists():
        number += 1
        place = wished.with_name(f"{wished.name}-{number}")
    return place
