"""The gateway: Envoy, programmed from KIngress objects and ready pods, and probed."""

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping

from infra.embedded.address import can_bind, listen
from infra.embedded.autoscaler.metrics import RevisionLoad
from infra.embedded.clock import Clock
from infra.embedded.gateway import backends, kourier, load, probe_answers, tls
from infra.embedded.gateway.activator import Activator
from infra.embedded.gateway.backends import Limits
from infra.embedded.gateway.envoy import EXTERNAL, INTERNAL
from infra.embedded.gateway.ingresses import IngressStatus
from infra.embedded.gateway.prober import Listeners
from infra.embedded.gateway.process import Envoy
from infra.embedded.gateway.programmer import Programmer
from infra.embedded.gateway.routes import Routing, routing
from infra.embedded.gateway.settings import GatewaySettings
from infra.embedded.kinds import KINGRESS, POD, SKS
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.store import Event, Obj, Store

INTERNAL_PORT = 80
_TRIES, _PAUSE = 20, 0.02
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
        self._programmer = Programmer(folder, f"{self._sockets}/probes")
        self._activator = Activator(f"{self._sockets}/revision", network)
        self._load = load.Load()
        self._status = IngressStatus(store, clock, lambda: self.listeners)
        self._dirty = asyncio.Event()
        self._ingresses: dict[str, Obj] = {}
        self._routings: dict[str, Routing] = {}  # of those that are not being deleted
        self._limits: dict[str, Limits] = {}  # of the backends that Envoy has
        self._pods = backends.ReadyPods()
        self._names: tuple[str, ...] = ()  # of the certificate
        self.http_port = 0
        self.https_port: int | None = None

    async def start(self) -> None:
        """Start Envoy and have it listen; raises EnvoyError and OSError."""
        self._probes = await probe_answers.serve(f"{self._sockets}/probes")
        bootstrap = self._programmer.bootstrap(f"{self._sockets}/admin")
        address, network = self._settings.address, self._network
        self.http_port = await _choose(address, self._settings.http_port)
        internal = (network.node, INTERNAL_PORT)
        reach = network.node
        if network.mode != "netns" or not can_bind(*internal):
            internal, reach = (address, await _choose(address, 0)), kourier.INTERNAL_ADDRESS
            network.forwards[reach, INTERNAL_PORT] = internal
        if self._settings.https_port is not None and self._settings.authority is not None:
            self.https_port = await _choose(address, self._settings.https_port)
            self._certify([])
        self.listeners = Listeners((address, self.http_port), internal)
        self._listen()
        await self._envoy.start(bootstrap)
        kourier.ensure(
            self._store,
            internal=reach,
            public=address,
            ports=(self.http_port, self.https_port),
        )

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
        self._probes.close()
        await self._envoy.stop()

    def stats(self) -> Mapping[tuple[str, str], RevisionLoad]:
        """See `infra.embedded.autoscaler.metrics.LoadSource`."""
        return self._load.stats(self._clock.monotonic())

    def on_buffered(self, callback: Callable[[str, str], None]) -> None:
        """See `infra.embedded.autoscaler.metrics.LoadSource`."""
        self._activator.on_buffered(callback)

    def _listen(self) -> None:
        address, addresses = self._settings.address, (self._network.node, self._network.activator)
        make = self._programmer.listener
        listeners = [
            make("http", (address, self.http_port), EXTERNAL, addresses),
            make("internal", self.listeners.internal, INTERNAL, addresses),
        ]
        if self.https_port is not None:
            listeners.append(make("https", (address, self.https_port), EXTERNAL, addresses))
        self._programmer.write_listeners(listeners)

    def _certify(self, routings: Iterable[Routing]) -> None:
        """Keep a certificate that fits every external host."""
        authority = self._settings.authority
        rules = (rule for one in routings for rule in one.rules if rule.external)
        names = tls.names((host for rule in rules for host in rule.hosts), self._settings.address)
        if authority is not None and names != self._names:
            self._names = names
            pair = tls.certificate(authority, names, tls.Flaw.NONE, self._clock)
            self._programmer.secret(pair.certificate, pair.key)

    async def _watch(self) -> None:
        async for event in self._store.watch(KINGRESS, SKS, POD):
            if event.kind is KINGRESS:
                self._ingress_changed(event)
            elif event.kind is POD:
                revision = self._pods.update(event)
                if revision in self._limits:
                    await self._endpoints(revision, self._limits[revision])
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
            await self._program()

    async def _program(self) -> None:
        """Bring Envoy's files up to date: endpoints, then backends, then the routes to them."""
        routings, before = dict(self._routings), self._limits
        names = {split.cluster for one in routings.values() for split in one.splits}
        limits = self._limits = {
            name: backends.limits(self._store, *name.split("/")) for name in sorted(names)
        }
        for name, limit in limits.items():
            if before.get(name) != limit:
                await self._endpoints(name, limit)
        self._certify(routings.values())
        self._programmer.clusters({**before, **limits})
        self._programmer.routes(routings, limits)
        self._programmer.clusters(limits)
        for name in before.keys() - limits.keys():
            self._activator.forget(name)
            namespace, _, revision = name.partition("/")
            self._load.forget((namespace, revision))
        self._report(routings)

    def _report(self, routings: Mapping[str, Routing]) -> None:
        """Probe what is new, and let go of what is no longer served."""
        for key, one in routings.items():
            if (ingress := self._ingresses.get(key)) is not None:
                self._status.probe(key, one, ingress["metadata"]["generation"])
        for key, ingress in tuple(self._ingresses.items()):
            if "deletionTimestamp" in ingress["metadata"]:
                self._status.forget(key)
                self._status.release(ingress)

    async def _endpoints(self, name: str, limit: Limits) -> None:
        """Ready pods; the activator where there is none, and where it has to count requests."""
        pods = self._pods.of(name)
        gate = await self._activator.revision(name)
        gate.update(pods, limit.concurrency)
        if pods and not limit.concurrency:
            self._programmer.endpoints(name, [await self._network.expose(*pod) for pod in pods])
        else:
            self._programmer.endpoints(name, [self._activator.socket(name)])

    async def _sample(self) -> None:
        while True:
            busy = self._load.sample(await self._envoy.get(load.QUERY))
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


async def _choose(address: str, port: int) -> int:
    """The port where it can be bound, if need be in a moment; else a free one."""
    for _ in range(_TRIES):
        if not _is_busy(address, port):
            break
        await asyncio.sleep(_PAUSE)  # a server that was killed here may still be ending
    with listen(address, port) as probe:
        chosen: int = probe.getsockname()[1]
        return chosen


def _is_busy(address: str, port: int) -> bool:
    """Whether somebody listens there (a port that is forbidden to us is not busy)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
        return False
