"""Quantities as text for people: thin spaces, true minus, 1 GB = 2³⁰ bytes."""

from __future__ import annotations

import math

SPACE = "\u202f"  # narrow no-break space, before units and between thousands
MINUS = "−"
UNKNOWN = "—"
GB = 2**30
MB = 2**20
KB = 2**10


def number(value: float, decimals: int = 0) -> str:
    """12400 → "12 400"."""
    return f"{value:,.{decimals}f}".replace(",", SPACE).replace("-", MINUS)


def short(value: float) -> str:
    """Three digits and a letter: 73100 → "73.1 k", 1.63e9 → "1.63 B", 512 → "512"."""
    size = abs(value)
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            return f"{_three_digits(value / limit)}{SPACE}{letter}"
    return _three_digits(value) if size < 100 and value != int(value) else number(value)


def axis(value: float) -> str:
    """A tick label: 2000 → "2 k", 0.5 → "0.5", 6e-4 → "6e−4"."""
    if value and (abs(value) < 1e-2):
        return rate(value)
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{SPACE}{letter}".replace("-", MINUS)
    return f"{value:g}".replace("-", MINUS)


def parameters(count: int) -> str:
    """124439808 → "124.4 M", 812345 → "0.8 M", 4100 → "4 100"."""
    if count >= 999_950_000:
        return f"{count / 1e9:.1f}{SPACE}B"
    if count >= 50_000:
        return f"{count / 1e6:.1f}{SPACE}M"
    return number(count)


def memory(size: float, like: float | None = None) -> str:
    """Bytes in the unit that suits `like` (or the value itself): "10.2 GB", "0.46 GB", "240 MB"."""
    scale = size if like is None else like
    if scale >= 0.995 * GB:
        value = size / GB
        return f"{value:.{2 if value < 9.995 else 1}f}{SPACE}GB"
    if scale >= 0.995 * MB:
        value = size / MB
        return f"{value:.{1 if value < 9.95 else 0}f}{SPACE}MB"
    if scale >= KB:
        return f"{size / KB:.0f}{SPACE}kB"
    return f"{size:.0f}{SPACE}B"


def memory_of(size: float, capacity: float) -> str:
    """Need against room: "9.9 of 24 GB"."""
    room = f"{capacity / GB:.1f}".removesuffix(".0")
    return f"{max(size / GB, 0.1):.1f} of {room}{SPACE}GB"


def loss(value: float) -> str:
    """Nats with three decimals."""
    return number(value, 3) if math.isfinite(value) else UNKNOWN


def losses(low: float, high: float) -> str:
    """A range a loss is expected in, in nats: "1.32–1.48"."""
    return f"{number(low, 2)}–{number(high, 2)}"


def energy(kwh: float) -> str:
    """Electricity: "12 Wh", "0.42 kWh", "36 kWh"."""
    if kwh < 0.0995:
        return f"{1000 * kwh:.{0 if kwh >= 0.00995 else 1}f}{SPACE}Wh"
    return f"{kwh:.{2 if kwh < 9.995 else 0}f}{SPACE}kWh"


def percent(share: float, decimals: int = 0) -> str:
    """0.621 → "62 %"."""
    return f"{number(100 * share, decimals)}{SPACE}%"


def rate(value: float) -> str:
    """A learning rate: 0.00024 → "2.4e−4"; from 0.01 on it is written out: 0.791122 → "0.79"."""
    if not value or abs(value) >= 0.0095:
        return f"{value:.{2 if abs(value) < 0.995 else 4}g}".replace("-", MINUS)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", MINUS)


def flops(value: float) -> str:
    """Floating-point operations: 860e6 → "860 MFLOP"."""
    for limit, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            scaled = value / limit
            return f"{scaled:.{1 if scaled < 10 else 0}f}{SPACE}{letter}FLOP"
    return f"{value:.0f}{SPACE}FLOP"


def flops_rate(value: float) -> str:
    """Floating-point operations per second: 165e12 → "165 TFLOPS"."""
    return f"{flops(value)}S"


def duration(seconds: float) -> str:
    """Two units at most: "45 s", "4 min", "3 h 47 min", "2 d 5 h", "2.2 years"."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 59.5:
        return f"{max(seconds, 0):.0f}{SPACE}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{SPACE}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}{SPACE}h {minutes}{SPACE}min" if minutes else f"{hours}{SPACE}h"
    days, hours = divmod(round(seconds / 3600), 24)
    if days >= 365:
        return f"{number(days / 365.25, 1)}{SPACE}years"
    return f"{days}{SPACE}d {hours}{SPACE}h" if hours else f"{days}{SPACE}d"


def about(seconds: float) -> str:
    """An estimate; below ten minutes it says so."""
    return f"about {duration(seconds)}" if seconds < 600 else duration(seconds)


def _three_digits(value: float) -> str:
    size = abs(value)
    decimals = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:.{decimals}f}".replace("-", MINUS)
