"""A small HTTP/1.1 server with keep-alive: one thread per connection, standard library only.

`http.server` parses headers with the e-mail parser, which costs more than everything else that a
service of this size does; a sample service must not be what a latency probe measures.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from types import FrameType
from typing import BinaryIO
from urllib.parse import parse_qs

MAX_HEAD = 128 * 1024  # bytes of request line and headers
MAX_BODY = 64 * 1024 * 1024
DRAIN_SECONDS = 10.0  # what requests in flight get after SIGTERM


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body read."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    remote: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def query(self, name: str, default: str) -> str:
        """The first value of a query parameter."""
        return parse_qs(self.target.partition("?")[2]).get(name, [default])[0]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; an iterable body is sent in chunks as it comes, None closes without an answer."""

    body: bytes | Iterable[bytes] | None
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Request], Response]


class BadRequest(Exception):
    """A request that cannot be understood; the connection ends after the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Stop(Exception):
    """SIGTERM or SIGINT arrived."""


def serve(handler: Handler, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; then let requests in flight end (main thread only)."""
    gate = _Gate()
    listener = socket.create_server((host, port), backlog=1024)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        while True:
            connection, peer = listener.accept()
            threading.Thread(
                target=_connection, args=(connection, peer[0], handler, gate), daemon=True
            ).start()
    except _Stop:
        listener.close()
        gate.wait_idle(DRAIN_SECONDS)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stop


class _Gate:
    """Counts requests in flight."""

    def __init__(self) -> None:
        self._active = 0
        self._idle = threading.Condition()

    def __enter__(self) -> None:
        with self._idle:
            self._active += 1

    def __exit__(self, *_: object) -> None:
        with self._idle:
            self._active -= 1
            self._idle.notify_all()

    def wait_idle(self, seconds: float) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, seconds)


def _connection(connection: socket.socket, remote: str, handler: Handler, gate: _Gate) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as stream:
        try:
            while (head := _read_head(stream)) is not None:
                with gate:
                    if not _exchange(connection, stream, head, remote, handler):
                        return
        except BadRequest as error:
            body = f"{error}\n".encode()
            connection.sendall(_head(Response(body, error.status), keep=False) + body)
        except OSError:
            return  # the client went away: nobody is left to be told


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "").lower()


def _read_head(stream: BinaryIO) -> _Head | None:
    """The next request's head; None at the end of the connection."""
    line = stream.readline(MAX_HEAD)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest("malformed request line")
    headers: list[tuple[str, str]] = []
    left = MAX_HEAD - len(line)
    while (line := stream.readline(left)) not in (b"\r\n", b"\n"):
        left -= len(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if left <= 0:
            raise BadRequest("headers too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not colon or not line.endswith(b"\n"):
            raise BadRequest("malformed header")
        headers.append((name, value.strip()))
    return _Head(parts[0], parts[1], parts[2], tuple(headers))


def _read_body(stream: BinaryIO, head: _Head) -> bytes:
    if "chunked" in head.get("transfer-encoding"):
        return b"".join(_chunks(stream))
    length = head.get("content-length") or "0"
    if not length.isdecimal():
        raise BadRequest("malformed Content-Length")
    if int(length) > MAX_BODY:
        raise BadRequest("body too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    body = stream.read(int(length))
    if len(body) < int(length):
        raise BadRequest("body ends early")
    return body


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    total = 0
    while True:
        line = stream.readline(1024).partition(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            raise BadRequest("malformed chunk") from None
        total += size
        if size < 0 or total > MAX_BODY:
            raise BadRequest("body too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if size == 0:
            while stream.readline(MAX_HEAD).strip():
                pass  # trailers
            return
        yield stream.read(size)
        stream.readline(2)


def _exchange(
    connection: socket.socket, stream: BinaryIO, head: _Head, remote: str, handler: Handler
) -> bool:
    """Answer one request; False when the connection must end."""
    if head.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(stream, head)
    request = Request(head.method, head.target, head.version, head.headers, body, remote)
    response = handler(request)
    if response.body is None:
        return False
    keep = head.get("connection") != "close" and head.version == "HTTP/1.1"
    start = _head(response, keep=keep)
    if head.method == "HEAD" or isinstance(response.body, bytes):
        whole = response.body if isinstance(response.body, bytes) else b""
        connection.sendall(start if head.method == "HEAD" else start + whole)
        return keep
    connection.sendall(start)
    for chunk in response.body:
        connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    connection.sendall(b"0\r\n\r\n")
    return keep


def _head(response: Response, *, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    bodiless = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if isinstance(response.body, bytes) and not bodiless:
        lines.append(f"Content-Length: {len(response.body)}")
    elif not bodiless:
        lines.append("Transfer-Encoding: chunked")
    if not bodiless:
        lines.append(f"Content-Type: {response.content_type}")
    lines.append(f"Date: {formatdate(usegmt=True)}")
    lines.extend(f"{name}: {value}" for name, value in response.headers)
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
