"""The phase connect: each address is tried in turn, and each try is recorded."""

from __future__ import annotations

import errno
import os
import socket

from .addresses import Address
from .clock import mono_ns
from .loop import writable
from .outcomes import Failure, Outcome, broken, describe, timed_out
from .stream import Stream
from .trace import Trace, Tried

# Linux makes a socket non-blocking in the call that makes it; elsewhere that takes a second one.
_NONBLOCK = getattr(socket, "SOCK_NONBLOCK", 0)

# A reset (unlike a refusal) ends a connection that was established: the phase has passed, and the
# next one meets the reset. BSDs say EISCONN where Linux says 0.
_CONNECTED = (0, errno.EISCONN, errno.ECONNRESET, errno.EPIPE)

# Which failure speaks for all of them: an address that could not be reached at all (IPv6 on a
# machine that has none) says less than one that was refused.
_TELLING = (
    Outcome.PROBER_ERROR,
    Outcome.CONNECT_REFUSED,
    Outcome.CONNECT_TIMEOUT,
    Outcome.CONNECT_UNREACHABLE,
)


async def connect(addresses: tuple[Address, ...], trace: Trace, deadline: int) -> Stream:
    """A connection to the first of `addresses` that accepts; Failure when none does.

    The time that is left is shared evenly among the addresses that are left.
    """
    failures: list[Failure] = []
    for i, (family, sockaddr) in enumerate(addresses):
        began = mono_ns()
        share = began + max(0, deadline - began) // (len(addresses) - i)
        try:
            stream = await _connect_one(family, sockaddr, share)
        except Failure as failure:
            trace.tried.append(Tried(sockaddr, mono_ns() - began, failure))
            failures.append(failure)
            continue
        trace.tried.append(Tried(sockaddr, mono_ns() - began, None))
        trace.peer, trace.local = sockaddr, _own_address(stream.sock)
        return stream
    raise min(failures, key=lambda failure: _TELLING.index(failure.outcome))


async def _connect_one(family: int, sockaddr: tuple[object, ...], deadline: int) -> Stream:
    try:
        # The type below socket.socket: its Python wrapper costs as much as the system call.
        sock = socket.SocketType(family, socket.SOCK_STREAM | _NONBLOCK)
    except OSError as error:
        raise _refused(error, sockaddr) from error
    stream = Stream(sock)
    try:
        if not _NONBLOCK:
            sock.setblocking(False)
        code = sock.connect_ex(sockaddr)
        if code == errno.EINPROGRESS:
            # A neighbour's answer is often here already, and then this costs less than waiting.
            code = sock.connect_ex(sockaddr)
        if code == errno.EALREADY:
            if not await writable(stream, deadline):
                raise timed_out("connect")
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code not in _CONNECTED:
            raise _refused(OSError(code, os.strerror(code)), sockaddr)
        return stream
    except OSError as error:
        stream.close()
        raise _refused(error, sockaddr) from error
    except BaseException:
        stream.close()
        raise


def _refused(error: OSError, sockaddr: tuple[object, ...]) -> Failure:
    if error.errno == errno.EADDRNOTAVAIL and ":" not in str(sockaddr[0]):
        # For IPv4 this means that the prober has used up its own ports.
        return Failure(Outcome.PROBER_ERROR, describe(error))
    return broken("connect", error)


def _own_address(sock: socket.SocketType) -> tuple[object, ...] | None:
    try:
        found: tuple[object, ...] = sock.getsockname()
    except OSError:
        return None
    return found
