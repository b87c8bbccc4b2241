"""What the machine offers is read without ever crashing, and memory is measured."""

import os
import subprocess
import sys

import psutil
import pytest
import torch

from gpt_studio.core.errors import StudioError
from gpt_studio.engine import device
from gpt_studio.engine.device import PeakMemory, default_device, devices, is_out_of_memory, memory_limit


def test_the_cpu_is_always_there():
    cpu = devices()[-1]
    assert cpu.name == "cpu"
    assert cpu.label.endswith(("core", "cores"))
    assert 0 < cpu.capacity <= psutil.virtual_memory().total
    assert default_device() == devices()[0].name


def cuda(monkeypatch, *properties, available=True, compute=lambda device: None):
    """Pretend that there are such CUDA devices, which compute in this way."""
    device._cuda.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(properties))
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties.__getitem__)
    monkeypatch.setattr(device, "_compute", compute)


@pytest.fixture(autouse=True)
def no_device_is_remembered():
    yield
    device._cuda.cache_clear()


def test_a_gpu_comes_first(monkeypatch):
    class Properties:
        name, total_memory, major = "GeForce RTX 4090", 24 * 2**30, 8

    cuda(monkeypatch, Properties)
    gpu = devices()[0]
    assert (gpu.name, gpu.label, gpu.capacity, gpu.bf16) == ("cuda:0", "GeForce RTX 4090", 24 * 2**30, True)
    assert default_device() == "cuda:0"


@pytest.mark.parametrize("words", ["The NVIDIA driver is too old", "no kernel image is available"])
def test_a_gpu_that_does_not_work_is_left_out(monkeypatch, words):
    class Properties:
        name, total_memory, major = "Old", 2**30, 3

    asked = []

    def fail_on_the_first(device):
        asked.append(device)
        if device == "cuda:0":
            raise RuntimeError(words)

    cuda(monkeypatch, Properties, Properties, compute=fail_on_the_first)
    assert [found.name for found in devices()] == ["cuda:1", "cpu"]
    assert [found.name for found in devices()] == ["cuda:1", "cpu"]
    assert asked == ["cuda:0", "cuda:1"]  # once each


def test_a_broken_driver_never_stops_the_cpu(monkeypatch):
    cuda(monkeypatch, object(), available=False)
    assert default_device() == "cpu"
    cuda(monkeypatch, object())  # tells nothing about itself
    assert default_device() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: 1 / 0)
    assert default_device() == "cpu"


def test_the_smallest_computation_works_here():
    device._compute("cpu")


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_container_s_memory_limit_counts(tmp_path, file):
    (tmp_path / "memory").mkdir()
    (tmp_path / file).write_text("123456789\n")
    assert memory_limit(tmp_path) == 123456789


@pytest.mark.parametrize("text", ["max\n", "", f"{2**63}\n"])
def test_no_memory_limit_means_the_machine_s(tmp_path, text):
    (tmp_path / "memory.max").write_text(text)
    assert memory_limit(tmp_path) == psutil.virtual_memory().total


def test_a_container_s_share_of_cores_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(32), raising=False)
    assert device.usable_cores(tmp_path) == 32
    for text, cores in (("max 100000", 32), ("800000 100000", 8), ("50000 100000", 1)):
        (tmp_path / "cpu.max").write_text(text)
        assert device.usable_cores(tmp_path) == cores


def test_the_person_s_own_number_of_threads_is_respected(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    device.use_threads()
    assert not chosen
    monkeypatch.delenv("OMP_NUM_THREADS")
    device.use_threads()
    assert chosen == [device.usable_cores()]


@pytest.mark.skipif(not device._glibc(), reason="only glibc's heap is asked")
def test_memory_is_kept_for_what_is_needed_next_until_it_is_returned():
    program = """if True:
        import resource, psutil, torch
        from gpt_studio.engine.device import keep_memory, return_memory

        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            [torch.ones(2**20) for _ in range(10)]
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        def resident():
            return psutil.Process().memory_info().rss

        torch.ones(1)
        keep_memory()
        faults()
        kept = resident()
        print(faults(), end=" ")
        return_memory()
        print(kept - resident())
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    faults, returned = map(int, ran.stdout.split())
    assert faults < 5000  # all pages of 10 blocks of 4 MiB would be 10 240
    assert returned > 30 * 2**20


def test_the_libraries_are_not_looked_through_when_memory_is_returned():
    program = """if True:
        import gc, weakref
        from gpt_studio.engine.device import return_memory
        from gpt_studio.engine.session import Session

        class Knot:
            def __init__(self):
                self.own = self

        list(Session().greet())
        knot = weakref.ref(Knot())
        return_memory()
        print(knot() is None, gc.get_freeze_count() > 10 * len(gc.get_objects()))
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "True"]


