"""A histogram of high dynamic range: bounded memory, bounded relative error."""

from __future__ import annotations

from dataclasses import dataclass

PRECISION_BITS = 8
"""Each power of two is split into 2**8 buckets: a value is known to within 0.4 %."""

_MAX_VALUE = (1 << 42) - 1
_LINEAR_BITS = PRECISION_BITS + 1
_LINEAR = 1 << _LINEAR_BITS
_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999))


def bucket_of(value: int) -> int:
    """The number of the bucket that holds `value` (nanoseconds, 0 to about 73 minutes)."""
    if value < _LINEAR:
        return value if value > 0 else 0
    if value > _MAX_VALUE:
        value = _MAX_VALUE
    shift = value.bit_length() - _LINEAR_BITS
    return (shift << PRECISION_BITS) + (value >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """The least and the greatest value that `bucket` holds."""
    if bucket < _LINEAR:
        return bucket, bucket
    shift = (bucket >> PRECISION_BITS) - 1
    low = (bucket - (shift << PRECISION_BITS)) << shift
    return low, low + (1 << shift) - 1


@dataclass(frozen=True)
class Distribution:
    """A histogram as it is reported; values are nanoseconds.

    `buckets` are pairs of bucket number and count, in order; `percentiles` are the upper bounds of
    the buckets they fall into, never above `max`.
    """

    count: int
    sum: int
    min: int
    max: int
    percentiles: dict[str, int]
    precision_bits: int
    buckets: tuple[tuple[int, int], ...]


class Histogram:
    """Counts values; at most about 9,000 buckets, however many values there are."""

    __slots__ = ("_counts", "_max", "_min", "count", "sum")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._min = _MAX_VALUE
        self._max = 0
        self.count = 0
        self.sum = 0

    def add(self, value: int) -> None:
        """Count `value`."""
        if _LINEAR <= value <= _MAX_VALUE:  # As `bucket_of` says: nearly all, without a call.
            shift = value.bit_length() - _LINEAR_BITS
            bucket = (shift << PRECISION_BITS) + (value >> shift)
        else:
            bucket = bucket_of(value)
        counts = self._counts
        counts[bucket] = counts.get(bucket, 0) + 1
        self.count += 1
        self.sum += value
        if value > self._max:
            self._max = value
        if value < self._min:
            self._min = value

    def quantile(self, share: float) -> int:
        """The smallest known bound that at least `share` of the values do not exceed."""
        return self._quantile(sorted(self._counts.items()), share)

    def distribution(self) -> Distribution:
        """All that is known, as one value."""
        buckets = sorted(self._counts.items())
        return Distribution(
            count=self.count,
            sum=self.sum,
            min=self._min if self.count else 0,
            max=self._max,
            percentiles={name: self._quantile(buckets, share) for name, share in _QUANTILES},
            precision_bits=PRECISION_BITS,
            buckets=tuple(buckets),
        )

    def _quantile(self, buckets: list[tuple[int, int]], share: float) -> int:
        needed = max(1, -int(-share * self.count // 1))
        seen = 0
        for bucket, count in buckets:
            seen += count
            if seen >= needed:
                return min(bounds_of(bucket)[1], self._max)
        return 0
