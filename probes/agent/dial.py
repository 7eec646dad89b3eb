"""From a host and a port to a connection that is ready to send: resolve, connect, tls."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import NamedTuple

from .connect import connect
from .resolve import Resolver
from .rewrite import ConnectToRule, apply_connect_to
from .sample import TlsFacts
from .secure import SecureStream
from .stream import Stream
from .tlsfacts import facts_of
from .trace import Trace


class Link(NamedTuple):
    """An open connection, and what is reported about it each time that it is used."""

    stream: Stream | SecureStream
    peer: tuple[object, ...] | None
    local: tuple[object, ...] | None
    tls: TlsFacts | None


@dataclass(frozen=True)
class Dialer:
    """Opens the connections of one target; `context` is None where TLS is never used."""

    resolver: Resolver
    connect_to: tuple[ConnectToRule, ...]
    context: ssl.SSLContext | None
    server_name: str | None

    async def open(self, host: str, port: int, secure: bool, trace: Trace, deadline: int) -> Link:
        """A connection for `host`:`port`, noted in `trace`; Failure in the phase that failed."""
        to_host, to_port = apply_connect_to(self.connect_to, host, port)
        resolved = self.resolver.given(to_host, to_port)
        if resolved is None:
            trace.enter("resolve")
            resolved = await self.resolver.lookup(to_host, to_port, deadline)
        trace.dns = resolved.facts
        trace.enter("connect")
        raw = await connect(resolved.addresses, trace, deadline)
        stream: Stream | SecureStream = raw
        if secure and self.context is not None:
            try:
                stream = await self._secure(raw, self.context, host, trace, deadline)
            except BaseException:
                raw.close()
                raise
        return Link(stream, trace.peer, trace.local, trace.tls)

    async def _secure(
        self, raw: Stream, context: ssl.SSLContext, host: str, trace: Trace, deadline: int
    ) -> SecureStream:
        trace.enter("tls")
        name = self.server_name or host
        stream = SecureStream(raw, context, name)
        verified = False
        try:
            await stream.handshake(deadline)
            verified = context.verify_mode is ssl.CERT_REQUIRED
        finally:
            trace.tls = facts_of(stream.session, name, verified)
        return stream
