"""Endpoints and slices from pods; events that count."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded import events
from infra.embedded.clock import Clock, rfc3339
from infra.embedded.controllers.runtime.controller import Key
from infra.embedded.controllers.serving.serverlessservice import public_subsets, ready_addresses
from infra.embedded.controllers.workloads import endpoints
from infra.embedded.controllers.workloads.expiry import EventExpiry
from infra.embedded.controllers.workloads.mirroring import mirrored
from infra.embedded.kinds import ENDPOINTS, ENDPOINTSLICE, EVENT, POD, SERVICE
from infra.embedded.store import Store
from tests.support.simulation import Simulation, simulate

Obj = dict[str, Any]


def pod(name: str = "a", *, ready: bool = True, leaving: bool = False, ip: str = "10.0.0.1") -> Obj:
    leave = {"deletionTimestamp": "2026-11-22T08:00:00Z"} if leaving else {}
    ports = [
        {"name": "web", "containerPort": 8080},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
    ]
    entry = {"type": "Ready", "status": str(ready)}
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "labels": {"app": "a"},
            **leave,
        },
        "spec": {"nodeName": "node", "containers": [{"name": "c", "image": "x", "ports": ports}]},
        "status": {"phase": "Running", "podIP": ip, "conditions": [entry]},
    }


def service(**port: Any) -> Obj:
    spec = {"selector": {"app": "a"}, "ports": [{"port": 80, "protocol": "TCP", **port}],
            "type": "ClusterIP", "clusterIP": "10.96.0.9"}  # fmt: skip
    meta = {"name": "web", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({}, [{"port": 80, "protocol": "TCP"}]),
        ({"targetPort": 8012}, [{"port": 8012, "protocol": "TCP"}]),
        (
            {"name": "http", "targetPort": "web"},
            [{"name": "http", "port": 8080, "protocol": "TCP"}],
        ),
        ({"targetPort": "dns", "protocol": "UDP"}, [{"port": 53, "protocol": "UDP"}]),
        ({"targetPort": "dns"}, []),
        ({"targetPort": "nope"}, []),
    ],
)
def test_ports(port: Obj, expected: list[Obj]) -> None:
    assert endpoints.ports_of(service(**port), pod()) == expected


@pytest.mark.parametrize(
    ("ready", "leaving", "expected"),
    [
        (True, False, {"ready": True, "serving": True, "terminating": False}),
        (False, False, {"ready": False, "serving": False, "terminating": False}),
        (True, True, {"ready": False, "serving": True, "terminating": True}),
    ],
)
def test_conditions_of_an_endpoint(ready: bool, leaving: bool, expected: Obj) -> None:
    assert endpoints.endpoint_of(pod(ready=ready, leaving=leaving))["conditions"] == expected


def test_subsets_leave_out_pods_that_leave() -> None:
    members = [
        endpoints.endpoint_of(pod("a")),
        endpoints.endpoint_of(pod("b", ready=False, ip="10.0.0.2")),
        endpoints.endpoint_of(pod("c", leaving=True, ip="10.0.0.3")),
    ]
    (subset,) = endpoints.subsets_of(members, [{"port": 80, "protocol": "TCP"}])
    assert [a["ip"] for a in subset["addresses"]] == ["10.0.0.1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.0.0.2"]
    assert endpoints.subsets_of([], []) == []


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)


@given(st.lists(LABELS, max_size=8), LABELS, st.lists(st.integers(0, 7), max_size=4))
def test_pods_find_the_services_that_select_them(
    selectors: list[dict[str, str]], labels: dict[str, str], gone: list[int]
) -> None:
    index = endpoints.Selectors()
    keys = {Key("default", f"s{n}"): found for n, found in enumerate(selectors) if found}
    for key, selector in keys.items():
        index.put(key, selector)
    for n in gone:
        index.forget(Key("default", f"s{n}"))
        keys.pop(Key("default", f"s{n}"), None)
    found = {"metadata": {"namespace": "default", "labels": labels}}
    expected = [key for key, selector in keys.items() if selector.items() <= labels.items()]
    assert sorted(index.matching(found)) == sorted(expected)
    assert index.matching({"metadata": {"namespace": "other", "labels": labels}}) == []


def test_ports_are_in_the_recorded_order() -> None:
    """golden 02-lifecycle/ready-endpoints"""
    names = ("http", "https", "http-autometric", "http-usermetric", "http-queueadm", "http-istio")
    numbers = (8012, 8112, 9090, 9091, 8022, 8012)
    ports = [{"name": n, "port": p, "protocol": "TCP"} for n, p in zip(names, numbers, strict=True)]
    (subset,) = endpoints.subsets_of([endpoints.endpoint_of(pod())], ports)
    assert [p["port"] for p in subset["ports"]] == [9091, 8012, 8022, 8012, 8112, 9090]


def test_a_services_endpoints_follow_its_pods_and_go_with_it() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(SERVICE, service(targetPort=8080))
        await cluster.until(lambda: cluster.store.find(ENDPOINTS, "default", "web"))
        for name in ("a", "b"):
            made = {k: v for k, v in pod(name).items() if k != "status"}
            del made["spec"]["nodeName"]
            cluster.store.create(POD, {**made, "status": {"phase": "Pending"}})

        def addresses() -> int:
            return ready_addresses(cluster.store.get(ENDPOINTS, "default", "web"))

        await cluster.until(lambda: addresses() == 2)
        (slice_,) = cluster.store.list(
            ENDPOINTSLICE, "default", {"kubernetes.io/service-name": "web"}
        )
        assert [e["targetRef"]["name"] for e in slice_["endpoints"]] == ["a", "b"]
        cluster.store.delete(POD, "default", "a")
        await cluster.until(lambda: addresses() == 1)
        cluster.store.delete(SERVICE, "default", "web")
        await cluster.until(lambda: cluster.store.find(ENDPOINTS, "default", "web") is None)
        assert not cluster.store.list(
            ENDPOINTSLICE, "default", {"kubernetes.io/service-name": "web"}
        )

    simulate(story)


PRIVATE = {
    "subsets": [
        {
            "addresses": [{"ip": "10.0.0.1"}],
            "ports": [
                {"name": "http", "port": 8012},
                {"name": "https", "port": 8112},
                {"name": "http-queueadm", "port": 8022},
            ],
        }
    ]
}
ACTIVATOR = {
    "subsets": [
        {
            "addresses": [{"ip": "10.0.0.9"}],
            "ports": [
                {"name": "http", "port": 8012},
                {"name": "http2", "port": 8013},
                {"name": "https", "port": 8112},
            ],
        }
    ]
}
EMPTY: Obj = {}


@pytest.mark.parametrize(
    ("mode", "protocol", "private", "address", "ports"),
    [
        ("Proxy", "http1", PRIVATE, "10.0.0.9", ["http", "https"]),
        ("Serve", "http1", PRIVATE, "10.0.0.1", ["http", "https"]),
        ("Serve", "http1", EMPTY, "10.0.0.9", ["http", "https"]),
        ("Proxy", "h2c", PRIVATE, "10.0.0.9", ["http2", "https"]),
    ],
)
def test_who_answers_for_a_revision(
    mode: str, protocol: str, private: Obj, address: str, ports: list[str]
) -> None:
    sks = {"spec": {"mode": mode, "protocolType": protocol}}
    (subset,) = public_subsets(sks, private, ACTIVATOR)
    assert [a["ip"] for a in subset["addresses"]] == [address]
    assert [p["name"] for p in subset["ports"]] == ports


def test_foreign_endpoints_are_mirrored() -> None:
    members, ports = mirrored(ACTIVATOR)
    assert members == [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}]
    assert [p["port"] for p in ports] == [8012, 8013, 8112]
    assert mirrored({}) == ([], [])


def test_equal_events_are_counted() -> None:
    clock = Clock()
    store = Store(clock)
    obj = store.create(POD, {"metadata": {"name": "a", "namespace": "default"}})
    for message in ("one", "one", "other", "one"):
        events.record(store, clock, obj, "Warning", "Failed", message, "kubelet")
    found = {e["message"]: e["count"] for e in store.list(EVENT, "default")}
    assert found == {"one": 3, "other": 1}


def test_events_are_kept_for_an_hour() -> None:
    clock = Clock()
    store = Store(clock)
    obj = store.create(POD, {"metadata": {"name": "a", "namespace": "default"}})
    for message, minutes in (("old", 61), ("young", 59)):
        event = events.new_event(clock, obj, "Normal", "R", message, "c")
        then = rfc3339(clock.now() - timedelta(minutes=minutes))
        store.create(EVENT, {**event, "lastTimestamp": then})
    EventExpiry(store, clock).sweep()
    assert [e["message"] for e in store.list(EVENT)] == ["young"]


def test_an_event_names_its_object() -> None:
    clock = Clock()
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "uid": "u"}}
    event = events.new_event(clock, obj, "Normal", "Created", "m", "c")
    assert event["involvedObject"] == {
        "kind": "Namespace", "name": "a", "uid": "u", "apiVersion": "v1",
    }  # fmt: skip
    assert event["metadata"]["namespace"] == "default"
    assert (event["count"], event["source"]) == (1, {"component": "c"})
