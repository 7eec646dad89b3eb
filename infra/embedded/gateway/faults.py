"""What can be made to go wrong at the gateway: values, and their traces in Envoy's routes."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Literal, Protocol

from infra.embedded.gateway.tls import Flaw

Json = dict[str, Any]
_Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TRUNCATOR = "truncator"  # the cluster that answers with half a body
_API = "type.googleapis.com/envoy"
_FAULT_FILTER = "envoy.filters.http.fault"
_NO_LINGER = struct.pack("ii", 1, 0)  # close by reset
_PROMISED, _SENT = 64, b"Hello Wor"


class Exposure(StrEnum):
    """How the external listeners behave."""

    OPEN = "open"
    CLOSED = "closed"  # connections are refused
    SILENT = "silent"  # connections are accepted and never answered
    RESET = "reset"  # connections are accepted and reset
    DROPPED = "dropped"  # attempts to connect get no answer
    FOREIGN = "foreign"  # another web server answers
    NOT_HTTP = "not-http"  # something answers that does not speak HTTP


@dataclass(frozen=True, slots=True)
class AppFault:
    """An app that misbehaves for a share of requests; `service` empty means every app."""

    kind: Literal["slow", "error", "wrong-body", "truncated", "by-gateway"]
    service: str = ""  # namespace/name of the KService
    percent: float = 100.0
    seconds: float = 0.0
    status: int = 500
    body: str = ""

    def concerns(self, ingress: str) -> bool:
        """Whether requests of this KIngress (namespace/name) are concerned."""
        return self.service in ("", ingress)


@dataclass(frozen=True, slots=True)
class GatewayFaults:
    """Everything that is wrong at the gateway at one time."""

    exposure: Exposure = Exposure.OPEN
    flaw: Flaw = Flaw.NONE
    refused: tuple[str, ...] = ()  # source addresses, as CIDR
    apps: tuple[AppFault, ...] = ()
    inside_closed: bool = False  # the internal listener refuses connections


def of_ingress(faults: Iterable[AppFault], ingress: str) -> tuple[AppFault, ...]:
    """The faults of one KIngress (namespace/name)."""
    return tuple(fault for fault in faults if fault.concerns(ingress))


def afflict(route: Json, faults: Sequence[AppFault]) -> list[Json]:
    """A route to an app with the app's faults: one or more routes in its place."""
    before: list[Json] = []
    settings: Json = {}
    for fault in faults:
        share = _share(fault.percent)
        match fault.kind:
            case "slow":
                settings["delay"] = {"fixed_delay": f"{fault.seconds:.3f}s", "percentage": share}
            case "error":
                settings["abort"] = {"http_status": fault.status, "percentage": share}
            case "wrong-body":
                before.append(_direct(route["match"], fault, share))
            case "by-gateway":
                reply = {"direct_response": {"status": fault.status}}
                before.append({"match": _sometimes(route["match"], share), **reply})
            case "truncated":
                action = {"cluster": TRUNCATOR, "timeout": "0s"}
                before.append({"match": _sometimes(route["match"], share), "route": action})
    if not settings:
        return [*before, route]
    kind = f"{_API}.extensions.filters.http.fault.v3.HTTPFault"
    filters = {_FAULT_FILTER: {"@type": kind, **settings}}
    return [*before, {**route, "typed_per_filter_config": filters}]


def _direct(match: Json, fault: AppFault, share: Json) -> Json:
    headers = {"content-type": "text/plain; charset=utf-8", "x-envoy-upstream-service-time": "1"}
    return {
        "match": _sometimes(match, share),
        "direct_response": {"status": 200, "body": {"inline_string": fault.body}},
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }


def _sometimes(match: Json, share: Json) -> Json:
    return {**match, "runtime_fraction": {"default_value": share}}


def _share(percent: float) -> Json:
    return {"numerator": round(percent * 100), "denominator": "TEN_THOUSAND"}


def refusal(sources: Sequence[str]) -> list[Json]:
    """Network filters that turn connections of these sources (CIDR) away."""
    if not sources:
        return []
    principals = [
        {"direct_remote_ip": {"address_prefix": address, "prefix_len": int(length)}}
        for address, _, length in (source.partition("/") for source in sources)
    ]
    policy = {"permissions": [{"any": True}], "principals": principals}
    return [
        {
            "name": "envoy.filters.network.rbac",
            "typed_config": {
                "@type": f"{_API}.extensions.filters.network.rbac.v3.RBAC",
                "stat_prefix": "refused",
                "rules": {"action": "DENY", "policies": {"refused": policy}},
            },
        }
    ]


_UNASKED = 2.0  # seconds until a connection that asks nothing is reset too


_FOREIGN = (
    b"HTTP/1.1 404 Not Found\r\nServer: foreign\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 10\r\nConnection: close\r\n\r\nnot found\n"
)
_NOT_HTTP = b"SSH-2.0-OpenSSH_9.6\r\n"


class StandIn(Protocol):
    """What stands in the gateway's place until it is closed."""

    def close(self) -> None: ...


class _Full:
    """A listener whose queue of connections is full: further attempts are dropped."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._sockets = [socket.socket()]
        listener = self._sockets[0]
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(0)
        for _ in range(_FILLERS):
            filler = socket.socket()
            self._sockets.append(filler)
            filler.setblocking(False)
            filler.connect_ex(address)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


_FILLERS = 4  # connections that are never accepted


async def stand_in(exposure: Exposure, address: tuple[str, int]) -> StandIn:
    """What listens in the gateway's place; raises OSError when it cannot."""
    if exposure is Exposure.DROPPED:
        return _Full(address)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Once it is asked: earlier, a client on a busy machine fails while it sends, or does not,
        # by chance.
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_UNASKED):
                await reader.read(65536)
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()

    async def say(words: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_UNASKED):
                await reader.read(65536)
        writer.write(words)
        writer.close()

    handlers: Mapping[Exposure, _Handler] = {
        Exposure.SILENT: silent,
        Exposure.RESET: reset,
        Exposure.FOREIGN: partial(say, _FOREIGN),
        Exposure.NOT_HTTP: partial(say, _NOT_HTTP),
    }
    return await asyncio.start_server(handlers[exposure], *address, reuse_address=True)


async def serve_truncated(path: str) -> asyncio.Server:
    """Answer every request on an abstract socket (`@name`) with less than was promised."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {_PROMISED}\r\nContent-Type: text/plain\r\n\r\n"
        writer.write(head.encode() + _SENT)
        writer.close()

    return await asyncio.start_unix_server(accept, "\0" + path.removeprefix("@"))
