"""KIngress status follows what was probed, in whatever order changes and versions come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from infra.embedded.changes import Event
from infra.embedded.clock import Clock
from infra.embedded.gateway.ingresses import Ingresses, IngressStatus
from infra.embedded.gateway.prober import Listeners
from infra.embedded.gateway.routes import routing
from infra.embedded.kinds import KINGRESS
from infra.embedded.store import Obj, Store, copy
from tests.support.kingress import ingress, split

HOSTS = ingress(split("any", 100))["spec"]["rules"]


class ProbedEnvoy:
    """Answers probes with the version that it was given last."""

    def __init__(self) -> None:
        self.version = ""
        self.asked = 0
        self.address = ("127.0.0.1", 0)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        async with server:
            self.address = server.sockets[0].getsockname()
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(f"HTTP/1.1 200 OK\r\nK-Network-Hash: {self.version}\r\n\r\n".encode())
        writer.close()


async def eventually(ask: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not ask():
            await asyncio.sleep(0.005)


def event(obj: Obj, old: Obj | None = None) -> Event:
    return Event("MODIFIED" if old else "ADDED", KINGRESS, obj, old, b"", 0)


def ready(store: Store) -> tuple[int, str]:
    """The generation that the status is of, and whether it is served."""
    status = store.get(KINGRESS, "default", "hello").get("status") or {}
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    found = next((c["status"] for c in conditions if c["type"] == "Ready"), "")
    return status.get("observedGeneration", 0), found


def run(story: Callable[[Store, Ingresses, ProbedEnvoy], Awaitable[None]]) -> None:
    async def whole() -> None:
        envoy, store = ProbedEnvoy(), Store(Clock(1.0))
        async with envoy.serve():
            status = IngressStatus(store, store.clock, lambda: Listeners(*[envoy.address] * 2))
            await story(store, Ingresses(status), envoy)
            status.stop()

    asyncio.run(whole())


def test_a_change_while_envoy_is_given_its_predecessor() -> None:
    """The second generation is not served because the first one is."""

    async def story(store: Store, ingresses: Ingresses, envoy: ProbedEnvoy) -> None:
        first = store.create(KINGRESS, ingress(split("hello-00001", 100)))
        ingresses.changed(event(first))
        given = dict(ingresses.routings)  # Envoy is being given these
        new = copy(store.get(KINGRESS, "default", "hello"))
        new["spec"] = ingress(split("hello-00002", 100))["spec"]
        second = store.update(KINGRESS, new)
        ingresses.changed(event(second, first))
        envoy.version = given["default/hello"].version
        ingresses.served(given)
        await eventually(lambda: envoy.asked >= len(HOSTS))
        assert ready(store) == (0, "")
        wanted = dict(ingresses.routings)
        ingresses.served(wanted)
        await eventually(lambda: ready(store) == (2, "Unknown"))
        envoy.version = wanted["default/hello"].version
        await eventually(lambda: ready(store) == (2, "True"))

    run(story)


def test_the_same_version_is_probed_once() -> None:
    async def story(store: Store, ingresses: Ingresses, envoy: ProbedEnvoy) -> None:
        ingresses.changed(event(store.create(KINGRESS, ingress(split("hello-00001", 100)))))
        envoy.version = ingresses.routings["default/hello"].version
        ingresses.served(ingresses.routings)
        await eventually(lambda: ready(store) == (1, "True"))
        revision = store.revision
        ingresses.served(ingresses.routings)
        await asyncio.sleep(0)
        assert store.revision == revision

    run(story)


def test_a_host_belongs_to_the_oldest() -> None:
    """A tag of `hello` and a service may come to the same host: Envoy refuses both together."""

    async def story(store: Store, ingresses: Ingresses, envoy: ProbedEnvoy) -> None:
        first = store.create(KINGRESS, ingress(split("hello-00001", 100)))
        other = ingress(split("a-hello-00001", 100))
        other["metadata"]["name"] = "z-later"
        later = store.create(KINGRESS, other)
        for one in (later, first):
            ingresses.changed(event(one))
        assert list(ingresses.compatible()) == ["default/hello"]
        conditions = store.get(KINGRESS, "default", "z-later")["status"]["conditions"]
        assert {c["reason"] for c in conditions if c["status"] == "False"} == {"DomainConflict"}
        ingresses.changed(Event("DELETED", KINGRESS, first, first, b"", 0))
        assert list(ingresses.compatible()) == ["default/z-later"]

    run(story)


@pytest.mark.parametrize("host", [None, 1, "", "a b", "a\n", "*", {}])
def test_a_host_that_envoy_would_refuse(host: object) -> None:
    odd = ingress(split("hello-00001", 100))
    odd["spec"]["rules"][0]["hosts"] = [host]
    with pytest.raises((TypeError, ValueError)):
        routing(odd)
