"""HTTP/2 without TLS: an app that echoes as it reads, and a client that speaks while it listens.

`python -m tests.support.http2` is the app, on PORT.
"""

from __future__ import annotations

import os
import socket
import socketserver
from collections.abc import Iterator
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    TrailersReceived,
)

Headers = list[tuple[str, str]]
TRAILERS: Headers = [("grpc-status", "0"), ("grpc-message", "all echoed")]
_SECONDS = 20.0


class Echo(socketserver.BaseRequestHandler):
    """Answers each DATA frame with the same at once, and ends with trailers, as gRPC does."""

    def handle(self) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        self.request.sendall(connection.data_to_send())
        while data := self.request.recv(65536):
            for event in connection.receive_data(data):
                _react(connection, event)
            self.request.sendall(connection.data_to_send())


def _react(connection: H2Connection, event: Event) -> None:
    if isinstance(event, RequestReceived):
        seen = {str(name): str(value) for name, value in event.headers}
        kind = seen.get("content-type", "text/plain")
        head = [(":status", "200"), ("content-type", kind), ("x-seen-path", seen[":path"])]
        connection.send_headers(event.stream_id, head)
    elif isinstance(event, DataReceived):
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        connection.send_data(event.stream_id, event.data)
    elif isinstance(event, StreamEnded):
        connection.send_headers(event.stream_id, TRAILERS, end_stream=True)


@dataclass(slots=True)
class Call:
    """One request to an HTTP/2 server, whose body is sent piece by piece."""

    address: tuple[str, int]
    host: str
    path: str
    head: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    _connection: H2Connection = field(default_factory=lambda: H2Connection(
        H2Configuration(client_side=True, header_encoding="utf-8")))  # fmt: skip
    _socket: socket.socket = field(default_factory=socket.socket)

    def __enter__(self) -> Call:
        self._socket.settimeout(_SECONDS)
        self._socket.connect(self.address)
        self._connection.initiate_connection()
        head = {
            ":method": "POST",
            ":scheme": "http",
            ":authority": self.host,
            ":path": self.path,
            "content-type": "application/grpc",
            "te": "trailers",
        }
        self._connection.send_headers(1, list(head.items()))
        self._flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes, *, last: bool = False) -> None:
        """A piece of the body."""
        self._connection.send_data(1, data, end_stream=last)
        self._flush()

    def listen(self, *, until: bytes | None = None) -> None:
        """Take what comes until the body has these bytes, or the answer has ended."""
        while not (self.ended or (until is not None and until in self.body)):
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the connection ended before the answer")
            for event in self._connection.receive_data(data):
                self._take(event)
            self._flush()

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self.head = dict(_texts(event.headers))
        elif isinstance(event, TrailersReceived):
            self.trailers = dict(_texts(event.headers))
        elif isinstance(event, DataReceived):
            self.body += event.data
            self._connection.acknowledge_received_data(event.flow_controlled_length, 1)
        elif isinstance(event, StreamEnded):
            self.ended = True

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())


def _texts(headers: object) -> Iterator[tuple[str, str]]:
    for name, value in headers:  # type: ignore[attr-defined]
        yield str(name), str(value)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    _Server(("0.0.0.0", int(os.environ["PORT"])), Echo).serve_forever()
