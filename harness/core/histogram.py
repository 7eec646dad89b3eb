"""A latency histogram of bounded memory: logarithmic buckets, each cut into equal parts.

The same layout as HdrHistogram's: values are whole nanoseconds, and every value is kept with a
relative error of at most 1/128 (0.8 %), whatever its size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil

from harness.core.observation import Quantiles

_PARTS_BITS = 7
_NANOSECONDS = 1_000_000_000


def bucket_of(nanoseconds: int) -> int:
    """The number of the bucket that holds a value; grows with the value."""
    shift = max(0, nanoseconds.bit_length() - (_PARTS_BITS + 1))
    return (shift << _PARTS_BITS) + (nanoseconds >> shift)


def upper_bound(bucket: int) -> int:
    """The largest value, in nanoseconds, that a bucket holds."""
    shift = max(0, (bucket >> _PARTS_BITS) - 1)
    part = bucket - (shift << _PARTS_BITS)
    return ((part + 1) << shift) - 1


class Histogram:
    """Counts of durations. Adding is O(1); memory does not grow with the number of values."""

    __slots__ = ("_buckets", "_max", "_min", "_sum", "count")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._sum = 0
        self._min: int | None = None
        self._max = 0
        self.count = 0

    @classmethod
    def of(
        cls, counts: Iterable[tuple[int, int]], *, total: int, least: int, most: int
    ) -> Histogram:
        """A histogram from pairs (nanoseconds, count) that another one has counted.

        `total`, `least` and `most` are the exact sum and extremes, in nanoseconds.
        """
        histogram = cls()
        for nanoseconds, count in counts:
            histogram._buckets[bucket_of(nanoseconds)] += count
            histogram.count += count
        histogram._sum, histogram._max = total, most
        histogram._min = least if histogram.count else None
        return histogram

    def within(self, seconds: float) -> int:
        """How many durations are at most `seconds`, to the histogram's precision."""
        limit = round(seconds * _NANOSECONDS)
        if limit >= self._max:
            return self.count
        bound = bucket_of(limit)
        return sum(count for bucket, count in self._buckets.items() if bucket <= bound)

    def add(self, seconds: float) -> None:
        """Count one duration; a negative one (a clock that went back) counts as 0."""
        value = max(0, round(seconds * _NANOSECONDS))
        self._buckets[bucket_of(value)] += 1
        self._sum += value
        self._min = value if self._min is None else min(self._min, value)
        self._max = max(self._max, value)
        self.count += 1

    def merge(self, other: Histogram) -> None:
        """Add all counts of another histogram."""
        self._buckets.update(other._buckets)
        self._sum += other._sum
        bounds = [bound for bound in (self._min, other._min) if bound is not None]
        self._min = min(bounds, default=None)
        self._max = max(self._max, other._max)
        self.count += other.count

    def quantile(self, q: float) -> float:
        """The duration in seconds that the share `q` of the values does not exceed.

        0.0 when nothing was counted: ask `count` first.
        """
        rank = max(1, ceil(q * self.count))
        seen = 0
        for bucket, count in sorted(self._buckets.items()):
            seen += count
            if seen >= rank:
                return min(upper_bound(bucket), self._max) / _NANOSECONDS
        return 0.0

    def quantiles(self) -> Quantiles | None:
        """The usual figures in seconds; None when nothing was counted."""
        if self._min is None:
            return None
        return Quantiles(
            count=self.count,
            mean=self._sum / self.count / _NANOSECONDS,
            min=self._min / _NANOSECONDS,
            p50=self.quantile(0.50),
            p90=self.quantile(0.90),
            p95=self.quantile(0.95),
            p99=self.quantile(0.99),
            max=self._max / _NANOSECONDS,
        )

    def bars(self) -> Iterator[tuple[float, int]]:
        """Coarse bars for people: (upper bound in seconds, count), doubling from 0.1 ms."""
        bars: Counter[int] = Counter()
        for bucket, count in self._buckets.items():
            steps = upper_bound(bucket) // 100_000
            bars[steps.bit_length()] += count
        for step, count in sorted(bars.items()):
            yield 100_000 * 2**step / _NANOSECONDS, count
