"""Numbers that cannot be true are found, each at its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.checks.arithmetic import arithmetic_findings
from harness.evidence.markdown import render
from harness.evidence.model import Evidence, Malformed, decode, encode
from harness.evidence.pictures import pictures
from tests.support.golden import at_path, leaves, with_value
from tests.support.stories import Story, documents

BROKEN = documents(Story(devbox=0))
PARTLY = documents(Story(devbox=13))
SLI, READY, LOAD = PARTLY["sli"], PARTLY["ready"], PARTLY["load"]
DEVBOX = "vantages.1"
WITHIN = f"{DEVBOX}.probe.latencies_within"


def edited(document: Evidence, field: str, value: Any) -> Evidence:
    before = json.loads(encode(document))
    path: tuple[str | int, ...] = ()
    for part in field.split("."):
        path = (*path, int(part) if isinstance(at_path(before, path), list) else part)
    changed = with_value(before, path, value)
    return decode(json.dumps(changed).encode())


def fields(document: Evidence) -> list[str]:
    return [finding.field for finding in arithmetic_findings("x", document)]


@pytest.mark.parametrize("devbox", [0, 1, 13, 20])
def test_what_the_product_writes_adds_up(devbox: int) -> None:
    for document in documents(Story(devbox=devbox)).values():
        assert fields(document) == []


@pytest.mark.parametrize(
    ("document", "field", "value", "at"),
    [
        (SLI, f"{DEVBOX}.probe.total", 2000, f"{DEVBOX}.probe.total"),
        (SLI, f"{DEVBOX}.probe.outcomes.ok", 14, f"{DEVBOX}.probe.total"),
        (SLI, f"{DEVBOX}.probe.valid", 19, f"{DEVBOX}.probe.valid"),
        (SLI, f"{DEVBOX}.probe.valid", 10**400, f"{DEVBOX}.probe.valid"),
        (SLI, f"{DEVBOX}.probe.good", 20, f"{DEVBOX}.probe.good"),
        (SLI, f"{DEVBOX}.probe.good", -1, f"{DEVBOX}.probe.good"),
        (SLI, f"{DEVBOX}.probe.warmup", 5, f"{DEVBOX}.probe.valid"),
        (SLI, f"{DEVBOX}.probe.outcomes.connect_refused", -7, f"{DEVBOX}.probe.outcomes"),
        (SLI, f"{DEVBOX}.probe.outcomes", {"sunshine": 20}, f"{DEVBOX}.probe.outcomes"),
        (SLI, f"{DEVBOX}.probe.statuses.200", 2000, f"{DEVBOX}.probe.statuses"),
        (SLI, f"{DEVBOX}.probe.latency.p50", 9.0, f"{DEVBOX}.probe.latency"),
        (SLI, f"{DEVBOX}.probe.latency.max", 0.001, f"{DEVBOX}.probe.latency"),
        (SLI, f"{DEVBOX}.probe.latency.mean", 4.0, f"{DEVBOX}.probe.latency.mean"),
        (SLI, f"{DEVBOX}.probe.latency.count", 14, f"{DEVBOX}.probe.latency.count"),
        (SLI, f"{DEVBOX}.probe.latency", None, f"{DEVBOX}.probe.latency.count"),
        (SLI, f"{DEVBOX}.probe.phases.wait.count", 14, f"{DEVBOX}.probe.phases.wait.count"),
        (SLI, f"{DEVBOX}.probe.histogram.0.1", 99, f"{DEVBOX}.probe.histogram"),
        (SLI, WITHIN, {"0.1": 13, "0.5": 12}, WITHIN),
        (SLI, WITHIN, {"0.5": 14}, WITHIN),
        (SLI, WITHIN, {"a": 1}, WITHIN),
        (SLI, f"{DEVBOX}.probe.until", "2026-11-20T09:30:03.100000Z", f"{DEVBOX}.probe.until"),
        (SLI, f"{DEVBOX}.probe.until", "2026-11-20T18:30:05.000000Z", f"{DEVBOX}.probe.until"),
        (SLI, f"{DEVBOX}.probe.rate", 0.1, f"{DEVBOX}.probe.until"),
        (SLI, f"{DEVBOX}.ratio", 1.0, f"{DEVBOX}.ratio"),
        (SLI, f"{DEVBOX}.interval.0", 0.9, f"{DEVBOX}.interval"),
        (SLI, f"{DEVBOX}.interval", None, f"{DEVBOX}.interval"),
        (SLI, f"{DEVBOX}.hops.connect", 6, f"{DEVBOX}.hops"),
        (SLI, f"{DEVBOX}.first_broken", "tls", f"{DEVBOX}.first_broken"),
        (SLI, "thresholds.0.target", 0.5, "thresholds"),
        (SLI, "thresholds", [], "thresholds"),
        (LOAD, "load.failures", 2000, "load.failures"),
        (LOAD, "load.requests", 10, "load.latency.count"),
        (LOAD, "load.errors.ConnectionRefusedError", 5, "load.errors"),
        (LOAD, "load.replicas.1.0", -2.0, "load.replicas"),
        (LOAD, "load.replicas.1.1", -2, "load.replicas"),
        (LOAD, "load.seconds", 1000.0, "load.seconds"),
        (LOAD, "load.latency.p99", 0.0, "load.latency"),
        (READY, "service.observed_generation", 0, "service.observed_generation"),
        (READY, "service.latest_ready", "hello-00000", "service.latest_ready"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_found(document: Evidence, field: str, value: Any, at: str) -> None:
    assert at in fields(edited(document, field, value))


def test_a_timeout_needs_its_time() -> None:
    shown = edited(BROKEN["sli"], f"{DEVBOX}.probe.outcomes", {"wait_timeout": 20})
    long = edited(shown, f"{DEVBOX}.probe.timeout", 30.0)
    assert f"{DEVBOX}.probe.until" not in fields(shown)
    assert f"{DEVBOX}.probe.until" in fields(long)


@pytest.mark.parametrize(
    ("document", "title", "verdict"),
    [
        (BROKEN["sli"], "reachable from devbox", "PASS"),
        (BROKEN["sli"], "sli success>=0.99 from devbox", "PASS"),
        (PARTLY["sli"], "sli latency<=0.5s>=0.95 from in-cluster", "FAIL"),
    ],
)
def test_a_verdict_that_contradicts_its_numbers_is_found(
    document: Evidence, title: str, verdict: str
) -> None:
    number = [claim.title for claim in document.claims].index(title)
    field = f"claims.{number}.verdict"
    assert fields(edited(document, field, verdict)) == [field]


def test_ready_needs_its_condition() -> None:
    number = [one.type for one in READY.service.conditions].index("Ready") if READY.service else 0
    found = fields(edited(READY, f"service.conditions.{number}.status", "Unknown"))
    assert [field.rpartition(".")[2] for field in found] == ["verdict"]


EXTREMES = st.sampled_from(
    ["", "x", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+23:59", "\n|`<b>", "²"]
) | st.one_of(
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.booleans(),
)


@pytest.mark.parametrize("seconds", [1e14, 1e308])
def test_a_load_of_longer_than_all_time_is_a_finding(seconds: float) -> None:
    value = json.loads(encode(PARTLY["load"]))
    changed = decode(json.dumps(with_value(value, ("load", "seconds"), seconds)).encode())
    assert any(f.field == "load.seconds" for f in arithmetic_findings("x", changed))


@given(data=st.data())
def test_no_value_stops_the_checks_or_the_rendering(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([*PARTLY.values(), *BROKEN.values()]))
    value = json.loads(encode(document))
    path = data.draw(st.sampled_from(list(leaves(value))))
    new = data.draw(EXTREMES.filter(lambda new: new != at_path(value, path)))
    try:
        changed = decode(json.dumps(with_value(value, path, new)).encode())
    except Malformed:
        return
    list(arithmetic_findings("x", changed))
    assert render(changed, run_folder="..")
    pictures(changed)
