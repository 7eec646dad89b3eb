"""The signs of life of a node."""

from __future__ import annotations

from infra.embedded.clock import Clock, parse_rfc3339
from infra.embedded.controllers.workloads.heartbeat import NAMESPACE, Heartbeat
from infra.embedded.kinds import LEASE, NODE
from infra.embedded.store import Store

LONG_AGO = "2020-01-01T00:00:00Z"


def simulated() -> tuple[Store, Heartbeat]:
    clock = Clock()
    store = Store(clock)
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady",
                 "lastHeartbeatTime": LONG_AGO, "lastTransitionTime": LONG_AGO}  # fmt: skip
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n"},
        "status": {"conditions": [condition], "capacity": {"pods": "110"}},
    }
    store.create(NODE, node)
    return store, Heartbeat(store, clock)


def test_the_lease_belongs_to_its_node_and_is_renewed() -> None:
    store, heartbeat = simulated()
    heartbeat.renew()
    first = store.get(LEASE, NAMESPACE, "n")
    owner = first["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Node", store.get(NODE, "", "n")["metadata"]["uid"])
    assert first["spec"]["holderIdentity"] == "n"
    heartbeat.renew()
    second = store.get(LEASE, NAMESPACE, "n")
    before, after = (parse_rfc3339(lease["spec"]["renewTime"]) for lease in (first, second))
    assert before < after
    assert second["metadata"]["uid"] == first["metadata"]["uid"]


def test_only_the_time_of_the_conditions_changes() -> None:
    store, heartbeat = simulated()
    before = store.get(NODE, "", "n")["status"]
    heartbeat.report()
    after = store.get(NODE, "", "n")["status"]
    (condition,) = after["conditions"]
    assert condition["lastHeartbeatTime"] > LONG_AGO
    assert {**condition, "lastHeartbeatTime": LONG_AGO} == before["conditions"][0]
    assert after["capacity"] == before["capacity"]
