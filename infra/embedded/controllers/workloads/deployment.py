"""Deployments: a ReplicaSet per pod template, and the move from one to the next."""

from collections.abc import Iterable, Sequence
from typing import Any

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import Key, Watch, itself, owner
from infra.embedded.controllers.workloads import deployment_status as state
from infra.embedded.controllers.workloads import rollout
from infra.embedded.kinds import DEPLOYMENT, REPLICASET
from infra.embedded.store import Obj, Store

_NOT_COPIED = (meta.LAST_APPLIED, rollout.REVISION, rollout.DESIRED, rollout.MAXIMUM)


def replicaset_of(deployment: Obj, replicas: int, revision: int) -> Obj:
    """The ReplicaSet for the deployment's present template."""
    spec, name = deployment["spec"], deployment["metadata"]["name"]
    hashed = rollout.template_hash(spec["template"])
    label = {rollout.HASH_LABEL: hashed}
    template_meta = spec["template"].get("metadata") or {}
    labels = {**(template_meta.get("labels") or {}), **label}
    selector = spec["selector"].get("matchLabels") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": meta.child_name(name, f"-{hashed}"),
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": replicaset_annotations(deployment, revision),
            "ownerReferences": [meta.controller_ref(deployment)],
        },
        "spec": {
            "replicas": replicas,
            **({"minReadySeconds": s} if (s := spec.get("minReadySeconds")) else {}),
            "selector": {**spec["selector"], "matchLabels": {**selector, **label}},
            "template": {**spec["template"], "metadata": {**template_meta, "labels": labels}},
        },
        "status": {"replicas": 0},
    }


def replicaset_annotations(deployment: Obj, revision: int) -> dict[str, str]:
    """The deployment's own annotations, and the bookkeeping of its rollout."""
    wanted = deployment["spec"].get("replicas", 1)
    return {
        **meta.without(meta.annotations(deployment), _NOT_COPIED),
        rollout.REVISION: str(revision),
        rollout.DESIRED: str(wanted),
        rollout.MAXIMUM: str(wanted + rollout.limits(deployment).surge),
    }


def revision_of(replicaset: Obj) -> int:
    return int(meta.annotations(replicaset).get(rollout.REVISION, 0))


