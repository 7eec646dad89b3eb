"""The readiness gap: from READY to the first success, and to success after success."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.observation import ProbeObserved, ServiceObserved
from harness.core.readiness import gap_text, readiness_gap

READY = ServiceObserved(
    service="hello", namespace="default", found=True, at="2026-11-22T10:00:05+00:00", age=5.0
)
PROBE = ProbeObserved(
    service="hello",
    namespace="default",
    vantage="devbox",
    url="u",
    at="2026-11-22T10:00:06Z",
    until="2026-11-22T10:00:08Z",
    valid=20,
    good=20,
    first_good_after=0.1,
    steady_after=0.5,
)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "at most 6.1 s, steady after 6.5 s"),
        ({"good": 18, "first_good_after": 0.4}, "6.4 s, steady after 6.5 s"),
        ({"good": 18, "failed_after_good": 2}, "at most 6.1 s, steady after 6.5 s"),
        ({"good": 3, "steady_after": None}, "6.1 s"),
        ({"good": 0, "first_good_after": None, "steady_after": None}, "no success after READY"),
        ({"at": "2026-11-22T09:59:00Z"}, "at most 0.0 s, steady after 0.0 s"),
    ],
)
def test_the_gap_is_counted_from_ready(fields: dict[str, Any], text: str) -> None:
    gap = readiness_gap(ready=READY, probe=replace(PROBE, **fields))
    assert gap is not None
    assert gap_text(gap) == text


@pytest.mark.parametrize(
    ("ready", "probe"),
    [
        (replace(READY, mismatches=("not READY",)), PROBE),
        (replace(READY, age=None), PROBE),
        (replace(READY, age=60.0), PROBE),
        (READY, replace(PROBE, valid=0)),
    ],
)
def test_without_ready_or_attempts_there_is_no_gap(
    ready: ServiceObserved, probe: ProbeObserved
) -> None:
    assert readiness_gap(ready=ready, probe=probe) is None
