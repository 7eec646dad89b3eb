"""Creating and changing objects: decode, admit, check, store."""

from typing import Any

from starlette.responses import Response

from infra.embedded import admission
from infra.embedded.admission import Attempt
from infra.embedded.api import apply, body, fields, managed, patch, reply
from infra.embedded.api.context import Api, Call
from infra.embedded.api.names import check_metadata
from infra.embedded.errors import BadRequest, Cause, Forbidden, Invalid, MethodNotAllowed, NotFound
from infra.embedded.kinds import NAMESPACE, Kind
from infra.embedded.store import Obj, copy


async def create(api: Api, call: Call) -> Response:
    if call.target.name is not None:
        raise MethodNotAllowed
    raw = await body.read(call.request)
    obj, duplicates = body.decode_object(raw, body.media_type(call.request))
    kind = call.target.kind
    _check_type(kind, obj)
    fields.check(call, obj, duplicates)
    new = insert(api, call, obj, "Update")
    return _stored(api, call, new, code=201)


def insert(api: Api, call: Call, obj: Obj, operation: str) -> Obj:
    """Admit and store a new object, and note who set its fields."""
    kind, options = call.target.kind, call.options
    meta = _metadata(obj)
    _place(call, meta)
    _check_namespace(api, kind, call.target.namespace, meta.get("name", ""))
    if kind.status:
        obj.pop("status", None)
    meta.pop("managedFields", None)
    attempt = Attempt("CREATE", kind, obj, None, call.user.name)
    submitted = copy(obj)
    obj = admission.mutate(api.store, attempt)
    check_metadata(kind, obj)
    fields.check_schema(kind, obj)
    attempt = Attempt("CREATE", kind, obj, None, call.user.name)
    admission.validate(api.store, attempt, call.warnings)
    managed.note(call, submitted, None, obj, operation, api.clock)
    return api.store.create(kind, obj, dry_run=options.dry_run)


async def replace(api: Api, call: Call) -> Response:
    raw = await body.read(call.request)
    obj, duplicates = body.decode_object(raw, body.media_type(call.request))
    _check_type(call.target.kind, obj)
    fields.check(call, obj, duplicates)
    kind, name = call.target.kind, call.target.name or ""
    old = api.store.get(kind, call.target.space, name)
    if kind.custom and not _metadata(obj).get("resourceVersion"):
        message = "Invalid value: 0: must be specified for an update"
        cause = Cause("FieldValueInvalid", message, "metadata.resourceVersion")
        raise Invalid(kind, name, [cause])
    return _stored(api, call, save(api, call, old, obj, "Update"))


async def change(api: Api, call: Call) -> Response:
    """PATCH in any of its forms."""
    raw = await body.read(call.request)
    media = body.media_type(call.request)
    if media == patch.APPLY:
        obj, created = apply.server_side(api, call, raw)
        return _stored(api, call, obj, code=201 if created else 200)
    kind, name = call.target.kind, call.target.name or ""
    old = api.store.get(kind, call.target.space, name)
    decoded = body.decode(raw, media)
    new = patch.apply(kind, old, decoded.value, media)
    _check_type(kind, new)
    fields.check(call, new, decoded.duplicates)
    return _stored(api, call, save(api, call, old, new, "Update"))


def save(api: Api, call: Call, old: Obj, new: Obj, operation: str) -> Obj:
    """Admit and store a changed object."""
    kind, options, sub = call.target.kind, call.options, call.target.subresource
    meta = _metadata(new)
    _place(call, meta)
    _check_immutable(kind, old, new)
    if sub == "status":
        new = {**old, "metadata": {**old["metadata"], **_versions(meta)},
               "status": new.get("status", {})}  # fmt: skip
        managed.note(call, new, old, new, operation, api.clock)
        return api.store.update_status(kind, new, dry_run=options.dry_run)
    if kind.status:
        new = {k: v for k, v in new.items() if k != "status"}
        if "status" in old:
            new["status"] = old["status"]
    submitted = copy(new)
    new = admission.mutate(api.store, Attempt("UPDATE", kind, copy(new), old, call.user.name, sub))
    check_metadata(kind, new)
    fields.check_schema(kind, new)
    attempt = Attempt("UPDATE", kind, new, old, call.user.name, sub)
    admission.validate(api.store, attempt, call.warnings)
    managed.note(call, submitted, old, new, operation, api.clock)
    return api.store.update(kind, new, dry_run=options.dry_run)


def _stored(api: Api, call: Call, obj: Obj, code: int = 200) -> Response:
    del api
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


def _check_type(kind: Kind, obj: Obj) -> None:
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


def _check_immutable(kind: Kind, old: Obj, new: Obj) -> None:
    uid = new["metadata"].get("uid")
    if uid not in (None, "", old["metadata"]["uid"]) and not new["metadata"].get("resourceVersion"):
        cause = Cause(
            "FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid"
        )
        raise Invalid(kind, old["metadata"]["name"], [cause])
