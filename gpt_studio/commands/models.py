"""Models of checkpoints, for commands that only read them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gpt_studio.commands.headless import device_named
from gpt_studio.commands.output import StatusLine
from gpt_studio.core.errors import StudioError

if TYPE_CHECKING:
    from gpt_studio.engine.checkpoint import Checkpoint

T = TypeVar("T")


def load(path: Path, device: str, status: StatusLine) -> Checkpoint:
    """The run of a checkpoint, without what its optimizer remembers, its model on a device.

    Raises:
        StudioError: it cannot be read, there is no such device, or too little memory.
    """
    status.show("Loading torch")
    from gpt_studio.engine import checkpoint
    from gpt_studio.engine.device import devices, out_of_memory_explained, use_threads

    use_threads()
    chosen = device_named(device, devices())
    status.show(f"Opening {path.name}")
    found = checkpoint.load(path)
    found.moments = {}
    with out_of_memory_explained(_no_room):
        found.model.to(chosen.name)
    status.clear()
    return found


def _no_room() -> StudioError:
    return StudioError(
        "There is not enough memory for this model.", tries="Use another device: --device cpu."
    )


def result(job: Generator[object, None, T]) -> T:
    """What a generator returns at its end."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            value: T = end.value
            return value
