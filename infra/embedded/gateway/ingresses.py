"""KIngress objects: the gateway's finalizer, and the status that follows its probes."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.errors import Conflict, NotFound
from infra.embedded.gateway.prober import Listeners, wait_until_served
from infra.embedded.gateway.routes import Routing, routing
from infra.embedded.kinds import KINGRESS
from infra.embedded.store import Event, Obj, Store, copy

_log = logging.getLogger(__name__)

CLASS = "kourier.ingress.networking.knative.dev"
FINALIZER = "ingresses.networking.internal.knative.dev"
COMPONENT = "ingress-controller"
PUBLIC = "kourier.kourier-system.svc.cluster.local"
PRIVATE = "kourier-internal.kourier-system.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a KIngress is not served: the words of its conditions."""

    status: str
    reason: str = ""
    message: str = ""


_UNKNOWN = Problem("Unknown")
WAITING = Problem("Unknown", "Uninitialized", "Waiting for load balancer to be ready")
# Two services may come to the same host: a tag of `hello` and a service `tag-hello`.
REJECTED = Problem(
    "False", "DomainConflict", "Ingress rejected as its domain conflicts with another ingress"
)


class Ingresses:
    """The KIngresses of the cluster, as routings, and their status."""

    def __init__(self, status: "IngressStatus") -> None:
        self._status = status
        self._objects: dict[str, Obj] = {}
        self.routings: dict[str, Routing] = {}  # of those that are not being deleted

    def changed(self, event: Event) -> bool:
        """Take a change; returns whether routes must follow."""
        meta = event.obj["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        if key not in self._objects and not _is_ours(event.obj):
            return False
        matters = event.type != "MODIFIED" or _matters(event)
        if event.type == "DELETED":
            self._objects.pop(key, None)
            self.routings.pop(key, None)
            self._status.forget(key)
            return True
        self._status.hold(event.obj)
        self._objects[key] = event.obj
        if "deletionTimestamp" in meta:
            self.routings.pop(key, None)
        elif matters:
            self._take(key, event.obj)
        return matters

    def _take(self, key: str, ingress: Obj) -> None:
        """What a KIngress asks for now; one that makes no sense is not served."""
        self.routings.pop(key, None)
        try:
            self.routings[key] = routing(ingress)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            _log.warning("the Ingress %s is not served: %s: %s", key, type(error).__name__, error)

    def compatible(self) -> dict[str, Routing]:
        """The routings without those that have a host of an older one: these are rejected."""
        taken: set[str] = set()
        accepted: dict[str, Routing] = {}
        for key in sorted(self.routings, key=self._age):
            one = self.routings[key]
            hosts = {host for rule in one.rules for host in rule.hosts}
            if hosts & taken:
                self._status.reject(key, one)
            else:
                accepted[key] = one
                taken |= hosts
        return accepted

    def _age(self, key: str) -> tuple[str, str]:
        return self._objects[key]["metadata"]["creationTimestamp"], key

    def served(self, routings: Mapping[str, Routing]) -> None:
        """Envoy has these routings: probe what is new, and let go of what is no longer served."""
        for key, one in routings.items():
            if key in self._objects:
                self._status.probe(key, one)
        for key, ingress in tuple(self._objects.items()):
            if "deletionTimestamp" in ingress["metadata"]:
                self._status.forget(key)
                self._status.release(ingress)


def _is_ours(ingress: Obj) -> bool:
    """Whether kourier is to serve it: another class, or none, is somebody else's."""
    annotations = ingress["metadata"].get("annotations") or {}
    return bool(annotations.get("networking.knative.dev/ingress.class") == CLASS)


def _matters(event: Event) -> bool:
    """Whether a change of a KIngress is one of what it asks for."""
    old, new = event.old, event.obj
    deleted = "deletionTimestamp" in new["metadata"]
    return (
        old is None
        or old["spec"] != new["spec"]
        or deleted != ("deletionTimestamp" in old["metadata"])
    )


class IngressStatus:
    """Probes each new version of a routing and says in its KIngress when it is served."""

    def __init__(self, store: Store, clock: Clock, listeners: Callable[[], Listeners]) -> None:
        self._store = store
        self._clock = clock
        self._listeners = listeners
        self._probes: dict[str, tuple[tuple[str, int], asyncio.Task[None]]] = {}

    def hold(self, ingress: Obj) -> None:
        """Keep the object until its routes are gone."""
        meta = ingress["metadata"]
        if FINALIZER in meta.get("finalizers", ()) or "deletionTimestamp" in meta:
            return
        new = copy(ingress)
        new["metadata"].setdefault("finalizers", []).append(FINALIZER)
        try:
            self._store.update(KINGRESS, new)
        except (NotFound, Conflict):
            return  # its next event brings it back
        message = f'Updated "{meta["name"]}" finalizers'
        events.record(
            self._store, self._clock, ingress, events.NORMAL, "FinalizerUpdate", message, COMPONENT
        )

    def release(self, ingress: Obj) -> None:
        """The routes are gone: the object may go too."""
        new = copy(ingress)
        kept = [f for f in new["metadata"].get("finalizers", ()) if f != FINALIZER]
        new["metadata"]["finalizers"] = kept
        try:
            self._store.update(KINGRESS, new)
        except (NotFound, Conflict):
            return

    def probe(self, key: str, wanted: Routing) -> None:
        """This version has been handed to Envoy: probe it until it is served."""
        before = self._probes.get(key)
        if before is not None:
            if before[0] == (wanted.version, wanted.generation):
                return
            before[1].cancel()
        task = asyncio.ensure_future(self._serve(wanted))
        task.add_done_callback(partial(self._probed, key))
        self._probes[key] = ((wanted.version, wanted.generation), task)

    def _probed(self, key: str, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("the routes of %s are not probed any more", key, exc_info=error)
        if key in self._probes and self._probes[key][1] is task:
            del self._probes[key]  # the next version of the routes begins again

    def reject(self, key: str, wanted: Routing) -> None:
        """This version cannot be handed to Envoy."""
        self.forget(key)
        self._write(wanted, REJECTED)

    def forget(self, key: str) -> None:
        """The KIngress is gone."""
        before = self._probes.pop(key, None)
        if before is not None:
            before[1].cancel()

    def stop(self) -> None:
        for key in tuple(self._probes):
            self.forget(key)

    async def _serve(self, wanted: Routing) -> None:
        self._write(wanted, WAITING)
        await wait_until_served(wanted, self._listeners())
        self._write(wanted, None)

    def _write(self, wanted: Routing, problem: Problem | None) -> None:
        generation = wanted.generation
        current = self._store.find(KINGRESS, wanted.namespace, wanted.name)
        if current is None or current["metadata"]["generation"] != generation:
            return
        old = current.get("status") or {}
        if problem is WAITING and old.get("observedGeneration") == generation and _is_ready(old):
            return  # restarted: it was served, and is being served again
        status = ingress_status(old, generation, self._clock.stamp(), problem)
        self._store.update_status(KINGRESS, {**current, "status": status})
        now = problem.reason if problem else "Ready"
        _log.debug("Ingress %s/%s: %s", wanted.namespace, wanted.name, now)


def _is_ready(status: Obj) -> bool:
    return _known(status).get("Ready", {}).get("status") == "True"


def _known(status: Obj) -> dict[str, Obj]:
    """Conditions by type, as far as they are any: anybody may write the status of a KIngress."""
    found = status.get("conditions")
    every = found if isinstance(found, list) else []
    return {c["type"]: c for c in every if isinstance(c, dict) and "type" in c}


def ingress_status(old: Obj, generation: int, now: str, problem: Problem | None) -> Obj:
    """The status of a KIngress; without a problem it is served."""
    before = _known(old)

    def condition(kind: str, trouble: Problem | None) -> Obj:
        status = trouble.status if trouble else "True"
        known = before.get(kind, {})
        same = known.get("status") == status
        made: Obj = {
            "lastTransitionTime": known.get("lastTransitionTime", now) if same else now,
            "status": status,
            "type": kind,
        }
        if trouble and trouble.reason:
            made["reason"], made["message"] = trouble.reason, trouble.message
        return made

    unconfigured = _UNKNOWN if problem is REJECTED else None
    status: Obj = {
        "conditions": [
            condition("LoadBalancerReady", problem),
            condition("NetworkConfigured", unconfigured),
            condition("Ready", problem),
        ],
        "observedGeneration": generation,
    }
    if problem is None or "publicLoadBalancer" in old:
        status["publicLoadBalancer"] = {"ingress": [{"domainInternal": PUBLIC}]}
        status["privateLoadBalancer"] = {"ingress": [{"domainInternal": PRIVATE}]}
    return status
