"""Trends: sums of counts over windows, error budget and burn rate for each vantage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.history import Counts, trend_lines, trends, window_trend

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def run(hours_ago: float, valid: int, good: int, vantage: str = "devbox") -> Counts:
    return Counts(NOW - timedelta(hours=hours_ago), "default/hello", vantage, valid, good)


def test_a_window_sums_counts_and_never_averages_percentages() -> None:
    window = window_trend([run(1, 10, 0), run(2, 990, 990)], now=NOW, length=DAY, objective=0.999)
    assert (window.runs, window.valid, window.good) == (2, 1000, 990)
    assert window.availability == 0.99
    assert window.budget_left == pytest.approx(-9)
    assert window.burn_rate == pytest.approx(10)


def test_each_vantage_has_its_own_trend() -> None:
    found = trends(
        [run(1, 20, 20), run(1, 20, 0, "in-cluster")], now=NOW, objective=0.99, windows=[DAY]
    )
    assert [(t.vantage, t.windows[0].availability) for t in found] == [
        ("devbox", 1.0),
        ("in-cluster", 0.0),
    ]


@pytest.mark.parametrize(("hours_ago", "runs"), [(0, 1), (24, 1), (24.01, 0), (-1, 0)])
def test_a_run_belongs_to_a_window_by_its_time(hours_ago: float, runs: int) -> None:
    window = window_trend([run(hours_ago, 20, 20)], now=NOW, length=DAY, objective=0.99)
    assert window.runs == runs


def test_no_data_is_neither_good_nor_bad() -> None:
    (trend,) = trends([run(48, 20, 0)], now=NOW, objective=0.99, windows=[DAY])
    window = trend.windows[0]
    assert (window.availability, window.interval, window.burn_rate) == (None, None, None)
    assert trend_lines(trend) == ("default/hello from devbox over 1 d: no data in 0 runs",)


def test_lines_say_counts_interval_budget_and_burn_rate() -> None:
    (trend,) = trends([run(1, 1000, 995)], now=NOW, objective=0.99, windows=[DAY])
    assert trend_lines(trend) == (
        "default/hello from devbox over 1 d: 995/1000 = 99.50% (95 % interval 98.83% to 99.79%) "
        "in 1 run; error budget left 50.0%, burn rate 0.50",
    )


def test_burning_needs_the_long_and_the_short_window() -> None:
    fresh = [run(0.05, 100, 50), run(0.5, 100, 50)]
    old = [run(0.5, 100, 50), run(0.01, 100, 100)]
    (burning,) = trends(fresh, now=NOW, objective=0.99, windows=[DAY])
    (recovered,) = trends(old, now=NOW, objective=0.99, windows=[DAY])
    assert [window.rate for window in burning.burning] == [14.4, 6, 3, 1]
    assert 14.4 not in [window.rate for window in recovered.burning]
    assert trend_lines(burning)[1] == (
        "default/hello from devbox: burning more than 14.4 times as fast as 99% allows "
        "(over 1 h and over 5 m)"
    )


@given(
    st.lists(
        st.builds(
            lambda hours, counts: run(hours, counts[0], counts[1]),
            st.floats(0, 100),
            st.integers(0, 50).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
        ),
        max_size=20,
    )
)
def test_a_longer_window_never_holds_less(history: list[Counts]) -> None:
    short, long = (
        window_trend(history, now=NOW, length=timedelta(hours=hours), objective=0.99)
        for hours in (10, 50)
    )
    assert short.runs <= long.runs
    assert short.valid <= long.valid
    assert short.valid - short.good <= long.valid - long.good
