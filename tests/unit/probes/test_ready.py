"""Reading and waiting for READY: by watching, and by more than the condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.core.conditions import is_ready
from harness.core.errors import ClusterError
from harness.ports import JsonObject, ResourceKind
from probes.ready import ENDPOINT_SLICE, KINGRESS, KSERVICE, REVISION, ROUTE, ServiceReader
from tests.support.fake_kube import FakeKube
from tests.support.fakes import FakeClock


def ksvc(ready: str = "True", *, generation: int = 1, latest: str = "hello-00001") -> Any:
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-02T03:04:00Z"}
    return {
        "metadata": {"name": "hello", "namespace": "default", "generation": generation},
        "status": {
            "observedGeneration": 1,
            "conditions": [condition],
            "latestCreatedRevisionName": "hello-00001",
            "latestReadyRevisionName": latest,
            "url": "http://hello.default.example",
        },
    }


def named(**status: Any) -> Any:
    return {"metadata": {"name": "hello", "namespace": "default"}, "status": status}


class Changing(FakeKube):
    """A KService that is seen changing while it is watched."""

    def __init__(self, *states: Any) -> None:
        super().__init__()
        self._states = states

    def watch(
        self, kind: ResourceKind, namespace: str, name: str, *, timeout: float
    ) -> Iterator[JsonObject]:
        assert (kind, namespace, name) == (KSERVICE, "default", "hello")
        assert timeout > 0
        for state in self._states:
            self.put(KSERVICE, state)
            yield state


class Forbidden(FakeKube):
    """An API server that shows KServices and nothing else behind them."""

    def get(self, kind: ResourceKind, namespace: str, name: str) -> JsonObject | None:
        if kind == KINGRESS:
            raise ClusterError("ingresses is forbidden")
        return super().get(kind, namespace, name)


def reader(client: FakeKube) -> ServiceReader:
    return ServiceReader(client=client, clock=FakeClock())


def test_an_absent_service_is_observed_as_absent() -> None:
    observed = reader(FakeKube()).read("default", "hello")
    assert (observed.found, observed.related) == (False, ())


def test_where_the_gateway_is_stands_in_what_is_observed() -> None:
    asked = ServiceReader(client=FakeKube(), clock=FakeClock(), gateway_namespace="ingress")
    assert asked.read("default", "hello").gateway_namespace == "ingress"
    assert reader(FakeKube()).read("default", "hello").gateway_namespace == "kourier-system"


def test_what_stands_behind_a_service_is_read_with_it() -> None:
    client = FakeKube((KSERVICE, ksvc()))
    client.put(ROUTE, named(conditions=[{"type": "Ready", "status": "True"}]))
    client.put(
        REVISION,
        {
            "metadata": {"name": "hello-00001", "namespace": "default"},
            "status": {"containerStatuses": [{"imageDigest": "dev.local/hello@sha256:abc"}]},
        },
    )
    client.put(
        ENDPOINT_SLICE,
        {
            "metadata": {
                "name": "s1",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "hello-00001"},
            },
            "endpoints": [{"conditions": {"ready": True}}],
        },
    )
    observed = reader(client).read("default", "hello")
    assert is_ready(observed)
    assert (observed.age, observed.image_digest) == (5.0, "sha256:abc")
    assert observed.related == (
        "Route hello: Ready=True",
        "KIngress hello: not found",
        "EndpointSlices of hello-00001: 1 of 1 ready",
        "EndpointSlices of hello-00001-private: 0 of 0 ready",
    )
    assert observed.doubts == ("KIngress hello: not found",)


@pytest.mark.parametrize(
    "unready",
    [ksvc("Unknown"), ksvc("True", generation=2), ksvc("True", latest="hello-00000")],
    ids=["condition", "generation", "revision"],
)
def test_waiting_ends_when_every_part_of_ready_is_there(unready: Any) -> None:
    observed = reader(Changing(unready, ksvc())).wait_ready("default", "hello", timeout=5)
    assert is_ready(observed)
    assert observed.waited == 0.0


def test_waiting_in_vain_shows_what_was_seen_last() -> None:
    observed = reader(Changing(ksvc("Unknown"))).wait_ready("default", "hello", timeout=5)
    assert not is_ready(observed)
    assert observed.mismatches[0].startswith("status.conditions[Ready]: expected True, found")


def test_a_missing_permission_does_not_hide_ready() -> None:
    client = Forbidden((KSERVICE, ksvc()))
    observed = reader(client).read("default", "hello")
    assert is_ready(observed)
    assert observed.related[-1] == "not readable: ingresses is forbidden"
