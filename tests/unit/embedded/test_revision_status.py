"""What Deployment, pod and PodAutoscaler mean for a revision; which revisions are collected."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.embedded.clock import Clock, rfc3339
from infra.embedded.controllers.serving import revision_status as status
from infra.embedded.controllers.serving.config import GcConfig
from infra.embedded.controllers.serving.gc import superfluous
from infra.embedded.controllers.serving.labeler import marked
from infra.embedded.controllers.serving.status import Draft

Obj = dict[str, Any]
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DEPENDENTS = (status.RESOURCES_AVAILABLE, status.CONTAINER_HEALTHY)


def draft() -> Draft:
    return Draft({"metadata": {"name": "r", "generation": 1}}, DEPENDENTS, Clock())


def state(found: Draft, type: str) -> tuple[str, str, str]:
    condition = found.conditions.get(type)
    assert condition is not None
    return condition.status, condition.reason, condition.message


def deployment(*conditions: tuple[str, str, str], replicas: int = 1, available: int = 0) -> Obj:
    entries = [{"type": t, "status": s, "reason": r, "message": r} for t, s, r in conditions]
    return {
        "spec": {"replicas": replicas},
        "status": {"conditions": entries, "availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), ("Unknown", "", "")),
        ((("Progressing", "True", "ReplicaSetUpdated"),), ("True", "", "")),
        ((("Progressing", "False", "ProgressDeadlineExceeded"),),
         ("False", "ProgressDeadlineExceeded", "ProgressDeadlineExceeded")),
        ((("Progressing", "True", "x"), ("ReplicaFailure", "True", "FailedCreate")),
         ("False", "FailedCreate", "FailedCreate")),
        ((("Progressing", "True", "x"), ("ReplicaFailure", "False", "x")), ("True", "", "")),
        ((("Available", "False", "MinimumReplicasUnavailable"),), ("Unknown", "", "")),
    ],
)  # fmt: skip
def test_resources_from_the_deployment(
    conditions: tuple[tuple[str, str, str], ...], expected: tuple[str, str, str]
) -> None:
    found = draft()
    status.propagate_deployment(found.conditions, deployment(*conditions))
    assert state(found, status.RESOURCES_AVAILABLE) == expected


TIMED_OUT = ("Progressing", "False", "ProgressDeadlineExceeded")


def pod(container: Obj | None = None, *, scheduled: str = "True") -> Obj:
    entry = {"type": "PodScheduled", "status": scheduled, "reason": "Unschedulable",
             "message": "0/1 nodes are available: 1 Insufficient cpu."}  # fmt: skip
    return {
        "status": {
            "conditions": [entry],
            "containerStatuses": [
                {"name": "queue-proxy", "lastState": {"terminated": {"exitCode": 9}}},
                {"name": "user-container", **(container or {})},
            ],
        }
    }


WAITING = {"state": {"waiting": {"reason": "ErrImagePull", "message": "cannot pull"}}}


@pytest.mark.parametrize(
    ("found_pod", "progress", "type", "expected"),
    [
        (pod(scheduled="False"), (), status.RESOURCES_AVAILABLE,
         ("False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")),
        (pod({"lastState": {"terminated": {"exitCode": 3, "message": "boom\n"}}}), (),
         status.CONTAINER_HEALTHY, ("False", "ExitCode3", "Container failed with: boom\n")),
        (pod({"lastState": {"terminated": {"exitCode": 0}}}), (), status.CONTAINER_HEALTHY,
         ("False", "ExitCode0", "Container failed with: container exited with no error")),
        (pod(WAITING), (TIMED_OUT,), status.RESOURCES_AVAILABLE,
         ("False", "ErrImagePull", "cannot pull")),
        (pod(WAITING), (), status.RESOURCES_AVAILABLE, ("Unknown", "", "")),
    ],
    ids=["unscheduled", "crash", "quiet exit", "not pulled", "not pulled yet"],
)  # fmt: skip
def test_why_a_pod_cannot_run(
    found_pod: Obj,
    progress: tuple[tuple[str, str, str], ...],
    type: str,
    expected: tuple[str, str, str],
) -> None:
    found = draft()
    status.propagate_pod(
        found.conditions, deployment(*progress), found_pod, container="user-container"
    )
    assert state(found, type) == expected


def test_a_container_that_came_back_is_healthy_again() -> None:
    found = draft()
    crashed = pod({"lastState": {"terminated": {"exitCode": 137}}})
    status.propagate_pod(found.conditions, deployment(), crashed, container="user-container")
    assert status.has_pods(deployment(available=1))
    status.propagate_recovery(found.conditions)
    assert state(found, status.CONTAINER_HEALTHY)[0] == "True"


def test_a_pod_says_nothing_of_a_container_that_has_not_been_looked_at() -> None:
    found = draft()
    status.propagate_recovery(found.conditions)
    assert state(found, status.CONTAINER_HEALTHY)[0] == "Unknown"


@pytest.mark.parametrize(
    ("replicas", "available", "expected"), [(1, 0, True), (1, 1, False), (0, 0, False)]
)
def test_when_a_pod_is_asked(replicas: int, available: int, expected: bool) -> None:
    assert status.lacks_pods(deployment(replicas=replicas, available=available)) is expected


def autoscaler(
    ready: str = "",
    *,
    initialized: bool = False,
    name: str = "r",
    scale: dict[str, int] | None = None,
) -> Obj:
    entries = [
        {"type": "ScaleTargetInitialized", "status": "True" if initialized else "Unknown"},
        *([{"type": "Ready", "status": ready, "reason": "Why", "message": "m"}] if ready else []),
    ]
    return {"status": {"conditions": entries, "serviceName": name, **(scale or {})}}


@pytest.mark.parametrize(
    ("found_pa", "active", "resources"),
    [
        (autoscaler(), ("Unknown", "Deploying"), ("Unknown", "Deploying")),
        (autoscaler("Unknown"), ("Unknown", "Why"), ("Unknown", "Deploying")),
        (autoscaler("True", initialized=True), ("True", ""), ("True", "")),
        (autoscaler("False", initialized=True), ("False", "Why"), ("True", "")),
        (autoscaler("False"), ("False", "Why"), ("False", "ProgressDeadlineExceeded")),
        (autoscaler("False", name=""), ("False", "Why"), ("Unknown", "Deploying")),
    ],
)
def test_a_revision_follows_its_autoscaler(
    found_pa: Obj, active: tuple[str, str], resources: tuple[str, str]
) -> None:
    found = draft()
    found.conditions.mark_true(status.RESOURCES_AVAILABLE)
    status.propagate_autoscaler(found, found_pa)
    assert state(found, status.ACTIVE)[:2] == active
    assert state(found, status.RESOURCES_AVAILABLE)[:2] == resources


def test_a_failed_container_is_not_healed_by_the_autoscaler() -> None:
    found = draft()
    found.conditions.mark_false(status.CONTAINER_HEALTHY, "ExitCode3", "boom")
    status.propagate_autoscaler(found, autoscaler("True", initialized=True))
    assert state(found, status.CONTAINER_HEALTHY) == ("False", "ExitCode3", "boom")


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ({"desiredScale": -1, "actualScale": 0}, {"actualReplicas": 0}),
        ({"desiredScale": 2, "actualScale": 1}, {"actualReplicas": 1, "desiredReplicas": 2}),
        ({}, {}),
    ],
)
def test_replicas_are_shown_when_they_are_known(scale: dict[str, int], expected: Obj) -> None:
    found = draft()
    status.propagate_autoscaler(found, autoscaler("Unknown", scale=scale))
    assert found.fields == expected


def revision(
    name: str,
    *,
    age: float = 0.0,
    idle: float | None = None,
    routing: str = "reserve",
    notes: dict[str, str] | None = None,
) -> Obj:
    modified = rfc3339(NOW - timedelta(hours=age if idle is None else idle))
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": rfc3339(NOW - timedelta(hours=age)),
            "labels": {"serving.knative.dev/routingState": routing},
            "annotations": {"serving.knative.dev/routingStateModified": modified, **(notes or {})},
        }
    }


GC = GcConfig(48 * 3600.0, 15 * 3600.0, min_non_active=0, max_non_active=None)
KEEP = {"serving.knative.dev/no-gc": "true"}


@pytest.mark.parametrize(
    ("revisions", "config", "expected"),
    [
        ([revision("a", age=49, idle=16)], GC, ["a"]),
        ([revision("a", age=49, idle=14)], GC, []),
        ([revision("a", age=47, idle=16)], GC, []),
        ([revision("latest", age=99)], GC, []),
        ([revision("a", age=99, routing="active")], GC, []),
        ([revision("a", age=99, notes=KEEP)], GC, []),
        ([revision("a", age=99), revision("b", age=98)],
         GcConfig(48 * 3600.0, 15 * 3600.0, 1, None), ["a"]),
        ([revision("a", age=3), revision("b", age=2), revision("c", age=1)],
         GcConfig(48 * 3600.0, 15 * 3600.0, 0, 1), ["a", "b"]),
        ([revision("a", age=99)], GcConfig(None, None, 0, None), []),
        ([revision("a", age=99, idle=1)], GcConfig(48 * 3600.0, None, 0, None), ["a"]),
    ],
)  # fmt: skip
def test_which_revisions_are_collected(
    revisions: list[Obj], config: GcConfig, expected: list[str]
) -> None:
    found = superfluous(revisions, "latest", config, NOW)
    assert [r["metadata"]["name"] for r in found] == expected


def test_marks_of_routes_come_and_go() -> None:
    one = marked(revision("a"), "r1", routed=True, now="t1", stateful=True)
    assert one["metadata"]["labels"]["serving.knative.dev/routingState"] == "active"
    assert one["metadata"]["annotations"] == {
        "serving.knative.dev/routes": "r1",
        "serving.knative.dev/routingStateModified": "t1",
    }
    two = marked(one, "r2", routed=True, now="t2", stateful=True)
    assert two["metadata"]["annotations"] == {
        "serving.knative.dev/routes": "r1,r2",
        "serving.knative.dev/routingStateModified": "t1",
    }
    none = marked(
        marked(two, "r1", routed=False, now="t3", stateful=True),
        "r2", routed=False, now="t4", stateful=True,
    )  # fmt: skip
    assert none["metadata"]["labels"]["serving.knative.dev/routingState"] == "reserve"
    assert none["metadata"]["annotations"] == {"serving.knative.dev/routingStateModified": "t4"}
