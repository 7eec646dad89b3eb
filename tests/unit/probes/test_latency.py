"""Latency from Locust's statistics: its rounding must not put quantiles out of order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probes.load import latency_of


@given(st.lists(st.floats(min_value=0.01, max_value=5000), min_size=1, max_size=50))
def test_quantiles_stay_in_order_whatever_was_rounded(milliseconds: list[float]) -> None:
    rounded: dict[str, int] = {}
    for value in milliseconds:
        key = str(round(value, -1) if value > 100 else round(value))
        rounded[key] = rounded.get(key, 0) + 1
    seen = latency_of(
        {
            "num_requests": len(milliseconds),
            "total_response_time": sum(milliseconds),
            "min_response_time": min(milliseconds),
            "max_response_time": max(milliseconds),
            "response_times": rounded,
        }
    )
    assert seen is not None
    assert seen.min <= seen.p50 <= seen.p90 <= seen.p95 <= seen.p99 <= seen.max


def test_no_request_has_no_latency() -> None:
    assert latency_of({"num_requests": 0, "response_times": {}}) is None
