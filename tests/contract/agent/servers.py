"""Servers that misbehave on purpose: real sockets on loopback, one thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Handler = Callable[["Peer"], None]


@dataclass
class Peer:
    """The server's side of one connection."""

    sock: socket.socket
    stopped: threading.Event

    def request(self) -> bytes:
        """Read until the end of the request's header; empty when the client says nothing."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                return data
            data += piece
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hang(self) -> None:
        """Do nothing until the test is over."""
        self.stopped.wait(10)

    def drip(self, data: bytes, every: float = 0.02) -> None:
        """Send `data` byte by byte, again and again."""
        while True:
            for byte in data:
                if self.stopped.wait(every):
                    return
                self.sock.sendall(bytes((byte,)))

    def flood(self, data: bytes) -> None:
        """Send `data` again and again, as fast as the client takes it."""
        while not self.stopped.is_set():
            self.sock.sendall(data)

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def secure(self, context: ssl.SSLContext) -> None:
        """Become a TLS server."""
        self.sock = context.wrap_socket(self.sock, server_side=True)


@dataclass
class Server:
    """A listening socket and how often it was connected to."""

    port: int
    connections: int = 0
    threads: list[threading.Thread] = field(default_factory=list)


@contextlib.contextmanager
def serve(
    handler: Handler, *, host: str = "127.0.0.1", receive_buffer: int = 0
) -> Iterator[Server]:
    """Serve every connection with `handler` until the block ends."""
    stopped = threading.Event()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.bind((host, 0))
        listener.listen(128)
        server = Server(listener.getsockname()[1])

        def handle(sock: socket.socket) -> None:
            peer = Peer(sock, stopped)
            # The client may leave at any moment; that is what most of these cases are about.
            with contextlib.suppress(OSError, ssl.SSLError):
                handler(peer)
            with contextlib.suppress(OSError):
                peer.sock.close()

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.settimeout(10)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.connections += 1
                thread = threading.Thread(target=handle, args=(sock,), daemon=True)
                server.threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield server
        finally:
            stopped.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(5)
            for thread in server.threads:
                thread.join(5)


@contextlib.contextmanager
def full_backlog() -> Iterator[Server]:
    """A port whose queue of connections is full: further SYNs are dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield Server(port)


@contextlib.contextmanager
def closed_port() -> Iterator[Server]:
    """A port that is bound, so that nobody else takes it, but not listening."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield Server(sock.getsockname()[1])


@contextlib.contextmanager
def silent_listener() -> Iterator[Server]:
    """A port whose connections the kernel accepts and nobody ever reads."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(4096)
        yield Server(sock.getsockname()[1])
