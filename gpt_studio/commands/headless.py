"""The engine without a window: one job after the other, until Ctrl+C is pressed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from types import FrameType
from typing import Any, Self, TypeVar

from gpt_studio.commands.output import StatusLine
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Device, DeviceMeasured, Event, Progress, Ready
from gpt_studio.core.requests import Request, UseDevice
from gpt_studio.core.runner import ended

SIGNALS = ("SIGINT", "SIGTERM")  # Ctrl+C, and what a system sends before it ends a program
E = TypeVar("E", bound=Event)


class Interruption:
    """The first signal is a wish to stop soon, a second one ends the program at once."""

    def __init__(self) -> None:
        self.signal = 0  # the one that came
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        for number in (getattr(signal, name) for name in SIGNALS):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number

    @property
    def code(self) -> int:
        """The exit code that tells of it, as shells count."""
        return 128 + self.signal


class Engine:
    """A session and the device in use."""

    def __init__(self, status: StatusLine, interruption: Interruption) -> None:
        status.show("Loading torch")
        from gpt_studio.engine.session import open_session

        self._session = open_session()
        self._status = status
        self._interruption = interruption
        ready = next(event for event in self._session.greet() if isinstance(event, Ready))
        self._devices = ready.devices
        self.device = device_named(ready.device, ready.devices)

    def use(self, name: str) -> None:
        """Compute on another device.

        Raises:
            StudioError: there is none of this name.
        """
        self.device = device_named(name, self._devices)
        self.finish(UseDevice(self.device.name))

    def events(self, request: Request) -> Generator[Event, None, None]:
        """What a job has to tell, to its end or to an interruption."""
        with closing(self._session.start(request)) as job:
            for event in job:
                yield from self._heard(event)
                if self._interruption.signal:
                    for last in ended(job):
                        yield from self._heard(last)

    def _heard(self, event: Event | None) -> Iterator[Event]:
        if isinstance(event, DeviceMeasured):
            self.device = event.device
        if isinstance(event, Progress):
            self._status.progress(event)
        elif event is not None:
            yield event

    def answer(self, request: Request, kind: type[E]) -> E | None:
        """The one event a job is for; None if it was interrupted."""
        return next((event for event in self.events(request) if isinstance(event, kind)), None)

    def finish(self, request: Request) -> None:
        """Do a job to its end, whatever is pressed."""
        for _ in self._session.start(request):
            pass


def device_named(name: str, devices: Sequence[Device]) -> Device:
    """The device of this name; "cuda" is the first GPU, nothing the first of all.

    Raises:
        StudioError: there is none.
    """
    for device in devices:
        if device.name == name or device.name.partition(":")[0] == name or not name:
            return device
    names = ", ".join(device.name for device in devices)
    raise StudioError(f"There is no device “{name}” here.", tries=f"Use one of: {names}.")
