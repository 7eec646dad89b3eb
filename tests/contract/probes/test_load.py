"""Load checks with the real Locust in its own process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from harness.core.observation import LoadObserved
from harness.ports import Cluster
from harness.spec.model import LoadAction
from harness.timing.clock import SystemClock
from probes.load import LocustLoad
from tests.contract.probes.setting import SERVICE, MemoryStore
from tests.contract.probes.web import closed_port, routed, serve, serve_silence

HOST = "metrics-echo.default.127.0.0.1.sslip.io"


@pytest.fixture
def load(make_cluster: Callable[..., Cluster], store: MemoryStore) -> Callable[..., LoadObserved]:
    def run(port: int, **fields: Any) -> LoadObserved:
        asked = {"users": 2, "duration": "1s", "timeout": "5s", **fields}
        action = LoadAction.model_validate({"service": "metrics-echo", **asked})
        tester = LocustLoad(cluster=make_cluster(port), clock=SystemClock(), folder=store)
        return tester.load(SERVICE, action)

    return run


def test_a_good_service_is_counted(load: Callable[..., LoadObserved], store: MemoryStore) -> None:
    with serve(routed(HOST)) as port:
        seen = load(port)
    assert seen.requests > 10
    assert seen.seconds >= 0.99
    assert (seen.failures, seen.exit_code, seen.errors) == (0, 0, {})
    assert seen.latency is not None
    assert seen.latency.count == seen.requests
    assert 0 < seen.latency.min <= seen.latency.p50 <= seen.latency.p99
    assert seen.raw is not None
    assert list(store.files) == [seen.raw.path]
    assert "locust" not in sys.modules


def test_a_server_that_never_answers_has_no_requests_and_no_failures(
    load: Callable[..., LoadObserved],
) -> None:
    with serve_silence() as port:
        seen = load(port)
    assert (seen.requests, seen.failures, seen.latency) == (0, 0, None)


def test_a_host_that_is_not_routed_fails_by_its_status(load: Callable[..., LoadObserved]) -> None:
    with serve(routed("other.example")) as port:
        seen = load(port)
    assert seen.requests == seen.failures > 0
    assert (seen.exit_code, seen.errors) == (1, {"status 404": seen.failures})


def test_a_closed_port_fails_every_request(load: Callable[..., LoadObserved]) -> None:
    seen = load(closed_port())
    assert seen.requests == seen.failures > 0
    assert sum(seen.errors.values()) == seen.failures


def test_settings_of_the_callers_locust_do_not_matter(
    make_cluster: Callable[..., Cluster], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCUST_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("LOCUST_USERS", "0")
    with serve(routed(HOST)) as port:
        tester = LocustLoad(cluster=make_cluster(port), clock=SystemClock(), folder=store)
        action = LoadAction.model_validate(
            {"service": "metrics-echo", "users": 1, "duration": "1s"}
        )
        seen = tester.load(SERVICE, action)
    assert seen.requests > seen.failures == 0
