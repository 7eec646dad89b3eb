"""Reading: one object, or a list in pages."""

import base64
import json
from collections.abc import Sequence

from starlette.responses import Response

from infra.embedded.api import reply, selectors, tables
from infra.embedded.api.context import Api, Call
from infra.embedded.errors import BadRequest, StatusError
from infra.embedded.objects import Key, Stored, key_of


async def get(api: Api, call: Call) -> Response:
    target = call.target
    stored = api.store.stored(target.kind, target.space, target.name or "")
    if tables.wanted(call.headers.get("accept", "")):
        return _table(api, call, [stored], stored.obj["metadata"]["resourceVersion"], {})
    return reply.raw(stored.raw, warnings=call.warnings)


async def list_(api: Api, call: Call) -> Response:
    kind, options = call.target.kind, call.options
    if options.resource_version and int(options.resource_version) > api.store.revision:
        raise _too_large(int(options.resource_version), api.store.revision)
    matches = selectors.matcher(kind, options.label_selector, options.field_selector)
    found = sorted(
        (
            stored
            for stored in api.store.objects.select(kind, call.target.namespace, None)
            if matches is None or matches(stored.obj)
        ),
        key=lambda stored: key_of(stored.obj),
    )
    revision = str(api.store.revision)
    if options.continue_:
        revision, start = _decode_token(options.continue_)
        found = [stored for stored in found if key_of(stored.obj) > start]
    page: Sequence[Stored] = found
    more: dict[str, object] = {}
    if options.limit and len(found) > options.limit:
        page = found[: options.limit]
        more["continue"] = _token(revision, key_of(page[-1].obj))
        if matches is None:
            more["remainingItemCount"] = len(found) - len(page)
    if tables.wanted(call.headers.get("accept", "")):
        return _table(api, call, page, revision, more)
    metadata = reply.dump({"resourceVersion": revision, **more})
    head = b'{"apiVersion":"%s","items":[' % kind.api_version.encode()
    tail = b'],"kind":"%s","metadata":%s}' % (kind.list_kind.encode(), metadata)
    return reply.raw(head + b",".join(stored.raw for stored in page) + tail, warnings=call.warnings)


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


def _token(revision: str, last: Key) -> str:
    content = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": last})
    return base64.urlsafe_b64encode(content.encode()).decode()


def _decode_token(token: str) -> tuple[str, Key]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token.encode()))
        namespace, name = content["start"]
        return str(content["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"continue key is not valid: {error}") from error


def _too_large(asked: int, current: int) -> StatusError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    error = StatusError(
        f"Too large resource version: {asked}, current: {current}",
        details={"causes": [cause], "retryAfterSeconds": 1},
        code=504,
    )
    error.reason = "Timeout"
    return error
