"""How much power a device draws: the GPU's own meter, or the processor's, where it may be read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from gpt_studio.engine.device import nvml_handle

POWERCAP = Path("/sys/class/powercap")  # Intel's meters and AMD's, under one name


class PowerMeter:
    """The mean power of a device between its making and `watts()`."""

    def __init__(self, device: str, powercap: Path = POWERCAP) -> None:
        self._gpu = _gpu(device) if device.startswith("cuda") else None
        self._packages = [] if device.startswith("cuda") else _packages(powercap)
        self._energy = self._joules()
        self._started = time.perf_counter()

    def watts(self) -> float:
        """0 where no meter tells."""
        before, now = self._energy, self._joules()
        seconds = time.perf_counter() - self._started
        if before is not None and now is not None and now > before and seconds > 0:
            return (now - before) / seconds
        return self._power()

    def _joules(self) -> float | None:
        """What was drawn since some moment; None where nothing counts it, or a counter began anew."""
        if self._gpu is not None:
            try:
                import pynvml

                return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu)) / 1000
            except Exception:  # older than Volta
                return None
        if not self._packages:
            return None
        try:
            return sum(int((package / "energy_uj").read_text()) for package in self._packages) / 1e6
        except (OSError, ValueError):  # only an administrator may read it
            return None

    def _power(self) -> float:
        """What a GPU without a counter draws at this moment."""
        if self._gpu is None:
            return 0.0
        try:
            import pynvml

            return float(pynvml.nvmlDeviceGetPowerUsage(self._gpu)) / 1000
        except Exception:
            return 0.0


def _gpu(device: str) -> Any:
    """The driver's name for a CUDA device; None if nobody can tell."""
    try:
        return nvml_handle(torch.device(device))
    except Exception:  # no driver library, an unknown device
        return None


def _packages(powercap: Path) -> list[Path]:
    """The folder of each processor's meter: "intel-rapl:0", not "intel-rapl:0:1", which is a part of it."""
    try:
        return sorted(
            path
            for path in powercap.iterdir()
            if path.name.startswith("intel-rapl:") and path.name.count(":") == 1
        )
    except OSError:
        return []
