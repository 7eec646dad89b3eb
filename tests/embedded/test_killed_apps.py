"""An app that is killed again and again on its way to READY: the condition follows the process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, serve
from tests.support.kservices import ask, hello, ready
from tests.support.processes import apps, killing
from tests.support.wait import eventually

# The first probe comes late enough for the killer to be first on a busy machine too.
DELAY = {"readinessProbe": {"initialDelaySeconds": 6, "tcpSocket": {"port": 0}}}


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
