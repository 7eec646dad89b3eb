"""Probes of which only the engine's summary is kept."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.errors import ProbeError
from harness.core.observation import ProbeObserved
from probes.summaries import observed_from_summary

ASKED = ProbeObserved(
    service="hello", namespace="default", vantage="gateway", url="u", at="", until="", rate=10.0
)
# Two good attempts of 1 ms and one of 3 ms, counted with 8 bits as the engine does.
TWO_AND_ONE = {
    "count": 3,
    "sum": 5_000_000,
    "min": 1_000_000,
    "max": 3_000_000,
    "precision_bits": 8,
    "buckets": [[(11 << 8) + (1_000_000 >> 11), 2], [(13 << 8) + (3_000_000 >> 13), 1]],
}


def summary(**fields: Any) -> dict[str, Any]:
    target = {
        "target": "t",
        "total": 5,
        "warmup": 1,
        "valid": 4,
        "good": 3,
        "by_outcome": {"ok": 3, "status_mismatch": 1},
        "by_status": {"200": 3, "404": 1},
        "latency": {"ok": {"total": TWO_AND_ONE, "wait": TWO_AND_ONE}},
        "lateness": {"count": 0, "precision_bits": 8, "buckets": []},
        **fields,
    }
    return {"record": "summary", "targets": [target]}


def failure(**headers: str) -> dict[str, Any]:
    return {
        "target": "t",
        "seq": 3,
        "outcome": "status_mismatch",
        "detail": "status 404, expected 200",
        "status": 404,
        "headers": {"server": "envoy", **headers},
    }


def read(record: dict[str, Any]) -> ProbeObserved:
    return observed_from_summary(record, target="t", asked=ASKED, thresholds=[0.002])


def test_counts_and_latencies_are_the_engines() -> None:
    seen = read(summary())
    assert (seen.total, seen.warmup, seen.valid, seen.good) == (5, 1, 4, 3)
    assert seen.failures == {"status_mismatch": 1}
    assert seen.statuses == {"200": 3, "404": 1}
    assert seen.latencies_within == {"0.002": 2}
    assert seen.latency is not None
    assert (seen.latency.count, seen.latency.min, seen.latency.max) == (3, 0.001, 0.003)
    assert seen.latency.p50 == pytest.approx(0.001, rel=0.01)
    assert seen.latency.mean == pytest.approx(5 / 3000)
    assert set(seen.phases) == {"wait"}


@pytest.mark.parametrize(
    ("headers", "gateway", "service"),
    [({}, {"404": 1}, {}), ({"x-envoy-upstream-service-time": "1"}, {}, {"404": 1})],
)
def test_the_first_failure_says_who_answered(
    headers: dict[str, str], gateway: dict[str, int], service: dict[str, int]
) -> None:
    seen = read(summary(first_failure=failure(**headers)))
    assert (seen.gateway_failures, seen.service_failures) == (gateway, service)
    assert seen.first_ids == {"status_mismatch": "t#3"}
    assert seen.details["status_mismatch"].startswith("status 404, expected 200")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"targets": []}, "did not summarise 't'"),
        (summary(by_outcome={"odd": 1}), r"unknown outcomes: \['odd'\]"),
    ],
)
def test_what_is_not_a_summary_is_refused(record: dict[str, Any], message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        read(record)
