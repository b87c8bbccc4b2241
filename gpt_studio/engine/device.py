"""What this machine can compute on, with how many threads, and how much memory that takes."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import torch

from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Device

log = logging.getLogger(__name__)

ONEDNN: Any = torch.backends.mkldnn  # its settings are made when it is loaded; no type knows them

CGROUP = Path("/sys/fs/cgroup")
MEMORY_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # control groups version 2, version 1
_assumed = ""  # a kind of device
RUN = 64 * 2**20  # bytes a run takes on a CPU besides tensors: texts, kernels, gaps; seen 45 to 90 MB
MALLOC_SETTINGS = (
    (-1, 256 * 2**20),  # M_TRIM_THRESHOLD: bytes free at the end of the heap before the system gets them
    (-3, 32 * 2**20),  # M_MMAP_THRESHOLD: blocks from this size on do not come from the heap
)
EXACT = 1e-5  # a relative error that float32 products stay below, and bf16 ones never do
ALLOCATION_FAILURES = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "ALLOC_FAILED",
)


def devices() -> tuple[Device, ...]:
    """Every place to compute: the CUDA devices that work, then the CPU."""
    found = (_cuda(index) for index in range(_cuda_count()))
    return (*(device for device in found if device), _cpu())


def default_device() -> str:
    """The name of the device to begin with: the first GPU if there is one."""
    return devices()[0].name


def _cuda_count() -> int:
    try:
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    except Exception:  # whatever is wrong with a driver, the CPU is there
        return 0


@cache
def _cuda(index: int) -> Device | None:
    """A CUDA device; None if its driver is too old, torch has no kernels for it, or it is in trouble."""
    try:
        before = _in_use(index)
        _compute(f"cuda:{index}")
        taken = max(0, _in_use(index) - before)
        return _described(index, taken)
    except Exception:
        return None


def _compute(device: str) -> None:
    """The smallest computation there is, to its end."""
    torch.ones(1, device=device).add(1).item()


def _described(index: int, taken: int) -> Device:
    """`taken` are the bytes by which the use of the device grew with the first computation."""
    properties = torch.cuda.get_device_properties(index)
    bf16 = properties.major >= 8  # older ones only emulate it
    return Device(
        f"cuda:{index}",
        properties.name,
        properties.total_memory,
        bf16,
        overhead=_cuda_context(torch.device("cuda", index)) or taken,
        workspace=_workspace(f"cuda:{index}"),
    )


def _workspace(device: str) -> int:
    """Bytes that the first matrix products, there and back, took for themselves; 0 if nobody can tell."""
    try:
        before = torch.cuda.memory_allocated(device)
        _multiply(device)
        return torch.cuda.memory_allocated(device) - before
    except Exception:  # training will say what is wrong with it
        return 0


def _multiply(device: str) -> None:
    """The way back has a thread of its own, and so a workspace of its own."""
    a = torch.ones(64, 64, device=device, requires_grad=True)
    torch.autograd.backward(torch.addmm(a[0], a, a).sum())


def library() -> str:
    """What speeds depend on besides the device."""
    threads = torch.get_num_threads()
    return f"torch {torch.__version__}, {threads} {'thread' if threads == 1 else 'threads'}"


def _cpu() -> Device:
    cores = usable_cores()
    label = f"{cores} {'core' if cores == 1 else 'cores'}"
    overhead = psutil.Process().memory_info().rss + RUN
    return Device("cpu", label, memory_limit(), _cpu_has_bf16(), overhead=overhead)


def _cpu_has_bf16() -> bool:
    """Whether bf16 products run in hardware; elsewhere bf16 only loses digits."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Physical cores this process may use, at least 1."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()  # "200000 100000": two cores' worth
        cores = min(cores, int(quota) // int(period))
    except (OSError, ValueError):  # no such file, or the word "max"
        pass
    return max(1, cores)


def use_threads() -> None:
    """Let torch use every usable core, unless OMP_NUM_THREADS says otherwise.

    The window stays responsive: the system gives its short bursts of work precedence over long ones.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(usable_cores())


def keep_memory() -> None:
    """Let this process keep memory it frees, for what it needs next, until `return_memory` gives it back.

    Otherwise glibc returns large blocks at once, and the system fills them with zeros again at every
    training step. With other C libraries nothing changes.
    """
    if libc := _glibc():
        for setting, size in MALLOC_SETTINGS:
            libc.mallopt(setting, size)


def spare_libraries() -> None:
    """Let `return_memory` pass over what there is by now: the libraries, which stay as long as the process.

    Looking through all they consist of takes a third of a second, in which the window stands still.
    """
    if not gc.get_freeze_count():
        gc.freeze()


def return_memory() -> None:
    """Give memory that torch no longer uses back, to the GPU and to the system, for others."""
    gc.collect()  # a model and its optimizer hold each other in circles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if libc := _glibc():
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """The C library, if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None


def kind_of(tensor: torch.Tensor) -> str:
    """ "cpu" or "cuda": what to choose ways of computing by."""
    return _assumed or tensor.device.type


@contextmanager
def assumed(kind: str) -> Iterator[None]:
    """Choose in here as on another kind of device, whatever tensors are on: to see what it would take."""
    global _assumed
    before, _assumed = _assumed, kind
    try:
        yield
    finally:
        _assumed = before


@contextmanager
def fast_products() -> Iterator[None]:
    """Let oneDNN multiply float32 matrices in here, on a CPU where that loses no digits.

    On AMD it is about twice as fast as MKL, which torch takes by itself; for single rows, as in writing
    token by token, it is not.
    """
    if not _onednn_is_exact():
        yield
        return
    with _onednn():
        yield


@contextmanager
def _onednn() -> Iterator[None]:
    """Give float32 products to oneDNN, by allowing it bf16, which it may make use of or not."""
    before = ONEDNN.matmul.fp32_precision
    ONEDNN.matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        ONEDNN.matmul.fp32_precision = before


@cache
def _onednn_is_exact() -> bool:
    """Whether oneDNN, allowed to use bf16, still computes in float32: where a CPU has AMX it may not.

    Decided by the error alone and not by the time it takes, so that the same machine always computes alike.
    """
    if not ONEDNN.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 512, 512, generator=generator)
    exact = a.double() @ b.double()
    with _onednn():
        found = a @ b
    error = float((found - exact).norm() / exact.norm())
    log.info("oneDNN multiplies float32 matrices with a relative error of %.1e", error)
    return error < EXACT


