"""The arithmetic of charts: buffers that grow, round ticks, thinning, smoothing. Plain numpy, no Qt."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
BLOCK = 64  # smoothing works in blocks of this many points, each one small matrix product
HEAP = 128  # points whose smallest and largest value are remembered together


class Growing:
    """A float array that is appended to; doubling its room makes an append cheap however long it gets."""

    def __init__(self) -> None:
        self._room = np.empty(256)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> Floats:
        """What has been appended, as a view that the next append may detach."""
        return self._room[: self._size]

    def extend(self, values: Floats) -> None:
        need = self._size + len(values)
        if need > len(self._room):
            room = np.empty(max(need, 2 * len(self._room)))
            room[: self._size] = self.values
            self._room = room
        self._room[self._size : need] = values
        self._size = need

    def cut(self, size: int) -> None:
        """Forget everything from index `size` on."""
        self._size = min(self._size, size)


class Peaks(Growing):
    """A float array that remembers the smallest and largest value of every heap of points, so that the
    peaks of a million are found without looking at each of them again."""

    def __init__(self) -> None:
        super().__init__()
        self._lows, self._highs = Growing(), Growing()

    def extend(self, values: Floats) -> None:
        super().extend(values)
        done, whole = len(self._lows), len(self) // HEAP
        if whole > done:
            heaps = self.values[done * HEAP : whole * HEAP].reshape(-1, HEAP)
            self._lows.extend(heaps.min(axis=1))
            self._highs.extend(heaps.max(axis=1))

    def cut(self, size: int) -> None:
        super().cut(size)
        for known in (self._lows, self._highs):
            known.cut(size // HEAP)

    def range(self) -> tuple[float, float]:
        """The smallest and the largest value; the array must not be empty."""
        rest = self.values[len(self._lows) * HEAP :]
        lows, highs = np.append(self._lows.values, rest), np.append(self._highs.values, rest)
        return float(lows.min()), float(highs.max())

    def peaks(self, starts: Integers, end: int) -> tuple[Integers, Floats, Floats]:
        """The smallest and the largest value from each start to the next, the last one's up to `end`.

        Where stretches are long, starts are moved on to the next heap; those used come back first.
        """
        short = np.flatnonzero(np.diff(starts, append=end) < 4 * HEAP)
        first = max(1, int(short[-1]) + 1) if len(short) else 1  # from here on all stretches are long
        if first >= len(starts) - 1:
            values = self.values[:end]
            return starts, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        starts = np.append(starts[:first], -(-starts[first:] // HEAP) * HEAP)
        heaps = starts[first:-1] // HEAP
        found = []
        for extreme, known in ((np.minimum, self._lows), (np.maximum, self._highs)):
            before = extreme.reduceat(self.values[: starts[first]], starts[:first])
            among = extreme.reduceat(known.values[: starts[-1] // HEAP], heaps)
            found.append(np.concatenate([before, among, [extreme.reduce(self.values[starts[-1] : end])]]))
        return starts, found[0], found[1]


class Series:
    """A curve's data: ascending steps and their values. Numbers that are not finite are left out."""

    def __init__(self) -> None:
        self._steps, self._values = Growing(), Peaks()

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def steps(self) -> Floats:
        return self._steps.values

    @property
    def values(self) -> Floats:
        return self._values.values

    @property
    def peaks(self) -> Peaks:
        """The values again, such that they can be thinned fast."""
        return self._values

    def append(self, steps: Sequence[float] | Floats, values: Sequence[float] | Floats) -> int:
        """Add points and return how many old ones were kept: a step that comes again, as after resuming
        from a checkpoint, replaces all that followed it."""
        x, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
        fine = np.isfinite(y)
        x, y = x[fine], y[fine]
        if len(x):
            self.cut_from(x[0])
        kept = len(self)
        self._steps.extend(x)
        self._values.extend(y)
        return kept

    def cut_from(self, step: float) -> None:
        """Forget the points at a step and after it."""
        kept = int(np.searchsorted(self.steps, step))
        self._steps.cut(kept)
        self._values.cut(kept)

    def index(self, step: float) -> int:
        """The index of the point nearest to `step`; the series must not be empty."""
        right = int(np.clip(np.searchsorted(self.steps, step), 1, max(1, len(self) - 1)))
        if len(self) == 1:
            return 0
        return right - 1 if step - self.steps[right - 1] <= self.steps[right] - step else right

    def nearest(self, step: float) -> float | None:
        return float(self.steps[self.index(step)]) if len(self) else None

    def neighbor(self, step: float, by: int, low: float, high: float, log: bool = False) -> float | None:
        """The point about a hundredth of the range from `low` to `high` further on, at least the next."""
        if not len(self):
            return None
        here = self.index(step)
        at = float(self.steps[here])
        there = self.index(at * (high / low) ** (by / 100) if log else at + by * (high - low) / 100)
        return float(self.steps[int(np.clip(there if there != here else here + by, 0, len(self) - 1))])


