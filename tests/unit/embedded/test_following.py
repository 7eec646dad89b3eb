"""Following objects: what went wrong with one is told, and the others are looked after."""

from __future__ import annotations

import asyncio
import logging

import pytest

from infra.embedded.changes import BACKLOG, Event
from infra.embedded.clock import Clock
from infra.embedded.crds import Definitions
from infra.embedded.faults import BreakableApi, Faults
from infra.embedded.faults.definition import FAULT
from infra.embedded.following import follow
from infra.embedded.gateway.faults import GatewayFaults
from infra.embedded.kinds import CONFIGMAP, CRD, Kind, Registry
from infra.embedded.kubelet.dns import DnsFaults
from infra.embedded.store import Obj, Store
from tests.support.virtual_time import run_virtually, virtual_clock


def config(name: str) -> Obj:
    return {"metadata": {"name": name, "namespace": "default"}}


def store() -> Store:
    return Store(Clock(1.0))


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("later", [False, True])
def test_an_odd_object_stops_nobody(caplog: pytest.LogCaptureFixture, later: bool) -> None:
    objects, seen = store(), list[str]()

    def now(event: Event) -> None:
        if event.obj["metadata"]["name"] == "odd":
            raise KeyError("spec")
        seen.append(event.obj["metadata"]["name"])

    async def soon(event: Event) -> None:
        await asyncio.sleep(0)
        now(event)

    async def story() -> None:
        task = asyncio.create_task(follow(objects, soon if later else now, CONFIGMAP))
        for name in ("one", "odd", "two"):
            objects.create(CONFIGMAP, config(name))
        await settle()
        assert not task.done()
        task.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(story())
    assert seen == ["one", "two"]
    assert "ADDED of configmaps default/odd" in caplog.text


def test_a_part_never_falls_behind_and_a_client_does_only_by_changes() -> None:
    objects = store()
    current = [
        Event("ADDED", CONFIGMAP, config(str(number)), None, b"", number)
        for number in range(BACKLOG + 10)
    ]
    client, part = objects.changes.subscribe([CONFIGMAP], current), objects.watch(CONFIGMAP)
    for _ in range(BACKLOG + 1):
        objects.changes.publish(current[0], None)
    assert (client.closed, part.closed) == (True, False)
    assert len(part.take()) == BACKLOG + 1


class SlowGateway:
    """Takes faults, but only when it is told to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.taken: list[GatewayFaults] = []

    async def break_(self, faults: GatewayFaults) -> None:
        await self.go_on.wait()
        self.taken.append(faults)


def fault(name: str, kind: str, **parameters: object) -> Obj:
    return {"metadata": {"name": name}, "spec": {"type": kind, **parameters}}


def test_faults_that_change_while_another_is_made() -> None:
    """They were created, changed and deleted within the time that the first one took."""
    objects, gateway = store(), SlowGateway()
    api = BreakableApi(lambda *_: settle(), objects.clock)

    async def story() -> None:
        faults = Faults(objects, objects.clock, gateway, DnsFaults(), api.break_)
        task = asyncio.create_task(faults.run())
        objects.create(FAULT, fault("first", "gateway-reset"))
        await settle()
        objects.create(FAULT, fault("short", "api-down"))
        objects.delete(FAULT, "", "short")
        changed = objects.create(FAULT, fault("changed", "api-slow", seconds=1))
        objects.update(FAULT, {**changed, "spec": {"type": "api-slow", "seconds": 2}})
        gateway.go_on.set()
        await settle()
        assert not task.done()
        assert (api.fault.delay, api.fault.down) == (2, False)
        for name in ("first", "changed"):
            assert objects.get(FAULT, "", name)["status"]["phase"] == "Active"
            objects.delete(FAULT, "", name)
        await settle()
        assert objects.list(FAULT) == []
        assert api.fault.delay == 0
        task.cancel()

    asyncio.run(story())


def test_a_fault_of_the_same_name_keeps_its_own_time() -> None:
    async def story() -> None:
        objects, gateway = Store(virtual_clock()), SlowGateway()
        gateway.go_on.set()
        faults = Faults(objects, objects.clock, gateway, DnsFaults(), lambda _: None)
        task = asyncio.create_task(faults.run())
        objects.create(FAULT, fault("again", "api-slow", seconds=1, forSeconds=5.0))
        await settle()
        objects.delete(FAULT, "", "again")
        await settle()
        objects.create(FAULT, fault("again", "api-slow", seconds=1, forSeconds=3600.0))
        await settle()
        await objects.clock.sleep(10.0)
        assert objects.get(FAULT, "", "again")["status"]["phase"] == "Active"
        task.cancel()

    run_virtually(story)


WIDGETS = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True, "storage": True}],
    },
}


def test_objects_of_a_deleted_definition_may_own_each_other() -> None:
    registry = Registry()
    definitions = Definitions(registry)
    objects = Store(Clock(1.0), registry=registry, define=definitions.define)

    async def story() -> None:
        task = asyncio.create_task(definitions.controller(objects).run())
        objects.create(CRD, WIDGETS)
        await settle()
        kind: Kind = next(kind for kind in registry if kind.plural == "widgets")
        for name in ("a", "b"):
            parent = objects.create(kind, config(name))["metadata"]
            owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": name}
            child = config(f"{name}-child")
            child["metadata"]["ownerReferences"] = [owner | {"uid": parent["uid"]}]
            objects.create(kind, child)
        objects.delete(CRD, "", "widgets.example.com")
        await settle()
        assert objects.list(kind) == []
        assert kind not in list(registry)
        task.cancel()

    asyncio.run(story())
