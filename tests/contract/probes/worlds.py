"""Broken worlds: how each diagnosis looks on real sockets, made without the product's help.

A world has a gateway, which devbox and gateway reach, and an address inside the cluster. Making
one yields what to probe and from where; the product is told nothing about what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from harness.core.observation import ServiceObserved
from tests.contract.agent import servers
from tests.contract.agent.certificates import Authority, server_context
from tests.contract.agent.dnsserver import Question, a, reply, serve_dns
from tests.contract.agent.servers import Handler, Peer
from tests.contract.probes.setting import SERVICE
from tests.contract.probes.web import BEHIND, ECHO, GATEWAY

HOST = "metrics-echo.default.127.0.0.1.sslip.io"
NAMED = "metrics-echo.default.example"
# A pod of its own takes longest: only worlds where being inside matters have one.
OUTSIDE = ("devbox", "gateway")
DAY = 86_400.0
OUTSIDE_AND_IN = (*OUTSIDE, "in-cluster")


@dataclass(frozen=True)
class World:
    """What is probed: the service as observed, the gateway's ports, and the action's fields."""

    service: ServiceObserved
    http_port: int = 1
    https_port: int | None = None
    ca_file: Path | None = None
    vantages: tuple[str, ...] = OUTSIDE
    fields: dict[str, Any] = field(default_factory=dict)
    pods_start: bool = True
    pod_clock_ahead: float = 0.0
    emulator: bool = True


MakeWorld = Callable[[Path], AbstractContextManager[World]]


def http(status: int, headers: dict[str, str], body: bytes) -> bytes:
    """A whole answer."""
    fields = {**headers, "content-length": str(len(body))}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


GOOD = http(200, BEHIND, ECHO)


def answering(*answers: bytes | float) -> Handler:
    """Answers connection after connection; a number is a pause (seconds) before a good answer,
    and what comes last goes on for ever."""
    numbers = count()

    def handle(peer: Peer) -> None:
        peer.request()
        answer = answers[min(next(numbers), len(answers) - 1)]
        if isinstance(answer, bytes):
            peer.send(answer)
        else:
            peer.stopped.wait(answer)
            peer.send(GOOD)

    return handle


def alternating(*answers: bytes) -> Handler:
    """Answers connection after connection, in turn."""
    numbers = count()

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(answers[next(numbers) % len(answers)])

    return handle


good = answering(GOOD)


def hanging(peer: Peer) -> None:
    peer.request()
    peer.hang()


def resetting(peer: Peer) -> None:
    peer.request()
    peer.reset()


def closing(peer: Peer) -> None:
    peer.request()


def resetting_upload(peer: Peer) -> None:
    peer.sock.recv(1000)
    peer.reset()


def refusing_tls(peer: Peer) -> None:
    """Plain HTTP: a TLS greeting is a bad request."""
    peer.sock.recv(1024)
    peer.send(BY_GATEWAY[400])


def world(outside: Handler | None, inside: Handler | None = good, **fields: Any) -> MakeWorld:
    """A world whose gateway and whose cluster-local address behave so; None: nobody listens."""

    @contextmanager
    def make(_: Path) -> Iterator[World]:
        with _listening(outside) as gateway, _listening(inside) as local:
            yield _world(gateway.port, local.port, **fields)

    return make


def backlogged() -> MakeWorld:
    """A world whose gateway has no room for another connection."""

    @contextmanager
    def make(_: Path) -> Iterator[World]:
        with servers.full_backlog() as gateway, servers.serve(good) as local:
            yield _world(gateway.port, local.port, fields={"timeout": "300ms"})

    return make


def named(answer: Callable[[Question], bytes | None]) -> MakeWorld:
    """A world whose public name is asked of a DNS server that answers so."""

    @contextmanager
    def make(_: Path) -> Iterator[World]:
        with (
            servers.serve(good) as gateway,
            servers.serve(good) as local,
            serve_dns(answer) as dns,
        ):
            fields = {"resolver": dns.address, "timeout": "400ms"}
            made = _world(gateway.port, local.port, fields=fields)
            yield replace(made, service=replace(made.service, url=f"http://{NAMED}"))

    return make


def secured(leaf: Callable[[Authority, Authority], Path], **fields: Any) -> MakeWorld:
    """A world whose gateway speaks TLS with a certificate; the first authority is trusted."""

    @contextmanager
    def make(folder: Path) -> Iterator[World]:
        trusted, other = (Authority.make(folder, name) for name in ("trusted", "other"))
        context = server_context(leaf(trusted, other))

        def secure(peer: Peer) -> None:
            peer.secure(context)
            good(peer)

        with servers.serve(secure) as gateway, servers.serve(good) as local:
            yield replace(_over_tls(gateway.port, local.port, trusted.pem), **fields)

    return make


def unsecured(behave: Handler) -> MakeWorld:
    """A world whose gateway does not speak TLS on its TLS port."""

    @contextmanager
    def make(folder: Path) -> Iterator[World]:
        trusted = Authority.make(folder, "trusted")
        with servers.serve(behave) as gateway, servers.serve(good) as local:
            yield _over_tls(gateway.port, local.port, trusted.pem)

    return make


def expired(trusted: Authority, _: Authority) -> Path:
    return trusted.leaf(HOST, starts=-3, ends=-2)


def resolves_elsewhere(question: Question) -> bytes:
    """The public name leads to an address where the gateway is not."""
    return reply(question, a(question.name, "127.0.0.9")) if question.type == 1 else reply(question)


def resolves_nowhere(question: Question) -> bytes:
    """The public name leads to an address that no route leads to."""
    if question.type == 1:
        return reply(question, a(question.name, "255.255.255.255"))
    return reply(question)


def refused_name(question: Question) -> bytes:
    return reply(question, rcode=3)


def failing_resolver(question: Question) -> bytes:
    return reply(question, rcode=2)


def silent_resolver(_: Question) -> None:
    return None


def _over_tls(port: int, local: int, ca_file: Path) -> World:
    fields = {"scheme": "https", "timeout": "400ms"}
    made = _world(1, local, fields=fields, vantages=("gateway",))
    return replace(made, https_port=port, ca_file=ca_file)


def _world(gateway: int, local: int, **fields: Any) -> World:
    service = fields.pop("service", SERVICE)
    return World(
        service=replace(service, address=f"http://127.0.0.1:{local}"), http_port=gateway, **fields
    )


def _listening(behave: Handler | None) -> AbstractContextManager[servers.Server]:
    return servers.serve(behave) if behave else servers.closed_port()


NOT_READY = replace(SERVICE, mismatches=("status.conditions[Ready]: expected True, found Unknown",))
BY_GATEWAY = {status: http(status, GATEWAY, b"") for status in (404, 503, 504, 400)}
BY_APP = {status: http(status, BEHIND, b"sorry\n") for status in (500, 502, 504)}
BROKEN_REVISION = http(500, BEHIND, b"sorry service=metrics-echo revision=metrics-echo-00002\n")
# More than the buffers of both sides hold: the server is gone while it is still being sent.
LARGE = {"headers": {"X-Fill": "x" * 8_000_000}, "requests": 2, "timeout": "2s"}
ABSENT = replace(SERVICE, found=False)
SLOW = [{"metric": "latency", "target": "95%", "threshold": "100ms"}]

WORLDS: dict[str, MakeWorld] = {
    "reachable": world(good, vantages=OUTSIDE_AND_IN),
    "dns-not-found": named(refused_name),
    "dns-silent": named(silent_resolver),
    "dns-error": named(failing_resolver),
    "public-port-closed": named(resolves_elsewhere),
    "gateway-not-exposed": world(None, vantages=OUTSIDE_AND_IN),
    "cluster-address-closed": world(good, None, vantages=OUTSIDE_AND_IN),
    "nothing-listens": world(None, None),
    "connect-dropped": backlogged(),
    "no-route": named(resolves_nowhere),
    "tls-untrusted": secured(lambda _, other: other.leaf(HOST)),
    "tls-expired": secured(expired),
    "clock-skew": secured(expired, vantages=("gateway", "in-cluster"), pod_clock_ahead=-3 * DAY),
    "tls-not-yet-valid": secured(lambda trusted, _: trusted.leaf(HOST, starts=2, ends=3)),
    "tls-name": secured(lambda trusted, _: trusted.leaf("other.example")),
    "tls-broken": unsecured(refusing_tls),
    "tls-silent": unsecured(Peer.hang),
    "send-broken": world(resetting_upload, fields=LARGE),
    "silent-outside": world(hanging, fields={"timeout": "300ms"}, vantages=OUTSIDE_AND_IN),
    "silent": world(hanging, hanging, fields={"timeout": "300ms"}, vantages=OUTSIDE_AND_IN),
    "connection-reset": world(resetting),
    "connection-closed": world(closing),
    "answer-cut": world(answering(GOOD[:-10])),
    "not-http": world(answering(b"SSH-2.0-OpenSSH_9.6\r\n" * 5)),
    "answer-too-large": world(answering(http(200, BEHIND, b"x" * (2 << 20)))),
    "host-not-routed": world(answering(BY_GATEWAY[404])),
    "no-healthy-upstream": world(answering(BY_GATEWAY[503])),
    "gateway-timeout": world(answering(BY_GATEWAY[504])),
    "gateway-status": world(answering(BY_GATEWAY[400])),
    "app-timeout": world(answering(BY_APP[504]), answering(BY_APP[504])),
    "app-closes": world(answering(BY_APP[502]), answering(BY_APP[502])),
    "app-status": world(answering(BY_APP[500]), answering(BY_APP[500])),
    "another-server": world(answering(http(404, {"server": "nginx"}, b"no"))),
    "wrong-service": world(
        answering(http(200, BEHIND, b"Hello World!\n")), fields={"body": {"contains": "echo ok"}}
    ),
    "partial": world(alternating(GOOD, b"", GOOD), vantages=("gateway",)),
    "readiness-gap": world(answering(b"", b"", GOOD), vantages=("gateway",)),
    "partial-by-revision": world(alternating(GOOD, BROKEN_REVISION), vantages=("gateway",)),
    "cold-start": world(answering(0.8, GOOD), vantages=("gateway",)),
    "prober-behind": world(
        answering(0.05), vantages=("gateway",), fields={"concurrency": 1, "objectives": SLOW}
    ),
    "no-data": world(good, fields={"minimum": 100}),
    "prober-error": world(good, vantages=OUTSIDE_AND_IN, pods_start=False),
    "not-ready-but-answering": world(good, service=NOT_READY),
    "failed-update": world(good, service=replace(NOT_READY, latest_created="metrics-echo-00002")),
    "not-reconciled": world(good, service=replace(NOT_READY, generation=2)),
    "absent-but-answering": world(good, service=ABSENT),
    "absent": world(None, None, service=ABSENT),
    "never-ready": world(
        answering(BY_GATEWAY[404]), None, service=replace(NOT_READY, latest_ready="")
    ),
    "not-ready": world(None, None, service=NOT_READY),
}
