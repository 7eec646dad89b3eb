"""Deleting one object or a collection."""

from dataclasses import dataclass, field

from starlette.responses import Response

from infra.embedded import admission
from infra.embedded.admission import Attempt
from infra.embedded.api import body, reply, selectors, versions
from infra.embedded.api.context import Api, Call
from infra.embedded.api.target import dry_run
from infra.embedded.errors import BadRequest
from infra.embedded.objects import key_of
from infra.embedded.store import Obj

_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """The body and the query of a DELETE."""

    propagation: str = "Background"
    grace: int | None = None
    preconditions: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False


async def one(api: Api, call: Call) -> Response:
    options = await _options(call)
    target = call.target
    old = api.store.get(target.kind, target.space, target.name or "")
    last = _delete(api, call, old, options)
    remains = api.store.find(target.kind, target.space, target.name or "")
    if remains is not None and not options.dry_run:
        shown = versions.shown_object(target.kind, last)
        return reply.encoded(shown, warnings=call.warnings)
    kind, meta = target.kind, last["metadata"]
    details = {
        "name": meta["name"],
        **({"group": kind.group} if kind.group else {}),
        "kind": kind.plural,
        "uid": meta["uid"],
    }
    return reply.encoded(reply.success(details), warnings=call.warnings)


async def collection(api: Api, call: Call) -> Response:
    options = await _options(call)
    kind = call.target.kind
    stored_as = versions.storage_kind(kind)
    matches = selectors.matcher(stored_as, call.options.label_selector, call.options.field_selector)
    found = [
        stored.obj
        for stored in api.store.objects.select(kind, call.target.namespace, None)
        if matches is None or matches(stored.obj)
    ]
    items = [versions.shown_object(kind, _delete(api, call, obj, options)) for obj in found]
    body_ = {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(api.store.revision)},
        "items": items,
    }
    return reply.encoded(body_, warnings=call.warnings)


def _delete(api: Api, call: Call, old: Obj, options: DeleteOptions) -> Obj:
    kind = call.target.kind
    namespace, name = key_of(old)
    attempt = Attempt("DELETE", kind, old, old, call.user.name)
    admission.validate(api.store, attempt, call.warnings)
    if api.store.find(kind, namespace, name) is None:
        return old  # it went with its owner a moment ago
    return api.store.delete(
        kind,
        namespace,
        name,
        propagation=options.propagation,
        grace=options.grace,
        preconditions=options.preconditions,
        dry_run=options.dry_run,
    )


async def _options(call: Call) -> DeleteOptions:
    raw, query = await body.read(call.request), call.request.query_params
    given = body.decode_object(raw, body.media_type(call.request))[0] if raw else {}
    if "gracePeriodSeconds" in query:
        given.setdefault("gracePeriodSeconds", _seconds(query["gracePeriodSeconds"]))
    policy = given.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if not policy:
        orphan = given.get("orphanDependents") or query.get("orphanDependents") == "true"
        policy = "Orphan" if orphan else "Background"
    if policy not in _POLICIES:
        raise BadRequest(
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: '
            f'"{policy}": supported values: {", ".join(_POLICIES)}'
        )
    dry = given.get("dryRun") or []
    grace = given.get("gracePeriodSeconds")
    return DeleteOptions(
        policy,
        None if grace is None else _seconds(grace),
        given.get("preconditions") or {},
        call.options.dry_run or any(dry_run(str(value)) for value in dry),
    )


def _seconds(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BadRequest(f"gracePeriodSeconds: {value!r} is not a number of seconds") from None
