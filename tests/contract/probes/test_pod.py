"""A probe's pod that does not come to its own end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ProbeError
from harness.ports import JsonObject, ProbeRequest, ResourceKind
from harness.timing.clock import SystemClock
from probes.jobspec import CONFIG_MAP, JOB, JOB_LABEL, NAMESPACE, POD
from probes.pod import PodVantage
from tests.support.fake_kube import FakeKube


class Endless(FakeKube):
    """A cluster whose Jobs run until they are deleted, as their pods then show."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = threading.Event()
        self._deleted = threading.Event()

    def create(self, kind: ResourceKind, namespace: str, body: JsonObject) -> JsonObject:
        made: Any = super().create(kind, namespace, body)
        if kind == JOB:
            labels = {JOB_LABEL: made["metadata"]["name"]}
            metadata = {"name": "p1", "namespace": namespace, "labels": labels}
            self.put(POD, {"metadata": metadata, "status": {"phase": "Running"}})
        return made  # type: ignore[no-any-return]

    def delete(self, kind: ResourceKind, namespace: str, name: str) -> None:
        super().delete(kind, namespace, name)
        if kind == JOB:
            self._deleted.set()

    def watch(
        self, kind: ResourceKind, namespace: str, name: str, *, timeout: float
    ) -> Iterator[JsonObject]:
        pod: Any = self.get(kind, namespace, name)
        yield pod
        self.watched.set()
        if self._deleted.wait(min(timeout, 20)):
            pod["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
            yield pod


@pytest.fixture
def vantage() -> PodVantage:
    return PodVantage("in-cluster", "default", "image", Endless(), SystemClock())


def test_an_abandoned_probe_ends_soon_and_leaves_nothing(
    vantage: PodVantage, tmp_path: Path
) -> None:
    client = vantage.client
    assert isinstance(client, Endless)
    with ThreadPoolExecutor() as pool:
        probing = pool.submit(vantage.probe, ProbeRequest("{}", tmp_path / "samples", 600.0))
        assert client.watched.wait(10)
        vantage.abandon()
        with pytest.raises(ProbeError, match="the pod p1 was deleted while it ran"):
            probing.result(timeout=10)
    assert client.list(JOB) == client.list(CONFIG_MAP) == []


@pytest.mark.parametrize(("level", "user"), [("restricted", 65534), ("baseline", None)])
def test_the_pod_suits_its_namespace(
    vantage: PodVantage, tmp_path: Path, level: str, user: int | None
) -> None:
    client = vantage.client
    assert isinstance(client, Endless)
    labels = {"pod-security.kubernetes.io/enforce": level}
    client.put(NAMESPACE, {"metadata": {"name": "default", "labels": labels}})
    with ThreadPoolExecutor() as pool:
        probing = pool.submit(vantage.probe, ProbeRequest("{}", tmp_path / "samples", 600.0))
        assert client.watched.wait(30)
        job: Any = client.list(JOB)[0]
        vantage.abandon()
        with pytest.raises(ProbeError):
            probing.result(timeout=30)
    spec = job["spec"]["template"]["spec"]
    assert spec["securityContext"].get("runAsUser") == user


def test_who_gave_up_makes_no_pod_any_more(vantage: PodVantage, tmp_path: Path) -> None:
    vantage.abandon()
    with pytest.raises(ProbeError, match="given up"):
        vantage.probe(ProbeRequest("{}", tmp_path / "samples", 600.0))
    assert isinstance(vantage.client, Endless)
    assert vantage.client.list(JOB) == vantage.client.list(CONFIG_MAP) == []


def test_nothing_to_abandon_is_no_error(vantage: PodVantage) -> None:
    vantage.abandon()
    assert isinstance(vantage.client, Endless)
    assert vantage.client.calls == []
