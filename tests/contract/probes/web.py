"""Servers for probes: a service behind a gateway, and what else may sit at an address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_server

ECHO = b"metrics-echo ok ts=1 target=x service=metrics-echo revision=metrics-echo-00001\n"
# Who answered, as Envoy shows it (from the recordings of a real gateway).
BEHIND = {"server": "envoy", "x-envoy-upstream-service-time": "1"}
GATEWAY = {"server": "envoy"}


class Answer(BaseHTTPRequestHandler):
    """Answers every GET with what the server's `reply` says: status, headers, body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        reply: Callable[[str], tuple[int, dict[str, str], bytes]] = self.server.reply  # type: ignore[attr-defined]
        status, headers, body = reply(self.headers.get("Host", ""))
        self.send_response_only(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""


@contextmanager
def serve(
    reply: Callable[[str], tuple[int, dict[str, str], bytes]], handler: type[Answer] = Answer
) -> Iterator[int]:
    """A server on a loopback port that answers by the request's Host; gives the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.reply = reply  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_silence() -> Iterator[int]:
    """A server that accepts and never answers; gives the port."""
    with create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    """A loopback port where nothing listens."""
    with create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def routed(*hosts: str) -> Callable[[str], tuple[int, dict[str, str], bytes]]:
    """A gateway that knows these hosts and answers 404 itself to all others."""

    def reply(host: str) -> tuple[int, dict[str, str], bytes]:
        if host.partition(":")[0] in hosts:
            return 200, BEHIND, ECHO
        return 404, GATEWAY, b""

    return reply
