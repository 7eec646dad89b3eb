"""Requests while things change: updates, switches, scale to zero and back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, serve
from tests.support.kservices import ask, hello, ready
from tests.support.wait import eventually


@contextmanager
def asking(cluster: Cluster, namespace: str) -> Iterator[Counter[str]]:
    """Requests one after the other for as long as the block lasts, counted by answer."""
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            answers[ask(cluster, namespace)] += 1

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


@pytest.mark.covers("Knative traffic", "an update under load loses no request")
def test_an_update_under_load_loses_no_request(own: Cluster, namespace: str) -> None:
    own.apply(hello(namespace, "One"))
    ready(own, namespace)
    with asking(own, namespace) as answers:
        eventually(lambda: answers["Hello One!\n"] > 50)
        own.apply(hello(namespace, "Two"))
        ready(own, namespace)
        eventually(lambda: answers["Hello Two!\n"] > 50)
    assert set(answers) == {"Hello One!\n", "Hello Two!\n"}


@pytest.mark.covers("Knative traffic", "a broken update leaves the old revision serving")
def test_a_broken_update_leaves_the_old_revision_serving(own: Cluster, namespace: str) -> None:
    own.apply(hello(namespace, "One"))
    ready(own, namespace)
    broken = hello(namespace, "Two")
    broken["spec"]["template"]["spec"]["containers"][0]["image"] = "dev.local/missing:v1"
    with asking(own, namespace) as answers:
        own.apply(broken)
        eventually(lambda: sum(answers.values()) > 100)
    assert set(answers) == {"Hello One!\n"}


@pytest.mark.covers("Knative traffic", "a deleted service is unknown at once")
def test_a_deleted_service_is_unknown_at_once(own: Cluster, namespace: str) -> None:
    own.apply(hello(namespace, "One"))
    ready(own, namespace)
    own.kubectl("delete", "ksvc", "hello", "-n", namespace)
    eventually(lambda: ask(own, namespace) == "HTTP/1.1 404 Not Found", timeout=1.0)


@pytest.mark.covers("Knative traffic", "at zero a request waits for a pod")
def test_at_zero_a_request_waits_for_a_pod(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "zero", "--time-scale", "30") as cluster:
        cluster.apply(hello("default", "Zero"))
        ready(cluster, "default")
        eventually(lambda: not pods(cluster), timeout=20, what="no pod left")
        assert cluster.kubectl("get", "ksvc", "hello", "--no-headers").out.split()[-1] == "True"
        assert ask(cluster, "default") == "Hello Zero!\n"
        assert pods(cluster)


def pods(cluster: Cluster) -> list[str]:
    return cluster.kubectl("get", "pods", "-o", "name").out.split()


@pytest.mark.covers("Knative traffic", "rollout-duration moves traffic step by step")
def test_a_rollout_moves_traffic_step_by_step(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "gradual", "--time-scale", "20") as cluster:
        service = hello("default", "One")
        service["metadata"]["annotations"] = {"serving.knative.dev/rollout-duration": "120s"}
        cluster.apply(service)
        ready(cluster, "default")
        changed = hello("default", "Two")
        changed["metadata"] = service["metadata"]
        cluster.apply(changed)
        seen = []
        with asking(cluster, "default") as answers:
            eventually(lambda: seen.append(traffic(cluster)) or moved(seen[-1]), timeout=60)
            ready(cluster, "default")
            eventually(lambda: ask(cluster, "default") == "Hello Two!\n", timeout=20)
        assert set(answers) == {"Hello One!\n", "Hello Two!\n"}
        newest = [int(shares["hello-00002"]) for shares in seen if "hello-00002" in shares]
        assert newest == sorted(newest)
        assert any(0 < share < 100 for share in newest), newest
        assert all(sum(map(int, shares.values())) == 100 for shares in seen)


def traffic(cluster: Cluster) -> dict[str, str]:
    """The percentage of each revision."""
    path = "{range .status.traffic[*]}{.revisionName} {.percent} {end}"
    words = cluster.kubectl("get", "route", "hello", "-o", f"jsonpath={path}").out.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def moved(shares: dict[str, str]) -> bool:
    return shares == {"hello-00002": "100"}
