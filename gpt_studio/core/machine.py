"""What was measured on this machine, kept for the next start: by device, in one small file.

A file that cannot be read is as good as none: everything in it can be measured again.
"""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

from gpt_studio.core.estimate import Memory
from gpt_studio.core.events import Device
from gpt_studio.core.speed import Shape, Speed

log = logging.getLogger(__name__)

VERSION = 1
SPEEDS = 200  # kept of each device, the latest
RUNS = 20
MONTH = 30 * 24 * 3600.0  # seconds after which a speed is measured again


@dataclass
class _Known:
    """All that is kept of one device."""

    overhead: int = 0
    workspace: int = 0
    rates: dict[str, dict[str, float]] = field(default_factory=dict)  # by library, then precision
    speeds: list[dict[str, Any]] = field(default_factory=list)  # the latest last
    runs: list[dict[str, int]] = field(default_factory=list)


Kept = dict[str, _Known]


class Machine:
    """What is known of this machine's devices. Two programs may use one file: each adds what it measured.

    Who writes at the same instant as another may lose that; it is measured again.
    """

    def __init__(self, path: Path, library: str, clock: Callable[[], float] = time.time) -> None:
        """Read the file, if there is a usable one. `library` is what speeds depend on besides the device."""
        self._path = path
        self._library = library
        self._clock = clock
        self._kept, _ = _read(path)
        self._changes: list[Callable[[Kept], None]] = []  # since it was last written
        self._begun: dict[str, int] = {}  # overhead of each device as measured at this start

    # ------------------------------------------------------------ what is known

    def known(self, device: Device) -> Device:
        """The device as it was found, with what is remembered of it.

        Past runs correct the overhead: by the median of what they took more than tensors and overhead.
        """
        key, kept = _key(device), self._of(device)
        before = kept.runs[-1]["overhead"] if kept.runs else 0
        base = self._begun.setdefault(key, device.overhead or kept.overhead or before)
        overhead = base
        if kept.runs:
            more = median(run["measured"] - run["step"] - run["overhead"] for run in kept.runs)
            overhead = max(base // 2, base + round(more))  # a run that measured nonsense does little harm
        return replace(
            device,
            overhead=overhead,
            runs=len(kept.runs),
            workspace=device.workspace or kept.workspace,
            rates={**kept.rates.get(self._library, {}), **device.rates},
        )

    def speed(self, device: Device, shape: Shape) -> Speed | None:
        """The latest speed of steps of this shape, if it is not old."""
        found = (speed for speed in self.speeds(device) if speed.shape == shape)
        return next(found, None)

    def speeds(self, device: Device) -> Iterator[Speed]:
        """All that are not old, the latest first."""
        for entry in reversed(self._of(device).speeds):
            if abs(self._clock() - entry["at"]) < MONTH and entry["library"] == self._library:
                yield replace(_speed(entry["speed"]), device=device.name)

    # ------------------------------------------------------------ what is learned

    def remember_overhead(self, device: Device) -> None:
        """Keep the overhead and workspace a device was found to have."""
        self._begun[_key(device)] = device.overhead

        def change(kept: _Known) -> None:
            kept.overhead, kept.workspace = device.overhead, device.workspace

        self._change(device, change)

    def remember_rates(self, device: Device, rates: Mapping[str, float]) -> None:
        """Keep matrix FLOP/s by precision."""
        self._change(device, lambda kept: kept.rates.setdefault(self._library, {}).update(rates))

    def remember_speed(self, device: Device, speed: Speed) -> None:
        """Keep a speed, in place of the one there was of its shape."""
        entry = {"at": self._clock(), "library": self._library, "speed": asdict(speed)}

        def change(kept: _Known) -> None:
            others = (old for old in kept.speeds if not self._replaced(old, speed))
            kept.speeds = [*others, entry][-SPEEDS:]

        self._change(device, change)

    def _replaced(self, old: Mapping[str, Any], speed: Speed) -> bool:
        same = tuple(old["speed"]["shape"]) == speed.shape and old["library"] == self._library
        age: float = self._clock() - old["at"]
        return same or abs(age) >= MONTH

    def remember_run(self, device: Device, predicted: Memory, measured: int) -> None:
        """Keep the most memory that a training run took, beside what was predicted."""
        base = self._begun.get(_key(device), 0)
        run = {"step": predicted.reserved, "overhead": base, "measured": measured}

        def change(kept: _Known) -> None:
            kept.runs = [*kept.runs, run][-RUNS:]

        self._change(device, change)

    def save(self) -> None:
        """Write the file with what was learned since; what another program wrote meanwhile stays in it."""
        kept, may_write = _read(self._path)
        for change in self._changes:
            change(kept)
        if not may_write:
            return
        try:
            _write(self._path, kept)
        except OSError as error:  # a full disk, a folder that is not one's own: it will be measured again
            log.warning("What was measured is not kept: %s", error)
            return
        self._kept, self._changes = kept, []

    # ------------------------------------------------------------ shared

    def _of(self, device: Device) -> _Known:
        return self._kept.get(_key(device), _Known())

    def _change(self, device: Device, change: Callable[[_Known], None]) -> None:
        def changed(kept: Kept) -> None:
            change(kept.setdefault(_key(device), _Known()))

        changed(self._kept)
        self._changes.append(changed)


def remembered(path: Path, clock: Callable[[], float] = time.time) -> list[tuple[Device, list[Speed]]]:
    """The devices a file tells of, with their speeds, latest first; nothing of the machine is looked at.

    The library is taken to be the one of the latest speed.
    """
    found = []
    for key, kept in _read(path)[0].items():
        machine = Machine(path, kept.speeds[-1]["library"] if kept.speeds else "", clock)
        name, _, rest = key.partition(" ")
        label, _, capacity = rest.rpartition(" ")
        if capacity.isdigit():
            device = machine.known(Device(name, label, int(capacity)))
            found.append((device, list(machine.speeds(device))))
    return found


def _key(device: Device) -> str:
    """The same for the same device of the same machine; folders may be shared among several."""
    return f"{device.name} {device.label} {device.capacity}"


# ---------------------------------------------------------------- the file


def _read(path: Path) -> tuple[Kept, bool]:
    """What a file holds that can be used, and whether it may be replaced: one of a newer version may not."""
    try:
        data = json.loads(path.read_bytes())
        version = data["version"]
        if isinstance(version, int) and version > VERSION:
            return {}, False
        devices = data["devices"].items() if version == VERSION else ()
        return {key: _known(entry) for key, entry in devices}, True
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, True


def _known(entry: Mapping[str, Any]) -> _Known:
    """One device from plain data, without what cannot be used."""
    rates = {
        library: {name: rate for name, rate in by.items() if _is_amount(rate)}
        for library, by in entry.get("rates", {}).items()
    }
    return _Known(
        overhead=int(_amount(entry.get("overhead"))),
        workspace=int(_amount(entry.get("workspace"))),
        rates=rates,
        speeds=[one for one in entry.get("speeds", []) if _is_speed(one)][-SPEEDS:],
        runs=[one for one in entry.get("runs", []) if _is_run(one)][-RUNS:],
    )


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _amount(value: Any) -> float:
    return value if _is_amount(value) else 0


def _is_run(one: Any) -> bool:
    return isinstance(one, dict) and all(_is_amount(one.get(name)) for name in RUN)


RUN = ("step", "overhead", "measured")


def _is_speed(one: Any) -> bool:
    try:
        _speed(one["speed"])
        return _is_amount(one["at"]) and isinstance(one["library"], str)
    except (KeyError, TypeError, ValueError):
        return False


def _speed(data: Mapping[str, Any]) -> Speed:
    """A speed from plain data.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    values = {one.name: data[one.name] for one in fields(Speed)}
    texts = {name for name in ("device", "attention") if isinstance(values[name], str)}
    amounts = {name for name, value in values.items() if _is_amount(value)}
    if texts | amounts | {"shape"} != values.keys() or not isinstance(values["shape"], list | tuple):
        raise ValueError("This is no speed.")
    return Speed(**{**values, "shape": tuple(values["shape"])})


def _write(path: Path, kept: Kept) -> None:
    """All or nothing, whoever else writes it.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps({"version": VERSION, "devices": {key: asdict(one) for key, one in kept.items()}})
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".partial")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise
