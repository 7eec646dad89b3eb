"""The readiness gap: how long after READY a vantage's requests began to succeed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.core.conditions import is_ready
from harness.core.observation import ProbeObserved, ServiceObserved


@dataclass(frozen=True, slots=True)
class ReadinessGap:
    """Seconds from READY to the first success and to the fifth in a row; None: not seen.

    `at_most` says that no attempt failed: requests may have succeeded before anybody tried.
    READY's own time has whole seconds, so a gap is as uncertain.
    """

    vantage: str
    first: float | None
    steady: float | None
    at_most: bool


def readiness_gap(*, ready: ServiceObserved, probe: ProbeObserved) -> ReadinessGap | None:
    """The gap of one vantage; None when the service is not READY, or its time is not known."""
    if not is_ready(ready) or ready.age is None or probe.valid == 0:
        return None
    looked, began = (datetime.fromisoformat(text) for text in (ready.at, probe.at))
    before = ready.age + (began - looked).total_seconds()
    return ReadinessGap(
        vantage=probe.vantage,
        first=_after(before, probe.first_good_after),
        steady=_after(before, probe.steady_after),
        at_most=probe.good == probe.valid,
    )


def gap_text(gap: ReadinessGap) -> str:
    """A gap as people read it."""
    if gap.first is None:
        return f"readiness gap from {gap.vantage}: no success after READY"
    bound = "at most " if gap.at_most else ""
    steady = f", steady after {gap.steady:.1f} s" if gap.steady is not None else ""
    return f"readiness gap from {gap.vantage}: {bound}{gap.first:.1f} s{steady}"


def _after(before: float, seconds: float | None) -> float | None:
    return None if seconds is None else max(0.0, before + seconds)