class Smoother:
    """An exponential moving average with bias correction, so that it does not lag at the start.

    After n values x the average is sum(decay^(n-i) x_i) / sum(decay^(n-i)).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._carry = 0.0  # the uncorrected average so far
        self._seen = 0
        # from this age on the correction is below what a float can tell
        self._settled = math.ceil(-40 / math.log(decay)) if decay else 0
        powers = decay ** np.arange(BLOCK + 1)
        rows, columns = np.indices((BLOCK, BLOCK))
        self._inside = np.where(rows >= columns, powers[np.maximum(rows - columns, 0)], 0.0) * (1 - decay)
        self._before = powers[1:]

    def extend(self, values: Floats) -> Floats:
        """Smooth the next values of the series; continues where the last call ended."""
        count = len(values)
        if not count:
            return np.empty(0)
        blocks = np.zeros((-(-count // BLOCK), BLOCK))
        blocks.reshape(-1)[:count] = values
        smooth = blocks @ self._inside.T
        carries = [self._carry]
        for end in smooth[:-1, -1].tolist():
            carries.append(end + self._before[-1] * carries[-1])
        smooth += np.outer(carries, self._before)
        flat: Floats = smooth.reshape(-1)[:count]
        self._carry = float(flat[-1])
        young = np.arange(self._seen + 1, min(self._seen + count, self._settled) + 1)
        self._seen += count
        flat[: len(young)] /= 1 - self.decay**young
        return flat


def decay_of(smoothing: float) -> float:
    """The decay for a slider from 0 (none) to 1 (an average over about three hundred points)."""
    return float(1 - 300.0 ** -min(1.0, max(0.0, smoothing)))


def thin(
    x: Floats, y: Floats | Peaks, low: float, high: float, pixels: int, log: bool = False
) -> tuple[Floats, Floats]:
    """What is needed to draw an ascending series from `low` to `high`: at most one point per pixel.

    Each pair of pixels keeps its smallest and largest value, so no peak is lost. A neighbor on each
    side is kept, so that the line reaches the edges. On a logarithmic axis (`log`) x starts at 1.
    """
    values = y.values if isinstance(y, Peaks) else y
    first = max(0, int(np.searchsorted(x, low)) - 1)
    last = min(len(x), int(np.searchsorted(x, high, side="right")) + 1)
    bins = max(1, pixels // 2)
    if last - first <= 2 * bins:
        return x[first:last], values[first:last]
    space = np.geomspace if log else np.linspace
    edges = space(max(x[first], 1.0) if log else x[first], x[last - 1], bins + 1)[:-1]
    edges[0] = x[first]
    starts = np.unique(first + np.searchsorted(x[first:last], edges))
    if isinstance(y, Peaks):
        starts, lows, highs = y.peaks(starts, last)
    else:
        lows, highs = (extreme.reduceat(y[:last], starts) for extreme in (np.minimum, np.maximum))
    ends = np.append(starts[1:], last) - 1
    rising = values[starts] <= values[ends]
    pairs = np.stack([np.where(rising, lows, highs), np.where(rising, highs, lows)], axis=1)
    return np.stack([x[starts], x[ends]], axis=1).reshape(-1), pairs.reshape(-1)


class Rows(Sequence[list[str]]):
    """Numbers by step as rows of text, each made when it is asked for; nan is an empty cell."""

    def __init__(self, *columns: Floats) -> None:
        """The first column holds steps: whole numbers."""
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        return _cells([float(column[index]) for column in self._columns])

    def __iter__(self) -> Iterator[list[str]]:
        for numbers in zip(*(column.tolist() for column in self._columns), strict=True):
            yield _cells(numbers)

    def order(self, column: int, falling: bool) -> Integers:
        """The rows' places when they are sorted by a column, empty cells last."""
        values = self._columns[column]
        return np.argsort(-values if falling else values, kind="stable")


def _cells(numbers: Sequence[float]) -> list[str]:
    return [f"{numbers[0]:.0f}", *("" if math.isnan(value) else repr(value) for value in numbers[1:])]


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within the range, at most `most` (two or more)."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return []
    exponent = math.floor(math.log10((high - low) / most))
    for power in range(exponent, exponent + 3):
        for digit in (1, 2, 5):
            step = digit * 10.0**power
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if last - first < most:
                return [round(i * step, max(0, -power)) for i in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values within a positive range for a logarithmic axis, at most `most`."""
    if not 0 < low < high < math.inf:
        return []
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [d * 10.0**e for e in exponents for d in digits if low <= d * 10.0**e <= high]
        if 3 <= len(found) <= most:
            return found
    if high / low < 30:
        return [tick for tick in round_ticks(low, high, most) if tick > 0]
    stride = -(-len(exponents) // most)
    return [10.0**e for e in exponents if e % stride == 0 and low <= 10.0**e <= high]


def robust_range(values: Floats, warmup: float = 0.02) -> tuple[float, float]:
    """The 1 to 99 % quantiles of a series once its first moments are over, from at most 20 000 of it."""
    after = values[int(len(values) * warmup) :] if len(values) >= 50 else values
    sample = after[:: max(1, len(after) // 20_000)]
    low, high = np.quantile(sample, [0.01, 0.99])
    return float(low), float(high)


def half_ticks(high: float) -> list[float]:
    """Nothing, half and all of a round height that a series up to `high` about fills."""
    if not 0 < high < math.inf:
        return [0.0, 0.5, 1.0]
    exponent = math.floor(math.log10(high)) - 1
    tops = (
        round(digit * 10.0**power, max(0, -power))
        for power in range(exponent, exponent + 3)
        for digit in (1, 2, 4, 6, 8)
    )
    top = next(top for top in tops if top >= 0.93 * high)
    return [0.0, top / 2, top]
