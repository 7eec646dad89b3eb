"""The ASGI application: paths to handlers, and errors to Status objects."""

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from infra.embedded.api import (
    auth,
    delete,
    pages,
    pods,
    read,
    reply,
    reviews,
    watch,
    write,
)
from infra.embedded.api.context import Api, Call
from infra.embedded.api.target import PageNotFound, Target, options, parse
from infra.embedded.errors import InternalError, MethodNotAllowed, StatusError
from infra.embedded.kinds import ENDPOINTS

_log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
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
}


_DEPRECATED = {
    ENDPOINTS: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
}


def application(api: Api) -> Starlette:
    """The application of one API server."""

    async def resources(request: Request) -> Response:
        return await _resource(api, request)

    async def exec_(websocket: WebSocket) -> None:
        await pods.exec_(api, websocket)

    routes: list[BaseRoute] = [
        WebSocketRoute("/api/v1/namespaces/{namespace}/pods/{name}/exec", exec_),
        *(Route(path, _page(api, page)) for path, page in pages.PAGES.items()),
        Route("/api/v1/{rest:path}", resources, methods=_METHODS),
        Route("/apis/{rest:path}", resources, methods=_METHODS),
    ]
    return Starlette(routes=[_guarded(api, route) for route in routes], exception_handlers={
        404: lambda *_: reply.page_not_found(),
    })  # fmt: skip


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _page(api: Api, page: pages.Page) -> Handler:
    async def handler(request: Request) -> Response:
        return page(api, request)

    return handler


def _guarded(api: Api, route: BaseRoute) -> BaseRoute:
    """Authentication before every handler, and errors as Status objects after it."""
    if not isinstance(route, Route):
        return route
    handler: Handler = route.endpoint

    async def guarded(request: Request) -> Response:
        request.state.warnings = []
        try:
            request.state.user = user = auth.authenticate(request.headers, api.token)
            if "rest" not in request.path_params:
                auth.authorize_path(user, request.url.path, request.method.lower())
            return await handler(request)
        except StatusError as error:
            return reply.failure(error, request.state.warnings)
        except PageNotFound:
            return reply.page_not_found()
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:  # noqa: BLE001 - one bad request must not end the server
            _log.exception("%s %s failed", request.method, request.url.path)
            return reply.failure(InternalError("an internal error: see the cluster's log"))

    return Route(route.path, guarded, methods=route.methods)


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
    auth.authorize(call.user, target, verb)
    if target.kind in _DEPRECATED:
        call.warnings.append(_DEPRECATED[target.kind])
    if verb == "watch":
        return watch.respond(api, call)
    return await handler(api, call)


def _target(api: Api, request: Request, path: str) -> Target:
    try:
        return parse(api.store.registry, path)
    except (PageNotFound, StatusError):
        if not request.state.user.admin:
            auth.authorize_path(request.state.user, path, request.method.lower())
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