def memory_limit(cgroup: Path = CGROUP) -> int:
    """Bytes of memory this process may use: the machine's, or its container's when that is less."""
    limits: list[int] = [psutil.virtual_memory().total]
    for name in MEMORY_LIMITS:
        try:
            limits.append(int((cgroup / name).read_text()))
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
    return min(limits)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that an allocation failed, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in ALLOCATION_FAILURES)


@contextmanager
def out_of_memory_explained(explain: Callable[[], StudioError]) -> Iterator[None]:
    """Say in words that there was not enough memory; `explain` is called only then."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise explain() from error


class PeakMemory:
    """The most memory used while training on a device, in bytes, since this was made.

    CUDA: what torch has reserved at most plus the CUDA context, which the driver reports where it can
    (it alone holds some hundred MB). CPU: the resident memory of the whole process with its libraries. On
    Linux the system follows it; elsewhere it is seen at each `look()` only, and the peak on the way back,
    with the gradients of the logits, is missed. Pages of the texts, which the system takes back when it
    needs them, do not count.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._peak = 0
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._follows = _forget_peak()
            self._files = _of_files(self._process)

    def look(self) -> None:
        """Remember the process's memory if it is the most so far; call it where much is alive."""
        if self._device.type == "cpu":
            self._see(self._process.memory_info().rss)

    def read(self) -> int:
        """The most so far."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device) + self._context()
        if self._follows:
            self._see(_peak_followed())
        return self._peak

    def _see(self, resident: int) -> None:
        texts = max(0, _of_files(self._process) - self._files)
        self._peak = max(self._peak, resident - texts)

    def _context(self) -> int:
        """What it holds or, in a container that hides processes, what it took when it was first used."""
        if held := _cuda_context(self._device):
            return held
        described = _cuda(self._device.index or 0)
        return described.overhead if described else 0


def _forget_peak() -> bool:
    """Let Linux follow the most memory of this process anew; False where it does not (`man 5 proc`)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_followed() -> int:
    """Bytes this process held at most since then."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _of_files(process: psutil.Process) -> int:
    """Bytes of resident memory that are pages of files; 0 where the system does not tell."""
    return int(getattr(process.memory_info(), "shared", 0))


def _cuda_context(device: torch.device) -> int:
    """Bytes this process holds on a CUDA device beyond torch's own reservations; 0 if nobody can tell."""
    try:
        import pynvml

        running = pynvml.nvmlDeviceGetComputeRunningProcesses(nvml_handle(device))
        used = sum(process.usedGpuMemory or 0 for process in running if process.pid == os.getpid())
    except Exception:  # no driver library, a container that hides processes, an unknown device
        return 0
    return int(max(0, used - torch.cuda.memory_reserved(device)))


def _in_use(index: int) -> int:
    """Bytes of a CUDA device that all programs together use; 0 if nobody can tell."""
    try:
        import pynvml

        return int(pynvml.nvmlDeviceGetMemoryInfo(nvml_handle(torch.device("cuda", index))).used)
    except Exception:
        return 0


def nvml_handle(device: torch.device) -> Any:
    """The driver's own name for a CUDA device: their numbering may differ.

    Raises:
        Exception: there is no driver library, or it does not know the device.
    """
    import pynvml

    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
