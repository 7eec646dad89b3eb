"""Metadata of objects: owners, names of children, labels.  Pure functions."""

import hashlib
from collections.abc import Iterable, Mapping

from infra.embedded.store import Obj

_LONGEST = 63  # a label value, and with it most names
_DIGEST = 32  # hexadecimal digits of an MD5
_HEAD = _LONGEST - _DIGEST

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def child_name(parent: str, suffix: str) -> str:
    """The name of a child object; a parent that is too long is cut and replaced by its MD5."""
    if len(parent) + len(suffix) <= _LONGEST:
        return parent + suffix
    if len(suffix) >= _HEAD:
        whole = parent[:_HEAD] + _md5(parent + suffix)
        return whole + suffix[: max(0, _LONGEST - len(whole))]
    return parent[: _HEAD - len(suffix)] + _md5(parent) + suffix


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def controller_ref(owner: Obj) -> Obj:
    """The ownerReference that makes `owner` the controller of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Obj) -> Obj | None:
    """The ownerReference of the controller of `obj`, if it has one."""
    owners = obj["metadata"].get("ownerReferences", ())
    return next((owner for owner in owners if owner.get("controller")), None)


def is_controlled_by(obj: Obj, owner: Obj) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref["uid"] == owner["metadata"]["uid"]


def labels(obj: Obj) -> Mapping[str, str]:
    found: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return found


def annotations(obj: Obj) -> Mapping[str, str]:
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found


def without(mapping: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    dropped = frozenset(keys)
    return {key: value for key, value in mapping.items() if key not in dropped}


def is_deleting(obj: Obj) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def observed(obj: Obj) -> bool:
    """Whether the object's controller has seen its latest generation."""
    seen = obj.get("status", {}).get("observedGeneration")
    return bool(seen == obj["metadata"].get("generation"))


def with_metadata(
    obj: Obj, *, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None
) -> Obj:
    """`obj` with other labels and annotations; empty maps are left out, as the API does."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("labels", "annotations")}
    if labels:
        meta["labels"] = dict(labels)
    if annotations:
        meta["annotations"] = dict(annotations)
    return {**obj, "metadata": meta}


def selects(selector: Mapping[str, str], obj: Obj) -> bool:
    """Whether all labels of `selector` are on the object; an empty selector selects nothing."""
    has = labels(obj)
    return bool(selector) and all(has.get(key) == value for key, value in selector.items())
