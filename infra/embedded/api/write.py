"""Creating and changing objects: decode, admit, check, store."""

from dataclasses import replace as replace_
from typing import Any

from starlette.responses import Response

from infra.embedded import admission
from infra.embedded.admission import Attempt
from infra.embedded.api import apply, body, fields, managed, patch, reply, schema, shapes, versions
from infra.embedded.api.context import Api, Call
from infra.embedded.api.names import check_metadata
from infra.embedded.errors import (
    BadRequest,
    Cause,
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
)
from infra.embedded.kinds import NAMESPACE, Kind
from infra.embedded.store import Obj, copy

Managed = list[dict[str, Any]]


async def create(api: Api, call: Call) -> Response:
    if call.target.name is not None:
        raise MethodNotAllowed
    raw = await body.read(call.request)
    obj, duplicates = body.decode_object(raw, body.media_type(call.request))
    kind = call.target.kind
    check_type(kind, obj)
    fields.check(call, obj, duplicates)
    _metadata(obj).pop("managedFields", None)
    return _stored(call, _insert(api, _as_stored(call), fields.converted(kind, obj)), code=201)


async def replace(api: Api, call: Call) -> Response:
    raw = await body.read(call.request)
    obj, duplicates = body.decode_object(raw, body.media_type(call.request))
    check_type(call.target.kind, obj)
    fields.check(call, obj, duplicates)
    kind, name = call.target.kind, call.target.name or ""
    old = api.store.get(kind, call.target.space, name)
    if kind.custom and not _metadata(obj).get("resourceVersion"):
        message = "Invalid value: 0: must be specified for an update"
        cause = Cause("FieldValueInvalid", message, "metadata.resourceVersion")
        raise Invalid(kind, name, [cause])
    return _stored(call, save(api, _as_stored(call), old, fields.converted(kind, obj)))


async def change(api: Api, call: Call) -> Response:
    """PATCH in any of its forms."""
    raw = await body.read(call.request)
    media = body.media_type(call.request)
    if media == patch.APPLY:
        return _apply(api, call, raw)
    kind, name = call.target.kind, call.target.name or ""
    old = api.store.get(kind, call.target.space, name)
    decoded = body.decode(raw, media, what="patch")
    new = patch.apply(kind, versions.shown_object(kind, old), decoded.value, media)
    check_type(kind, new)
    fields.check(call, new, decoded.duplicates)
    return _stored(call, save(api, _as_stored(call), old, fields.converted(kind, new)))


def _apply(api: Api, call: Call, raw: bytes) -> Response:
    """Server-side apply, which creates what is not there."""
    config, duplicates = body.decode_object(raw, patch.APPLY)
    kind, target = call.target.kind, call.target
    if "fieldManager" not in call.request.query_params:
        raise BadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: "
                         "is required for apply patch")  # fmt: skip
    check_type(kind, config)
    fields.check(call, config, duplicates)
    meta = _metadata(config)
    if meta.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    _place(call, meta)
    live = api.store.find(kind, target.space, target.name or "")
    live = None if live is None else versions.shown_object(kind, live)
    applied = apply.apply(
        shape=shapes.of_kind(kind),
        live=live,
        config={k: v for k, v in config.items() if k != "status"} if kind.status else config,
        manager=managed.manager_of(call, "Apply"),
        force=call.options.force,
        now=api.clock.stamp(),
    )
    new, stored = fields.converted(kind, applied.obj), _as_stored(call)
    if live is None:
        return _stored(call, _insert(api, stored, new, applied.managed), code=201)
    return _stored(call, save(api, stored, live, new, applied.managed))


def _insert(api: Api, call: Call, obj: Obj, record: Managed | None = None) -> Obj:
    """Admit and store a new object, and note who set its fields."""
    kind = call.target.kind
    meta = _metadata(obj)
    _place(call, meta)
    _check_namespace(api, kind, call.target.namespace, meta.get("name", ""))
    if kind.status:
        obj.pop("status", None)
    submitted = copy(obj)
    schema.default(kind, obj)
    obj = admission.mutate(api.store, Attempt("CREATE", kind, obj, None, call.user.name))
    check_metadata(kind, obj)
    schema.check(kind, obj)
    attempt = Attempt("CREATE", kind, obj, None, call.user.name)
    admission.validate(api.store, attempt, call.warnings)
    _record(api, call, submitted, None, obj, record)
    return api.store.create(kind, obj, dry_run=call.options.dry_run)