class Deployments:
    """Rolls ReplicaSets forward and reports how far that is."""

    name = "deployment-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def watches(self) -> Iterable[Watch]:
        return (Watch(DEPLOYMENT, itself), Watch(REPLICASET, owner(DEPLOYMENT)))

    def reconcile(self, key: Key) -> float | None:
        deployment = self._store.find(DEPLOYMENT, *key)
        if deployment is None or meta.is_deleting(deployment):
            return None
        owned = [
            rs
            for rs in self._store.dependents(deployment, REPLICASET)
            if meta.is_controlled_by(rs, deployment)
        ]
        hashed = rollout.template_hash(deployment["spec"]["template"])
        newest = next((rs for rs in owned if _hash(rs) == hashed), None)
        old: Sequence[Obj] = sorted((rs for rs in owned if _hash(rs) != hashed), key=revision_of)
        paused = bool(deployment["spec"].get("paused"))
        if newest is None and not paused:
            newest = self._create(deployment, old)
            old = [rs for rs in old if rs["metadata"]["uid"] != newest["metadata"]["uid"]]
        elif newest is not None:
            newest, old = self._scale(deployment, newest, old)
        again = self._write_status(self._store.get(DEPLOYMENT, *key), newest, old)
        self._forget_old(deployment, newest, old)
        return again

    def _create(self, deployment: Obj, old: Sequence[Obj]) -> Obj:
        total = sum(map(rollout.replicas, old))
        count = rollout.new_replicas(deployment, 0, total)
        revision = max((revision_of(rs) for rs in old), default=0) + 1
        created = self._store.create(REPLICASET, replicaset_of(deployment, count, revision))
        if count:
            self._tell(deployment, created, 0, count)
        self._note_revision(deployment, revision, created)
        return created

    def _note_revision(self, deployment: Obj, revision: int, created: Obj) -> None:
        noted = {**meta.annotations(deployment), rollout.REVISION: str(revision)}
        self._store.update(
            DEPLOYMENT,
            meta.with_metadata(deployment, labels=meta.labels(deployment), annotations=noted),
        )
        key = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        current = self._store.get(DEPLOYMENT, *key)
        status: dict[str, Any] = {**current.get("status", {})}
        status["conditions"] = state.set_condition(
            status.get("conditions", ()),
            state.progressing(state.CREATED, created["metadata"]["name"]),
            self._clock.now(),
        )
        self._store.update_status(DEPLOYMENT, {**current, "status": status})

    def _scale(self, deployment: Obj, newest: Obj, old: Sequence[Obj]) -> tuple[Obj, Sequence[Obj]]:
        """Bring ReplicaSets to their sizes: growth first, then what may shrink."""
        current = rollout.replicas(newest)
        total = current + sum(map(rollout.replicas, old))
        wanted = rollout.new_replicas(deployment, current, total)
        newest = self._resize(deployment, newest, wanted)
        if wanted != current or not any(map(rollout.replicas, old)):
            return newest, old
        sizes = rollout.old_replicas(deployment, newest, old)
        return newest, [self._resize(deployment, rs, n) for rs, n in zip(old, sizes, strict=True)]

    def _resize(self, deployment: Obj, replicaset: Obj, count: int) -> Obj:
        before = rollout.replicas(replicaset)
        notes = replicaset_annotations(deployment, revision_of(replicaset))
        new = meta.with_metadata(replicaset, labels=meta.labels(replicaset), annotations=notes)
        wanted = {**new, "spec": {**replicaset["spec"], "replicas": count}}
        resized = writes.update(self._store, REPLICASET, replicaset, wanted)
        if before != count:
            self._tell(deployment, replicaset, before, count)
        return resized

    def _tell(self, deployment: Obj, replicaset: Obj, before: int, after: int) -> None:
        way = "up" if after > before else "down"
        name = replicaset["metadata"]["name"]
        message = f"Scaled {way} replica set {name} from {before} to {after}"
        events.record(
            self._store,
            self._clock,
            deployment,
            events.NORMAL,
            "ScalingReplicaSet",
            message,
            self.name,
        )

    def _write_status(
        self, deployment: Obj, newest: Obj | None, old: Sequence[Obj]
    ) -> float | None:
        now, before = self._clock.now(), deployment.get("status", {})
        numbers = state.counts(newest, old)
        conditions = state.set_condition(
            before.get("conditions", ()), state.availability(deployment, numbers), now
        )
        reason = state.progress(
            deployment=deployment, numbers=numbers, conditions=conditions, now=now
        )
        if reason and newest is not None:
            verdict = state.progressing(reason, newest["metadata"]["name"])
            conditions = state.set_condition(
                conditions, verdict, now, touch=reason == state.UPDATED
            )
        conditions = [c for c in conditions if c["type"] != "ReplicaFailure"]
        conditions += state.failures([*([newest] if newest else []), *old])[:1]
        generation = deployment["metadata"]["generation"]
        status = {"observedGeneration": generation, **numbers, "conditions": conditions}
        writes.update_status(self._store, DEPLOYMENT, deployment, status)
        deadline = deployment["spec"].get("progressDeadlineSeconds")
        return None if deadline is None else state.deadline_left(conditions, deadline, now)

    def _forget_old(self, deployment: Obj, newest: Obj | None, old: Sequence[Obj]) -> None:
        """Delete empty ReplicaSets beyond the history limit, when the rollout is complete."""
        current = self._store.get(DEPLOYMENT, *_key(deployment))
        complete = any(c["reason"] == state.COMPLETE for c in current["status"]["conditions"])
        if not complete or newest is None:
            return
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        empty = [rs for rs in old if not rollout.replicas(rs) and not rollout.actual(rs)]
        for replicaset in empty[: max(0, len(empty) - limit)]:
            self._store.delete(REPLICASET, *_key(replicaset))


def _hash(replicaset: Obj) -> str:
    """The template that a ReplicaSet was made from (its own carries the hash label as well)."""
    return meta.labels(replicaset).get(rollout.HASH_LABEL, "")


def _key(obj: Obj) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
