"""Processes end when their container does, whatever ended it, and not before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.test_pods import pod, state
from tests.support.cluster import KUBECTL, Cluster
from tests.support.wait import eventually

SECONDS = iter(range(700_000, 800_000))


@pytest.fixture
def mark(own: Cluster) -> Callable[[], str]:
    """An argument of `sleep` that no other process has, made anew for each call."""
    return lambda: f"{own.info['pid']}{next(SECONDS)}"


def sleepers(mark: str) -> list[Path]:
    """The processes that sleep so long."""
    wanted = f"sleep\0{mark}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "cmdline").read_bytes() == wanted:
                    found.append(entry)
            except OSError:
                continue  # it has ended meanwhile
    return found


def running(cluster: Cluster, namespace: str, *marks: str, **spec: Any) -> None:
    """A pod `one` whose container has these sleepers."""
    script = " & ".join(f"sleep {mark}" for mark in marks)
    cluster.apply(pod("one", namespace, f"{script} & wait", **spec))
    eventually(lambda: all(sleepers(mark) for mark in marks), timeout=30, what="the processes")


@pytest.mark.covers("pods", "a pod deleted by force leaves no process")
def test_a_pod_that_is_deleted_by_force(
    own: Cluster, namespace: str, mark: Callable[[], str]
) -> None:
    slept = mark()
    running(own, namespace, slept)
    done = own.kubectl("delete", "pod", "one", "-n", namespace, "--force", "--grace-period=0")
    assert done.code == 0, done.err
    eventually(lambda: not sleepers(slept), timeout=30, what="no process")


@pytest.mark.covers("pods", "what a container started in a session of its own ends with it")
def test_a_process_with_a_session_of_its_own(
    own: Cluster, namespace: str, mark: Callable[[], str]
) -> None:
    if own.info["pod_network"] == "loopback":
        pytest.skip("no process namespaces on loopback")
    slept, kept = mark(), mark()
    own.apply(pod("other", namespace, f"setsid sleep {kept} & wait"))
    own.apply(pod("one", namespace, f"setsid sleep {slept} & sleep 1", restartPolicy="Never"))
    ended = ["--for=jsonpath={.status.phase}=Succeeded", "pod/one", "-n", namespace]
    done = own.kubectl("wait", *ended, "--timeout=40s")
    assert done.code == 0, done.err
    eventually(lambda: not sleepers(slept), timeout=30, what="no process")
    assert sleepers(kept)


@pytest.mark.covers("pods", "what was executed in a container ends with it")
def test_an_executed_program(own: Cluster, namespace: str, mark: Callable[[], str]) -> None:
    slept, executed = mark(), mark()
    running(own, namespace, slept)
    own.kubectl("wait", "--for=condition=Ready", "pod/one", "-n", namespace, "--timeout=30s")
    words = ["exec", "one", "--", "sleep", executed]
    client = subprocess.Popen(
        [KUBECTL, f"--kubeconfig={own.kubeconfig}", f"-n={namespace}", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: sleepers(executed), timeout=30, what="the executed program")
        own.kubectl("delete", "pod", "one", "-n", namespace, "--grace-period=1")
        eventually(lambda: not sleepers(executed), timeout=30, what="no executed program")
    finally:
        client.kill()
        client.wait()


@pytest.mark.covers("pods", "a probe's program is ended at its timeout")
def test_a_probe_that_takes_too_long(own: Cluster, namespace: str, mark: Callable[[], str]) -> None:
    slept, probed = mark(), mark()
    probe = {"exec": {"command": ["sleep", probed]}, "timeoutSeconds": 1, "periodSeconds": 3600}
    running(own, namespace, slept, container={"readinessProbe": probe})
    eventually(lambda: sleepers(probed), timeout=30, what="the probe")
    eventually(lambda: not sleepers(probed), timeout=30, what="no probe")
    assert state(own, "one", namespace)["ready"] is False


@pytest.mark.covers(
    "pods", "a liveness probe restarts an app that ignores SIGTERM, after its grace"
)
def test_an_app_that_ignores_the_signal(own: Cluster, namespace: str) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    script = "trap '' TERM; while true; do sleep 1; done"
    own.apply(
        pod(
            "deaf",
            namespace,
            script,
            container={"livenessProbe": probe},
            terminationGracePeriodSeconds=1,
        )
    )
    eventually(
        lambda: state(own, "deaf", namespace).get("restartCount", 0) > 0,
        timeout=60,
        what="a restart",
    )


@pytest.mark.covers("pods", "a probe that cannot be asked shows why, and the pod is not ready")
def test_a_probe_of_a_port_without_a_name(own: Cluster, namespace: str) -> None:
    probe = {"tcpSocket": {"port": "absent"}, "periodSeconds": 1}
    own.apply(pod("odd", namespace, "sleep 600", container={"readinessProbe": probe}))

    def told() -> str:
        events = own.kubectl("events", "-n", namespace, "--for", "pod/odd").out
        return events if "Readiness probe errored" in events else ""

    assert "absent" in eventually(told, timeout=30, what="an event")
    assert state(own, "odd", namespace)["ready"] is False


@pytest.mark.covers("pods", "an app that never stops writing holds up nobody")
def test_a_busy_writer(own: Cluster, namespace: str) -> None:
    own.apply(pod("busy", namespace, "yes", terminationGracePeriodSeconds=1))
    eventually(lambda: state(own, "busy", namespace).get("ready"), timeout=60, what="a ready pod")
    with own.http() as http:
        for _ in range(20):
            assert http.get("/healthz", timeout=20).text == "ok"
    tail = own.kubectl("logs", "busy", "-n", namespace, "--tail=2")
    assert tail.out == "y\ny\n"
    own.kubectl("delete", "pod", "busy", "-n", namespace)


@pytest.mark.covers("pods", "a Service's address refuses ports that the Service has not")
def test_a_port_that_a_service_has_not(own: Cluster, namespace: str) -> None:
    if own.info["pod_network"] == "loopback":
        pytest.skip("no Service addresses on loopback")
    own.kubectl("create", "service", "clusterip", "a", "--tcp=8181", "-n", namespace)
    own.kubectl("create", "service", "clusterip", "b", "--tcp=8282", "-n", namespace)
    address = own.get("service", "a", namespace)["spec"]["clusterIP"]
    script = (
        "import socket;s=socket.socket();s.settimeout(20);"
        f"s.connect(('{address}',8282));print(s.recv(1))"
    )
    asking = pod("ask", namespace, f'python3 -c "{script}" 2>&1 | tail -n 1', restartPolicy="Never")
    own.apply(asking)
    own.kubectl(
        "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/ask", "-n", namespace,
        "--timeout=40s",
    )  # fmt: skip
    shown = own.kubectl("logs", "ask", "-n", namespace).out
    assert "refused" in shown or "reset" in shown or shown == "b''\n", shown
