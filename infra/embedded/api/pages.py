"""The paths that are not about resources: discovery, versions, schemas, health."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from infra.embedded.api import discovery, openapi, reply, version
from infra.embedded.api.context import Api

Page = Callable[[Api, Request], Response]


def _root(api: Api, _: Request) -> Response:
    registry = api.store.registry
    paths = {path for path in PAGES if "{" not in path and path != "/"}
    paths |= {f"/apis/{kind.group}" for kind in registry if kind.group}
    paths |= {f"/apis/{kind.group}/{kind.version}" for kind in registry if kind.group}
    return reply.encoded({"paths": sorted(paths)})


def _core(api: Api, request: Request) -> Response:
    if discovery.aggregated_wanted(request.headers.get("accept", "")):
        return _aggregated(discovery.aggregated(api.store.registry, core=True))
    return reply.encoded(discovery.api_versions(api.address))


def _groups(api: Api, request: Request) -> Response:
    if discovery.aggregated_wanted(request.headers.get("accept", "")):
        return _aggregated(discovery.aggregated(api.store.registry, core=False))
    return reply.encoded(discovery.groups(api.store.registry))


def _group(api: Api, request: Request) -> Response:
    return _or_404(discovery.group(api.store.registry, request.path_params["group"]))


def _core_version(api: Api, _: Request) -> Response:
    return _or_404(discovery.resources(api.store.registry, "", "v1"))


def _group_version(api: Api, request: Request) -> Response:
    parts = request.path_params
    return _or_404(discovery.resources(api.store.registry, parts["group"], parts["version"]))


def _version(_: Api, __: Request) -> Response:
    return reply.encoded(version.INFO)


def _schemas(api: Api, _: Request) -> Response:
    content = reply.dump(api.documents.index())
    # The real server says so, although it is JSON.
    return Response(content, media_type="text/plain", headers=reply.headers())


def _schema(api: Api, request: Request) -> Response:
    content = api.documents.document(request.path_params["document"])
    return reply.page_not_found() if content is None else reply.raw(content)


def _schema_v2(_: Api, request: Request) -> Response:
    content, media = openapi.v2(request.headers.get("accept", ""))
    return Response(content, media_type=media, headers=reply.headers())


def _healthy(_: Api, __: Request) -> Response:
    return PlainTextResponse("ok", headers=reply.headers())


def _or_404(body: dict[str, Any] | None) -> Response:
    return reply.page_not_found() if body is None else reply.encoded(body)


def _aggregated(body: dict[str, Any]) -> Response:
    headers = reply.headers() | {"vary": "Accept", "content-type": discovery.AGGREGATED}
    return Response(reply.dump(body), headers=headers)


PAGES: dict[str, Page] = {
    "/": _root,
    "/api": _core,
    "/api/v1": _core_version,
    "/apis": _groups,
    "/apis/{group}": _group,
    "/apis/{group}/{version}": _group_version,
    "/version": _version,
    "/openapi/v2": _schema_v2,
    "/openapi/v3": _schemas,
    "/openapi/v3/{document:path}": _schema,
    "/healthz": _healthy,
    "/livez": _healthy,
    "/readyz": _healthy,
}
