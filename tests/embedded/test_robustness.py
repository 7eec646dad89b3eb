"""Clients that are slow, half there, in a hurry, or many: the server answers the next one."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.cluster import Cluster
from tests.support.wait import eventually

WATCHES = int(os.environ.get("VPM_TEST_WATCHES", "1500"))  # 10,000 when there is time
AT_ONCE = 200


def connect(cluster: Cluster) -> ssl.SSLSocket:
    host, port = cluster.info["server"].removeprefix("https://").split(":")
    return context(cluster).wrap_socket(
        socket.create_connection((host, int(port)), timeout=30), server_hostname=host
    )


def context(cluster: Cluster) -> ssl.SSLContext:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
    return ssl.create_default_context(cadata=base64.b64decode(authority).decode())


def head(cluster: Cluster, path: str, method: str = "GET", **headers: str) -> bytes:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    token = config["users"][0]["user"]["token"]
    host = cluster.info["server"].removeprefix("https://")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def memory_mb(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_files(process: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


@pytest.mark.covers("robustness", "pipelined requests are answered in order")
def test_pipelined(own: Cluster) -> None:
    paths = ["/version", "/healthz", "/api", "/no-such-path", "/readyz"] * 20
    with closing(connect(own)) as connection:
        connection.sendall(b"".join(head(own, path) for path in paths[:-1]))
        connection.sendall(head(own, paths[-1], Connection="close"))
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    answers = [part.split(b"\r\n")[0].split(b" ")[0] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert answers == [b"200", b"200", b"200", b"404", b"200"] * 20


@pytest.mark.covers("robustness", "requests that end in the middle harm nobody")
@pytest.mark.parametrize("sent", [b"", b"GET /api HT", b"{", b'{"metadata": {"name"'])
def test_half_a_request(own: Cluster, http: httpx.Client, sent: bytes) -> None:
    connections = [connect(own) for _ in range(20)]
    for connection in connections:
        if sent.startswith(b"{"):
            length = {"Content_Length": "1000", "Content_Type": "application/json"}
            path = "/api/v1/namespaces/default/configmaps"
            connection.sendall(head(own, path, "POST", **length))
        connection.sendall(sent)
        assert http.get("/healthz").text == "ok"
    for connection in connections:
        connection.close()
    assert http.get("/healthz").text == "ok"


@pytest.mark.covers("robustness", "a body without an end is cut off at the limit")
def test_an_endless_body(own: Cluster, http: httpx.Client) -> None:
    block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    chunked = {"Transfer_Encoding": "chunked", "Content_Type": "application/json"}
    with closing(connect(own)) as connection:
        path = "/api/v1/namespaces/default/configmaps"
        connection.sendall(head(own, path, "POST", **chunked))
        try:
            for _ in range(200):
                connection.sendall(block)
            answer = connection.recv(65536)
        except OSError:
            answer = b""  # it hung up while we were talking
    assert answer == b"" or answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))
    assert http.get("/healthz").text == "ok"


@pytest.mark.covers("robustness", "thousands of watches opened and dropped leave nothing behind")
def test_many_watches(own: Cluster, http: httpx.Client) -> None:
    server = int(own.info["pid"])
    asyncio.run(_watch(own, AT_ONCE))  # whatever grows with the first connections has grown
    files, memory = open_files(server), memory_mb(server)
    asyncio.run(_watch(own, WATCHES))
    eventually(lambda: open_files(server) <= files + AT_ONCE // 10, timeout=120)
    assert memory_mb(server) < memory + 60
    assert http.get("/healthz").text == "ok"


async def _watch(cluster: Cluster, count: int) -> None:
    """Open watches, a few connections' worth at a time, and hang up on each at its first line."""
    trust, gate = context(cluster), asyncio.Semaphore(AT_ONCE)
    host, port = cluster.info["server"].removeprefix("https://").split(":")
    request = head(cluster, "/api/v1/namespaces?watch=1&sendInitialEvents=true")

    async def one() -> None:
        async with gate:
            reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
            writer.write(request)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(count)))
