"""The latency histogram: bounded error, bounded memory, exact where it can be."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.histogram import Histogram, bucket_of, upper_bound


def histogram_of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_nothing_counted_has_no_quantiles() -> None:
    assert Histogram().quantiles() is None
    assert list(Histogram().bars()) == []


@given(st.integers(0, 10**13))
def test_a_bucket_holds_its_value_within_one_part_in_128(value: int) -> None:
    bucket = bucket_of(value)
    bound = upper_bound(bucket)
    assert value <= bound
    assert bound - value <= value / 128
    assert bucket == 0 or upper_bound(bucket - 1) < value


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_the_nearest_rank_within_the_error(values: list[float], q: float) -> None:
    exact = sorted(values)[ceil(q * len(values)) - 1]
    assert histogram_of(values).quantile(q) == pytest.approx(exact, rel=1 / 100, abs=1e-8)


@given(st.lists(st.floats(0, 10)), st.lists(st.floats(0, 10)))
def test_merged_halves_equal_the_whole(left: list[float], right: list[float]) -> None:
    merged = histogram_of(left)
    merged.merge(histogram_of(right))
    assert merged.quantiles() == histogram_of(left + right).quantiles()


def test_mean_and_extremes_are_exact() -> None:
    quantiles = histogram_of([0.001, 0.002, 0.006]).quantiles()
    assert quantiles is not None
    assert (quantiles.mean, quantiles.min, quantiles.max) == (0.003, 0.001, 0.006)


def test_a_clock_that_went_back_counts_as_zero() -> None:
    assert histogram_of([-1.0]).quantile(1) == 0.0


def test_bars_double_and_keep_every_count() -> None:
    bars = list(histogram_of([0.00005, 0.00015, 0.00015, 0.9]).bars())
    assert bars == [(0.0001, 1), (0.0002, 2), (1.6384, 1)]


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=50), st.floats(0, 10))
def test_counts_of_another_histogram_give_the_same_figures(
    values: list[int], threshold: float
) -> None:
    whole = histogram_of([value / 1e9 for value in values])
    taken = Histogram.of(
        [(value, 1) for value in values], total=sum(values), least=min(values), most=max(values)
    )
    assert taken.quantiles() == pytest.approx(whole.quantiles())
    exact = sum(value <= threshold * 1e9 for value in values)
    near = sum(value <= threshold * 1e9 * (1 + 1 / 64) + 1 for value in values)
    assert exact <= taken.within(threshold) <= near


def test_no_counts_have_no_figures() -> None:
    empty = Histogram.of([], total=0, least=0, most=0)
    assert (empty.quantiles(), empty.within(1.0)) == (None, 0)
