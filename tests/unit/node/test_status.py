"""Pod status from container states."""

from typing import Any

import pytest

from infra.embedded.kubelet.status import (
    CREATING,
    ContainerState,
    Observed,
    phase,
    pod_status,
    qos_class,
    terminated,
    waiting,
)

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
NOW = "2026-01-01T00:00:09Z"


def ended(code: int) -> dict[str, Any]:
    return terminated(code, started="s", finished="f", container_id="c")


def container(state: dict[str, Any], name: str = "c", *, ready: bool = False) -> ContainerState:
    return ContainerState(name=name, image="i", state=state, ready=ready)


def seen(*states: ContainerState, init: tuple[ContainerState, ...] = (), **more: Any) -> Observed:
    return Observed(init, states, "10.0.0.9", "10.0.0.1", NOW, NOW, sandbox=True, **more)


@pytest.mark.parametrize(
    ("state", "policy", "expected"),
    [
        (CREATING, "Always", "Pending"),
        (waiting("ErrImagePull", "m"), "Always", "Pending"),
        (RUNNING, "Always", "Running"),
        (ended(0), "Always", "Running"),
        (ended(1), "Always", "Running"),
        (ended(0), "OnFailure", "Succeeded"),
        (ended(1), "OnFailure", "Running"),
        (ended(0), "Never", "Succeeded"),
        (ended(1), "Never", "Failed"),
    ],
)
def test_phase_of_one_container(state: dict[str, Any], policy: str, expected: str) -> None:
    assert phase(seen(container(state)), policy) == expected


@pytest.mark.parametrize(
    ("state", "policy", "expected"),
    [
        (RUNNING, "Always", "Pending"),
        (ended(1), "Never", "Failed"),
        (ended(1), "Always", "Pending"),
    ],
)
def test_init_containers_come_first(state: dict[str, Any], policy: str, expected: str) -> None:
    found = phase(seen(container(CREATING), init=(container(state),)), policy)
    assert found == expected


def test_a_crashed_container_that_waits_keeps_the_pod_running() -> None:
    crashed = container(waiting("CrashLoopBackOff", "m"))
    crashed.last = ended(3)
    assert phase(seen(crashed), "Always") == "Running"


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c.get("reason", "")) for c in status["conditions"]}


def test_unready_containers_are_named() -> None:
    pod: dict[str, Any] = {"spec": {"containers": [{}]}}
    first, second = container(RUNNING, "a", ready=True), container(RUNNING, "queue-proxy")
    status = pod_status(pod, seen(first, second))
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "ContainersNotReady"
    assert ready["message"] == "containers with unready status: [queue-proxy]"
    assert conditions(status)["Initialized"] == ("True", "")


def test_transition_times_move_only_with_the_status() -> None:
    pod: dict[str, Any] = {"spec": {"containers": [{}]}}
    before = pod_status(pod, seen(container(RUNNING)))
    again = Observed((), [container(RUNNING, ready=True)], "ip", "h", NOW, "later", sandbox=True)
    after = pod_status({**pod, "status": before}, again)
    times = {c["type"]: c["lastTransitionTime"] for c in after["conditions"]}
    assert times == {
        "PodReadyToStartContainers": NOW,
        "Initialized": NOW,
        "Ready": "later",
        "ContainersReady": "later",
    }


def test_conditions_of_others_are_kept() -> None:
    scheduled = {"type": "PodScheduled", "status": "True"}
    pod: dict[str, Any] = {"spec": {"containers": [{}]}, "status": {"conditions": [scheduled]}}
    assert scheduled in pod_status(pod, seen(container(RUNNING)))["conditions"]


@pytest.mark.parametrize(("code", "reason"), [(0, "PodCompleted"), (1, "PodFailed")])
def test_a_finished_pod_is_not_ready(code: int, reason: str) -> None:
    pod: dict[str, Any] = {"spec": {"containers": [{}], "restartPolicy": "Never"}}
    found = conditions(pod_status(pod, seen(container(ended(code)))))
    assert found["Ready"] == ("False", reason)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: dict[str, Any], expected: str) -> None:
    assert qos_class({"containers": [{"resources": resources}]}) == expected
