"""What training takes of the machine at this moment: memory, work, heat; as far as they can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import psutil
import torch

from gpt_studio.engine.device import nvml_handle

CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # Intel, AMD, AMD again, small boards


def readings(device: torch.device) -> dict[str, float]:
    """Values by the names of core.metrics.RESOURCES; what cannot be read is left out.

    Memory (of this process alone) is in bytes, utilization in percent of the GPU or of all cores, since the
    call before; temperature in °C.
    """
    ways: dict[str, Callable[[], float]] = {"process_memory": lambda: psutil.Process().memory_info().rss}
    if device.type == "cuda":
        ways["device_memory"] = lambda: _gpu_memory(device)
        ways["utilization"] = lambda: _nvml().nvmlDeviceGetUtilizationRates(nvml_handle(device)).gpu
        ways["temperature"] = lambda: _nvml().nvmlDeviceGetTemperature(nvml_handle(device), 0)
    else:
        ways["utilization"] = psutil.cpu_percent
        ways["temperature"] = _cpu_temperature
    found = {}
    for name, read in ways.items():
        try:
            found[name] = float(read())
        except Exception:  # no driver library, no sensor, a container that hides them
            continue
    return found


def _nvml() -> Any:
    import pynvml

    return pynvml


def _gpu_memory(device: torch.device) -> float:
    """What this process holds there; in a container that hides processes, what torch holds of it."""
    reserved = torch.cuda.memory_reserved(device)
    try:
        running = _nvml().nvmlDeviceGetComputeRunningProcesses(nvml_handle(device))
        held = sum(process.usedGpuMemory or 0 for process in running if process.pid == os.getpid())
    except Exception:
        held = 0
    return float(max(reserved, held))


def _cpu_temperature() -> float:
    """The hottest of the processor's sensors."""
    sensors = psutil.sensors_temperatures()
    return max(float(sensor.current) for name in CPU_SENSORS for sensor in sensors.get(name, ()))
