"""Faults as objects: in effect when inject returns, mended when close returns."""

from __future__ import annotations

import pytest

from harness.core.errors import ClusterError, UsageError
from harness.ports import JsonObject, ResourceKind
from infra.clusters.faults import EmulatorFaults
from infra.clusters.resources import FAULT, dig, name_of
from infra.kube import ApiError
from tests.support.fake_install import RecordingClock
from tests.support.fake_kube import FakeKube


class Emulator(FakeKube):
    """Puts a fault into effect when it has been asked for it often enough."""

    def __init__(self, *, asks: int, phase: str = "Active") -> None:
        super().__init__()
        self.asks = asks
        self.phase = phase

    def get(self, kind: ResourceKind, namespace: str, name: str) -> JsonObject | None:
        self.asks -= 1
        if self.asks == 0:
            for stored in self.objects.values():
                stored["status"] = {"phase": self.phase, "message": "no such host"}
        return super().get(kind, namespace, name)


def test_a_fault_is_waited_for_and_mended() -> None:
    kube = Emulator(asks=4)
    clock = RecordingClock()
    fault = EmulatorFaults(kube, clock).inject("gateway-down", {"host": "a.example"})
    stored = kube.list(FAULT)[0]
    assert dig(stored, "spec") == {"type": "gateway-down", "host": "a.example"}
    assert name_of(stored).startswith("gateway-down-")
    assert clock.slept
    fault.close()
    assert kube.list(FAULT) == []
    fault.close()


def test_two_faults_of_one_type_are_two_objects() -> None:
    kube = Emulator(asks=1)
    faults = EmulatorFaults(kube, RecordingClock())
    faults.inject("dns", {})
    kube.asks = 1
    faults.inject("dns", {})
    assert len(kube.list(FAULT)) == 2


def test_a_fault_that_never_takes_effect_is_an_error() -> None:
    kube = Emulator(asks=-1)
    with pytest.raises(ClusterError, match="is in effect: not so after 15 s"):
        EmulatorFaults(kube, RecordingClock()).inject("dns", {})
    assert kube.list(FAULT) == []


def test_a_fault_that_failed_says_why_and_is_removed() -> None:
    kube = Emulator(asks=2, phase="Failed")
    with pytest.raises(ClusterError, match="dns cannot be put into effect: no such host"):
        EmulatorFaults(kube, RecordingClock()).inject("dns", {})
    assert kube.list(FAULT) == []


class Refusing(FakeKube):
    """Refuses whatever it is given with a status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__()
        self.error = ApiError(message, status=status)

    def create(self, kind: ResourceKind, namespace: str, body: JsonObject) -> JsonObject:
        raise self.error


def test_what_is_not_a_fault_is_bad_usage() -> None:
    kube = Refusing(422, 'POST: 422: Fault "x" is invalid: spec: dns has no parameter y')
    with pytest.raises(UsageError, match=r"^dns has no parameter y"):
        EmulatorFaults(kube, RecordingClock()).inject("dns", {"y": 1})


def test_a_cluster_that_takes_no_faults_now_is_not_bad_usage() -> None:
    with pytest.raises(ApiError, match="not ready"):
        EmulatorFaults(Refusing(503, "not ready"), RecordingClock()).inject("dns", {})
