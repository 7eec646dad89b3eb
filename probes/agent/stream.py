"""A connected socket whose every operation has a deadline."""

from __future__ import annotations

import contextlib
import select
import socket

from .clock import mono_ns
from .loop import readable, writable
from .outcomes import broken, timed_out
from .poller import READ, Watched

RECV_BYTES = 65536
# What fits into one segment of any network (IPv6's least MTU without headers and options).
_SEGMENT_BYTES = 1200


class Stream(Watched):
    """One connection; failures are raised as `Failure` with the outcome of their phase."""

    __slots__ = ("_late", "_prompt", "_sent", "sock")

    def __init__(self, sock: socket.SocketType) -> None:
        super().__init__(sock.fileno())
        self.sock = sock
        self._sent = self._prompt = False
        self._late = 0

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
        if not self._prompt and (self._sent or len(data) > _SEGMENT_BYTES):
            self._send_promptly()
        self._sent = True
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                if not await writable(self, deadline):
                    raise timed_out(phase) from None
            except OSError as error:
                raise broken(phase, error) from error

    def _send_promptly(self) -> None:
        """From now on send partial segments at once, unacknowledged ones or not.

        The first segment of a connection waits for nothing anyway: most probes need no more, and
        are spared the system call.
        """
        self._prompt = True
        with contextlib.suppress(OSError):  # Not TCP, or reset already, which the send tells.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self, phase: str, deadline: int) -> bytes:
        """The next bytes from the server; empty at the end of the stream."""
        # Waiting is what has a deadline, and a server that never pauses is never waited for. What
        # had arrived by then counts: once.
        if mono_ns() >= deadline:
            if self._late == deadline:
                raise timed_out(phase)
            self._late = deadline
        while await readable(self, deadline):
            try:
                return self.sock.recv(RECV_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise broken(phase, error) from error
        raise timed_out(phase)
