"""The ASGI application: paths to handlers, and errors to Status objects."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from infra.embedded.api import (
    auth,
    delete,
    pages,
    pods,
    rbac,
    read,
    reply,
    reviews,
    scale,
    watch,
    write,
)
from infra.embedded.api.context import Api, Call
from infra.embedded.api.rbac import Attributes
from infra.embedded.api.target import PageNotFound, Target, options, parse
from infra.embedded.errors import InternalError, MethodNotAllowed, StatusError
from infra.embedded.kinds import ENDPOINTS

_log = logging.getLogger(__name__)
Verb = Callable[[Api, Call], Awaitable[Response]]

_ONE: dict[str, tuple[str, Verb]] = {
    "GET": ("get", read.get),
    "PUT": ("update", write.replace),
    "PATCH": ("patch", write.change),
    "DELETE": ("delete", delete.one),
}
_MANY: dict[str, tuple[str, Verb]] = {
    "GET": ("list", read.list_),
    "POST": ("create", write.create),
    "DELETE": ("deletecollection", delete.collection),
}
_SUBRESOURCE: dict[tuple[str, str], tuple[str, Verb]] = {
    ("log", "GET"): ("get", pods.log),
    ("exec", "GET"): ("get", pods.upgrade_required),
    ("exec", "POST"): ("create", pods.upgrade_required),
    ("scale", "GET"): ("get", scale.get),
    ("scale", "PATCH"): ("patch", scale.change),
    ("scale", "PUT"): ("update", scale.replace),
}


_DEPRECATED = {
    ENDPOINTS: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
}


class Application:
    """The ASGI application of one API server.

    It dispatches by itself: a router that tries its patterns one after the other would cost as
    much time as the answer.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await pods.exec_(self._api, WebSocket(scope, receive, send))
            return
        request = Request(scope, receive, send)
        response = await _answer(self._api, request)
        await response(scope, receive, send)


async def _answer(api: Api, request: Request) -> Response:
    """Authentication before everything, and errors as Status objects after it."""
    request.state.warnings = warnings = list[str]()
    try:
        request.state.user = user = auth.authenticate(request.headers, api.token, api.lives)
        page = pages.find(request.url.path)
        if page is None:
            return await _resource(api, request)
        rbac.authorize_path(api.store, user, request.url.path, request.method.lower())
        return page(api, request)
    except StatusError as error:
        return reply.failure(error, warnings)
    except PageNotFound:
        return reply.page_not_found()
    except ClientDisconnect:
        return Response(status_code=499)
    except Exception:  # noqa: BLE001 - one bad request must not end the server
        _log.exception("%s %s failed", request.method, request.url.path)
        return reply.failure(InternalError("an internal error: see the cluster's log"))


async def _resource(api: Api, request: Request) -> Response:
    path = request.url.path
    target = _target(api, request, path)
    call = Call(
        request,
        target,
        options(request.query_params, request.headers.get("user-agent", "")),
        request.state.user,
        request.state.warnings,
    )
    verb, handler = _verb(call)
    rbac.authorize(api.store, call.user, Attributes.of(target, verb))
    if target.kind in _DEPRECATED:
        call.warnings.append(_DEPRECATED[target.kind])
    if verb == "watch":
        return watch.respond(api, call)
    return await handler(api, call)


def _target(api: Api, request: Request, path: str) -> Target:
    try:
        return parse(api.store.registry, path)
    except (PageNotFound, StatusError):
        rbac.authorize_path(api.store, request.state.user, path, request.method.lower())
        raise


def _verb(call: Call) -> tuple[str, Verb]:
    """The verb of a call in the words of RBAC, and its handler; raises MethodNotAllowed."""
    method, target = call.request.method, call.target
    if target.subresource not in (None, "status", "finalize"):
        found = _SUBRESOURCE.get((target.subresource or "", method))
        if found is None:
            raise MethodNotAllowed
        return found
    if target.kind.verbs == ("create",):
        if method != "POST" or target.name is not None:
            raise MethodNotAllowed
        return "create", reviews.review
    verb, handler = (_MANY if target.name is None else _ONE).get(method, ("", read.get))
    if verb not in target.kind.verbs:
        raise MethodNotAllowed
    if verb == "create" and target.kind.namespaced and target.namespace is None:
        raise MethodNotAllowed
    if verb == "delete" and target.subresource is not None:
        raise MethodNotAllowed
    return ("watch", read.list_) if verb == "list" and call.options.watch else (verb, handler)
