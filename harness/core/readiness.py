"""The readiness gap: how long after READY a vantage's requests began to succeed."""

from __future__ import annotations

from datetime import datetime

from harness.core.conditions import is_ready
from harness.core.observation import ProbeObserved, ReadinessGap, ServiceObserved

# READY that is older (seconds) when the first request is sent says nothing about a gap.
YOUNG = 60.0


def readiness_gap(*, ready: ServiceObserved, probe: ProbeObserved) -> ReadinessGap | None:
    """The gap of one vantage; None when the service is not READY, has long been so, or its time
    is not known."""
    if not is_ready(ready) or ready.age is None or probe.valid == 0:
        return None
    looked, began = (datetime.fromisoformat(text) for text in (ready.at, probe.at))
    before = ready.age + (began - looked).total_seconds()
    if before > YOUNG:
        return None
    return ReadinessGap(
        first=_after(before, probe.first_good_after),
        steady=_after(before, probe.steady_after),
        at_most=probe.valid - probe.good == probe.failed_after_good,
    )


def gap_text(gap: ReadinessGap) -> str:
    """A gap as people read it."""
    if gap.first is None:
        return "no success after READY"
    bound = "at most " if gap.at_most else ""
    steady = f", steady after {gap.steady:.1f} s" if gap.steady is not None else ""
    return f"{bound}{gap.first:.1f} s{steady}"


def _after(before: float, seconds: float | None) -> float | None:
    return None if seconds is None else round(max(0.0, before + seconds), 3)
