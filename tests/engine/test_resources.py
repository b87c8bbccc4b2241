"""What is taken of the machine: as far as it can be read, and never an error."""

from types import SimpleNamespace

import psutil
import pytest
import torch

from gpt_studio.core.metrics import RESOURCES
from gpt_studio.engine import resources
from gpt_studio.engine.resources import readings

CPU = torch.device("cpu")
GPU = torch.device("cuda:0")


def failing(*arguments, **more):
    raise OSError("there is none")


def test_a_processor_tells_memory_and_work():
    found = readings(CPU)
    assert {"process_memory", "utilization"} <= found.keys() <= {metric.name for metric in RESOURCES}
    assert "device_memory" not in found
    assert found["process_memory"] == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert 0 <= found["utilization"] <= 100
    assert all(type(value) is float for value in found.values())


def test_the_hottest_sensor_of_the_processor_counts(monkeypatch):
    def sensors():
        return {
            "nvme": [SimpleNamespace(current=90.0)],
            "k10temp": [SimpleNamespace(current=61), SimpleNamespace(current=64.5)],
        }

    monkeypatch.setattr(psutil, "sensors_temperatures", sensors, raising=False)
    assert readings(CPU)["temperature"] == 64.5


def test_no_sensor_is_no_temperature(monkeypatch):
    monkeypatch.setattr(psutil, "sensors_temperatures", dict, raising=False)
    assert "temperature" not in readings(CPU)
    monkeypatch.delattr(psutil, "sensors_temperatures")  # as on macOS and Windows
    assert "temperature" not in readings(CPU)


def test_what_cannot_be_read_is_left_out(monkeypatch):
    for name in ("Process", "cpu_percent", "sensors_temperatures"):
        monkeypatch.setattr(psutil, name, failing, raising=False)
    monkeypatch.setattr(resources, "nvml_handle", failing)
    assert readings(CPU) == {}


class Driver:
    """A driver library as it answers for one GPU."""

    processes = (SimpleNamespace(pid=1, usedGpuMemory=10**10),)

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=93, memory=40)

    def nvmlDeviceGetTemperature(self, handle, sensor):
        return 71

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return self.processes


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setattr(resources, "_nvml", lambda: driver)
    monkeypatch.setattr(resources, "nvml_handle", lambda device: "GPU-1")
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * 2**20)
    return driver


def test_a_gpu_tells_through_its_driver(driver):
    found = readings(GPU)
    assert (found["utilization"], found["temperature"]) == (93, 71)
    assert found["device_memory"] == 5 * 2**20  # the other process is none of ours


def test_what_the_driver_counts_as_ours_includes_its_context(driver):
    driver.processes = (
        SimpleNamespace(pid=resources.os.getpid(), usedGpuMemory=600 * 2**20),
        *driver.processes,
    )
    assert readings(GPU)["device_memory"] == 600 * 2**20


def test_a_driver_that_keeps_silent_leaves_what_torch_knows(driver, monkeypatch):
    monkeypatch.setattr(resources, "nvml_handle", failing)
    assert readings(GPU).keys() == {"process_memory", "device_memory"}
