"""The store: Kubernetes' object semantics over durable storage, for one event loop.

Everything is synchronous and runs on the loop's thread, so a read followed by a write with no
`await` between them is atomic.  Objects handed out are shared: copy before changing.
"""

import marshal
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from infra.embedded import deletion
from infra.embedded.changes import Changes, ChangeType, Event, Subscription
from infra.embedded.clock import Clock
from infra.embedded.errors import AlreadyExists, Conflict
from infra.embedded.kinds import Kind, Registry
from infra.embedded.objects import Obj, Objects, Stored
from infra.embedded.reading import Reading
from infra.embedded.storage import Storage

__all__ = ["Event", "Obj", "Store", "Subscription", "copy"]

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' alphabet for generated names
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def copy(obj: Obj) -> Obj:
    """A deep copy of a JSON object (marshal does it several times faster than copy.deepcopy)."""
    duplicate: Obj = marshal.loads(marshal.dumps(obj))
    return duplicate


def generate_name(prefix: str) -> str:
    """A name as `metadata.generateName` makes it: the prefix and five letters."""
    return prefix + "".join(secrets.choice(_SUFFIX) for _ in range(5))


class Store(Reading):
    """All objects of one cluster: what `Reading` gives, and the writes."""

    copy = staticmethod(copy)

    def __init__(
        self,
        clock: Clock,
        storage: Storage | None = None,
        registry: Registry | None = None,
        define: Callable[[Obj], None] = lambda _: None,
    ) -> None:
        """`define` is told each stored CRD, so that the kinds of its objects are known."""
        known, objects = registry or Registry(), Objects(storage or Storage())
        objects.load(known, define)
        super().__init__(objects, Changes(objects.revision))
        self.clock = clock
        self.registry = known

    def create(self, kind: Kind, obj: Obj, *, dry_run: bool = False) -> Obj:
        new = copy(obj)
        meta = new.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = generate_name(meta["generateName"])
        if not kind.namespaced:
            meta.pop("namespace", None)
        if self.find(kind, meta.get("namespace", ""), meta["name"]) is not None:
            raise AlreadyExists(kind, meta["name"])
        new.setdefault("apiVersion", kind.api_version)
        new.setdefault("kind", kind.kind)
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"):
            meta.pop(field, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = self.clock.stamp()
        if kind.generation:
            meta["generation"] = 1
        if dry_run:
            return new
        stored = self._commit("ADDED", kind, new, None)
        deletion.collect_if_orphaned(self, stored)
        return stored.obj

    def update(self, kind: Kind, obj: Obj, *, dry_run: bool = False) -> Obj:
        """Replace everything but the status; generation counts changes of the rest."""
        current = self._current(kind, obj)
        new = copy(obj)
        if kind.status:
            new.pop("status", None)
            if "status" in current.obj:
                new["status"] = current.obj["status"]
        return self._replace(current, new, dry_run=dry_run)

    def update_status(self, kind: Kind, obj: Obj, *, dry_run: bool = False) -> Obj:
        """Replace the status only."""
        current = self._current(kind, obj)
        meta = dict(current.obj["metadata"])
        if "managedFields" in obj["metadata"]:
            meta["managedFields"] = obj["metadata"]["managedFields"]
        new = {**current.obj, "metadata": meta, "status": obj.get("status", {})}
        return self._replace(current, copy(new), dry_run=dry_run)

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        propagation: str = "Background",
        grace: int | None = None,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
    ) -> Obj:
        """Delete as far as finalizers and, for pods, grace allow; returns the last state."""
        stored = self.stored(kind, namespace, name)
        deletion.check(stored, preconditions or {})
        if dry_run:
            return stored.obj
        return deletion.begin(self, stored, propagation, grace)

    def replace(self, current: Stored, new: Obj) -> Obj:
        """Write a changed object that the caller made (metadata included)."""
        stored = self._commit("MODIFIED", current.kind, new, current)
        return deletion.finish_if_released(self, stored)

    def remove(self, stored: Stored) -> Obj:
        """Take an object away at once; its dependents are another matter."""
        last = self.objects.drop(stored)
        revision = int(last.obj["metadata"]["resourceVersion"])
        self.changes.publish(
            Event("DELETED", last.kind, last.obj, stored.obj, last.raw, revision), stored.raw
        )
        return last.obj

    def _current(self, kind: Kind, obj: Obj) -> Stored:
        meta = obj["metadata"]
        stored = self.stored(kind, meta.get("namespace", ""), meta["name"])
        has = stored.obj["metadata"]
        if meta.get("resourceVersion") not in (None, "", has["resourceVersion"]):
            raise Conflict(kind, meta["name"])
        if meta.get("uid") not in (None, "", has["uid"]):
            raise Conflict(
                kind,
                meta["name"],
                f"Precondition failed: UID in precondition: {meta['uid']}, "
                f"UID in object meta: {has['uid']}",
            )
        return stored

    def _replace(self, current: Stored, new: Obj, *, dry_run: bool) -> Obj:
        kind, was, meta = current.kind, current.obj["metadata"], new["metadata"]
        for field in (*_KEPT, "generation", "resourceVersion"):
            meta.pop(field, None)
            if field in was:
                meta[field] = was[field]
        if not kind.namespaced:
            meta.pop("namespace", None)
        if new == current.obj:
            return current.obj
        if kind.generation and _desired(new) != _desired(current.obj):
            meta["generation"] = was.get("generation", 0) + 1
        return new if dry_run else self.replace(current, new)

    def _commit(self, change: ChangeType, kind: Kind, new: Obj, old: Stored | None) -> Stored:
        stored = self.objects.put(kind, new)
        event = Event(
            change, kind, new, old.obj if old else None, stored.raw, self.objects.revision
        )
        self.changes.publish(event, old.raw if old else None)
        return stored


def _desired(obj: Obj) -> dict[str, Any]:
    return {k: v for k, v in obj.items() if k not in ("metadata", "status")}
