"""Reading: one object, or a list in pages."""

from collections.abc import Sequence

from starlette.responses import Response

from infra.embedded.api import paging, reply, selectors, tables, versions
from infra.embedded.api.context import Api, Call
from infra.embedded.api.paging import Start
from infra.embedded.kinds import Kind
from infra.embedded.objects import Stored, encode, key_of


async def get(api: Api, call: Call) -> Response:
    target = call.target
    found = api.store.stored(target.kind, target.space, target.name or "")
    stored = versions.shown(target.kind, found)
    if tables.wanted(call.headers.get("accept", "")):
        return _table(api, call, [stored], stored.obj["metadata"]["resourceVersion"], {})
    return reply.raw(stored.raw, warnings=call.warnings)


async def list_(api: Api, call: Call) -> Response:
    kind, options = call.target.kind, call.options
    start = paging.start_of(options, api.store.revision)
    matches = selectors.matcher(
        versions.storage_kind(kind), options.label_selector, options.field_selector
    )
    found = sorted(
        (
            stored
            for stored in paging.objects(api.store, kind, call.target.namespace, start)
            if (matches is None or matches(stored.obj))
            and (start.after is None or key_of(stored.obj) > start.after)
        ),
        key=lambda stored: key_of(stored.obj),
    )
    page = [versions.shown(kind, stored) for stored in found[: options.limit or None]]
    more: dict[str, object] = {}
    if len(page) < len(found):
        more["continue"] = Start(start.revision, key_of(page[-1].obj)).token
        if matches is None:
            more["remainingItemCount"] = len(found) - len(page)
    revision = str(start.revision)
    if tables.wanted(call.headers.get("accept", "")):
        return _table(api, call, page, revision, more)
    metadata = reply.dump({"resourceVersion": revision, **more})
    head = b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (
        kind.list_kind.encode(),
        kind.api_version.encode(),
        metadata,
    )
    items = b",".join(item(kind, stored) for stored in page)
    return reply.raw(head + items + b"]}", warnings=call.warnings)


def item(kind: Kind, stored: Stored) -> bytes:
    """An object in a list: only those of CRDs repeat what they are."""
    if kind.custom:
        return stored.raw
    # Keys are sorted: these two come first unless the kind has others that sort between them.
    head = b'{"apiVersion":"%s","kind":"%s",' % (kind.api_version.encode(), kind.kind.encode())
    if stored.raw.startswith(head):
        return b"{" + stored.raw[len(head) :]
    return encode({k: v for k, v in stored.obj.items() if k not in ("apiVersion", "kind")})


def _table(
    api: Api, call: Call, page: Sequence[Stored], revision: str, more: dict[str, object]
) -> Response:
    shown = tables.table(
        call.target.kind,
        [stored.obj for stored in page],
        api.clock.now(),
        metadata={"resourceVersion": revision, **more},
        include=call.request.query_params.get("includeObject", "Metadata"),
    )
    return reply.encoded(shown, warnings=call.warnings)
