"""One object in several API versions: as it is stored, and as a client asks for it.  Pure.

Versions of a CRD differ in nothing but their name, for no conversion webhook is called.  Two
built-in kinds have other fields in another version.
"""

from collections.abc import Callable
from typing import Any

from infra.embedded.kinds import EVENT, EVENT_V1, HPA, HPA_V1, Kind
from infra.embedded.objects import Stored, encode

Obj = dict[str, Any]

# Fields of a core Event and what events.k8s.io calls them.
_EVENT_FIELDS = {
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "involvedObject": "regarding",
    "lastTimestamp": "deprecatedLastTimestamp",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
}
_CORE_EVENT_FIELDS = {new: old for old, new in _EVENT_FIELDS.items()}


def shown(kind: Kind, stored: Stored) -> Stored:
    """A stored object in the version that was asked for."""
    if stored.obj.get("apiVersion") == kind.api_version:
        return stored
    obj = _convert(_SHOWN, kind, stored.obj)
    return Stored(kind, obj, encode(obj))


def shown_object(kind: Kind, obj: Obj) -> Obj:
    """As `shown`, for an object alone."""
    return obj if obj.get("apiVersion") == kind.api_version else _convert(_SHOWN, kind, obj)


def storage_kind(kind: Kind) -> Kind:
    """The kind under which objects of this kind are stored."""
    return {EVENT_V1: EVENT, HPA_V1: HPA}.get(kind, kind)


def kept(kind: Kind, obj: Obj) -> Obj:
    """A client's object in the version that is stored."""
    target = storage_kind(kind)
    return obj if target is kind else _convert(_KEPT, target, obj)


def _convert(table: "dict[Kind, Callable[[Obj], Obj]]", kind: Kind, obj: Obj) -> Obj:
    converter = table.get(kind)
    new = converter(obj) if converter is not None else dict(obj)
    return {**new, "apiVersion": kind.api_version, "kind": kind.kind}


def _event(obj: Obj) -> Obj:
    return {_EVENT_FIELDS.get(name, name): value for name, value in obj.items()}


def _core_event(obj: Obj) -> Obj:
    return {_CORE_EVENT_FIELDS.get(name, name): value for name, value in obj.items()}


def _hpa(obj: Obj) -> Obj:
    """autoscaling/v1 knows one metric: the share of the requested CPU."""
    spec = {k: v for k, v in (obj.get("spec") or {}).items() if k not in ("metrics", "behavior")}
    for metric in (obj.get("spec") or {}).get("metrics") or ():
        resource = metric.get("resource") or {}
        share = (resource.get("target") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and share is not None:
            spec["targetCPUUtilizationPercentage"] = share
    return {**obj, "spec": spec}


def _hpa_with_metrics(obj: Obj) -> Obj:
    if not isinstance(spec := obj.get("spec") or {}, dict):
        return obj  # of a wrong type, as whoever checks its fields will find
    spec = dict(spec)
    share = spec.pop("targetCPUUtilizationPercentage", None)
    if share is not None:
        target = {"type": "Utilization", "averageUtilization": share}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**obj, "spec": spec}


_SHOWN: dict[Kind, Callable[[Obj], Obj]] = {EVENT_V1: _event, HPA_V1: _hpa}
_KEPT: dict[Kind, Callable[[Obj], Obj]] = {EVENT: _core_event, HPA: _hpa_with_metrics}