def save(api: Api, call: Call, old: Obj, new: Obj, record: Managed | None = None) -> Obj:
    """Admit and store a changed object, and note who set its fields."""
    kind, sub, user = call.target.kind, call.target.subresource, call.user.name
    meta = _metadata(new)
    _place(call, meta)
    _check_versions(kind, old, new)
    if sub == "status":
        has = {**old["metadata"], **_versions(meta)}
        new = copy({**old, "metadata": has, "status": new.get("status", {})})
        schema.default(kind, new)
        schema.check(kind, new)
        _record(api, call, new, old, new, record)
        return api.store.update_status(kind, new, dry_run=call.options.dry_run)
    if kind.status:
        new = {k: v for k, v in new.items() if k != "status"}
        if "status" in old:
            new["status"] = old["status"]
    submitted = copy(new)
    new = copy(new)
    schema.default(kind, new)
    new = admission.mutate(api.store, Attempt("UPDATE", kind, new, old, user, sub))
    check_metadata(kind, new)
    schema.check(kind, new)
    attempt = Attempt("UPDATE", kind, new, old, user, sub)
    admission.validate(api.store, attempt, call.warnings)
    _record(api, call, submitted, old, new, record)
    return api.store.update(kind, new, dry_run=call.options.dry_run)


def _record(
    api: Api, call: Call, submitted: Obj, old: Obj | None, new: Obj, record: Managed | None
) -> None:
    if record is not None:
        new["metadata"]["managedFields"] = record
    else:
        managed.note(call, submitted, old, new, api.clock)


def _as_stored(call: Call) -> Call:
    """The call in terms of the version that is stored, if that is another one."""
    target = call.target
    kind = versions.storage_kind(target.kind)
    return call if kind is target.kind else replace_(call, target=replace_(target, kind=kind))


def _stored(call: Call, obj: Obj, code: int = 200) -> Response:
    obj = versions.shown_object(call.target.kind, obj)
    return reply.encoded(obj, code=code, warnings=call.warnings)


def _metadata(obj: Obj) -> Obj:
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise BadRequest("metadata is not an object")
    return meta


def _versions(meta: Obj) -> Obj:
    return {k: meta[k] for k in ("resourceVersion", "uid") if meta.get(k)}


def _place(call: Call, meta: Obj) -> None:
    """Name and namespace come from the path; the body may repeat but not contradict them."""
    namespace, name = call.target.namespace, call.target.name
    if not call.target.kind.namespaced:
        meta.pop("namespace", None)
    elif meta.get("namespace") not in (None, "", namespace):
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    else:
        meta["namespace"] = namespace
    if name is None:
        return
    if meta.get("name") not in (None, "", name):
        raise BadRequest(
            f"the name of the object ({meta.get('name')}) does not match the name on the URL "
            f"({name})"
        )
    meta["name"] = name


def check_type(kind: Kind, obj: Obj) -> None:
    """The body must be of the kind that the path names; a body without a type is taken as such."""
    version, name = obj.get("apiVersion"), obj.get("kind")
    if version in (None, "") and name in (None, ""):
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    elif version != kind.api_version:
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    elif name != kind.kind:
        raise BadRequest(
            f'{name} in version "{kind.version}" cannot be handled as a {kind.kind}: converting '
            f"({version}.{name}) to ({version}.{kind.kind}): unknown conversion"
        )


def _check_namespace(api: Api, kind: Kind, namespace: str | None, name: str) -> None:
    if not kind.namespaced or namespace is None:
        return
    space = api.store.find(NAMESPACE, "", namespace)
    if space is None:
        raise NotFound(NAMESPACE, namespace)
    if "deletionTimestamp" in space["metadata"]:
        why = (
            f"unable to create new content in namespace {namespace} because it is being terminated"
        )
        cause = {"reason": "NamespaceTerminating", "message": why.removeprefix("unable to "),
                 "field": "metadata.namespace"}  # fmt: skip
        details: dict[str, Any] = {"name": name, "kind": kind.plural, "causes": [cause]}
        raise Forbidden(f'{kind.resource} "{name}" is forbidden: {why}', details=details)


def _check_versions(kind: Kind, old: Obj, new: Obj) -> None:
    """Whether the caller means the object as it is now."""
    revision, uid = new["metadata"].get("resourceVersion"), new["metadata"].get("uid")
    if revision not in (None, "", old["metadata"]["resourceVersion"]):
        raise Conflict(kind, old["metadata"]["name"])
    if uid not in (None, "", old["metadata"]["uid"]) and not new["metadata"].get("resourceVersion"):
        cause = Cause(
            "FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid"
        )
        raise Invalid(kind, old["metadata"]["name"], [cause])
