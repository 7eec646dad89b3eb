"""The gateway: Envoy, programmed from KIngress objects and ready pods, and probed."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from infra.embedded.autoscaler.metrics import RevisionLoad
from infra.embedded.clock import Clock
from infra.embedded.following import follow
from infra.embedded.gateway import kourier, load, probe_answers
from infra.embedded.gateway.activator import Activator
from infra.embedded.gateway.certificates import Certificates
from infra.embedded.gateway.clusters import Clusters
from infra.embedded.gateway.faults import Exposure, GatewayFaults, serve_truncated
from infra.embedded.gateway.front import Front
from infra.embedded.gateway.ingresses import PRIVATE, PUBLIC, Ingresses, IngressStatus
from infra.embedded.gateway.plain import PlainServices
from infra.embedded.gateway.process import Envoy, EnvoyError
from infra.embedded.gateway.programmer import Programmer
from infra.embedded.gateway.routes import Routing
from infra.embedded.gateway.settings import GatewaySettings
from infra.embedded.kinds import ENDPOINTSLICE, KINGRESS, POD, SECRET, SERVICE, SKS
from infra.embedded.kubelet.logs import ContainerLog
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.store import Event, Obj, Store

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
_FOLLOWED = (KINGRESS, SKS, POD, SERVICE, ENDPOINTSLICE, SECRET)
_SERVICE_NAME = "kubernetes.io/service-name"  # label of an EndpointSlice
_FAILED = 1
SETTLE_SECONDS = 0.003  # changes come in groups: one version of the files for each group
# A version costs in proportion to the number of hosts, so groups grow with what it costs: by this
# share of what the last version took beyond LONE_SECONDS.
SETTLE_SHARE, LONE_SECONDS = 2.0, 0.03


class Gateway:
    """`start`, then `run` until cancelled, then `stop`."""

    def __init__(
        self, store: Store, clock: Clock, settings: GatewaySettings, network: PodNetwork
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        folder = settings.state_dir / "gateway"
        # Of this process alone: a predecessor's Envoy may take a moment to die.
        self._sockets = f"@vpm-{secrets.token_hex(6)}"
        self._envoy = Envoy(f"{self._sockets}/admin")
        self._programmer = Programmer(
            folder, f"{self._sockets}/probes", f"{self._sockets}/truncator"
        )
        self._front = Front(clock, settings, network, self._programmer)
        self._faults = GatewayFaults()
        self._exposed = True  # by its Service
        self._presenting = asyncio.Lock()
        self._servers: list[asyncio.Server] = []
        self._turn = asyncio.Lock()  # one container after the other has Envoy
        self._live = asyncio.Event()  # Envoy serves
        self._confirmed = False
        self.failure: EnvoyError | None = None  # why Envoy was last not started
        self._activator = Activator(f"{self._sockets}/revision", network)
        self._load = load.Load()
        self._status = IngressStatus(store, clock, lambda: self._front.probed)
        self._dirty = asyncio.Event()
        self._following = asyncio.Event()  # the controller works
        self._following.set()
        self._programming = asyncio.Lock()
        self._ingresses = Ingresses(self._status)
        self._services = PlainServices(store, self._own_services)
        self._certificates = Certificates(store)
        self._clusters = Clusters(
            store,
            network,
            self._activator,
            self._programmer,
            self._envoy,
            self._dirty,
            self._load.forget,
            self._services,
        )

    async def start(self) -> None:
        """Choose the ports and write what Envoy starts with; raises OSError."""
        self._servers = [
            await probe_answers.serve(self._programmer.activator),
            await serve_truncated(self._programmer.truncator),
        ]
        self._bootstrap = self._programmer.bootstrap(f"{self._sockets}/admin")
        await self._front.open()
        self._ensure_services()

    async def hold(self, log: ContainerLog) -> int:
        """Have Envoy work until it ends, or until cancelled; returns its exit code.

        It is one process: where several containers hold it, the others wait for their turn.
        """
        async with self._turn:
            try:
                await self._begin(log)
                return await self._envoy.ended()
            except (EnvoyError, OSError) as error:
                log.write(str(error))
                self.failure = EnvoyError(f"{error}: see {log.path}")
                return _FAILED
            finally:
                self._live.clear()
                await self._envoy.stop()

    async def _begin(self, log: ContainerLog) -> None:
        await self._envoy.start(self._bootstrap, log.output)
        if not self._confirmed:
            await self._front.confirm(self._envoy)
            self._ensure_services()
            self._confirmed = True
        self.failure = None
        self._live.set()

    @property
    def live(self) -> bool:
        """Whether Envoy serves."""
        return self._live.is_set()

    async def check(self) -> str:
        """Why the gateway does not work; empty when Envoy serves and has its ports."""
        await self._live.wait()
        try:
            missing = await self._front.unheard(self._envoy)
        except OSError as error:
            return f"Envoy's admin interface: {error}"
        return f"Envoy does not listen: {', '.join(sorted(missing))}" if missing else ""

    def _ensure_services(self) -> None:
        kourier.ensure(
            self._store,
            internal=self._front.internal_service,
            public=self._settings.address,
            ports=(self.http_port, self.https_port),
        )

    @property
    def http_port(self) -> int:
        return self._front.listeners.external[1]

    @property
    def https_port(self) -> int | None:
        return self._front.https_port

    async def break_(self, faults: GatewayFaults) -> None:
        """Take these faults instead of the earlier ones; raises OSError."""
        self._faults = faults
        await self._program()
        await self._present()

    def turn_activator(self, on: bool) -> None:
        """Have the activator take requests, or not: what leads through it then finds nobody."""
        self._clusters.turn_activator(on=on)

    def turn_controller(self, on: bool) -> None:
        """Have Envoy follow the KIngresses, or stay as it is."""
        if on:
            self._following.set()
        else:
            self._following.clear()

    async def run(self) -> None:
        """Follow KIngresses, revisions and pods until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self._store, self._changed, *_FOLLOWED))
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

    async def _changed(self, event: Event) -> None:
        if event.kind is POD:
            await self._clusters.pod_changed(event)
        elif event.kind is SERVICE:
            self._backend_changed(event.obj, event.obj["metadata"]["name"])
            await self._service_changed(event)
        elif event.kind is SECRET:
            if self._certificates.concerns(event.obj):
                self._dirty.set()
        elif event.kind is ENDPOINTSLICE:
            labels = event.obj["metadata"].get("labels") or {}
            self._backend_changed(event.obj, labels.get(_SERVICE_NAME, ""))
        elif event.kind is KINGRESS:
            if self._ingresses.changed(event):
                self._dirty.set()
        elif event.old is not None and event.old["spec"] != event.obj["spec"]:
            self._dirty.set()  # the activator has come into the path, or left it

    def _complete(self, routing: Routing) -> bool:
        services = self._services.present(split.cluster for split in routing.splits)
        return self._certificates.present(routing) and services

    def _backend_changed(self, obj: Obj, service: str) -> None:
        if self._services.concerns(obj["metadata"]["namespace"], service):
            self._dirty.set()

    def _own_services(self) -> Mapping[str, tuple[str, int]]:
        """The gateway's own Services, as names that an ExternalName may have."""
        found = self._front.listeners
        return {PUBLIC: found.external, PRIVATE: found.internal}

    async def _service_changed(self, event: Event) -> None:
        exposed = event.type != "DELETED" and kourier.exposes(event.obj)
        if not kourier.is_external(event.obj) or exposed == self._exposed:
            return
        self._exposed = exposed
        try:
            await self._present()
        except OSError as error:
            _log.warning("the Service kourier was changed: %s", error)

    async def _present(self) -> None:
        """Show to the outside what faults and kourier's Service leave; raises OSError."""
        async with self._presenting:
            closed = replace(self._faults, exposure=Exposure.CLOSED)
            faults = self._faults if self._exposed else closed
            await self._front.break_(faults, live=self._live.is_set())

    async def _program_forever(self) -> None:
        loop, took = asyncio.get_running_loop(), 0.0
        while True:
            await self._dirty.wait()
            await self._following.wait()
            await asyncio.sleep(max(SETTLE_SECONDS, SETTLE_SHARE * (took - LONE_SECONDS)))
            self._dirty.clear()
            begin = loop.time()
            try:
                await self._program()
            except Exception:  # noqa: BLE001 - a full disk, an odd object: it may pass
                _log.exception("the gateway cannot be programmed")
                await asyncio.sleep(_AGAIN_SECONDS)
                self._dirty.set()
            took = loop.time() - begin

    async def _program(self) -> None:
        """Bring Envoy up to date: backends, then the routes to them; then probe the routes."""
        async with self._programming:
            wanted = self._ingresses.compatible()
            # Like kourier: nothing of a KIngress is served before all that it names is there.
            routings = {key: one for key, one in wanted.items() if self._complete(one)}
            own = self._certificates.of(routings.values())
            self._front.certify(routings.values(), own)
            await self._clusters.update({s.cluster for r in routings.values() for s in r.splits})
            self._programmer.routes(routings, self._clusters.limits, self._faults.apps)
            self._ingresses.served(wanted)

    async def _sample(self) -> None:
        while True:
            busy = False
            with contextlib.suppress(OSError):  # it does not run: its container's status says why
                busy = self._load.sample(await self._envoy.get(load.QUERY))
            await load.pause(busy=busy)
