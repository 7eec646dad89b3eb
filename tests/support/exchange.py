"""One raw HTTP exchange over a connection of its own: what was really sent and received."""

from __future__ import annotations

import socket
from dataclasses import dataclass

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its first line, its headers in order, its body as received."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def names(self) -> tuple[str, ...]:
        """The headers' names in the order received."""
        return tuple(name for name, _ in self.headers)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


def exchange(address: tuple[str, int], raw: bytes, seconds: float = SECONDS) -> Answer:
    """Send bytes and read one response to its end; raises OSError (TimeoutError too)."""
    with socket.create_connection(address, timeout=seconds) as connection:
        connection.sendall(raw)
        data = b""
        while not _complete(data, head_only=raw.startswith(b"HEAD ")):
            piece = connection.recv(65536)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Answer(first, tuple((name, value) for name, _, value in pairs), body)


def get(address: tuple[str, int], host: str, path: str = "/", *headers: str) -> Answer:
    """A GET with these extra header lines."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return exchange(address, "\r\n".join(lines).encode())


def _complete(data: bytes, *, head_only: bool) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    if head_only or head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304")):
        return True
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
        if name == b"transfer-encoding":
            return body.endswith(b"0\r\n\r\n")
    return False
