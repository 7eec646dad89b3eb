"""A connected socket whose every operation has a deadline."""

from __future__ import annotations

import select
import socket

from .loop import readable, writable
from .outcomes import broken, timed_out
from .poller import READ, Watched

RECV_BYTES = 65536


class Stream(Watched):
    """One connection; failures are raised as `Failure` with the outcome of their phase."""

    __slots__ = ("sock",)

    def __init__(self, sock: socket.SocketType) -> None:
        super().__init__(sock.fileno())
        self.sock = sock

    def close(self) -> None:
        """Close the socket; the epoll set forgets it by itself."""
        self.sock.close()

    def is_quiet(self) -> bool:
        """Whether an idle connection is still open and nothing came unasked."""
        poll = select.poll()
        poll.register(self.fd, READ)
        return not poll.poll(0)

    async def send(self, data: bytes, deadline: int, phase: str = "send") -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                if not await writable(self, deadline):
                    raise timed_out(phase) from None
            except OSError as error:
                raise broken(phase, error) from error

    async def receive(self, phase: str, deadline: int) -> bytes:
        """The next bytes from the server; empty at the end of the stream."""
        while await readable(self, deadline):
            try:
                return self.sock.recv(RECV_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise broken(phase, error) from error
        raise timed_out(phase)
