"""Pods over time, and how a cold start is split by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ClusterError, ProbeError
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.ports import ResourceKind
from harness.spec.model import ProbeAction
from harness.timing.clock import SystemClock
from probes.coldstart import cold_start, split
from probes.jobspec import POD
from probes.scale import PodCount, PodCounter, Replicas
from tests.support.fake_kube import FakeKube
from tests.support.fakes import READY, FakeClock

LABELS = {"serving.knative.dev/service": "hello"}
ACTION = ProbeAction.model_validate(
    {"service": "hello", "vantages": ["gateway"], "requests": 1, "timeout": "60s"}
)


def pod(name: str, *, running: bool = True, ready: bool = True, ending: bool = False) -> Any:
    metadata = {"name": name, "namespace": "default", "labels": LABELS}
    if ending:
        metadata["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    state: dict[str, Any] = {"running": {}} if running else {"waiting": {}}
    return {
        "metadata": metadata,
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {"name": "queue-proxy", "state": {"running": {}}},
                {"name": "user-container", "state": state},
            ],
        },
    }


def counter(client: FakeKube) -> PodCounter:
    return PodCounter(client, FakeClock(), "default", "hello")


@pytest.mark.parametrize(
    ("pods", "numbers"),
    [
        ([], (0, 0, 0)),
        ([pod("a", running=False, ready=False)], (1, 0, 0)),
        ([pod("a", ready=False), pod("b")], (2, 2, 1)),
        ([pod("a", ending=True), pod("b")], (2, 1, 1)),
    ],
)
def test_pods_are_counted_by_how_far_they_are(pods: list[Any], numbers: tuple[int, ...]) -> None:
    seen = counter(FakeKube(*((POD, one) for one in pods))).count()
    assert (seen.pods, seen.started, seen.ready) == numbers


def test_only_changes_are_kept() -> None:
    replicas = Replicas()
    for at, ready in enumerate([0, 0, 1, 1, 3, 2]):
        replicas.add(PodCount(float(at), ready, ready, ready))
    assert [count.at for count in replicas.changes] == [0.0, 2.0, 4.0, 5.0]
    assert replicas.most_ready == 3
    assert replicas.first(ready=2) == 4.0
    assert replicas.first(ready=4) is None


class Growing(FakeKube):
    """A service that gets a pod as soon as it has been seen without one often enough."""

    def __init__(self, *, empty: int) -> None:
        super().__init__()
        self._empty = empty

    def list(self, kind: ResourceKind, namespace: str | None = None, *, selector: str = "") -> Any:
        self._empty -= 1
        if self._empty < 0:
            self.put(POD, pod("a"))
        return super().list(kind, namespace, selector=selector)


def test_a_recording_sees_what_happens_meanwhile() -> None:
    client = Growing(empty=2)
    with PodCounter(client, SystemClock(), "default", "hello").recording() as replicas:
        while len(replicas.changes) < 2:
            client.serves(POD)
    assert [count.ready for count in replicas.changes] == [0, 1]


class Refusing(FakeKube):
    def list(self, kind: ResourceKind, namespace: str | None = None, *, selector: str = "") -> Any:
        raise ClusterError(f"{kind.plural} are forbidden in {namespace} ({selector})")


def test_a_recording_that_failed_says_so_at_its_end() -> None:
    with (
        pytest.raises(ClusterError, match="pods are forbidden"),
        PodCounter(Refusing(), SystemClock(), "default", "hello").recording(),
    ):
        pass


def changes(*counts: tuple[float, int, int, int]) -> Replicas:
    return Replicas([PodCount(*count) for count in counts])


@pytest.mark.parametrize(
    ("replicas", "phases"),
    [
        (
            changes((99.0, 0, 0, 0), (100.5, 1, 0, 0), (101.0, 1, 1, 0), (101.5, 1, 1, 1)),
            (("pod", 0.5), ("start", 0.5), ("ready", 0.5), ("answer", 0.5)),
        ),
        (
            changes((99.0, 0, 0, 0), (101.5, 1, 1, 1)),
            (("pod", 1.5), ("start", 0), ("ready", 0), ("answer", 0.5)),
        ),
        (changes((99.0, 0, 0, 0)), (("answer", 2.0),)),
    ],
)
def test_a_cold_start_is_split_by_what_was_seen(
    replicas: Replicas, phases: tuple[tuple[str, float], ...]
) -> None:
    assert split(replicas, start=100.0, end=102.0) == phases


@given(st.lists(st.floats(90, 110), min_size=3, max_size=3))
def test_the_steps_of_a_cold_start_add_up_to_it(times: list[float]) -> None:
    first, second, third = sorted(times)
    replicas = changes((80.0, 0, 0, 0), (first, 1, 0, 0), (second, 1, 1, 0), (third, 1, 1, 1))
    phases = split(replicas, start=100.0, end=102.0)
    assert sum(seconds for _, seconds in phases) == pytest.approx(2.0)


def test_a_pod_before_the_request_is_no_cold_start() -> None:
    with pytest.raises(ProbeError, match="no cold start"):
        split(changes((99.0, 1, 1, 1)), start=100.0, end=102.0)


class OneAnswer:
    """A prober whose one request is answered after 1.5 s."""

    def __init__(self, error: str | None = None) -> None:
        self._error = error

    def probe(self, service: ServiceObserved, action: ProbeAction) -> tuple[ProbeObserved, ...]:
        assert action.requests == 1
        observed = ProbeObserved(
            service=service.service,
            namespace=service.namespace,
            vantage="gateway",
            url=service.url,
            at="2026-01-02T03:04:05Z",
            until="2026-01-02T03:04:06.500000Z",
            total=1,
            valid=1,
            good=1,
        )
        return (replace(observed, error=self._error),)


def measure(client: FakeKube, prober: OneAnswer) -> Any:
    clock = FakeClock()
    return cold_start(
        READY,
        ACTION,
        prober=prober,
        counter=PodCounter(client, clock, "default", "hello"),
        clock=clock,
        zero_timeout=5.0,
    )


def test_a_cold_start_is_measured_from_real_zero() -> None:
    seen = measure(FakeKube(), OneAnswer())
    assert (seen.waited, seen.seconds) == (0.0, 1.5)
    assert seen.phases == (("answer", 1.5),)


def test_a_service_that_keeps_its_pods_cannot_start_cold() -> None:
    with pytest.raises(ProbeError, match="no pods of default/hello: not so after 5 s"):
        measure(FakeKube((POD, pod("a"))), OneAnswer())


def test_a_request_that_could_not_be_sent_is_no_measurement() -> None:
    with pytest.raises(ProbeError, match="no room"):
        measure(FakeKube(), OneAnswer(error="no room"))
