"""Counting samples."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probes.agent.outcomes import HOP_OF, HOPS, Outcome
from probes.agent.sample import Sample, encode
from probes.agent.summary import Tally


def sample(outcome: str = "ok", **changes: Any) -> Sample:
    values = {
        "target": "t",
        "vantage": "devbox",
        "type": "http",
        "seq": 0,
        "warmup": False,
        "scheduled_ns": 0,
        "start_mono_ns": 5,
        "start_utc": "2026-01-01T00:00:00.000000Z",
        "lateness_ns": 5,
        "duration_s": 0.002,
        "outcome": outcome,
        "hop": HOP_OF[Outcome(outcome)],
        "phases": {"connect": 0.001},
        "status": 200 if outcome == "ok" else None,
        **changes,
    }
    return Sample(**values)


def test_counts_leave_out_warm_up_and_what_the_prober_did() -> None:
    tally = Tally("t", "http", planned=9)
    for each in (
        sample(warmup=True),
        sample("connect_refused", warmup=True),
        sample(),
        sample(),
        sample("connect_refused"),
        sample("prober_error"),
    ):
        tally.add(each)
    found = tally.summary()
    assert (found.total, found.warmup, found.valid, found.good) == (6, 2, 3, 2)
    assert found.prober_errors == 1
    assert found.by_outcome == {"connect_refused": 1, "ok": 2, "prober_error": 1}
    assert found.by_status == {"200": 2}
    assert found.lateness.count == 4
    assert found.latency["ok"]["total"].sum == 4_000_000
    assert found.latency["ok"]["connect"].max == 1_000_000
    assert found.first_failure == sample("connect_refused")


def test_nothing_is_nothing() -> None:
    found = Tally("t", "http", planned=3).summary()
    assert (found.total, found.valid, found.good, found.latency) == (0, 0, 0, {})
    assert found.lateness.percentiles["p99"] == 0


def test_many_samples_are_kept_in_bounded_memory() -> None:
    tally = Tally("t", "http", planned=30_000)
    for i in range(30_000):
        tally.add(sample(duration_s=(i * 7919 % 100_003) / 1e4, status=100 + i % 500))
    line = encode("summary", tally.summary())
    assert json.loads(line)["total"] == 30_000
    assert len(line) < 100_000


def test_absent_values_are_left_out_of_json() -> None:
    found = json.loads(encode("sample", sample("dns_timeout", phases={"resolve": 1.0})))
    assert "status" not in found
    assert "headers" not in found
    assert found["phases"] == {"resolve": 1.0}
    assert found["warmup"] is False


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_exactly_one_hop(outcome: Outcome) -> None:
    assert [hop for hop, outcomes in HOPS.items() if outcome in outcomes] == [HOP_OF[outcome]]
