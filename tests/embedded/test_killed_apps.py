"""An app that is killed again and again on its way to READY: the condition follows the process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, serve
from tests.support.kservices import ask, hello, ready
from tests.support.wait import eventually

# The first probe comes late enough for the killer to be first on a busy machine too.
DELAY = {"readinessProbe": {"initialDelaySeconds": 6, "tcpSocket": {"port": 0}}}


def children(process: int) -> list[int]:
    """The processes that one has started; none when it is gone."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in found.split()]


def apps(cluster: Cluster) -> list[int]:
    """The containers' processes: children of the pods' process 1, which the node's has started."""
    nodes = [
        child
        for child in children(int(cluster.info["pid"]))
        if b"infra.embedded.node" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return [app for node in nodes for init in children(node) for app in children(init)]


@contextmanager
def killing(cluster: Cluster) -> Iterator[set[int]]:
    """Kill every app as soon as it appears, for as long as the block lasts."""
    killed: set[int] = set()
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.001):
            for app in apps(cluster):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(app, signal.SIGKILL)
                    killed.add(app)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def restarts(cluster: Cluster) -> int:
    path = "jsonpath={.items[*].status.containerStatuses[?(@.name=='user-container')].restartCount}"
    return int(cluster.kubectl("get", "pods", "-o", path).out or 0)


def status(cluster: Cluster) -> str:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return cluster.kubectl("get", "ksvc", "hello", "-o", path).out


@pytest.mark.covers("failures", "an app killed before READY: READY never becomes True")
def test_an_app_that_is_killed_never_makes_its_service_ready(tmp_path: Path) -> None:
    service = hello("default", "World")
    service["spec"]["template"]["spec"]["containers"][0] |= DELAY
    with serve(tmp_path / "state", "killed", "--time-scale", "3") as cluster:
        with killing(cluster) as killed:
            cluster.apply(service)

            def twice() -> bool:
                assert status(cluster) != "True"
                return restarts(cluster) >= 2

            eventually(twice, timeout=60)
            assert len(killed) >= 2
            assert "RevisionReady" not in cluster.kubectl("get", "events").out
        ready(cluster, "default")  # the next start is left alone, and the service recovers


@pytest.mark.covers("pods", "an app killed while READY is restarted and answers again")
def test_an_app_that_is_killed_once_comes_back(tmp_path: Path) -> None:
    scale = {"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}}
    with serve(tmp_path / "state", "killed-once") as cluster:
        cluster.apply(hello("default", "World", **scale))
        ready(cluster, "default")
        for app in apps(cluster):
            os.kill(app, signal.SIGKILL)
        eventually(lambda: restarts(cluster) == 1, timeout=60)
        eventually(lambda: ask(cluster, "default") == "Hello World!\n", timeout=60)
        ready(cluster, "default")
