"""Watches: changes of one kind as a stream of JSON lines."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from starlette.responses import StreamingResponse

from infra.embedded.api import reply, selectors, tables, versions
from infra.embedded.api.context import Api, Call
from infra.embedded.changes import Event, Subscription
from infra.embedded.errors import Expired
from infra.embedded.kinds import Kind
from infra.embedded.objects import Stored
from infra.embedded.store import Obj

_BOOKMARK_EVERY = 60.0  # seconds of real time: connections are real
_SHORTEST = 1800
Render = Callable[[str, Obj, bytes], bytes]


def respond(api: Api, call: Call) -> StreamingResponse:
    """Answer a watch; the stream ends at its timeout or when the client falls too far behind."""
    options, kind = call.options, call.target.kind
    matches = selectors.matcher(
        versions.storage_kind(kind), options.label_selector, options.field_selector
    )
    render = _renderer(api, call)
    seconds = options.timeout or random.randint(_SHORTEST, 2 * _SHORTEST)
    # Nothing is awaited between reading the past and subscribing: no change can be missed.
    try:
        past = _past(api, call)
    except Expired as error:
        return _stream(_single(b'{"type":"ERROR","object":' + reply.dump(error.status()) + b"}\n"))
    subscription = api.store.changes.subscribe([kind], past)
    filtered = _Filter(call.target.namespace, matches, render)
    return _stream(_lines(api, call, subscription, filtered, seconds))


def _stream(lines: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(lines, media_type=reply.JSON, headers=reply.headers())


async def _single(line: bytes) -> AsyncIterator[bytes]:
    yield line


def _past(api: Api, call: Call) -> list[Event]:
    """What the client has not seen yet: changes since its version, or everything as ADDED."""
    kind, version = call.target.kind, call.options.resource_version
    if version not in ("", "0") and not call.options.send_initial:
        return api.store.changes.since(kind, int(version))
    return [
        Event("ADDED", kind, s.obj, None, s.raw, int(s.obj["metadata"]["resourceVersion"]))
        for s in api.store.objects.select(kind, call.target.namespace, None)
    ]


async def _lines(
    api: Api, call: Call, subscription: Subscription, filtered: "_Filter", seconds: int
) -> AsyncIterator[bytes]:
    ends = asyncio.get_running_loop().time() + seconds
    try:
        if call.options.send_initial:
            yield b"".join(filtered.lines(subscription.take()))
            yield _bookmark(api, call, initial=True)
        while (left := ends - asyncio.get_running_loop().time()) > 0:
            try:
                async with asyncio.timeout(min(left, _BOOKMARK_EVERY)):
                    event = await anext(subscription)
            except TimeoutError:
                if call.options.bookmarks:
                    yield _bookmark(api, call, initial=False)
                continue
            except StopAsyncIteration:
                return
            if chunk := b"".join(filtered.lines([event, *subscription.take()])):
                yield chunk
    finally:
        subscription.close()


def _bookmark(api: Api, call: Call, *, initial: bool) -> bytes:
    kind = call.target.kind
    metadata: dict[str, Any] = {"resourceVersion": str(api.store.revision)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    return b'{"type":"BOOKMARK","object":' + reply.dump(obj) + b"}\n"


class _Filter:
    """Turns changes of a kind into the lines that one client asked for."""

    def __init__(
        self, namespace: str | None, matches: selectors.Matcher | None, render: Render
    ) -> None:
        self._namespace = namespace
        self._matches = matches
        self._render = render

    def lines(self, events: list[Event]) -> list[bytes]:
        return [line for event in events if (line := self._line(event))]

    def _line(self, event: Event) -> bytes:
        if self._namespace and event.obj["metadata"].get("namespace") != self._namespace:
            return b""
        if self._matches is None:
            return self._render(event.type, event.obj, event.raw)
        now = event.type != "DELETED" and self._matches(event.obj)
        old = event.old if event.old is not None else event.obj
        before = event.type != "ADDED" and self._matches(old)
        if not now and not before:
            return b""
        # An object that begins or ceases to match is added or deleted in the client's eyes.
        word = "MODIFIED" if now and before else "ADDED" if now else "DELETED"
        return self._render(word, event.obj, event.raw)


def _as_line(kind: Kind, word: str, obj: Obj, raw: bytes) -> bytes:
    shown = versions.shown(kind, Stored(kind, obj, raw))
    return b'{"type":"%s","object":%s}\n' % (word.encode(), shown.raw)


def _renderer(api: Api, call: Call) -> Render:
    if not tables.wanted(call.headers.get("accept", "")):
        return partial(_as_line, call.target.kind)
    include = call.request.query_params.get("includeObject", "Metadata")
    first = True

    def as_table(word: str, obj: Obj, _: bytes) -> bytes:
        nonlocal first
        shown = tables.table(
            call.target.kind,
            [versions.shown_object(call.target.kind, obj)],
            api.clock.now(),
            metadata={"resourceVersion": obj["metadata"]["resourceVersion"]},
            include=include,
            headers=first,
        )
        first = False
        return reply.dump({"type": word, "object": shown}) + b"\n"

    return as_table
