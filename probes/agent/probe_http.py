"""The HTTP probe: one request, or as many as redirects ask for."""

from __future__ import annotations

from .body import Body, body_mismatch, needs_body, status_matches
from .dial import Dialer, Link
from .http1 import Head, ResponseReader
from .outcomes import Failure, Outcome
from .plan import Target
from .request import Request, redirected, request_of
from .secure import SecureStream
from .stream import Stream
from .trace import Trace

Answer = tuple[Head, Body]

_STALE = frozenset((Outcome.RESET, Outcome.CLOSED_WITHOUT_RESPONSE, Outcome.SEND_RESET))


class HttpProbe:
    """Probes one HTTP target; with keep-alive it holds the connections that are idle."""

    kind = "http"

    def __init__(self, target: Target, dialer: Dialer) -> None:
        self._target = target
        self._dialer = dialer
        self._request = request_of(target)
        self._keep_body = needs_body(target.expect.body)
        self._idle: list[Link] = []

    async def run(self, trace: Trace, deadline: int) -> None:
        """One attempt, noted in `trace`; Failure unless the answer is the expected one."""
        request = self._request
        for _ in range(self._target.max_redirects + 1):
            head, body = await self._exchange(request, trace, deadline)
            following = redirected(request, head)
            if following is None or len(trace.redirects) == self._target.max_redirects:
                break
            trace.redirects += (following.url,)
            request = following
        self._judge(head, body)

    def close(self) -> None:
        """Close the idle connections."""
        for link in self._idle:
            link.stream.close()
        self._idle.clear()

    async def _exchange(self, request: Request, trace: Trace, deadline: int) -> Answer:
        """Send `request` and read its answer, over an idle connection if there is one."""
        link = self._take_idle() if request is self._request else None
        if link is not None:
            try:
                trace.reused = True
                return await self._exchange_over(link, request, trace, deadline)
            except Failure as failure:
                # The server had closed the idle connection while the request was on its way:
                # what every client does then is to try once on a fresh one.
                if failure.outcome not in _STALE:
                    raise
                trace.phases.clear()
                trace.reused = False
        link = await self._dialer.open(request.host, request.port, request.secure, trace, deadline)
        return await self._exchange_over(link, request, trace, deadline)

    async def _exchange_over(
        self, link: Link, request: Request, trace: Trace, deadline: int
    ) -> Answer:
        trace.peer, trace.local, trace.tls = link.peer, link.local, link.tls
        keep = False
        try:
            reader = ResponseReader(
                request.method,
                self._target.limits,
                Body(self._target.limits.body_bytes, self._keep_body),
            )
            answer = await _talk(link.stream, request, reader, trace, deadline)
            # Where a redirect has led is not worth a connection that is kept.
            keep = request.keepalive and reader.reusable and request is self._request
        finally:
            if keep:
                self._idle.append(link)
            else:
                link.stream.close()
        return answer

    def _take_idle(self) -> Link | None:
        """An idle connection that the server has not closed yet."""
        while self._idle:
            link = self._idle.pop()
            if link.stream.is_quiet():
                return link
            link.stream.close()
        return None

    def _judge(self, head: Head, body: Body) -> None:
        expect = self._target.expect
        if not status_matches(expect.status, head.status):
            wanted = " or ".join(expect.status)
            raise Failure(Outcome.STATUS_MISMATCH, f"status {head.status}, expected {wanted}")
        if self._keep_body:
            reason = body_mismatch(expect.body, body.kept())
            if reason is not None:
                raise Failure(Outcome.BODY_MISMATCH, reason)


async def _talk(
    stream: Stream | SecureStream,
    request: Request,
    reader: ResponseReader,
    trace: Trace,
    deadline: int,
) -> Answer:
    """Send `request` and read its answer."""
    trace.enter("send")
    try:
        await stream.send(request.wire, deadline)
    except Failure as unsent:
        # A server may answer (413, 400) and close without reading all of the request.
        before = dict(trace.phases)
        try:
            return await _read(stream, reader, trace, deadline)
        except Failure as unread:
            trace.enter(None)
            trace.phases = {**before, "send": trace.phases["send"]}
            if unread.outcome is Outcome.TLS_ERROR:  # The reason for both, and the earlier hop.
                raise
            raise unsent from unread
    return await _read(stream, reader, trace, deadline)


async def _read(
    stream: Stream | SecureStream, reader: ResponseReader, trace: Trace, deadline: int
) -> Answer:
    """Read one answer from `stream` into `reader`: the phases wait and transfer."""
    trace.enter("wait")
    data = await stream.receive("wait", deadline)
    if not data:
        raise Failure(Outcome.CLOSED_WITHOUT_RESPONSE, "connection closed before any answer")
    trace.enter("transfer")
    trace.body = reader.body
    try:
        reader.feed(data)
        while reader.head is None or not reader.complete:
            data = await stream.receive("transfer", deadline)
            if data:
                reader.feed(data)
            else:
                reader.end()
        return reader.head, reader.body
    finally:
        # Closing the connection is no part of the transfer.
        trace.enter(None)
        trace.head = reader.head
