"""TLS over a stream.

The protocol runs in memory and the socket stays ours: the ssl module's own sockets report a reset
as an end of file, and the two are different outcomes.
"""

from __future__ import annotations

import contextlib
import ssl

from .outcomes import BROKEN_IN, Failure, Outcome, describe, tls_refused
from .stream import RECV_BYTES, Stream

_SEND_BYTES = 1 << 16


class SecureStream:
    """A stream after its handshake: what is sent and received is encrypted on the way."""

    __slots__ = ("_incoming", "_outgoing", "_raw", "session")

    def __init__(self, raw: Stream, context: ssl.SSLContext, server_name: str) -> None:
        self._raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def handshake(self, deadline: int) -> None:
        """Agree on keys and verify the server; Failure with an outcome of the hop tls."""
        while True:
            try:
                self.session.do_handshake()
                await self._flush(deadline, "tls")
                return
            except ssl.SSLWantReadError:
                await self._flush(deadline, "tls")
                await self._pull("tls", deadline)
            except (ssl.SSLError, ValueError) as error:
                with contextlib.suppress(Failure):  # The server is told why, if it still listens.
                    await self._flush(0, "tls")
                if isinstance(error, ssl.SSLError):
                    raise tls_refused(error) from error
                raise Failure(Outcome.TLS_ERROR, describe(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()

    def is_quiet(self) -> bool:
        """Whether an idle connection is still open and nothing came unasked."""
        return self._raw.is_quiet()

    async def send(self, data: bytes, deadline: int) -> None:
        """Send all of `data`."""
        for start in range(0, len(data), _SEND_BYTES):
            try:
                self.session.write(data[start : start + _SEND_BYTES])
            except ssl.SSLError as error:
                raise Failure(Outcome.SEND_RESET, describe(error)) from error
            await self._flush(deadline, "send")

    async def receive(self, phase: str, deadline: int) -> bytes:
        """The next bytes from the server; empty at the end that the server declared."""
        while True:
            try:
                return self.session.read(RECV_BYTES)
            except ssl.SSLWantReadError:
                await self._flush(deadline, phase)
                await self._pull(phase, deadline)
            except ssl.SSLError as error:
                raise _broke(phase, error) from error

    async def _pull(self, phase: str, deadline: int) -> None:
        data = await self._raw.receive(phase, deadline)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self, deadline: int, phase: str) -> None:
        if self._outgoing.pending:
            await self._raw.send(self._outgoing.read(), deadline, phase)


def _broke(phase: str, error: ssl.SSLError) -> Failure:
    """What a TLS error after the handshake means.

    With TLS 1.3 the server judges the client's side after the client has finished: its alert
    arrives where the answer was awaited, yet the handshake is what was not accepted.
    """
    # OpenSSL 3 has a reason of its own for it, which older versions of Python do not translate.
    if isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING":
        ended = Outcome.CLOSED_WITHOUT_RESPONSE if phase == "wait" else BROKEN_IN[phase]
        return Failure(ended, describe(error))
    outcome = Outcome.MALFORMED_RESPONSE if phase == "transfer" else Outcome.TLS_ERROR
    return Failure(outcome, describe(error))
