"""The gateway: Envoy, programmed from KIngress objects and ready pods, and probed."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping

from infra.embedded.autoscaler.metrics import RevisionLoad
from infra.embedded.clock import Clock
from infra.embedded.gateway import backends, kourier, load, probe_answers
from infra.embedded.gateway.activator import Activator
from infra.embedded.gateway.backends import Limits
from infra.embedded.gateway.faults import GatewayFaults, serve_truncated
from infra.embedded.gateway.front import Front
from infra.embedded.gateway.ingresses import IngressStatus
from infra.embedded.gateway.prober import Listeners
from infra.embedded.gateway.process import Envoy
from infra.embedded.gateway.programmer import Programmer
from infra.embedded.gateway.routes import Routing, routing
from infra.embedded.gateway.settings import GatewaySettings
from infra.embedded.kinds import KINGRESS, POD, SKS
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.store import Event, Obj, Store

_log = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0  # until a backend that no route leads to is taken away
_TRIES, _PAUSE = 500, 0.002
SETTLE_SECONDS = 0.003  # changes come in groups: one version of the files for each group


class Gateway:
    """`start`, then `run` until cancelled, then `stop`."""

    def __init__(
        self, store: Store, clock: Clock, settings: GatewaySettings, network: PodNetwork
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._network = network
        folder = settings.state_dir / "gateway"
        # Of this process alone: a predecessor's Envoy may take a moment to die.
        self._sockets = f"@vpm-{secrets.token_hex(6)}"
        self._envoy = Envoy(folder, f"{self._sockets}/admin")
        self._programmer = Programmer(
            folder, f"{self._sockets}/probes", f"{self._sockets}/truncator"
        )
        self._front = Front(clock, settings, network, self._programmer)
        self._faults = GatewayFaults()
        self._servers: list[asyncio.Server] = []
        self._activator = Activator(f"{self._sockets}/revision", network)
        self._load = load.Load()
        self._status = IngressStatus(store, clock, lambda: self._front.probed)
        self._dirty = asyncio.Event()
        self._programming = asyncio.Lock()
        self._ingresses: dict[str, Obj] = {}
        self._routings: dict[str, Routing] = {}  # of those that are not being deleted
        self._limits: dict[str, Limits] = {}  # of the backends that Envoy has
        self._pods = backends.ReadyPods()
        self._moved: set[str] = set()  # backends whose pods have changed since the last version
        self._leaving: set[str] = set()  # backends that routes in use may still lead to

    async def start(self) -> None:
        """Start Envoy and have it listen; raises EnvoyError and OSError."""
        self._servers = [
            await probe_answers.serve(self._programmer.activator),
            await serve_truncated(self._programmer.truncator),
        ]
        bootstrap = self._programmer.bootstrap(f"{self._sockets}/admin")
        await self._front.open()
        await self._envoy.start(bootstrap)
        kourier.ensure(
            self._store,
            internal=self._front.internal_service,
            public=self._settings.address,
            ports=(self.http_port, self.https_port),
        )

    @property
    def http_port(self) -> int:
        return self.listeners.external[1]

    @property
    def https_port(self) -> int | None:
        return self._front.https_port

    @property
    def listeners(self) -> Listeners:
        """Where the gateway is reached."""
        return self._front.listeners

    async def break_(self, faults: GatewayFaults) -> None:
        """Take these faults instead of the earlier ones; raises OSError."""
        self._faults = faults
        async with self._programming:
            await self._program()
        await self._front.break_(faults)

    async def run(self) -> None:
        """Follow KIngresses, revisions and pods until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._program_forever())
            group.create_task(self._sample())

    async def stop(self) -> None:
        """End Envoy and everything that waits on it."""
        self._status.stop()
        self._activator.close()
        for server in self._servers:
            server.close()
        self._front.close()
        await self._envoy.stop()

    def stats(self) -> Mapping[tuple[str, str], RevisionLoad]:
        """See `infra.embedded.autoscaler.metrics.LoadSource`."""
        return self._load.stats(self._clock.monotonic())

    def on_buffered(self, callback: Callable[[str, str], None]) -> None:
        """See `infra.embedded.autoscaler.metrics.LoadSource`."""
        self._activator.on_buffered(callback)

    async def _watch(self) -> None:
        async for event in self._store.watch(KINGRESS, SKS, POD):
            if event.kind is KINGRESS:
                self._ingress_changed(event)
            elif event.kind is POD:
                await self._pods_changed(self._pods.update(event))
            elif event.old is not None and event.old["spec"] != event.obj["spec"]:
                self._dirty.set()  # the activator has come into the path, or left it

    def _ingress_changed(self, event: Event) -> None:
        meta = event.obj["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        if event.type == "DELETED":
            self._ingresses.pop(key, None)
            self._routings.pop(key, None)
            self._status.forget(key)
        else:
            self._status.hold(event.obj)
            self._ingresses[key] = event.obj
            if "deletionTimestamp" in meta:
                self._routings.pop(key, None)
            elif event.type == "ADDED" or _matters(event):
                self._routings[key] = routing(event.obj)
        if event.type != "MODIFIED" or _matters(event):
            self._dirty.set()

    async def _program_forever(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            self._dirty.clear()
            async with self._programming:
                await self._program()

    async def _program(self) -> None:
        """Bring Envoy's files up to date: backends, then the routes to them."""
        routings, before = dict(self._routings), self._limits
        names = {split.cluster for one in routings.values() for split in one.splits}
        limits = self._limits = {
            name: backends.limits(self._store, *name.split("/")) for name in sorted(names)
        }
        for name, limit in limits.items():
            if name in self._moved or before.get(name) != limit:
                await self._place(name, limit)
        self._moved.clear()
        self._front.certify(routings.values())
        self._leaving |= before.keys() - limits.keys()
        await self._write_clusters(self._leaving | names, wait=bool(limits.keys() - before.keys()))
        self._programmer.routes(routings, limits, self._faults.apps)
        if leaving := self._leaving - names:
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._leave, leaving)
        self._report(routings)

    async def _write_clusters(self, names: set[str], *, wait: bool) -> None:
        """Write the backends; with `wait` return when Envoy has them, so that routes may follow."""
        try:
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

    def _leave(self, names: set[str]) -> None:
        """Nothing has led to these backends for a while."""
        for name in names - self._limits.keys():
            self._activator.forget(name)
            namespace, _, revision = name.partition("/")
            self._load.forget((namespace, revision))
            self._leaving.discard(name)
            self._dirty.set()

    def _report(self, routings: Mapping[str, Routing]) -> None:
        """Probe what is new, and let go of what is no longer served."""
        for key, one in routings.items():
            if (ingress := self._ingresses.get(key)) is not None:
                self._status.probe(key, one, ingress["metadata"]["generation"])
        for key, ingress in tuple(self._ingresses.items()):
            if "deletionTimestamp" in ingress["metadata"]:
                self._status.forget(key)
                self._status.release(ingress)

    async def _pods_changed(self, name: str | None) -> None:
        """The ready pods of a revision have changed: the activator is told at once."""
        limit = self._limits.get(name or "")
        if name is not None and limit is not None:
            gate = await self._activator.revision(name)
            gate.update(self._pods.of(name), limit.concurrency)
            self._moved.add(name)
            self._dirty.set()

    async def _place(self, name: str, limit: Limits) -> None:
        """Ready pods; the activator where there is none, and where it has to count requests."""
        pods = self._pods.of(name)
        gate = await self._activator.revision(name)
        gate.update(pods, limit.concurrency)
        if pods and not limit.concurrency:
            reached = [await self._network.expose(*pod) for pod in pods]
            self._programmer.backend(name, limit, reached)
        else:
            self._programmer.backend(name, limit, [self._activator.socket(name)])

    async def _sample(self) -> None:
        while True:
            busy = False
            try:
                busy = self._load.sample(await self._envoy.get(load.QUERY))
            except OSError:
                await self._envoy.revive()
            await load.pause(busy=busy)


def _matters(event: Event) -> bool:
    """Whether a change of a KIngress is one of what it asks for."""
    old = event.old
    return (
        old is None
        or old["spec"] != event.obj["spec"]
        or ("deletionTimestamp" in event.obj["metadata"])
        != ("deletionTimestamp" in old["metadata"])
    )
