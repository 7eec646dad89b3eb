"""The arithmetic and the words of a Deployment's rollout."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.controllers.workloads import deployment_status as state
from infra.embedded.controllers.workloads import rollout
from infra.embedded.controllers.workloads.rollout import Limits

Obj = dict[str, Any]
NOW = datetime(2026, 11, 22, 8, 17, 14, tzinfo=UTC)


def deployment(
    replicas: int = 1,
    *,
    surge: int | str = "25%",
    unavailable: int | str = 0,
    kind: str = "RollingUpdate",
    deadline: int | None = 600,
    status: Obj | None = None,
) -> Obj:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": kind, **({"rollingUpdate": rolling} if kind == "RollingUpdate" else {})}
    spec = {"replicas": replicas, "strategy": strategy, "progressDeadlineSeconds": deadline}
    return {"metadata": {"generation": 1}, "spec": spec, "status": status or {}}


def replicaset(replicas: int, available: int | None = None) -> Obj:
    count = replicas if available is None else available
    return {
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas, "readyReplicas": count, "availableReplicas": count},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (1, "25%", 0, Limits(1, 0)),  # a Knative Deployment: max-replicas 2 in the recording
        (4, "25%", "25%", Limits(1, 1)),
        (10, "25%", "25%", Limits(3, 2)),
        (3, 0, 0, Limits(0, 1)),
        (2, 5, 5, Limits(5, 2)),
        (0, "25%", "25%", Limits(0, 0)),
    ],
)
def test_limits(replicas: int, surge: int | str, unavailable: int | str, expected: Limits) -> None:
    assert rollout.limits(deployment(replicas, surge=surge, unavailable=unavailable)) == expected


@pytest.mark.parametrize(
    ("kind", "replicas", "new", "total", "expected"),
    [
        ("RollingUpdate", 1, 0, 0, 1),  # the first ReplicaSet
        ("RollingUpdate", 1, 0, 1, 1),  # one more than wanted
        ("RollingUpdate", 4, 0, 4, 1),
        ("RollingUpdate", 4, 1, 5, 1),  # no room until an old pod has gone
        ("RollingUpdate", 4, 1, 4, 2),
        ("RollingUpdate", 2, 5, 5, 2),  # scaled down
        ("RollingUpdate", 0, 1, 1, 0),
        ("Recreate", 3, 0, 3, 0),
        ("Recreate", 3, 0, 0, 3),
    ],
)
def test_the_newest_grows(kind: str, replicas: int, new: int, total: int, expected: int) -> None:
    assert rollout.new_replicas(deployment(replicas, kind=kind), new, total) == expected


@pytest.mark.parametrize(
    ("wanted", "newest", "old", "expected"),
    [
        (1, replicaset(1, 0), [replicaset(1)], [1]),  # the old one serves until the new one does
        (1, replicaset(1), [replicaset(1)], [0]),
        (4, replicaset(1), [replicaset(4)], [3]),
        (4, replicaset(4), [replicaset(2), replicaset(1)], [0, 0]),
        (2, replicaset(1, 0), [replicaset(2, 1)], [2]),  # nothing goes below what is wanted
        (2, replicaset(2, 1), [replicaset(2, 1)], [1]),  # a broken old pod goes first
    ],
)
def test_the_old_ones_shrink(wanted: int, newest: Obj, old: list[Obj], expected: list[int]) -> None:
    assert rollout.old_replicas(deployment(wanted), newest, old) == expected


@given(
    wanted=st.integers(0, 20),
    new=st.integers(0, 20),
    old=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=4),
    share=st.integers(0, 100),
)
def test_a_rollout_never_breaks_its_limits(
    wanted: int, new: int, old: list[tuple[int, int]], share: int
) -> None:
    spec = deployment(wanted, surge=f"{share}%", unavailable=f"{share}%")
    limits = rollout.limits(spec)
    total = new + sum(count for count, _ in old)
    grown = rollout.new_replicas(spec, new, total)
    assert grown <= max(wanted, new)
    assert total - new + grown <= max(total, wanted + limits.surge)
    sets = [replicaset(count, min(count, ready)) for count, ready in old]
    newest = replicaset(new)
    left = rollout.old_replicas(spec, newest, sets)
    assert all(0 <= n <= rollout.replicas(rs) for n, rs in zip(left, sets, strict=True))
    serving = new + sum(min(n, rollout.available(rs)) for n, rs in zip(left, sets, strict=True))
    before = new + sum(map(rollout.available, sets))
    assert serving >= min(before, wanted - limits.unavailable)


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=4))
def test_a_templates_hash_is_ten_letters_and_stable(template: dict[str, int]) -> None:
    hashed = rollout.template_hash(template)
    assert len(hashed) == 10
    assert set(hashed) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert rollout.template_hash(dict(reversed(template.items()))) == hashed


def condition(reason: str, seconds_ago: float = 0.0) -> Obj:
    return {
        "type": "Progressing",
        "status": "True",
        "reason": reason,
        "lastUpdateTime": (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lastTransitionTime": "2026-11-22T08:00:00Z",
    }


@pytest.mark.parametrize(
    ("before", "numbers", "conditions", "expected"),
    [
        ({}, {"replicas": 1, "updatedReplicas": 1}, [condition(state.CREATED)], state.UPDATED),
        ({"replicas": 1, "updatedReplicas": 1}, {"replicas": 1, "updatedReplicas": 1},
         [condition(state.UPDATED)], None),
        ({"replicas": 1, "updatedReplicas": 1}, {"replicas": 1, "updatedReplicas": 1},
         [condition(state.UPDATED, 600)], state.TIMED_OUT),
        ({"replicas": 1, "updatedReplicas": 1}, {"replicas": 1, "updatedReplicas": 1},
         [condition(state.TIMED_OUT)], None),
        ({"replicas": 1, "updatedReplicas": 1},
         {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
         [condition(state.UPDATED)], state.COMPLETE),
        ({"replicas": 1, "updatedReplicas": 1},
         {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
         [condition(state.COMPLETE)], None),
        # one old pod fewer is progress
        ({"replicas": 2, "updatedReplicas": 1}, {"replicas": 1, "updatedReplicas": 1},
         [condition(state.UPDATED, 600)], state.UPDATED),
    ],
)  # fmt: skip
def test_progress(before: Obj, numbers: Obj, conditions: list[Obj], expected: str | None) -> None:
    found = state.progress(
        deployment=deployment(status=before), numbers=numbers, conditions=conditions, now=NOW
    )
    assert found == expected


def test_without_a_deadline_there_is_no_progress_to_report() -> None:
    found = state.progress(deployment=deployment(deadline=None), numbers={}, conditions=[], now=NOW)
    assert found is None


@pytest.mark.parametrize(
    ("reason", "ago", "expected"),
    [(state.UPDATED, 590, 10.0), (state.COMPLETE, 590, None), (state.TIMED_OUT, 590, None)],
)
def test_the_time_left(reason: str, ago: float, expected: float | None) -> None:
    assert state.deadline_left([condition(reason, ago)], 600, NOW) == expected


@pytest.mark.parametrize(
    ("reason", "status", "message"),
    [  # golden 02-lifecycle and 04-failures
        (state.CREATED, "True", 'Created new replica set "x-74b66f6cf4"'),
        (state.UPDATED, "True", 'ReplicaSet "x-74b66f6cf4" is progressing.'),
        (state.COMPLETE, "True", 'ReplicaSet "x-74b66f6cf4" has successfully progressed.'),
        (state.TIMED_OUT, "False", 'ReplicaSet "x-74b66f6cf4" has timed out progressing.'),
    ],
)
def test_the_recorded_words(reason: str, status: str, message: str) -> None:
    verdict = state.progressing(reason, "x-74b66f6cf4")
    assert (verdict.status, verdict.message) == (status, message)


def test_an_equal_condition_is_only_touched_when_asked() -> None:
    verdict = state.progressing(state.UPDATED, "x")
    first = state.set_condition([], verdict, NOW)
    later = NOW + timedelta(seconds=9)
    assert state.set_condition(first, verdict, later) == first
    touched = state.set_condition(first, verdict, later, touch=True)[0]
    assert touched["lastUpdateTime"] == "2026-11-22T08:17:23Z"
    assert touched["lastTransitionTime"] == "2026-11-22T08:17:14Z"


def test_counts_leave_out_zeros() -> None:
    assert state.counts(replicaset(1, 0), []) == {
        "replicas": 1,
        "updatedReplicas": 1,
        "unavailableReplicas": 1,
    }
    assert state.counts(None, []) == {}


def test_a_replica_sets_failure_is_passed_on() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
               "message": "no", "lastTransitionTime": "2026-11-22T08:17:14Z"}  # fmt: skip
    failing = {"spec": {}, "status": {"conditions": [failure]}}
    assert [f["reason"] for f in state.failures([replicaset(1), failing])] == ["FailedCreate"]
