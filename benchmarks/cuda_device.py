"""What the GPU itself can do, which speeds are a share of, and what it takes besides tensors."""

from __future__ import annotations

import torch

from benchmarks.cuda import Setting
from benchmarks.measuring import Report, take_turns


def matrix_rate(device: str, size: int = 8192, repeats: int = 20) -> float:
    """FLOP/s of bf16 products of two square matrices of random numbers."""
    a, b = torch.randn(2, size, size, device=device, dtype=torch.bfloat16)
    out = torch.empty_like(a)

    def work() -> None:
        for _ in range(repeats):
            torch.mm(a, b, out=out)

    return 2 * size**3 * repeats / take_turns({"": work}, 5)[""].median


def bandwidth(device: str, size: int = 2**32, repeats: int = 10) -> tuple[float, float]:
    """Bytes a second of copying (each byte read and written) and of reading alone, of so many bytes."""
    a = torch.ones(size // 2, device=device, dtype=torch.bfloat16)
    b = torch.empty_like(a)
    rows = a.view(-1, 2048)
    vector = torch.ones(2048, device=device, dtype=torch.bfloat16)

    def copy() -> None:
        for _ in range(repeats):
            b.copy_(a)

    def read() -> None:
        for _ in range(repeats):
            torch.mv(rows, vector)

    times = take_turns({"copy": copy, "read": read}, 5)
    return 2 * size * repeats / times["copy"].median, size * repeats / times["read"].median


def run(report: Report, setting: Setting) -> None:
    size, bytes_ = (256, 2**20) if setting.toy else (8192, 2**32)
    rate = matrix_rate(setting.device, size)
    copied, read = bandwidth(setting.device, bytes_)
    report.row(
        "Device",
        {
            f"bf16 products {size}³, TFLOP/s": rate / 1e12,
            "copy, read + write TB/s": copied / 1e12,
            "reading alone TB/s": read / 1e12,
        },
    )
    if setting.on_gpu:
        report.row("Memory besides tensors, MB", besides(setting.device))


def besides(device: str) -> dict[str, float | int | str | None]:
    """What the context takes, as the driver tells of this process or of the whole device, and workspaces."""
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    used = total - free - torch.cuda.memory_reserved(device)
    from gpt_studio.engine.device import _cuda_context

    return {
        "context, this process": _cuda_context(torch.device(device)) / 2**20,
        "in use on the device, no tensors": used / 2**20,
        "workspace after products": torch.cuda.memory_allocated(device) / 2**20,
    }
