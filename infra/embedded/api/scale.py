"""The subresource scale: how many pods a workload is to have, as an object of its own."""

from typing import Any

from starlette.responses import Response

from infra.embedded.api import body, patch, reply, write
from infra.embedded.api.context import Api, Call
from infra.embedded.errors import BadRequest, Cause, Invalid
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj

SCALE = Kind("autoscaling", "v1", "Scale", "scales")
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(workload: Obj) -> Obj:
    """The Scale of a Deployment or ReplicaSet."""
    meta, spec, status = workload["metadata"], workload["spec"], workload.get("status") or {}
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {field: meta[field] for field in _SHOWN if field in meta},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {"replicas": status.get("replicas", 0), "selector": _selector(spec["selector"])},
    }


def _selector(selector: Obj) -> str:
    """A label selector as text, as kubectl takes it with -l."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for wanted in selector.get("matchExpressions") or ():
        key, values = wanted["key"], ",".join(sorted(wanted.get("values") or ()))
        match wanted["operator"]:
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
    return ",".join(sorted(parts))


async def get(api: Api, call: Call) -> Response:
    """The Scale."""
    target = call.target
    return reply.encoded(scale_of(api.store.get(target.kind, target.space, target.name or "")))


async def replace(api: Api, call: Call) -> Response:
    """PUT: the whole Scale."""
    raw = await body.read(call.request)
    wanted, _ = body.decode_object(raw, body.media_type(call.request))
    target = call.target
    return _changed(api, call, api.store.get(target.kind, target.space, target.name or ""), wanted)


async def change(api: Api, call: Call) -> Response:
    """PATCH in any of its forms but apply."""
    raw = await body.read(call.request)
    media, target = body.media_type(call.request), call.target
    old = api.store.get(target.kind, target.space, target.name or "")
    decoded = body.decode(raw, media, what="patch")
    # No list is merged in it, so that both kinds of merge are one.
    form = patch.MERGE_PATCH if media == patch.STRATEGIC else media
    return _changed(api, call, old, patch.apply(SCALE, scale_of(old), decoded.value, form))


def _changed(api: Api, call: Call, old: Obj, wanted: Obj) -> Response:
    write.check_type(SCALE, wanted)
    meta, spec = ({} if wanted.get(key) is None else wanted[key] for key in ("metadata", "spec"))
    if not isinstance(meta, dict) or not isinstance(spec, dict):
        raise BadRequest("metadata and spec of a Scale are objects")
    new: dict[str, Any] = {
        **old,
        "metadata": {**old["metadata"], **_expected(meta)},
        "spec": {**old["spec"], "replicas": _replicas(spec, call.target.name or "")},
    }
    return reply.encoded(scale_of(write.save(api, call, old, new)), warnings=call.warnings)


def _expected(meta: Obj) -> Obj:
    """What the caller says about the version that is meant."""
    return {field: meta[field] for field in ("resourceVersion", "uid") if meta.get(field)}


def _replicas(spec: Obj, name: str) -> int:
    replicas = spec.get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise BadRequest(f"spec.replicas of a Scale is a number, not {replicas!r}")
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise Invalid(SCALE, name, [Cause("FieldValueInvalid", message, "spec.replicas")])
    return replicas
