"""The gateway: Envoy, programmed from KIngress objects and ready pods, and probed."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

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
from infra.embedded.kinds import KINGRESS, POD, REVISION, SKS
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.store import Event, Obj, Store

INTERNAL_PORT = 80


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
        identity = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
        self._sockets = f"@vpm-{identity}"
        self._envoy = Envoy(folder, f"{self._sockets}/admin")
        self._programmer = Programmer(folder, f"{self._sockets}/probes")
        self._activator = Activator(f"{self._sockets}/revision", network)
        self._load = load.Load()
        self._status = IngressStatus(store, clock, lambda: self.listeners)
        self._dirty = asyncio.Event()
        self._ingresses: dict[str, Obj] = {}
        self._backends: set[str] = set()  # of which Envoy has a cluster
        self._names: tuple[str, ...] = ()  # of the certificate
        self.http_port = 0
        self.https_port: int | None = None

    async def start(self) -> None:
        """Start Envoy and have it listen; raises EnvoyError and OSError."""
        self._probes = await probe_answers.serve(f"{self._sockets}/probes")
        bootstrap = self._programmer.bootstrap(f"{self._sockets}/admin")
        address, network = self._settings.address, self._network
        self.http_port = _choose(address, self._settings.http_port)
        internal = (network.node, INTERNAL_PORT)
        reach = network.node
        if network.mode != "netns" or not can_bind(*internal):
            internal, reach = (address, _choose(address, 0)), kourier.INTERNAL_ADDRESS
            network.forwards[reach, INTERNAL_PORT] = internal
        if self._settings.https_port is not None and self._settings.authority is not None:
            self.https_port = _choose(address, self._settings.https_port)
            self._certify(())
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

    def _certify(self, hosts: tuple[str, ...]) -> None:
        names = tls.names(hosts, self._settings.address)
        if self._settings.authority is None or names == self._names:
            return
        self._names = names
        pair = tls.certificate(self._settings.authority, names, tls.Flaw.NONE, self._clock)
        self._programmer.secret(pair.certificate, pair.key)

    async def _watch(self) -> None:
        async for event in self._store.watch(KINGRESS, REVISION, SKS, POD):
            if event.kind is KINGRESS:
                self._ingress_changed(event)
            elif event.kind is POD:
                await self._pod_changed(event)
            else:
                self._dirty.set()

    def _ingress_changed(self, event: Event) -> None:
        meta = event.obj["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        if event.type == "DELETED":
            self._ingresses.pop(key, None)
            self._status.forget(key)
        else:
            self._status.hold(event.obj)
            self._ingresses[key] = event.obj
        if event.type != "MODIFIED" or _matters(event):
            self._dirty.set()

    async def _pod_changed(self, event: Event) -> None:
        meta = event.obj["metadata"]
        revision = (meta.get("labels") or {}).get(backends.REVISION_LABEL)
        if revision is None:
            return
        before = event.old is not None and backends.is_ready(event.old)
        now = event.type != "DELETED" and backends.is_ready(event.obj)
        if before != now and (name := f"{meta['namespace']}/{revision}") in self._backends:
            await self._endpoints(name, self._limits(name))

    def _limits(self, name: str) -> Limits:
        namespace, _, revision = name.partition("/")
        return backends.limits(self._store, namespace, revision)

    async def _program_forever(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._program()

    async def _program(self) -> None:
        """Bring Envoy's files up to date: endpoints, then backends, then the routes to them."""
        live = {
            key: obj
            for key, obj in self._ingresses.items()
            if "deletionTimestamp" not in obj["metadata"]
        }
        routings: dict[str, Routing] = {key: routing(obj) for key, obj in live.items()}
        names = {split.cluster for one in routings.values() for split in one.splits}
        limits = {name: self._limits(name) for name in sorted(names)}
        for name, limit in limits.items():
            await self._endpoints(name, limit)
        hosts = [
            h for r in routings.values() for rule in r.rules if rule.external for h in rule.hosts
        ]
        self._certify(tuple(hosts))
        added = names - self._backends
        if added:
            self._programmer.clusters(limits)
        self._programmer.routes(routings, limits)
        self._programmer.clusters(limits)
        for name in self._backends - names:
            self._activator.forget(name)
            namespace, _, revision = name.partition("/")
            self._load.forget((namespace, revision))
        self._backends = names
        for key, one in routings.items():
            self._status.probe(key, one, live[key]["metadata"]["generation"])
        for key in self._ingresses.keys() - live.keys():
            self._status.forget(key)
            self._status.release(self._ingresses[key])

    async def _endpoints(self, name: str, limit: Limits) -> None:
        """Ready pods; the activator where there is none, and where it has to count requests."""
        namespace, _, revision = name.partition("/")
        pods = backends.ready_pods(self._store, namespace, revision)
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


def _choose(address: str, port: int) -> int:
    """The port where it can be bound, else a free one."""
    with listen(address, port) as probe:
        chosen: int = probe.getsockname()[1]
        return chosen
