"""Binding pods to the one node, as long as it has room for what they request."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.errors import AlreadyExists, Conflict, NotFound
from infra.embedded.kinds import EVENT, NODE, POD
from infra.embedded.store import Event, Obj, Store

_SUFFIXES = {
    "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}  # fmt: skip
_RESOURCES = ("cpu", "memory")
# What a node has that does not say: far more than the pods here use.
_DEFAULT = {"cpu": "32", "memory": "64Gi", "pods": "1000"}
UNSCHEDULABLE = (
    "0/1 nodes are available: 1 {}. preemption: 0/1 nodes are available:"
    " 1 No preemption victims found for incoming pod."
)


def quantity(text: object) -> Decimal:
    """A Kubernetes quantity as a number; raises ValueError."""
    raw = str(text)
    for length in (2, 1):
        if raw[-length:] in _SUFFIXES:
            return Decimal(raw[:-length]) * _SUFFIXES[raw[-length:]]
    try:
        return Decimal(raw)
    except ArithmeticError:
        raise ValueError(f"not a quantity: {raw!r}") from None


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on the node: by resource, and in pods."""

    free: Mapping[str, Decimal]
    pods: int

    def lacks(self, pod: Mapping[str, Any]) -> str:
        """Why a pod does not fit, in the scheduler's words; empty when it does."""
        if self.pods < 1:
            return "Too many pods"
        wanted = requests(pod)
        for name in _RESOURCES:
            if wanted[name] > self.free[name]:
                return f"Insufficient {name}"
        return ""


def requests(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a pod's containers request together."""
    total = dict.fromkeys(_RESOURCES, Decimal(0))
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for name in _RESOURCES:
            total[name] += quantity(asked.get(name, 0))
    return total


class Reserved:
    """What the pods of the node request together.

    It is kept as pods come and go: adding all of them up for each new one would make the time to
    place many grow with the square of their number.
    """

    def __init__(self) -> None:
        self._pods: dict[str, Mapping[str, Decimal]] = {}
        self._total = dict.fromkeys(_RESOURCES, Decimal(0))

    def take(self, pod: Mapping[str, Any]) -> None:
        """A pod is bound to the node; told again, it counts once."""
        uid = pod["metadata"]["uid"]
        if uid not in self._pods:
            self._pods[uid] = asked = requests(pod)
            self._add(asked, 1)

    def release(self, pod: Mapping[str, Any]) -> bool:
        """A pod has ended or is gone; returns whether it held anything."""
        held = self._pods.pop(pod["metadata"]["uid"], None)
        if held is None:
            return False
        self._add(held, -1)
        return True

    def room(self, allocatable: Mapping[str, Any]) -> Room:
        """What a node with these resources has left."""
        has = {**_DEFAULT, **allocatable}
        free = {name: quantity(has[name]) - self._total[name] for name in _RESOURCES}
        return Room(free, int(quantity(has["pods"])) - len(self._pods))

    def _add(self, asked: Mapping[str, Decimal], sign: int) -> None:
        for name, amount in asked.items():
            self._total[name] += sign * amount


class Scheduler:
    """Binds pods that have no node.  Tell it every change of a pod with `changed`."""

    def __init__(self, store: Store, clock: Clock, node: str) -> None:
        self._store = store
        self._clock = clock
        self._node = node
        self._reserved = Reserved()
        self._refused: dict[str, tuple[str, str]] = {}  # uid -> namespace and name

    def changed(self, event: Event) -> None:
        """Keep account of a pod; bind it if it has no node yet."""
        pod = event.obj
        meta = pod["metadata"]
        if event.type == "DELETED" or _ended(pod):
            self._refused.pop(meta["uid"], None)
            if self._reserved.release(pod):
                self._retry()
        elif pod["spec"].get("nodeName"):
            self._reserved.take(pod)
        elif "deletionTimestamp" not in meta:
            self._schedule(pod)

    def _schedule(self, pod: Obj) -> None:
        """Bind a pod, or say why it does not fit."""
        meta = pod["metadata"]
        lacks = self._room().lacks(pod)
        try:
            if lacks:
                self._refused[meta["uid"]] = meta["namespace"], meta["name"]
                self._refuse(pod, UNSCHEDULABLE.format(lacks))
            else:
                self._refused.pop(meta["uid"], None)
                self._bind(pod)
        except (Conflict, NotFound):
            return  # it has changed since: its next event brings it back

    def _bind(self, pod: Obj) -> None:
        meta = pod["metadata"]
        bound = self._store.update(POD, {**pod, "spec": {**pod["spec"], "nodeName": self._node}})
        self._reserved.take(bound)
        self._condition(bound, {"status": "True"})
        message = f"Successfully assigned {meta['namespace']}/{meta['name']} to {self._node}"
        self._tell(pod, events.NORMAL, "Scheduled", message)

    def _retry(self) -> None:
        """Something has left the node: look again at the pods that did not fit."""
        for where in tuple(self._refused.values()):
            pod = self._store.find(POD, *where)
            if pod is not None and "deletionTimestamp" not in pod["metadata"]:
                self._schedule(pod)

    def _room(self) -> Room:
        node = self._store.find(NODE, "", self._node) or {}
        return self._reserved.room((node.get("status") or {}).get("allocatable") or {})

    def _refuse(self, pod: Obj, message: str) -> None:
        old = next((c for c in _conditions(pod) if c["type"] == "PodScheduled"), {})
        if old.get("message") == message:
            return
        why = {"status": "False", "reason": "Unschedulable", "message": message}
        self._condition(pod, why)
        self._tell(pod, events.WARNING, "FailedScheduling", message)

    def _condition(self, pod: Obj, content: Mapping[str, str]) -> None:
        condition = {
            "lastProbeTime": None,
            "lastTransitionTime": self._clock.stamp(),
            "type": "PodScheduled",
            **content,
        }
        others = [c for c in _conditions(pod) if c["type"] != "PodScheduled"]
        status = {"phase": "Pending", **(pod.get("status") or {})}
        status["conditions"] = [*others, condition]
        self._store.update_status(POD, {**pod, "status": status})

    def _tell(self, pod: Obj, type: str, reason: str, message: str) -> None:
        try:
            event = events.scheduler_event(self._clock, pod, type, reason, message)
            self._store.create(EVENT, event)
        except AlreadyExists:
            return  # the same about the same pod: told once


def _ended(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _conditions(pod: Obj) -> list[Obj]:
    found: list[Obj] = (pod.get("status") or {}).get("conditions") or []
    return found
