"""A cluster's store and controllers in this process, with a kubelet and a gateway of our own.

The fakes stand on the same seam as the real ones: objects in the store.  They observe nothing,
they do what a test tells them to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from infra.embedded.autoscaler.metrics import RevisionKey, RevisionLoad
from infra.embedded.bootstrap import bootstrap
from infra.embedded.clock import Clock
from infra.embedded.control_plane import Component, Versions, control_plane
from infra.embedded.controllers.conditions import find
from infra.embedded.kinds import CONFIGMAP, EVENT, KINGRESS, KSERVICE, POD, Kind
from infra.embedded.kubelet.images import Catalogue
from infra.embedded.namespaces import NamespaceController
from infra.embedded.store import Event, Obj, Store
from tests.support.virtual_time import run_virtually, virtual_clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T = TypeVar("T")
IMAGE = "dev.local/hello:v1"
_DEADLINE = 1_000.0  # cluster seconds
_POLL = 0.01
_COMPONENTS = ("knative-serving", "kourier-system")  # namespaces of Knative's own pods


def _ignore(_namespace: str, _revision: str) -> None:
    return None


class FakeLoad:
    """A data path whose loads a test sets."""

    def __init__(self) -> None:
        self.loads: dict[RevisionKey, RevisionLoad] = {}
        self.buffered: Callable[[str, str], None] = _ignore

    def stats(self) -> Mapping[RevisionKey, RevisionLoad]:
        return self.loads

    def on_buffered(self, callback: Callable[[str, str], None]) -> None:
        self.buffered = callback


@dataclass(slots=True)
class FakeKubelet:
    """Runs no process: a pod is ready at once, or has the status that `fates` gives its image."""

    store: Store
    clock: Clock
    fates: dict[str, Obj] = field(default_factory=dict)
    started: int = 0  # of those that are not Knative's own
    components: int = 0

    async def run(self) -> None:
        async for event in self.store.watch(POD):
            meta = event.obj["metadata"]
            pod = self.store.find(POD, meta["namespace"], meta["name"])
            if pod is None:
                continue
            if "deletionTimestamp" in pod["metadata"]:
                self.store.delete(POD, meta["namespace"], meta["name"], grace=0)
            elif not pod["spec"].get("nodeName"):
                self._start(pod)

    def _start(self, pod: Obj) -> None:
        spec = {**pod["spec"], "nodeName": "node"}
        bound = self.store.update(POD, {**pod, "spec": spec})
        fate = self.fates.get(pod["spec"]["containers"][0]["image"])
        status = fate or {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": self.clock.stamp()}
            ],
        }
        address = {"podIP": self._address(pod["metadata"]["namespace"])}
        self.store.update_status(POD, {**bound, "status": {**pod["status"], **address, **status}})

    def _address(self, namespace: str) -> str:
        if namespace in _COMPONENTS:
            self.components += 1
            return f"10.244.1.{self.components + 1}"
        self.started += 1
        return f"10.244.0.{self.started + 1}"


@dataclass(slots=True)
class FakeGateway:
    """Programs nothing: each ingress is ready at once, unless `closed`."""

    store: Store
    clock: Clock
    closed: bool = False

    async def run(self) -> None:
        async for event in self.store.watch(KINGRESS):
            meta = event.obj["metadata"]
            found = self.store.find(KINGRESS, meta["namespace"], meta["name"])
            if found is None or self.closed:
                continue
            if found.get("status", {}).get("observedGeneration") != meta["generation"]:
                self.store.update_status(KINGRESS, {**found, "status": self._ready(found)})

    def _ready(self, ingress: Obj) -> Obj:
        domain = "kourier-internal.kourier-system.svc.cluster.local"
        return {
            "observedGeneration": ingress["metadata"]["generation"],
            "conditions": [
                {"type": type, "status": "True", "lastTransitionTime": self.clock.stamp()}
                for type in ("LoadBalancerReady", "NetworkConfigured", "Ready")
            ],
            "privateLoadBalancer": {"ingress": [{"domainInternal": domain}]},
        }


@dataclass(slots=True)
class Simulation:
    """A running cluster without processes."""

    clock: Clock
    store: Store
    load: FakeLoad
    kubelet: FakeKubelet
    gateway: FakeGateway
    changes: list[Event] = field(default_factory=list)

    async def watch(self) -> None:
        """Keep every change of the store, besides those of Knative's own components."""
        async for event in self.store.watch():
            if event.obj["metadata"].get("namespace") not in _COMPONENTS:
                self.changes.append(event)

    async def states(self, kind: Kind, type: str = "Ready") -> list[tuple[str, str]]:
        """Status and reason that a condition of objects of this kind went through so far."""
        await asyncio.sleep(0.01)  # lets the last changes arrive
        found: list[tuple[str, str]] = []
        for event in self.changes:
            if event.kind != kind:
                continue
            for condition in event.obj.get("status", {}).get("conditions", ()):
                state = (condition["status"], condition.get("reason", ""))
                if condition["type"] == type and found[-1:] != [state]:
                    found.append(state)
        return found

    async def story(self) -> list[str]:
        """Who told which event, in order."""
        await asyncio.sleep(0.01)
        return [
            f"{change.obj['involvedObject']['kind']} {change.obj['reason']}"
            for change in self.changes
            if change.kind == EVENT and change.type == "ADDED"
        ]

    async def until(self, ask: Callable[[], T | None], what: str = "condition") -> T:
        """Wait for a truthy answer, in virtual time."""
        end = self.clock.monotonic() + _DEADLINE
        while not (answer := ask()):
            assert self.clock.monotonic() < end, f"{what} has not come about"
            await self.clock.sleep(_POLL)
        return answer

    def status(self, kind: Kind, name: str, type: str = "Ready") -> tuple[str, str, str] | None:
        """Status, reason and message of a condition of an object in `default`."""
        found = self.store.find(kind, "default", name)
        condition = find(found, type) if found else None
        return (condition.status, condition.reason, condition.message) if condition else None

    async def ready(self, name: str = "hello") -> Obj:
        """The KService when it is READY for its present generation."""

        def ask() -> Obj | None:
            found = self.store.get(KSERVICE, "default", name)
            seen = found.get("status", {}).get("observedGeneration")
            good = (self.status(KSERVICE, name) or ("",))[0] == "True"
            return found if good and seen == found["metadata"]["generation"] else None

        return await self.until(ask, f"{name} READY")

    def configure(self, name: str, **values: str) -> None:
        """Set values of a ConfigMap of knative-serving (`_` stands for `-`)."""
        found = self.store.get(CONFIGMAP, "knative-serving", name)
        data = {**found.get("data", {}), **{k.replace("_", "-"): v for k, v in values.items()}}
        self.store.update(CONFIGMAP, {**found, "data": data})

    def events(self, kind: str, name: str) -> list[str]:
        """Reasons of the events about an object, in order."""
        return [
            event["reason"]
            for event in self.store.list(EVENT, "default")
            if (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (kind, name)
        ]


@asynccontextmanager
async def simulation() -> AsyncIterator[Simulation]:
    """A cluster with the domain 127.0.0.1.sslip.io in virtual time."""
    clock = virtual_clock()
    store = Store(clock)
    bootstrap(store, domain="127.0.0.1.sslip.io", node="node", api=("127.0.0.1", 6443))
    load, kubelet = FakeLoad(), FakeKubelet(store, clock)
    gateway = FakeGateway(store, clock)
    parts: list[Component] = [
        NamespaceController(store, clock, "a certificate"),
        kubelet,
        gateway,
        *control_plane(
            store,
            clock,
            images=Catalogue.load(),
            load=load,
            versions=Versions("1.18.2", "1.18.0"),
        ).parts,
    ]
    cluster = Simulation(clock, store, load, kubelet, gateway)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    tasks.append(asyncio.create_task(cluster.watch()))
    try:
        yield cluster
        for task in tasks:
            assert not task.done(), f"a part has ended: {task}"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def simulate(story: Callable[[Simulation], Awaitable[None]]) -> None:
    """Run a test's story on a fresh cluster."""

    async def run() -> None:
        async with simulation() as cluster:
            await story(cluster)

    run_virtually(run)


def kservice(
    name: str = "hello",
    *,
    image: str = IMAGE,
    target: str = "World",
    traffic: list[Obj] | None = None,
    revision: str = "",
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Obj:
    """A KService as it is stored, with the webhook's defaults."""
    template_meta: dict[str, Any] = {"creationTimestamp": None}
    if revision:
        template_meta["name"] = revision
    if annotations:
        template_meta["annotations"] = dict(annotations)
    container = {
        "env": [{"name": "TARGET", "value": target}],
        "image": image,
        "name": "user-container",
        "readinessProbe": {"successThreshold": 1, "tcpSocket": {"port": 0}},
        "resources": {},
    }
    spec = {
        "containerConcurrency": 0,
        "containers": [container],
        "enableServiceLinks": False,
        "timeoutSeconds": 300,
    }
    user = {"serving.knative.dev/creator": "kubernetes-admin",
            "serving.knative.dev/lastModifier": "kubernetes-admin"}  # fmt: skip
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": user,
            **({"labels": dict(labels)} if labels else {}),
        },
        "spec": {
            "template": {"metadata": template_meta, "spec": spec},
            "traffic": traffic or [{"latestRevision": True, "percent": 100}],
        },
    }


def changed(cluster: Simulation, **options: Any) -> Obj:
    """Update the KService to what `kservice` makes of these options."""
    wanted = kservice(**options)
    current = cluster.store.get(KSERVICE, "default", wanted["metadata"]["name"])
    return cluster.store.update(KSERVICE, {**current, "spec": wanted["spec"]})


def pods(cluster: Simulation) -> Iterator[Obj]:
    """The pods in `default` that are not on their way out."""
    for pod in cluster.store.list(POD, "default"):
        if "deletionTimestamp" not in pod["metadata"]:
            yield pod
