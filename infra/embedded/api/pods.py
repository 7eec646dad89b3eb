"""The subresources of pods: log and exec."""

from dataclasses import dataclass
from datetime import timedelta

from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.websockets import WebSocket

from infra.embedded.api import auth, rbac, reply
from infra.embedded.api.context import Api, Call
from infra.embedded.api.execution import Session
from infra.embedded.api.rbac import Attributes
from infra.embedded.api.target import PageNotFound, Target, parse
from infra.embedded.clock import Clock, parse_rfc3339
from infra.embedded.errors import BadRequest, InternalError, StatusError
from infra.embedded.kinds import POD
from infra.embedded.kubelet import Kubelet, LogOptions
from infra.embedded.store import Obj

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


async def log(api: Api, call: Call) -> Response:
    """The output of a container."""
    query, name = call.request.query_params, call.target.name or ""
    pod = api.store.get(POD, call.target.space, name)
    container = _container(pod, query.get("container"))
    options = _log_options(query, api.clock)
    lines = await _kubelet(api).logs(call.target.space, name, container, options)
    if options.follow:
        return StreamingResponse(lines, media_type="text/plain", headers=reply.headers())
    text = b"".join([line async for line in lines])
    return PlainTextResponse(text, headers=reply.headers())


def _log_options(query: QueryParams, clock: Clock) -> LogOptions:
    since = None
    if query.get("sinceTime"):
        try:
            since = parse_rfc3339(query["sinceTime"])
        except ValueError as error:
            raise BadRequest(f"sinceTime: {error}") from error
    elif seconds := _number(query, "sinceSeconds"):
        since = clock.now() - timedelta(seconds=seconds)
    return LogOptions(
        follow=_flag(query, "follow"),
        previous=_flag(query, "previous"),
        timestamps=_flag(query, "timestamps"),
        tail=_number(query, "tailLines"),
        since=since,
        limit_bytes=_number(query, "limitBytes"),
    )


def _container(pod: Obj, asked: str | None) -> str:
    """The container that is meant; raises BadRequest when several could be."""
    spec = pod["spec"]
    names = [c["name"] for c in spec["containers"]]
    init = [c["name"] for c in spec.get("initContainers") or []]
    name = pod["metadata"]["name"]
    if asked:
        if asked not in (*names, *init):
            raise BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names) > 1:
        raise BadRequest(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    return str(names[0])


def _flag(query: QueryParams, name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


def _number(query: QueryParams, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise BadRequest(f"{name}: {text!r} is not a number of at least 0")
    return int(text)


def _kubelet(api: Api) -> Kubelet:
    if api.node.kubelet is None:
        raise InternalError("the node has not been started yet")
    return api.node.kubelet


async def upgrade_required(api: Api, call: Call) -> Response:
    """exec is spoken over WebSocket only."""
    del api, call
    raise BadRequest("Upgrade request required")


@dataclass(frozen=True, slots=True)
class Program:
    """What an exec session runs, and where."""

    pod: Target
    container: str
    argv: tuple[str, ...]


async def exec_(api: Api, websocket: WebSocket) -> None:
    """Run a command in a container, its streams multiplexed over a WebSocket."""
    try:
        program = _admit(api, websocket)
        protocol = _protocol(websocket)
    except PageNotFound:
        await websocket.send_denial_response(reply.page_not_found())
        return
    except StatusError as error:
        await websocket.send_denial_response(reply.failure(error))
        return
    await websocket.accept(subprotocol=protocol)
    session = Session(websocket, websocket.query_params)
    pod = program.pod
    await session.run(_kubelet(api), pod.space, pod.name or "", program.container, program.argv)


def _protocol(websocket: WebSocket) -> str:
    offered = websocket.scope.get("subprotocols") or []
    for protocol in _PROTOCOLS:
        if protocol in offered:
            return protocol
    raise BadRequest(f"unable to upgrade: none of {list(_PROTOCOLS)} was offered")


def _admit(api: Api, websocket: WebSocket) -> Program:
    user = auth.authenticate(websocket.headers, api.token, api.lives)
    target, query = parse(api.store.registry, websocket.url.path), websocket.query_params
    if (target.kind, target.subresource) != (POD, "exec"):
        raise BadRequest("only exec is spoken over WebSocket")
    rbac.authorize(api.store, user, Attributes.of(target, "create"))
    pod = api.store.get(POD, target.space, target.name or "")
    argv = tuple(query.getlist("command"))
    if not argv:
        raise BadRequest("you must specify at least 1 command")
    return Program(target, _container(pod, query.get("container")), argv)
