"""The engine's thread: a QThread around core.runner. The one door from the window to the engine."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QThread, Signal

from gpt_studio.core.requests import Order, Request
from gpt_studio.core.runner import Runner, Session


def open_session() -> Session:
    """Import the engine, torch with it. Called on the worker's thread, never on the window's."""
    from gpt_studio.engine.session import open_session as open_engine

    return open_engine()


class Worker(QThread):
    """Runs requests on its own thread and brings back batches of events."""

    happened = Signal(object)  # list[Event]

    def __init__(
        self, parent: QObject | None = None, make_session: Callable[[], Session] = open_session
    ) -> None:
        super().__init__(parent)
        self._runner = Runner(make_session, self.happened.emit)

    def run(self) -> None:
        self._runner.run()

    def submit(self, message: Request | Order) -> None:
        """Hand in a wish; returns at once."""
        self._runner.submit(message)

    def close(self, seconds: float = 10.0) -> bool:
        """End all jobs and the thread; whether it ended in time."""
        self._runner.close()
        return self.wait(int(seconds * 1000))
