"""The histogram against exact values."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from probes.agent.hdr import PRECISION_BITS, Histogram, bounds_of, bucket_of

values = st.integers(0, (1 << 42) - 1)
shares = st.floats(0.001, 1.0)


@given(values)
def test_a_value_lies_in_its_bucket(value: int) -> None:
    low, high = bounds_of(bucket_of(value))
    assert low <= value <= high
    assert high - low <= value / (1 << PRECISION_BITS)


@given(values)
def test_buckets_follow_each_other_without_a_gap(value: int) -> None:
    bucket = bucket_of(value)
    assert bounds_of(bucket)[1] + 1 == bounds_of(bucket + 1)[0]


@given(st.lists(values, min_size=1, max_size=200), shares)
def test_quantiles_agree_with_the_sorted_values(found: list[int], share: float) -> None:
    histogram = Histogram()
    for value in found:
        histogram.add(value)
    exact = sorted(found)[math.ceil(share * len(found)) - 1]
    assert exact <= histogram.quantile(share) <= exact * (1 + 2**-PRECISION_BITS)


@given(st.lists(values, max_size=100))
def test_a_distribution_counts_everything(found: list[int]) -> None:
    histogram = Histogram()
    for value in found:
        histogram.add(value)
    result = histogram.distribution()
    assert result.count == len(found) == sum(count for _, count in result.buckets)
    assert result.sum == sum(found)
    assert (result.min, result.max) == (min(found, default=0), max(found, default=0))
    assert list(result.buckets) == sorted(result.buckets)


def test_values_beyond_the_range_are_kept_at_its_end() -> None:
    histogram = Histogram()
    histogram.add(1 << 50)
    histogram.add(-5)
    assert histogram.count == 2
    assert histogram.quantile(0.5) == 0


def test_many_values_need_few_buckets() -> None:
    histogram = Histogram()
    for i in range(100_000):
        histogram.add(i * 35_711 % 5_000_000_000)
    assert histogram.count == 100_000
    assert len(histogram.distribution().buckets) < 9_000
