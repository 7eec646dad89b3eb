"""Other protocols through the gateway: HTTP/2 to the app, WebSocket, trailers, large bodies."""

from __future__ import annotations

import base64
import hashlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster import ROOT, Cluster
from tests.support.exchange import exchange, get

pytest.importorskip("h2", reason="the HTTP/2 app and its client need the package h2")

from tests.support.http2 import TRAILERS, Call

WEBSOCKET = """
import asyncio, os
from websockets.asyncio.server import serve

async def echo(connection):
    async for message in connection:
        await connection.send(message.upper())

async def main():
    async with serve(echo, "0.0.0.0", int(os.environ["PORT"])) as server:
        await server.serve_forever()

asyncio.run(main())
"""
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def service(name: str, command: list[str], **container: Any) -> dict[str, Any]:
    """A KService of this machine's Python."""
    env = [{"name": "PYTHONPATH", "value": str(ROOT)}]
    spec = {"image": "python:3", "command": command, "env": env, **container}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [spec]}}},
    }


@pytest.fixture(scope="module")
def apps(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster with an app that speaks HTTP/2 only, and one that speaks WebSocket."""
    if not cluster.embedded:
        pytest.skip("needs apps of this machine")
    h2c = [{"name": "h2c", "containerPort": 8080}]
    names = ("ksvc/speaks-h2", "ksvc/speaks-websocket")
    cluster.apply(
        service("speaks-h2", [sys.executable, "-m", "tests.support.http2"], ports=h2c),
        service("speaks-websocket", [sys.executable, "-c", WEBSOCKET]),
    )
    done = cluster.kubectl("wait", "--for=condition=Ready", *names, "--timeout=60s", timeout=90)
    assert done.code == 0, done.err + cluster.kubectl("get", "pods", "-o", "yaml").out[-3000:]
    yield cluster
    cluster.kubectl("delete", *names)


def gateway(cluster: Cluster) -> tuple[str, int]:
    return cluster.info["gateway"]["address"], cluster.info["gateway"]["http"]


def host(cluster: Cluster, name: str) -> str:
    return f"{name}.default.{cluster.info['domain']}"


@pytest.mark.covers("gateway", "h2c: both directions at once, trailers (as gRPC needs them)")
def test_both_sides_speak_at_once(apps: Cluster) -> None:
    with Call(gateway(apps), host(apps, "speaks-h2"), "/echo.Echo/Talk") as call:
        for piece in (b"first", b"second"):
            call.send(piece)
            call.listen(until=piece)  # answered while the request is still open
        call.send(b"", last=True)
        call.listen()
    assert (call.head[":status"], call.head["x-seen-path"]) == ("200", "/echo.Echo/Talk")
    assert call.head["content-type"] == "application/grpc"
    assert call.body == b"firstsecond"
    assert call.trailers == dict(TRAILERS)


def test_an_http1_client_of_an_http2_app(apps: Cluster) -> None:
    answer = get(gateway(apps), host(apps, "speaks-h2"), "/plain")
    assert answer.status == "HTTP/1.1 200 OK"
    assert answer.header("x-seen-path") == "/plain"


@pytest.mark.covers("gateway", "WebSocket upgrade")
def test_a_websocket(apps: Cluster) -> None:
    key = base64.b64encode(b"sixteen bytes 16").decode()
    with socket.create_connection(gateway(apps), timeout=20) as connection:
        connection.sendall(
            f"GET / HTTP/1.1\r\nHost: {host(apps, 'speaks-websocket')}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "\r\n".encode()
        )
        stream = connection.makefile("rb")
        head = b"".join(iter(stream.readline, b"\r\n")).decode().lower()
        accepted = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        assert head.startswith("http/1.1 101 ")
        assert f"sec-websocket-accept: {accepted}".lower() in head
        connection.sendall(bytes([0x81, 0x85, 0, 0, 0, 0]) + b"hello")  # text, masked with zeros
        assert stream.read(7) == bytes([0x81, 5]) + b"HELLO"


def test_a_client_that_expects_to_be_asked(apps: Cluster) -> None:
    """An app that speaks HTTP/2 answers through Envoy's own `100 Continue`."""
    raw = (
        f"POST /body HTTP/1.1\r\nHost: {host(apps, 'speaks-h2')}\r\nExpect: 100-continue\r\n"
        "Content-Length: 3\r\nConnection: close\r\n\r\nabc"
    )
    answer = exchange(gateway(apps), raw.encode())
    assert answer.status.split(" ")[1] in ("100", "200")
    assert b"abc" in answer.body
