"""Envoy's clusters: one for each backend that routes lead to, with the pods that answer for it."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from infra.embedded.gateway import backends
from infra.embedded.gateway.activator import Activator
from infra.embedded.gateway.backends import Limits
from infra.embedded.gateway.plain import PlainServices, is_plain
from infra.embedded.gateway.process import Envoy
from infra.embedded.gateway.programmer import Programmer
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.store import Event, Store

_log = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0  # until a backend that no route leads to is taken away
_TRIES, _PAUSE = 500, 0.002


class Clusters:
    """Keeps the backends; `forget` is told of each that has gone, `dirty` set for more work."""

    def __init__(
        self,
        store: Store,
        network: PodNetwork,
        activator: Activator,
        programmer: Programmer,
        envoy: Envoy,
        dirty: asyncio.Event,
        forget: Callable[[str], None],
        services: PlainServices,
    ) -> None:
        self._network = network
        self._activator = activator
        self._programmer = programmer
        self._envoy = envoy
        self._dirty = dirty
        self._forget = forget
        self._services = services
        self._pods = backends.ReadyPods()
        self._moved: set[str] = set()  # backends whose pods have changed since the last version
        self._leaving: set[str] = set()  # backends that routes in use may still lead to
        self._read = backends.LimitsReader(store)
        self._activated = True  # the activator takes requests
        self.limits: Mapping[str, Limits] = {}

    def turn_activator(self, *, on: bool) -> None:
        """Lead requests through the activator, or to nobody where they would pass it."""
        if on != self._activated:
            self._activated = on
            self._moved |= set(self.limits)
            self._dirty.set()

    async def pod_changed(self, event: Event) -> None:
        """A pod has changed: the activator is told at once, Envoy with the next version."""
        name = self._pods.update(event)
        if name is not None and name in self.limits:
            gate = await self._activator.revision(name)
            limit = self.limits[name]
            gate.update(self._pods.of(name), limit.concurrency, limit.paused)
            self._moved.add(name)
            self._dirty.set()

    async def update(self, names: set[str]) -> None:
        """Have Envoy know these backends; returns when it does, so that routes may follow."""
        before, (moved, self._moved) = self.limits, (self._moved, set())
        plain = {name for name in names if is_plain(name)}
        revisions = self._read.all(names - plain)
        self.limits = {**revisions, **{name: self._services.limits(name) for name in plain}}
        try:
            for name, limit in revisions.items():
                if name in moved or before.get(name) != limit:
                    await self._place(name, limit)
            for name in plain:
                reached = [await self._network.expose(*at) for at in self._services.behind(name)]
                self._programmer.backend(name, self.limits[name], reached)
        except BaseException:
            self._moved |= names  # the next version places them all
            raise
        for name in before.keys() - names:
            self._leaving.add(name)
            self._activator.leave(name)
        await self._write(self._leaving | names, wait=bool(names - before.keys()))
        if leaving := self._leaving - names:
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._leave, leaving)

    def _leave(self, names: set[str]) -> None:
        """Nothing has led to these backends for a while."""
        for name in names - self.limits.keys():
            self._activator.forget(name)
            self._forget(name)
            self._leaving.discard(name)
            self._dirty.set()

    async def _place(self, name: str, limit: Limits) -> None:
        """Ready pods; the activator where there is none, and where it has to count requests."""
        pods = self._pods.of(name)
        gate = await self._activator.revision(name)
        gate.update(pods, limit.concurrency, limit.paused)
        passes = limit.activator or limit.one_by_one or not pods
        if passes and not self._activated:
            self._programmer.backend(name, limit, [])
        elif pods and not limit.one_by_one:
            reached = [await self._network.expose(*pod) for pod in pods]
            self._programmer.backend(name, limit, reached)
        else:
            self._programmer.backend(name, limit, [self._activator.socket(name)])

    async def _write(self, names: set[str], *, wait: bool) -> None:
        try:
            wait = wait and self._envoy.running
            taken = await self._envoy.cluster_updates() if wait else 0
            if self._programmer.clusters(names) and wait:
                for _ in range(_TRIES):
                    if await self._envoy.cluster_updates() > taken:
                        return
                    await asyncio.sleep(_PAUSE)
                _log.warning("Envoy does not take its clusters")
        except OSError as error:  # it ended: when it is back it reads what is written
            _log.warning("Envoy does not answer: %s", error)
            self._programmer.clusters(names)