def test_a_failed_allocation_is_recognized():
    with pytest.raises(RuntimeError) as failure:
        torch.empty(2**55)
    assert is_out_of_memory(failure.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_peak_memory_remembers_what_was_freed():
    memory = PeakMemory(torch.device("cpu"))
    memory.look()
    before = memory.read()
    block = torch.ones(2**26)  # 256 MB
    memory.look()
    del block
    memory.look()
    assert memory.read() >= before + 200 * 2**20


def test_the_cuda_context_is_zero_where_no_driver_answers():
    assert device._cuda_context(torch.device("cuda:0")) == 0


def test_a_gpu_s_context_is_seen_where_processes_are_hidden(monkeypatch):
    """In a container the driver may tell what all programs use, but not who."""

    class Properties:
        name, total_memory, major = "GeForce RTX 4090", 24 * 2**30, 8

    used = iter((2**30, 2**30 + 500 * 2**20))
    cuda(monkeypatch, Properties)
    monkeypatch.setattr(device, "_in_use", lambda index: next(used))
    assert devices()[0].overhead == 500 * 2**20
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 2**20)
    assert PeakMemory(torch.device("cuda:0")).read() == 501 * 2**20
    monkeypatch.setattr(device, "_cuda_context", lambda of: 600 * 2**20)
    assert PeakMemory(torch.device("cuda:0")).read() == 601 * 2**20


def test_the_workspace_is_what_products_leave_behind(monkeypatch):
    allocated = iter((100, 100 + 2**23))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda of: next(allocated))
    multiplied = []
    monkeypatch.setattr(device, "_multiply", multiplied.append)
    assert device._workspace("cuda:0") == 2**23
    assert multiplied == ["cuda:0"]
    assert device._workspace("cuda:0") == 0  # nobody can tell


def test_the_products_that_show_the_workspace_can_be_computed():
    device._multiply("cpu")


def test_the_overhead_of_a_cpu_is_more_than_the_program_takes_now():
    assert devices()[-1].overhead > psutil.Process().memory_info().rss * 0.9


def test_speeds_depend_on_the_library_and_its_threads():
    assert device.library() == f"torch {torch.__version__}, 1 thread"


# ---------------------------------------------------------------- products


def relative_error():
    a, b = torch.randn(2, 96, 96, generator=torch.Generator().manual_seed(1))
    exact = a.double() @ b.double()
    return float(((a @ b) - exact).norm() / exact.norm())


def test_fast_products_lose_no_digits_and_end():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with device.fast_products():
        assert relative_error() < 1e-6
    assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize("exact", [False, True])
def test_only_exact_products_are_used(monkeypatch, exact):
    monkeypatch.setattr(device, "_onednn_is_exact", lambda: exact)
    before = torch.backends.mkldnn.matmul.fp32_precision
    with device.fast_products():
        assert (torch.backends.mkldnn.matmul.fp32_precision != before) == exact
    with pytest.raises(StudioError), device.fast_products():
        raise StudioError("It failed.")
    assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_products_that_lose_digits_are_seen(monkeypatch, precision):
    multiply = torch.Tensor.__matmul__

    def rounded(a, b):
        return (
            multiply(a, b) if a.dtype == torch.float64 else multiply(a.to(precision), b.to(precision)).float()
        )

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    found = device._onednn_is_exact.__wrapped__()
    assert found == (precision == torch.float32 and torch.backends.mkldnn.is_available())
