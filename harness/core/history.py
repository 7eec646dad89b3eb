"""The history of an SLI: counts of runs, and the trend that follows from them. Pure.

Counts add up, percentages do not: every figure of a window comes from the sums of its counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.core.sli import ratio_text, wilson
from harness.core.slo import BURN_WINDOWS, BurnWindow, budget_left, burn_rate, is_burning


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run counted for one service from one vantage; `at` is timezone-aware."""

    at: datetime
    service: str
    vantage: str
    valid: int
    good: int


@dataclass(frozen=True, slots=True)
class WindowTrend:
    """A window's sums and what follows: ratios are None when there is no data.

    `seconds` is the window's length; `budget_left` is 1 while untouched and 0 when spent.
    """

    seconds: float
    runs: int
    valid: int
    good: int
    availability: float | None
    interval: tuple[float, float] | None
    budget_left: float | None
    burn_rate: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """One service from one vantage: its windows, and the burn rates that call for attention."""

    service: str
    vantage: str
    objective: float
    windows: tuple[WindowTrend, ...]
    burning: tuple[BurnWindow, ...] = ()


def trends(
    history: Sequence[Counts],
    *,
    now: datetime,
    objective: float,
    windows: Sequence[timedelta],
) -> tuple[Trend, ...]:
    """The trend of each service and vantage in a history, in the order of first appearance.

    A run belongs to a window when it ended at most the window's length before `now`; runs of
    the future (another machine's clock) belong to none.
    """
    keys = dict.fromkeys((counts.service, counts.vantage) for counts in history)
    return tuple(
        Trend(
            service=service,
            vantage=vantage,
            objective=objective,
            windows=tuple(
                window_trend(own, now=now, length=length, objective=objective) for length in windows
            ),
            burning=_burning(own, now=now, objective=objective),
        )
        for service, vantage in keys
        for own in [[c for c in history if (c.service, c.vantage) == (service, vantage)]]
    )


def window_trend(
    history: Sequence[Counts], *, now: datetime, length: timedelta, objective: float
) -> WindowTrend:
    """The sums of the runs within `length` before `now`, and what follows from them."""
    inside = [counts for counts in history if timedelta(0) <= now - counts.at <= length]
    valid, good = sum(c.valid for c in inside), sum(c.good for c in inside)
    return WindowTrend(
        seconds=length.total_seconds(),
        runs=len(inside),
        valid=valid,
        good=good,
        availability=good / valid if valid else None,
        interval=wilson(good, valid),
        budget_left=budget_left(good=good, valid=valid, objective=objective),
        burn_rate=burn_rate(good=good, valid=valid, objective=objective),
    )


def trend_lines(trend: Trend) -> tuple[str, ...]:
    """A trend as people read it; a window without runs says `no data`."""
    who = f"{trend.service} from {trend.vantage}"
    lines = [f"{who} over {_length(w.seconds)}: {_window_text(w)}" for w in trend.windows]
    lines += [
        f"{who}: burning more than {window.rate:g} times as fast as {trend.objective * 100:.6g}% "
        f"allows (over {_length(window.long)} and over {_length(window.short)})"
        for window in trend.burning
    ]
    return tuple(lines)


def _window_text(window: WindowTrend) -> str:
    runs = "1 run" if window.runs == 1 else f"{window.runs} runs"
    text = f"{ratio_text(window.good, window.valid)} in {runs}"
    if window.budget_left is None or window.burn_rate is None:
        return text
    return f"{text}; error budget left {window.budget_left:.1%}, burn rate {window.burn_rate:.2f}"


def _burning(
    history: Sequence[Counts], *, now: datetime, objective: float
) -> tuple[BurnWindow, ...]:
    def rate(seconds: float) -> float | None:
        length = timedelta(seconds=seconds)
        return window_trend(history, now=now, length=length, objective=objective).burn_rate

    return tuple(
        window
        for window in BURN_WINDOWS
        if is_burning(long=rate(window.long), short=rate(window.short), window=window)
    )


def _length(seconds: float) -> str:
    """A window's length in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
