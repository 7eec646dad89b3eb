"""Objectives: standing, error budget, burn rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.sli import wilson
from harness.core.slo import (
    BURN_WINDOWS,
    Standing,
    budget_left,
    burn_rate,
    error_budget,
    is_burning,
    standing,
)


@pytest.mark.parametrize(
    ("good", "valid", "observed", "proven"),
    [
        (0, 0, Standing.NO_DATA, Standing.NO_DATA),
        (20, 20, Standing.MET, Standing.UNPROVEN),
        (381, 381, Standing.MET, Standing.MET),
        (19, 20, Standing.MISSED, Standing.UNPROVEN),
        (10, 20, Standing.MISSED, Standing.MISSED),
    ],
)
def test_a_ratio_stands_by_its_estimate_or_by_its_interval(
    good: int, valid: int, observed: Standing, proven: Standing
) -> None:
    counts = {"good": good, "valid": valid}
    assert standing(**counts, objective=0.99, interval=None) is observed
    assert standing(**counts, objective=0.99, interval=wilson(good, valid)) is proven


@pytest.mark.parametrize(
    ("good", "left", "rate"),
    [(1000, 1.0, 0.0), (995, 0.5, 0.5), (990, 0.0, 1.0), (856, -13.4, 14.4)],
)
def test_budget_and_burn_rate_of_a_thousand_at_99_percent(
    good: int, left: float, rate: float
) -> None:
    assert error_budget(valid=1000, objective=0.99) == pytest.approx(10)
    assert budget_left(good=good, valid=1000, objective=0.99) == pytest.approx(left)
    assert burn_rate(good=good, valid=1000, objective=0.99) == pytest.approx(rate)


@pytest.mark.parametrize(("valid", "objective"), [(0, 0.99), (10, 1.0)])
def test_without_data_or_budget_there_is_no_rate(valid: int, objective: float) -> None:
    assert budget_left(good=0, valid=valid, objective=objective) is None
    assert burn_rate(good=0, valid=valid, objective=objective) is None


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.floats(0.5, 0.999))
def test_a_met_objective_never_burns_faster_than_one(good: int, bad: int, objective: float) -> None:
    valid = good + bad
    rate = burn_rate(good=good, valid=valid, objective=objective)
    met = standing(good=good, valid=valid, objective=objective, interval=None) is Standing.MET
    assert rate is not None
    assert rate <= 1 + 1e-9 if met else rate >= 1 - 1e-9


@pytest.mark.parametrize(
    ("long", "short", "alerts"),
    [
        (15.0, 15.0, True),
        (15.0, 1.0, False),
        (1.0, 15.0, False),
        (None, 15.0, False),
        (15.0, None, False),
    ],
)
def test_an_alert_needs_both_windows(long: float | None, short: float | None, alerts: bool) -> None:
    assert is_burning(long=long, short=short, window=BURN_WINDOWS[0]) is alerts
