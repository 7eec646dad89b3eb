"""Service level objectives: error budget and burn rate, from counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a measured ratio stands to an objective."""

    MET = "met"
    MISSED = "missed"
    UNPROVEN = "unproven"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A pair of windows (seconds) whose burn rates must both exceed `rate` to alert."""

    rate: float
    long: float
    short: float


# The SRE workbook's rates for a budget of 30 days.
BURN_WINDOWS = (
    BurnWindow(rate=14.4, long=3600, short=300),
    BurnWindow(rate=6, long=6 * 3600, short=1800),
    BurnWindow(rate=3, long=24 * 3600, short=2 * 3600),
    BurnWindow(rate=1, long=72 * 3600, short=6 * 3600),
)


def standing(
    *, good: int, valid: int, objective: float, interval: tuple[float, float] | None
) -> Standing:
    """How good/valid stands to an objective.

    With `interval` (judge: proven) the whole interval must be on one side; without it (judge:
    observed) the point estimate decides.
    """
    if valid <= 0:
        return Standing.NO_DATA
    low, high = interval if interval is not None else (good / valid, good / valid)
    if low >= objective:
        return Standing.MET
    return Standing.MISSED if high < objective else Standing.UNPROVEN


def error_budget(*, valid: int, objective: float) -> float:
    """How many bad events the objective allows among `valid` ones."""
    return (1 - objective) * valid


def budget_left(*, good: int, valid: int, objective: float) -> float | None:
    """The share of the error budget that is left: 1 untouched, 0 spent, below 0 overspent.

    None when there is no data or the objective leaves no budget.
    """
    allowed = error_budget(valid=valid, objective=objective)
    return None if allowed <= 0 else 1 - (valid - good) / allowed


def burn_rate(*, good: int, valid: int, objective: float) -> float | None:
    """How many times faster than allowed the budget is spent; 1 lasts exactly the window.

    None when there is no data or the objective leaves no budget.
    """
    left = budget_left(good=good, valid=valid, objective=objective)
    return None if left is None else 1 - left


def is_burning(*, long: float | None, short: float | None, window: BurnWindow) -> bool:
    """Whether both windows of a pair burn faster than its rate; no data never alerts."""
    return long is not None and short is not None and min(long, short) > window.rate
