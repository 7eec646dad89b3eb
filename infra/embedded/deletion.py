"""Deletion: preconditions, grace, finalizers, and what happens to dependents.

A deleted object is taken away at once unless something holds it: a finalizer, a namespace's own
finalizer, or, for a pod, the grace period that its kubelet must end with a delete of grace 0.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from infra.embedded.clock import rfc3339
from infra.embedded.errors import Conflict
from infra.embedded.kinds import NAMESPACE, POD
from infra.embedded.objects import Obj, Stored

if TYPE_CHECKING:
    from infra.embedded.store import Store

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_FINALIZER = {"Foreground": FOREGROUND, "Orphan": ORPHAN}
_DEFAULT_GRACE = 30


def check(stored: Stored, preconditions: Mapping[str, str]) -> None:
    """Raise Conflict when uid or resourceVersion is not the one that the caller expects."""
    meta = stored.obj["metadata"]
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = preconditions.get(field)
        if wanted and wanted != meta[field]:
            raise Conflict(
                stored.kind,
                meta["name"],
                f"Precondition failed: {label} in precondition: {wanted}, "
                f"{label} in object meta: {meta[field]}",
            )


def begin(store: "Store", stored: Stored, propagation: str, grace: int | None) -> Obj:
    """Start a deletion and end it when nothing holds the object; returns the last state."""
    seconds = _grace(stored, grace)
    finalizers = list(stored.obj["metadata"].get("finalizers", ()))
    extra = _FINALIZER.get(propagation)
    if extra and extra not in finalizers and store.objects.dependents(_uid(stored)):
        finalizers.append(extra)
    if not seconds and not finalizers and not _namespace_holds(stored):
        return _take_away(store, stored)
    obj = _mark(store, stored, finalizers, seconds)
    if extra == FOREGROUND and FOREGROUND in finalizers:
        for child in store.objects.dependents(obj["metadata"]["uid"]):
            begin(store, child, "Foreground", None)
    elif extra == ORPHAN and ORPHAN in finalizers:
        for child in store.objects.dependents(obj["metadata"]["uid"]):
            _disown(store, child, obj["metadata"]["uid"])
        _release(store, obj["metadata"]["uid"], ORPHAN)
    return obj


def finish_if_released(store: "Store", stored: Stored) -> Obj:
    """After a write: take the object away when it was only waiting for its finalizers."""
    meta = stored.obj["metadata"]
    waiting = "deletionTimestamp" in meta and not meta.get("deletionGracePeriodSeconds")
    if waiting and not meta.get("finalizers") and not _namespace_holds(stored):
        return _take_away(store, stored)
    return stored.obj


def collect_if_orphaned(store: "Store", stored: Stored) -> None:
    """A new object whose owners are all gone already is garbage."""
    owners = stored.obj["metadata"].get("ownerReferences", ())
    if owners and not any(store.objects.by_uid(owner["uid"]) for owner in owners):
        begin(store, stored, "Background", None)


def _take_away(store: "Store", stored: Stored) -> Obj:
    last = store.remove(stored)
    for child in store.objects.dependents(_uid(stored)):
        _disown(store, child, _uid(stored))
    for owner in stored.obj["metadata"].get("ownerReferences", ()):
        if not store.objects.dependents(owner["uid"]):
            _release(store, owner["uid"], FOREGROUND)
    return last


def _disown(store: "Store", child: Stored, uid: str) -> None:
    """The owner is gone: delete the child, unless another owner still lives or it is orphaned."""
    owners = child.obj["metadata"].get("ownerReferences", ())
    rest = [owner for owner in owners if owner["uid"] != uid]
    parent = store.objects.by_uid(uid)
    orphaning = parent is not None and ORPHAN in parent.obj["metadata"].get("finalizers", ())
    if not rest and not orphaning:
        if "deletionTimestamp" not in child.obj["metadata"]:
            begin(store, child, "Background", None)
        return
    meta = {k: v for k, v in child.obj["metadata"].items() if k != "ownerReferences"}
    if rest:
        meta["ownerReferences"] = rest
    store.replace(child, {**child.obj, "metadata": meta})


def _release(store: "Store", uid: str, finalizer: str) -> None:
    stored = store.objects.by_uid(uid)
    if stored is None or finalizer not in stored.obj["metadata"].get("finalizers", ()):
        return
    meta = dict(stored.obj["metadata"])
    meta["finalizers"] = [f for f in meta["finalizers"] if f != finalizer]
    if not meta["finalizers"]:
        del meta["finalizers"]
    store.replace(stored, {**stored.obj, "metadata": meta})


def _mark(store: "Store", stored: Stored, finalizers: list[str], seconds: int) -> Obj:
    meta = dict(stored.obj["metadata"])
    before = meta.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in meta and before is not None and seconds >= before:
        return stored.obj
    meta["deletionTimestamp"] = rfc3339(store.clock.now() + timedelta(seconds=seconds))
    meta["deletionGracePeriodSeconds"] = seconds
    if finalizers:
        meta["finalizers"] = finalizers
    if "generation" in meta and before is None:
        meta["generation"] += 1
    new = {**stored.obj, "metadata": meta}
    if stored.kind == NAMESPACE:
        new["status"] = {**new.get("status", {}), "phase": "Terminating"}
    return store.replace(stored, new)


def _grace(stored: Stored, asked: int | None) -> int:
    """Seconds that a pod is given; everything else is given none."""
    if stored.kind != POD:
        return 0
    spec, status = stored.obj.get("spec", {}), stored.obj.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(0, asked)
    return int(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE))


def _namespace_holds(stored: Stored) -> bool:
    return stored.kind == NAMESPACE and bool(stored.obj.get("spec", {}).get("finalizers"))


def _uid(stored: Stored) -> str:
    uid: str = stored.obj["metadata"]["uid"]
    return uid
