"""Ready as the sum of single conditions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.controllers.conditions import (
    FALSE,
    READY,
    TRUE,
    UNKNOWN,
    Condition,
    Conditions,
    find,
    is_true,
    parse,
)

NOW = datetime(2026, 11, 22, 8, 17, 14, tzinfo=UTC)
PARTS = ("ConfigurationsReady", "RoutesReady")


def fresh(entries: list[dict[str, Any]] | None = None, now: datetime = NOW) -> Conditions:
    conditions = Conditions(PARTS, entries or [], now)
    conditions.initialize()
    return conditions


def states(conditions: Conditions) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c.get("reason", "")) for c in conditions.as_json()}


def test_new_conditions_are_unknown_and_sorted_by_type() -> None:
    assert fresh().as_json() == [
        {"lastTransitionTime": "2026-11-22T08:17:14Z", "status": "Unknown", "type": type}
        for type in ("ConfigurationsReady", "Ready", "RoutesReady")
    ]


def test_ready_is_true_only_when_all_parts_are() -> None:
    conditions = fresh()
    conditions.mark_true("ConfigurationsReady")
    assert conditions.has(READY, UNKNOWN)
    conditions.mark_true("RoutesReady")
    assert conditions.has(READY, TRUE)


def test_ready_takes_over_what_is_not_known_yet() -> None:
    conditions = fresh()
    conditions.mark_unknown("ConfigurationsReady", "OutOfDate", "still working")
    conditions.mark_true("RoutesReady")
    ready = conditions.get(READY)
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == (UNKNOWN, "OutOfDate", "still working")


def test_a_failure_outweighs_what_is_not_known() -> None:
    conditions = fresh()
    conditions.mark_false("ConfigurationsReady", "RevisionFailed", "it failed")
    conditions.mark_unknown("RoutesReady", "OutOfDate", "still working")
    assert states(conditions)[READY] == (FALSE, "RevisionFailed")
    conditions.mark_true("RoutesReady")
    assert states(conditions)[READY] == (FALSE, "RevisionFailed")


def test_a_failure_of_before_keeps_ready_false_with_the_new_reason() -> None:
    """golden 05-gateway/traffic-split-timeline.txt at 91.82: a generation after a failure."""
    conditions = fresh()
    conditions.mark_false("RoutesReady", "RevisionMissing", "it is missing")
    conditions.mark_unknown(READY, "NewObservedGenFailure", "not observed yet")
    assert states(conditions)[READY] == (FALSE, "NewObservedGenFailure")


def test_the_last_failure_is_shown() -> None:
    conditions = fresh()
    conditions.mark_false("ConfigurationsReady", "RevisionFailed", "")
    conditions.mark_false("RoutesReady", "RevisionMissing", "")
    assert states(conditions)[READY] == (FALSE, "RevisionMissing")


def test_a_condition_besides_is_informative_and_leaves_ready_alone() -> None:
    conditions = fresh()
    conditions.mark_false("Active", "NoTraffic", "idle")
    assert conditions.has(READY, UNKNOWN)
    entry = next(c for c in conditions.as_json() if c["type"] == "Active")
    assert entry["severity"] == "Info"


def test_only_a_change_of_status_moves_the_transition_time() -> None:
    before = fresh().as_json()
    later = fresh(before, NOW + timedelta(seconds=5))
    later.mark_unknown("RoutesReady", "OutOfDate", "another reason")
    later.mark_true("ConfigurationsReady")
    times = {c["type"]: c["lastTransitionTime"] for c in later.as_json()}
    assert times == {
        "RoutesReady": "2026-11-22T08:17:14Z",
        "Ready": "2026-11-22T08:17:14Z",
        "ConfigurationsReady": "2026-11-22T08:17:19Z",
    }


def test_there_and_back_is_no_transition() -> None:
    done = fresh()
    for part in PARTS:
        done.mark_true(part)
    later = fresh(done.as_json(), NOW + timedelta(seconds=5))
    later.mark_unknown("RoutesReady", "OutOfDate", "")
    later.mark_true("RoutesReady")
    assert later.as_json() == done.as_json()


@pytest.mark.parametrize("status", [TRUE, FALSE, UNKNOWN])
def test_a_copied_status_keeps_reason_and_message_unless_true(status: str) -> None:
    conditions = fresh()
    conditions.copy_status("RoutesReady", Condition("Ready", status, "Why", "because"))
    copied = conditions.get("RoutesReady")
    assert copied is not None
    expected = ("", "") if status == TRUE else ("Why", "because")
    assert (copied.status, copied.reason, copied.message) == (status, *expected)


def test_find_reads_what_as_json_writes() -> None:
    conditions = fresh()
    conditions.mark_false("RoutesReady", "Why", "because")
    obj = {"metadata": {}, "status": {"conditions": conditions.as_json()}}
    assert find(obj) == Condition(READY, FALSE, "Why", "because", "", NOW)
    assert not is_true(obj)
    assert find({"metadata": {}}) is None


MARKS = st.lists(
    st.tuples(st.sampled_from(PARTS), st.sampled_from((TRUE, FALSE, UNKNOWN))), max_size=12
)


@given(MARKS)
def test_ready_always_follows_from_the_parts(marks: list[tuple[str, str]]) -> None:
    conditions = fresh()
    for type, status in marks:
        conditions.copy_status(type, Condition(type, status, "Why", "because"))
    settled = {c["type"]: parse(c).status for c in conditions.as_json()}
    parts = {settled[part] for part in PARTS}
    expected = FALSE if FALSE in parts else UNKNOWN if UNKNOWN in parts else TRUE
    assert settled[READY] == expected


@given(MARKS)
def test_conditions_survive_being_stored(marks: list[tuple[str, str]]) -> None:
    conditions = fresh()
    for type, status in marks:
        conditions.copy_status(type, Condition(type, status, "Why", "because"))
    stored = conditions.as_json()
    assert Conditions(PARTS, stored, NOW + timedelta(hours=1)).as_json() == stored
