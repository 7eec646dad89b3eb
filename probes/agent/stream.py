"""A connected socket, plain or TLS, whose every operation has a deadline."""

from __future__ import annotations

import socket
import ssl

from .loop import readable, writable
from .outcomes import Failure, Outcome, broken, describe, timed_out, tls_refused
from .poller import Watched

RECV_BYTES = 65536


class Stream(Watched):
    """One connection; failures are raised as `Failure` with the outcome of their phase."""

    __slots__ = ("secure", "sock")

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.fileno())
        self.sock = sock
        self.secure: ssl.SSLSocket | None = None

    def close(self) -> None:
        """Close the socket; the epoll set forgets it by itself."""
        (self.secure or self.sock).close()

    def is_quiet(self) -> bool:
        """Whether an idle connection is still open and nothing came unasked."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def handshake(self, context: ssl.SSLContext, name: str, deadline: int) -> ssl.SSLSocket:
        """Turn the connection into TLS for the server `name`."""
        try:
            secure = context.wrap_socket(
                self.sock, server_hostname=name, do_handshake_on_connect=False
            )
            self.secure = secure
            while True:
                try:
                    secure.do_handshake()
                    return secure
                except ssl.SSLWantReadError:
                    ready = await readable(self, deadline)
                except ssl.SSLWantWriteError:
                    ready = await writable(self, deadline)
                if not ready:
                    raise timed_out("tls")
        except ssl.SSLError as error:
            raise tls_refused(error) from error
        except (OSError, ValueError) as error:
            raise Failure(Outcome.TLS_ERROR, describe(error)) from error

    async def send(self, data: bytes, deadline: int) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        sock = self.secure or self.sock
        while view:
            try:
                view = view[sock.send(view) :]
                continue
            except (BlockingIOError, ssl.SSLWantWriteError):
                ready = await writable(self, deadline)
            except ssl.SSLWantReadError:
                ready = await readable(self, deadline)
            except ssl.SSLError as error:
                raise _tls_broke("send", error) from error
            except OSError as error:
                raise broken("send", error) from error
            if not ready:
                raise timed_out("send")

    async def receive(self, phase: str, deadline: int) -> bytes:
        """The next bytes from the server; empty at the end of the stream."""
        secure = self.secure
        # TLS may hold decrypted bytes already; a plain socket that was just drained never does.
        ready = secure is not None or await readable(self, deadline)
        while ready:
            try:
                return (secure or self.sock).recv(RECV_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                ready = await readable(self, deadline)
            except ssl.SSLWantWriteError:
                ready = await writable(self, deadline)
            except ssl.SSLError as error:
                raise _tls_broke(phase, error) from error
            except OSError as error:
                raise broken(phase, error) from error
        raise timed_out(phase)


def _tls_broke(phase: str, error: ssl.SSLError) -> Failure:
    """What a TLS error after the handshake means.

    With TLS 1.3 the server judges the client's side after the client has finished: its alert
    arrives where the answer was awaited, yet the handshake is what was not accepted.
    """
    if isinstance(error, ssl.SSLEOFError):
        outcome = {
            "send": Outcome.SEND_RESET,
            "wait": Outcome.CLOSED_WITHOUT_RESPONSE,
            "transfer": Outcome.TRUNCATED,
        }[phase]
    else:
        outcome = Outcome.MALFORMED_RESPONSE if phase == "transfer" else Outcome.TLS_ERROR
    return Failure(outcome, describe(error))
