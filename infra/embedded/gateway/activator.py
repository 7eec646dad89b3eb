"""The activator: holds requests of a revision until a pod can take them.

Envoy hands it requests over sockets, one socket per revision, so it needs to know nothing about
what it carries: it waits, connects to a pod, and passes bytes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.embedded.gateway import idle
from infra.embedded.kubelet import relay
from infra.embedded.kubelet.network import PodNetwork

Pod = tuple[str, int]  # address and port of an app
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_log = logging.getLogger(__name__)

QUEUE_LENGTH = 10_000  # requests held for one revision
_RETRY_SECONDS = 0.02  # a pod that was ready refuses: it is on its way out, or not yet back
_TRIES = 50

OVERLOADED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"X-Content-Type-Options: nosniff\r\nContent-Length: 27\r\nConnection: close\r\n\r\n"
    b"pending request queue full\n"
)


class RevisionGone(Exception):
    """The revision that a request waits for has been deleted."""


def not_found(name: str) -> bytes:
    """The activator's answer for a revision that does not exist (recorded in 05-gateway)."""
    revision = name.rpartition("/")[2]
    body = f'Error getting active endpoint: revision.serving.knative.dev "{revision}" not found\n'
    return (
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}"
    ).encode()


@dataclass(slots=True)
class Throttle:
    """Which pod takes the next request: the least busy one below its limit."""

    limit: int = 0  # requests at a time in one pod; 0 means any number
    in_flight: dict[Pod, int] = field(default_factory=dict)

    def set_pods(self, pods: Sequence[Pod]) -> None:
        """The pods that are ready now; requests of others go on."""
        self.in_flight = {pod: self.in_flight.get(pod, 0) for pod in pods}

    def pick(self) -> Pod | None:
        """The pod for the next request, which then counts; None when all are busy."""
        free = [pod for pod, n in self.in_flight.items() if not self.limit or n < self.limit]
        if not free:
            return None
        pod = min(free, key=lambda pod: self.in_flight[pod])
        self.in_flight[pod] += 1
        return pod

    def done(self, pod: Pod) -> None:
        """A request of this pod has ended."""
        if pod in self.in_flight:
            self.in_flight[pod] -= 1


