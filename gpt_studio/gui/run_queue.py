"""The runs that wait, remembered from one start to the next."""

from __future__ import annotations

import json
import logging

from PySide6.QtCore import QObject, QSettings

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store

log = logging.getLogger(__name__)
KEY = "queue"
Queue = tuple[RunConfig, ...]


class RunQueue(QObject):
    """Brings the store's queue back from the settings, and writes it there whenever it changes."""

    def __init__(self, store: Store, settings: QSettings, parent: QObject) -> None:
        super().__init__(parent)
        self._settings = settings
        self._written = from_text(str(settings.value(KEY, "")))
        store.set_queue(self._written)
        store.changed.connect(self._write)

    def _write(self, state: State) -> None:
        if state.queue != self._written:
            self._written = state.queue
            self._settings.setValue(KEY, to_text(state.queue))


def to_text(queue: Queue) -> str:
    return json.dumps([config.to_dict() for config in queue])


def from_text(text: str) -> Queue:
    """The queue a text holds; none where it cannot be read."""
    try:
        return tuple(RunConfig.from_dict(config) for config in json.loads(text or "[]"))
    except (ValueError, TypeError, AttributeError, StudioError) as error:
        log.warning("The queue of runs cannot be read: %s", error)
        return ()
