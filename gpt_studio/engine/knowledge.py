"""What is known of the devices here: found at the start, remembered from before, measured when asked."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil

from gpt_studio import __version__
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import training_memory
from gpt_studio.core.events import Calibrated, Device, DeviceMeasured
from gpt_studio.core.machine import Machine
from gpt_studio.core.runner import Job
from gpt_studio.core.speed import Speed, shape_of
from gpt_studio.engine.calibration import calibrate, matrix_rates
from gpt_studio.engine.device import devices, library, out_of_memory_explained, return_memory
from gpt_studio.engine.shortage import no_room_to_measure

log = logging.getLogger(__name__)


class Knowledge:
    """Devices by name, with what past runs and calibrations on this machine have shown."""

    def __init__(self, file: Path) -> None:
        """`file` keeps what is measured for the next start."""
        self._resident = _resident()
        self._found = {device.name: device for device in devices()}
        self._machine = Machine(file, f"{library()}, GPT Studio {__version__}")
        for device in self._found.values():
            if device.kind == "cuda" and device.overhead:  # what a process takes depends on the machine alone
                self._machine.remember_overhead(device)
                self._machine.save()

    @property
    def devices(self) -> tuple[Device, ...]:
        return tuple(map(self.device, self._found))

    def device(self, name: str, held: int = 0) -> Device:
        """What is known of a device by now. What other work left in its memory counts to what the program
        takes; the `held` bytes of a model, in whose place another one comes, do not."""
        known = self._machine.known(self._found[name])
        return replace(known, overhead=known.overhead + self.left_over(name, held))

    def speed(self, config: RunConfig, name: str) -> Speed | None:
        """How fast a device does the parts of a run's steps; None where that was not measured.

        Attention may have been left to the device then, and come out as it is now.
        """
        left = config.changed("train", {"attention": "auto"})
        known = (self._machine.speed(self._found[name], shape_of(each)) for each in (config, left))
        wished = config.train.attention
        return next((speed for speed in known if speed and wished in ("auto", speed.attention)), None)

    def calibrate(self, config: RunConfig, name: str, held: int = 0) -> Job:
        """Tell of the device, then of the speed of a run's steps on it; measure what is not known yet."""
        found = self._found[name]
        if not self.device(name).rates:
            with out_of_memory_explained(no_room_to_measure):
                rates = yield from matrix_rates(found)
            self._machine.remember_rates(found, rates)
            self._machine.save()
        yield DeviceMeasured(self.device(name, held))
        known = self._machine.speed(found, shape_of(config))
        if known:
            yield Calibrated(known)
            return
        try:
            with out_of_memory_explained(no_room_to_measure), closing(calibrate(config, name)) as events:
                for event in events:
                    if isinstance(event, Calibrated):
                        self._machine.remember_speed(found, event.speed)
                        self._machine.save()
                    yield event
        finally:
            return_memory()  # the pieces may have been larger than the model to come
        yield DeviceMeasured(self.device(name, held))

    def left_over(self, name: str, held: int = 0) -> int:
        """Bytes that other work has left in a device's memory since the start, besides `held` ones."""
        return max(0, _resident() - self._resident - held) if self._found[name].kind == "cpu" else 0

    def remember_run(self, config: RunConfig, name: str, peak: int) -> None:
        """Learn from the most memory that a run has taken, in bytes, what the next one will."""
        predicted = training_memory(config, self.device(name))
        log.info("Training memory: %d bytes predicted, %d measured", predicted.total, peak)
        self._machine.remember_run(self._found[name], predicted, peak)
        self._machine.save()


def _resident() -> int:
    """Bytes of this process's own memory: the system takes pages of files back when it needs them."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))
