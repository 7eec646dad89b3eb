"""The TCP probe: a connection, TLS where asked, and optionally a word and its answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from .body import Body, body_mismatch, needs_body
from .dial import Dialer, Link
from .outcomes import Failure, Outcome
from .plan import Target
from .trace import Trace


class TcpProbe:
    """Probes ``tcp://host:port`` or ``tls://host:port``.

    The target's body is sent once the connection stands. With a body check the probe reads until
    the check holds, the server closes, or the deadline passes.
    """

    kind = "tcp"

    def __init__(self, target: Target, dialer: Dialer) -> None:
        parts = urlsplit(target.url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._secure = parts.scheme == "tls"
        self._target = target
        self._dialer = dialer

    async def run(self, trace: Trace, deadline: int) -> None:
        """One attempt, noted in `trace`; Failure unless all that was asked for holds."""
        link = await self._dialer.open(self._host, self._port, self._secure, trace, deadline)
        try:
            await self._talk(link, trace, deadline)
        finally:
            link.stream.close()

    def close(self) -> None:
        """Nothing is kept between attempts."""

    async def _talk(self, link: Link, trace: Trace, deadline: int) -> None:
        check = self._target.expect.body
        if self._target.body is not None:
            trace.enter("send")
            await link.stream.send(self._target.body.encode(), deadline)
        if not needs_body(check):
            return
        body = Body(self._target.limits.body_bytes, keep=True)
        trace.enter("wait")
        phase = "wait"
        reason: str | None = "no answer"
        while reason is not None:
            try:
                data = await link.stream.receive(phase, deadline)
            except Failure as failure:
                if phase == "wait" or failure.outcome is not Outcome.TRANSFER_TIMEOUT:
                    raise
                # Only the check knows where such an answer ends: what came was not it.
                raise Failure(Outcome.BODY_MISMATCH, reason) from failure
            if not data:
                break
            if phase == "wait":
                phase = "transfer"
                trace.enter(phase)
                trace.body = body
            body.write(data)
            reason = body_mismatch(check, body.kept())
        if not body.count:
            raise Failure(Outcome.CLOSED_WITHOUT_RESPONSE, "connection closed before any answer")
        if reason is not None:
            raise Failure(Outcome.BODY_MISMATCH, reason)
