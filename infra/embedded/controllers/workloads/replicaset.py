"""ReplicaSets: as many pods of a template as asked for."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.controllers.meta import is_controlled_by, is_deleting, labels
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import (
    Key,
    ReconcileError,
    Watch,
    itself,
    owner,
)
from infra.embedded.controllers.workloads import pods
from infra.embedded.controllers.workloads.accounts import refusal
from infra.embedded.kinds import POD, REPLICASET
from infra.embedded.store import Obj, Store

_BURST = 500  # pods made in one go


def surplus(active: Sequence[Obj], wanted: int) -> list[Obj]:
    """The pods to delete when fewer are wanted, in Kubernetes' order of preference."""
    return sorted(active, key=_worth)[: max(0, len(active) - wanted)]


def _worth(pod: Obj) -> tuple[bool, bool, bool, int, float, int, float]:
    """Lower is deleted first: unassigned, pending, unready, short ready, restarted, young."""
    ready_since = pods.ready_since(pod)
    meta, statuses = pod["metadata"], pod.get("status", {}).get("containerStatuses", ())
    cost = int((meta.get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", 0))
    return (
        bool(pod["spec"].get("nodeName")),
        pods.phase(pod) == "Running",
        ready_since is not None,
        cost,
        -ready_since.timestamp() if ready_since else 0.0,
        -max((status.get("restartCount", 0) for status in statuses), default=0),
        -int(meta["resourceVersion"]),
    )


def status(
    replicaset: Obj, active: Sequence[Obj], available: int, failure: Obj | None
) -> dict[str, object]:
    """The status that these pods give; fields that are 0 are left out, except replicas."""
    template = (replicaset["spec"]["template"].get("metadata") or {}).get("labels") or {}
    counts = {
        "fullyLabeledReplicas": sum(template.items() <= labels(pod).items() for pod in active),
        "readyReplicas": sum(map(pods.is_ready, active)),
        "availableReplicas": available,
    }
    return {
        "replicas": len(active),
        **{name: count for name, count in counts.items() if count},
        "observedGeneration": replicaset["metadata"]["generation"],
        **({"conditions": [failure]} if failure else {}),
    }


class ReplicaSets:
    """Creates and deletes pods, and counts them."""

    name = "replicaset-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def watches(self) -> Iterable[Watch]:
        return (Watch(REPLICASET, itself), Watch(POD, owner(REPLICASET)))

    def reconcile(self, key: Key) -> float | None:
        replicaset = self._store.find(REPLICASET, *key)
        if replicaset is None:
            return None
        owned = [
            pod
            for pod in self._store.dependents(replicaset, POD)
            if is_controlled_by(pod, replicaset)
        ]
        active = [pod for pod in owned if pods.is_active(pod)]
        refused = None if is_deleting(replicaset) else self._scale(replicaset, active)
        again = self._write_status(replicaset, active, refused)
        if refused:
            raise ReconcileError(refused)
        return again

    def _scale(self, replicaset: Obj, active: Sequence[Obj]) -> str | None:
        """Make or delete pods; returns why pods were refused, if they were."""
        wanted = replicaset["spec"].get("replicas", 1)
        for pod in surplus(active, wanted):
            meta = pod["metadata"]
            self._store.delete(POD, meta["namespace"], meta["name"])
            self._record(replicaset, "SuccessfulDelete", f"Deleted pod: {meta['name']}")
        for _ in range(min(_BURST, wanted - len(active))):
            refused = self._create(replicaset)
            if refused:
                return refused
        return None

    def _create(self, replicaset: Obj) -> str | None:
        meta, template = replicaset["metadata"], replicaset["spec"]["template"]
        prefix = f"{meta['name']}-"
        refused = refusal(self._store, meta["namespace"], template["spec"], prefix)
        if refused:
            self._record(replicaset, "FailedCreate", f"Error creating: {refused}", events.WARNING)
            return refused
        pod = self._store.create(POD, pods.pod_of(template, replicaset, meta["namespace"], prefix))
        self._record(replicaset, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return None

    def _write_status(
        self, replicaset: Obj, active: Sequence[Obj], refused: str | None
    ) -> float | None:
        delay = replicaset["spec"].get("minReadySeconds", 0)
        ripe = self._clock.now() - timedelta(seconds=delay)
        since = [moment for pod in active if (moment := pods.ready_since(pod)) is not None]
        available = sum(moment <= ripe or not delay for moment in since)
        failure = self._failure(replicaset, refused) if refused else None
        new = status(replicaset, active, available, failure)
        writes.update_status(self._store, REPLICASET, replicaset, new)
        return float(delay) if available < len(since) else None

    def _failure(self, replicaset: Obj, refused: str) -> Obj:
        for known in replicaset.get("status", {}).get("conditions", ()):
            if known["type"] == "ReplicaFailure" and known["message"] == refused:
                return dict(known)
        return {
            "lastTransitionTime": self._clock.stamp(),
            "message": refused,
            "reason": "FailedCreate",
            "status": "True",
            "type": "ReplicaFailure",
        }

    def _record(
        self, replicaset: Obj, reason: str, message: str, type: str = events.NORMAL
    ) -> None:
        events.record(self._store, self._clock, replicaset, type, reason, message, self.name)
