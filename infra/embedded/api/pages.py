"""The paths that are not about resources: discovery, versions, schemas, health."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from infra.embedded.api import discovery, openapi, reply, version
from infra.embedded.api.context import Api
from infra.embedded.api.target import PageNotFound

Page = Callable[[Api, Request], Response]


def _root(api: Api, _: Request) -> Response:
    registry = api.store.registry
    paths = {path for path in _PAGES if path != "/"}
    paths |= {f"/{page}/{check}" for page, checks in _CHECKS.items() for check in checks}
    paths |= {f"/apis/{kind.group}" for kind in registry if kind.group}
    paths |= {f"/apis/{kind.group}/{kind.version}" for kind in registry if kind.group}
    return reply.encoded({"paths": sorted(paths)})


def _core(api: Api, request: Request) -> Response:
    if discovery.aggregated_wanted(request.headers.get("accept", "")):
        return _aggregated(request, discovery.aggregated(api.store.registry, core=True))
    return reply.encoded(discovery.api_versions(api.address))


def _groups(api: Api, request: Request) -> Response:
    if discovery.aggregated_wanted(request.headers.get("accept", "")):
        return _aggregated(request, discovery.aggregated(api.store.registry, core=False))
    return reply.encoded(discovery.groups(api.store.registry))


def _group(api: Api, _: Request, *, name: str) -> Response:
    return _or_404(discovery.group(api.store.registry, name))


def _core_version(api: Api, _: Request) -> Response:
    return _or_404(discovery.resources(api.store.registry, "", "v1"))


def _group_version(api: Api, _: Request, *, group: str, version: str) -> Response:
    return _or_404(discovery.resources(api.store.registry, group, version))


def _version(_: Api, __: Request) -> Response:
    return reply.encoded(version.INFO)


def _schemas(api: Api, _: Request) -> Response:
    content = reply.dump(api.documents.index())
    # The real server says so, although it is JSON.
    return Response(content, media_type="text/plain", headers=reply.headers())


def _schema(api: Api, _: Request, *, name: str) -> Response:
    content = api.documents.document(name)
    return reply.page_not_found() if content is None else reply.raw(content)


def _schema_v2(_: Api, request: Request) -> Response:
    content, media = openapi.v2(request.headers.get("accept", ""))
    return Response(content, media_type=media, headers=reply.headers())


def _healthy(_: Api, request: Request) -> Response:
    """All checks: they hold as soon as this process answers."""
    name = request.url.path.strip("/")
    if "verbose" not in request.query_params:
        return PlainTextResponse("ok", headers=reply.headers())
    lines = [*(f"[+]{check} ok" for check in _CHECKS[name]), f"{name} check passed", ""]
    return PlainTextResponse("\n".join(lines), headers=reply.headers())


def _check(_: Api, __: Request, *, name: str, check: str) -> Response:
    """One check of a health page."""
    if check not in _CHECKS[name]:
        return reply.page_not_found()
    return PlainTextResponse("ok", headers=reply.headers())


_CHECKS = {
    "healthz": ("ping", "log", "etcd"),
    "livez": ("ping", "log", "etcd"),
    "readyz": ("ping", "log", "etcd", "informer-sync", "shutdown"),
}


def _or_404(body: dict[str, Any] | None) -> Response:
    return reply.page_not_found() if body is None else reply.encoded(body)


def _aggregated(request: Request, body: dict[str, Any]) -> Response:
    """A discovery document; nothing but its tag for a client that has it already."""
    content = reply.dump(body)
    headers = reply.headers() | {
        "cache-control": "public",
        "content-type": discovery.AGGREGATED,
        "etag": f'"{hashlib.sha512(content).hexdigest().upper()}"',
        "vary": "Accept",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)


_PAGES: dict[str, Page] = {
    "/": _root,
    "/api": _core,
    "/api/v1": _core_version,
    "/apis": _groups,
    "/version": _version,
    "/openapi/v2": _schema_v2,
    "/openapi/v3": _schemas,
    "/healthz": _healthy,
    "/livez": _healthy,
    "/readyz": _healthy,
}


def find(path: str) -> Page | None:
    """The page at a path; None when the path is about a resource.  Raises PageNotFound."""
    path = path.rstrip("/") or "/"
    page = _PAGES.get(path)
    if page is not None:
        return page
    top, _, rest = path[1:].partition("/")
    parts = rest.split("/")
    if top == "api" or (top == "apis" and len(parts) > 2):
        return None
    if top == "apis":
        return (
            partial(_group, name=parts[0])
            if len(parts) == 1
            else partial(_group_version, group=parts[0], version=parts[1])
        )
    if path.startswith("/openapi/v3/"):
        return partial(_schema, name=path.removeprefix("/openapi/v3/"))
    if top in _CHECKS:
        return partial(_check, name=top, check=rest)
    raise PageNotFound(path)
