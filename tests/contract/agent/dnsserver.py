"""A DNS server that answers as told, over UDP and TCP, on one port."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

A, CNAME, TXT, AAAA, SRV = 1, 5, 16, 28, 33


@dataclass(frozen=True)
class Question:
    """What a client asked; `raw` is the question section as it came."""

    id: int
    name: str
    type: int
    raw: bytes
    tcp: bool


Answer = Callable[[Question], bytes | None]


def wire_name(name: str) -> bytes:
    return b"".join(bytes((len(p),)) + p.encode() for p in name.split(".") if p) + b"\0"


def record(name: str, type: int, ttl: int, data: bytes) -> bytes:
    return wire_name(name) + struct.pack("!HHIH", type, 1, ttl, len(data)) + data


def a(name: str, address: str, ttl: int = 30) -> bytes:
    packed = ipaddress.ip_address(address).packed
    return record(name, A if len(packed) == 4 else AAAA, ttl, packed)


def cname(name: str, target: str, ttl: int = 60) -> bytes:
    return record(name, CNAME, ttl, wire_name(target))


def reply(
    question: Question, *records: bytes, rcode: int = 0, truncated: bool = False, id: int = -1
) -> bytes:
    """A whole message that answers `question`."""
    flags = 0x8180 | rcode | (0x0200 if truncated else 0)
    number = question.id if id < 0 else id
    return (
        struct.pack("!6H", number, flags, 1, len(records), 0, 0) + question.raw + b"".join(records)
    )


@dataclass
class DnsServer:
    """Where the server listens, and what it was asked."""

    port: int
    questions: list[Question] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def serve_dns(answer: Answer) -> Iterator[DnsServer]:
    """Answer each question with `answer`; None means silence (and, over TCP, the end)."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        tcp.listen()
        server = DnsServer(tcp.getsockname()[1])

        threads = [
            threading.Thread(target=_serve_udp, args=(udp, server, answer), daemon=True),
            threading.Thread(target=_serve_tcp, args=(tcp, server, answer), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", udp.getsockname())
            with contextlib.suppress(OSError):
                tcp.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)


def _serve_udp(sock: socket.socket, server: DnsServer, answer: Answer) -> None:
    while True:
        data, client = sock.recvfrom(4096)
        if not data:
            return
        question = _question(data, tcp=False)
        server.questions.append(question)
        message = answer(question)
        if message is not None:
            sock.sendto(message, client)


def _serve_tcp(listener: socket.socket, server: DnsServer, answer: Answer) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock, contextlib.suppress(OSError):
            sock.settimeout(5)
            (length,) = struct.unpack("!H", sock.recv(2))
            question = _question(sock.recv(length), tcp=True)
            server.questions.append(question)
            message = answer(question)
            if message is not None:
                sock.sendall(struct.pack("!H", len(message)) + message)


def _question(data: bytes, *, tcp: bool) -> Question:
    labels, offset = [], 12
    while data[offset]:
        labels.append(data[offset + 1 : offset + 1 + data[offset]].decode())
        offset += 1 + data[offset]
    (type_,) = struct.unpack_from("!H", data, offset + 1)
    number = struct.unpack_from("!H", data)[0]
    return Question(number, ".".join(labels), type_, data[12 : offset + 5], tcp)
