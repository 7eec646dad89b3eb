"""Revisions as backends."""

import asyncio
from typing import Any

import pytest

from infra.embedded.clock import Clock
from infra.embedded.gateway.backends import Limits, LimitsReader, ReadyPods, limits
from infra.embedded.gateway.tls import names
from infra.embedded.kinds import POD, REVISION, SKS
from infra.embedded.store import Store

META = {"name": "a-00001", "namespace": "ns"}


@pytest.mark.parametrize(
    ("spec", "mode", "expected"),
    [
        ({}, None, Limits()),
        ({"timeoutSeconds": 3}, "Proxy", Limits(timeout=3)),
        ({"timeoutSeconds": 10, "responseStartTimeoutSeconds": 2}, None, Limits(timeout=2)),
        ({"idleTimeoutSeconds": 2}, None, Limits(idle=2)),
        ({"containerConcurrency": 1}, None, Limits(concurrency=1)),
        ({"containers": [{"ports": [{"name": "h2c"}]}]}, None, Limits(http2=True)),
        ({}, "Serve", Limits(activator=False)),
    ],
)
def test_limits(spec: dict[str, Any], mode: str | None, expected: Limits) -> None:
    sks = {"metadata": META, "spec": {"mode": mode}} if mode else None
    assert limits({"metadata": META, "spec": spec}, sks) == expected


def test_a_plain_service_has_the_defaults() -> None:
    assert limits(None, None) == Limits()


def test_limits_follow_what_is_stored() -> None:
    store = Store(Clock())
    read = LimitsReader(store)
    store.create(REVISION, {"metadata": dict(META), "spec": {"timeoutSeconds": 3}})
    assert read.all(["ns/a-00001", "ns/b"]) == {"ns/a-00001": Limits(timeout=3), "ns/b": Limits()}
    store.create(SKS, {"metadata": dict(META), "spec": {"mode": "Serve"}})
    assert read.all(["ns/a-00001"]) == {"ns/a-00001": Limits(timeout=3, activator=False)}
    store.delete(REVISION, "ns", "a-00001")
    assert read.all(["ns/a-00001"]) == {"ns/a-00001": Limits()}


def pod(status: str, **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "p",
            "namespace": "ns",
            "labels": {"serving.knative.dev/revision": "a-00001"},
            **meta,
        },
        "spec": {"containers": [{"ports": [{"containerPort": 9000}]}]},
        "status": {"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": status}]},
    }


def test_pods_come_and_go() -> None:
    async def story() -> None:
        store, ready = Store(Clock()), ReadyPods()
        subscription = store.watch(POD)
        store.create(POD, pod("False"))
        store.update_status(POD, pod("True"))
        store.update_status(POD, pod("True") | {"status": pod("True")["status"] | {"x": 1}})
        store.delete(POD, "ns", "p", grace=0)
        changes = [ready.update(await anext(subscription)) for _ in range(4)]
        assert changes == [None, "ns/a-00001", None, "ns/a-00001"]
        assert ready.of("ns/a-00001") == []

    asyncio.run(story())


def test_a_certificate_covers_each_parent_domain_once() -> None:
    hosts = ["a.x.example.com", "b.x.example.com", "c.y.example.com"]
    assert names(hosts, "127.0.0.5") == ("127.0.0.5", "*.x.example.com", "*.y.example.com")
