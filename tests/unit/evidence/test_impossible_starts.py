"""Loads, autoscaling and cold starts that cannot have been as they are told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.checks.arithmetic import arithmetic_findings
from harness.evidence.model import Evidence
from tests.support.stories import Starts, documents
from tests.unit.evidence.test_arithmetic import edited

STARTS = documents(Starts())
LOAD, AUTOSCALE, COLD = STARTS["load"], STARTS["autoscale"], STARTS["coldstart"]
TOLD = "at most 2 pods ready at one time, 2 wanted"


def fields(document: Evidence) -> list[str]:
    return [finding.field for finding in arithmetic_findings("x", document)]


@pytest.mark.parametrize("kind", sorted(STARTS))
def test_what_the_product_writes_adds_up(kind: str) -> None:
    assert fields(STARTS[kind]) == []


@pytest.mark.parametrize(
    ("document", "field", "value", "at"),
    [
        (COLD, "coldstart.seconds", 0.2, "coldstart.seconds"),
        (COLD, "coldstart.until", "2026-11-20T09:30:16.500000Z", "coldstart.seconds"),
        (COLD, "coldstart.waited", -1.0, "coldstart.waited"),
        (COLD, "coldstart.phases.1.1", 0.1, "coldstart.phases"),
        (COLD, "coldstart.phases.1.1", -1.4, "coldstart.phases"),
        (COLD, "coldstart.phases.0.0", "image pull", "coldstart.phases"),
        (COLD, "coldstart.phases.0.0", "answer", "coldstart.phases"),
        (COLD, "claim.reason", "answered well 0.20 s after a request from zero pods", None),
        (AUTOSCALE, "load.replicas", [[0.0, 1]], "claim.reason"),
        (AUTOSCALE, "load.replicas", [[0.0, 1], [5.5, 9]], "claim.reason"),
        (AUTOSCALE, "load.replicas", [[0.0, 1], [500.0, 2]], "load.replicas"),
        (AUTOSCALE, "load.replicas", [[5.0, 1], [0.0, 2]], "load.replicas"),
        (AUTOSCALE, "load.replicas", [[0.0, -2], [1.0, 2]], "load.replicas"),
        (AUTOSCALE, "claim.verdict", "FAIL", "claim.verdict"),
        (AUTOSCALE, "claim.reason", TOLD.replace("2 wanted", "3 wanted"), "claim.verdict"),
        (AUTOSCALE, "claim.reason", TOLD.replace("most 2", "most 5"), "claim.reason"),
        (AUTOSCALE, "claim.reason", "it scales", "claim.reason"),
        (AUTOSCALE, "load", None, "load"),
        (LOAD, "load.users", 0, "load.latency.mean"),
        (LOAD, "load.latency", None, "load.latency"),
        (LOAD, "load.failures", 1002, "load.failures"),
    ],
)
def test_what_cannot_be_true_is_found_at_its_field(
    document: Evidence, field: str, value: Any, at: str | None
) -> None:
    assert (at or field) in fields(edited(document, field, value))


def test_many_users_cannot_have_waited_longer_than_there_was_time() -> None:
    slow = {"count": 1000, "mean": 9.0, **dict.fromkeys(("min", "p50", "p90"), 9.0)}
    slow |= dict.fromkeys(("p95", "p99", "max"), 9.0)
    assert "load.latency.mean" in fields(edited(LOAD, "load.latency", slow))


def test_a_cold_start_that_nobody_saw_end_well_is_no_pass() -> None:
    unseen = edited(COLD, "vantages", [])
    assert {"claim.verdict", "claims.0.verdict"} <= set(fields(unseen))


def test_without_a_request_there_is_no_cold_start() -> None:
    assert "coldstart" in fields(edited(COLD, "coldstart", None))


@given(st.lists(st.tuples(st.sampled_from(["pod", "start", "ready", "answer"]), st.floats(0, 9))))
def test_phases_are_believed_only_where_they_add_up(phases: list[tuple[str, float]]) -> None:
    names = [name for name, _ in phases]
    ordered = names == [name for name in ("pod", "start", "ready", "answer") if name in names]
    adds_up = not phases or abs(sum(seconds for _, seconds in phases) - 2.0) <= 0.001
    found = fields(edited(COLD, "coldstart.phases", phases))
    assert ("coldstart.phases" in found) == (not (ordered and adds_up))
