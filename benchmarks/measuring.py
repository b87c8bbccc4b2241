"""What the benchmarks share: ways that take turns, medians and spread, the machine, tables, files."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

FLAGS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8", "sve", "bf16")
LIBRARIES = ("torch", "numpy", "transformers", "litgpt", "llama-cpp-python")

Value = str | float | int | None
Row = dict[str, Value]


# ---------------------------------------------------------------- time


@dataclass
class Times:
    """Seconds of the same work, done again and again."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median


class Deadline:
    """How much time is left of so many seconds."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    @property
    def over(self) -> bool:
        return self.left <= 0


def synchronize() -> None:
    """Wait until a GPU has done what it was told to."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object]) -> float:
    """How long a piece of work takes, until its end."""
    synchronize()
    started = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - started


def take_turns(
    ways: Mapping[str, Callable[[], object]],
    rounds: int = 9,
    warmups: int = 2,
    deadline: Deadline | None = None,
    failed: Callable[[str, Exception], None] | None = None,
) -> dict[str, Times]:
    """Time each way once a round, every other round in reverse order; the first rounds are not counted.

    What else happens on the machine then falls on all of them alike. Past the deadline there are fewer
    rounds, but at least one that counts. A way that fails is left out, and `failed` is told.
    """
    deadline = deadline or Deadline()
    working = dict(ways)
    taken = {name: Times() for name in ways}
    for number in range(warmups + rounds):
        if deadline.over and number > min(warmups, 1):
            break
        for name in list(working)[:: -1 if number % 2 else 1]:
            try:
                seconds = seconds_of(working[name])
            except Exception as error:
                if failed is None:
                    raise
                failed(name, error)
                del working[name]
                continue
            taken[name].seconds.append(seconds)
    for times in taken.values():
        warm = min(warmups, len(times.seconds) - 1)
        times.seconds = times.seconds[max(0, warm) :]
    return {name: taken[name] for name in working}


# ---------------------------------------------------------------- the machine


def machine(device: str = "cpu") -> Row:
    """What the figures were measured on, and with which libraries."""
    facts: Row = {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "flags": " ".join(flag for flag in FLAGS if torch.cpu.get_capabilities().get(flag)),
        "memory GB": round(_memory() / 1e9, 1),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "GPU": properties.name,
            "GPU memory GB": round(properties.total_memory / 1e9, 1),
            "compute capability": f"{properties.major}.{properties.minor}",
            "CUDA": torch.version.cuda,
        }
    return facts


def version(library: str) -> str | None:
    """None if it is not installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int:
    from gpt_studio.engine.device import memory_limit

    return memory_limit()


# ---------------------------------------------------------------- tables and files


def figure(value: Value) -> str:
    """A number as people read it: three digits that matter, more only where they come before the point."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def table(rows: list[Row], markdown: bool = False) -> str:
    """Rows under the names of their columns, in the order in which the names first occur."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([figure(row.get(name)) for name in names] for row in rows)]
    if markdown:
        lines = ["| " + " | ".join(line) + " |" for line in cells]
        return "\n".join((lines[0], "|" + "---|" * len(names), *lines[1:]))
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [isinstance(rows[0].get(name), str) for name in names]
    return "\n".join(
        "  ".join(c.ljust(w) if side else c.rjust(w) for c, w, side in zip(line, wide, left, strict=True))
        for line in cells
    )


class Report:
    """What a benchmark found: tables, remarks and goals. Each row is in the file as soon as it is there."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.machine: Row = {}
        self.command = f"python -m benchmarks.{Path(sys.argv[0]).stem} {' '.join(sys.argv[1:])}".strip()
        self.tables: dict[str, list[Row]] = {}
        self.remarks: list[str] = []
        self.goals: list[Row] = []

    def row(self, title: str, row: Row) -> None:
        """Add a row to a table, and show it at once."""
        self.tables.setdefault(title, []).append(row)
        values = ", ".join(f"{name} {figure(value)}" for name, value in row.items())
        print(f"  {title}: {values}", flush=True)
        self.save()

    def remark(self, text: str) -> None:
        self.remarks.append(text)
        print(f"  {text}", flush=True)
        self.save()

    def goal(
        self, what: str, found: float, least: float | None = None, most: float | None = None, unit: str = ""
    ) -> None:
        """What was wished, and what came of it."""
        bound, sign = (least, "≥") if least is not None else (most, "≤")
        assert bound is not None
        met = found >= bound if least is not None else found <= bound
        wished = f"{sign} {figure(bound)}{unit}"
        self.goals.append({"what": what, "found": found, "wished": wished, "met": "yes" if met else "no"})
        self.save()

    def add(self, data: Mapping[str, Any]) -> None:
        """Take in what another report's file holds."""
        self.machine = self.machine or data["machine"]
        for title, rows in data["tables"].items():
            self.tables.setdefault(title, []).extend(rows)
        self.remarks += data["remarks"]
        self.goals += data["goals"]
        self.save()

    def to_dict(self) -> dict[str, Any]:
        names = ("machine", "command", "tables", "remarks", "goals")
        return {name: getattr(self, name) for name in names}

    def save(self) -> None:
        """Beside, then renamed: whoever stops the program finds all that was measured so far."""
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
            partial.replace(self.path)

    def text(self, markdown: bool = False) -> str:
        """All of it, the goals last."""
        facts = ", ".join(f"{name} {figure(value)}" for name, value in self.machine.items() if value)
        parts = [f"`{self.command}` — {facts}" if markdown else f"{self.command}\n{facts}"]
        heading = "### " if markdown else ""
        parts += [f"{heading}{title}\n\n{table(rows, markdown)}" for title, rows in self.tables.items()]
        if self.remarks:
            parts.append("\n".join(("- " if markdown else "") + remark for remark in self.remarks))
        if self.goals:
            parts.append(f"{heading}In short\n\n{table(self.goals, markdown)}")
        return "\n\n".join(parts)


def fastest(rates: Mapping[str, float], ours: str) -> float | None:
    """Our rate as a share of the fastest other one; None where there is no other."""
    others = [rate for name, rate in rates.items() if name != ours]
    return rates[ours] / max(others) if others and ours in rates else None


def exponent(sizes: Iterable[float], seconds: Iterable[float]) -> float:
    """k where seconds grow as size to the power of k: the slope of a line through their logarithms."""
    x, y = ([math.log(value) for value in values] for values in (sizes, seconds))
    return statistics.linear_regression(x, y).slope