class Revision:
    """One revision's requests."""

    def __init__(self, name: str, network: PodNetwork, on_buffered: Callable[[], None]) -> None:
        self._name = name
        self._gone = False
        self._network = network
        self._on_buffered = on_buffered
        self._waiting: list[asyncio.Future[Pod]] = []
        self.throttle = Throttle()
        self._idle = 0.0
        self.server: asyncio.Server | None = None

    def update(self, pods: Sequence[Pod], limit: int, idle: float = 0.0) -> None:
        """The ready pods, how many requests each takes at a time, and the idle timeout."""
        self._gone = False
        self._idle = idle
        self.throttle.limit = limit
        if self.throttle.in_flight.keys() != set(pods):
            _log.debug("%s: ready pods: %s", self._name, ", ".join(f"{a}:{p}" for a, p in pods)
                       or "none")  # fmt: skip
        self.throttle.set_pods(pods)
        self._hand_out()

    def leave(self) -> None:
        """The revision has been deleted: nobody need wait for it any longer."""
        self._gone = True
        for future in self._waiting:
            if not future.done():
                future.set_exception(RevisionGone())
        self._waiting.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of Envoy."""
        if len(self._waiting) >= QUEUE_LENGTH:
            writer.write(OVERLOADED)
            writer.close()
            return
        first = asyncio.ensure_future(reader.read(relay.BLOCK))
        try:
            await self._serve(first, (reader, writer))
        except OSError:
            writer.transport.abort()
        except RevisionGone:
            writer.write(not_found(self._name))
            writer.close()
        finally:
            first.cancel()

    async def _serve(self, first: "asyncio.Future[bytes]", near: Streams) -> None:
        data = await first
        if not data:
            near[1].close()
            return
        if not self.throttle.in_flight:
            self._on_buffered()
        gone = asyncio.ensure_future(near[0].read(relay.BLOCK))
        try:
            await self._hand_over(data, near, gone)
        finally:
            gone.cancel()

    async def _hand_over(self, data: bytes, near: Streams, gone: "asyncio.Future[bytes]") -> None:
        """Have a pod answer the request that begins with `data`, as soon as one can take it."""
        for _ in range(_TRIES):
            pod = await self._wait_for_pod(gone)
            if pod is None:
                near[1].close()
                return
            try:
                far = await self._reach(pod)
                if far is not None:
                    far[1].write(data)
                    await _splice(near, far, gone, self._idle)
                    return
            finally:
                self._release(pod)
            await asyncio.sleep(_RETRY_SECONDS)
        raise ConnectionRefusedError("the revision's pods refuse connections")

    async def _reach(self, pod: Pod) -> Streams | None:
        try:
            return await asyncio.open_connection(sock=await self._network.dial(*pod))
        except OSError:
            return None

    async def _wait_for_pod(self, gone: "asyncio.Future[bytes]") -> Pod | None:
        """A pod that takes the request; None when the client went away (`gone` read no bytes)."""
        if (pod := self.throttle.pick()) is not None:
            return pod
        if self._gone:
            raise RevisionGone
        future: asyncio.Future[Pod] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            _log.debug("%s: requests wait for a pod that can take them", self._name)
        self._waiting.append(future)
        either: tuple[asyncio.Future[Any], ...] = (future, gone)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not future.done() and not gone.result():
                return None
            return await future
        except BaseException:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._release(future.result())  # nobody will use what was handed out
            raise
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def _release(self, pod: Pod) -> None:
        self.throttle.done(pod)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.pop(0)
                continue
            pod = self.throttle.pick()
            if pod is None:
                return
            self._waiting.pop(0).set_result(pod)


async def _splice(near: Streams, far: Streams, begun: Awaitable[bytes], limit: float) -> None:
    """Carry bytes both ways; a read from the near side has begun already.

    An answer that pauses for more than `limit` seconds is ended; 0 means never.
    """

    async def forward() -> None:
        if data := await begun:
            far[1].write(data)
            await relay.pump(near[0], far[1])
        elif far[1].can_write_eof():
            far[1].write_eof()

    try:
        back = idle.answer(far[0], near[1], limit) if limit else relay.pump(far[0], near[1])
        await _both(forward(), back)
    except ConnectionAbortedError:
        far[1].transport.abort()
    except OSError:
        near[1].transport.abort()
    finally:
        near[1].close()
        far[1].close()


async def _both(*directions: Coroutine[Any, Any, None]) -> None:
    """Run both directions; the first that fails ends the other."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


class Activator:
    """All revisions' sockets."""

    def __init__(self, prefix: str, network: PodNetwork) -> None:
        """`prefix` begins the names of the abstract sockets: `@...`."""
        self._prefix = prefix
        self._network = network
        self._revisions: dict[str, Revision] = {}
        self._callbacks: list[Callable[[str, str], None]] = []

    def on_buffered(self, callback: Callable[[str, str], None]) -> None:
        """Call back with namespace and revision when a request begins to wait for a pod."""
        self._callbacks.append(callback)

    def socket(self, name: str) -> str:
        """The socket of `namespace/revision` as Envoy writes it."""
        return f"{self._prefix}/{name}"

    async def revision(self, name: str) -> Revision:
        """The revision `namespace/revision`; its socket listens."""
        known = self._revisions.get(name)
        if known is None:
            known = self._revisions[name] = Revision(name, self._network, lambda: self._call(name))
            path = "\0" + self.socket(name).removeprefix("@")
            known.server = await asyncio.start_unix_server(known.accept, path, backlog=1024)
        return known

    def leave(self, name: str) -> None:
        """No route leads to the revision any longer: its requests need not wait."""
        if (revision := self._revisions.get(name)) is not None:
            revision.leave()

    def forget(self, name: str) -> None:
        """The revision is gone."""
        revision = self._revisions.pop(name, None)
        if revision is not None and revision.server is not None:
            revision.server.close()

    def close(self) -> None:
        for name in tuple(self._revisions):
            self.forget(name)

    def _call(self, name: str) -> None:
        namespace, _, revision = name.partition("/")
        for callback in self._callbacks:
            callback(namespace, revision)
