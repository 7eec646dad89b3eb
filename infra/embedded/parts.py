"""The parts of a cluster besides its API server: controllers, kubelet, gateway."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from infra.embedded.api.version import KNATIVE, KOURIER
from infra.embedded.certs import Authority
from infra.embedded.clock import Clock
from infra.embedded.components import components, settled
from infra.embedded.control_plane import Versions, control_plane
from infra.embedded.faults import BreakableApi, Faults
from infra.embedded.gateway import Gateway, GatewaySettings
from infra.embedded.kubelet import Kubelet, NodeSettings
from infra.embedded.namespaces import NamespaceController
from infra.embedded.node.launch import Launched
from infra.embedded.settings import Settings
from infra.embedded.store import Store

_log = logging.getLogger(__name__)
_SETTLE_SECONDS = 20.0


class Component(Protocol):
    """A part that runs until it is cancelled."""

    async def run(self) -> None: ...


class Parts:
    """Starts the parts in the order in which they need each other, and stops them in reverse."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        authority: Authority,
        launched: Launched,
        secret: str,
    ) -> None:
        """`secret` is the administrator's token, from which those of pods are made."""
        self._secret = secret
        self._launched = launched
        self._settings = settings
        self._store = store
        self._clock = clock
        self._authority = authority
        self._gateway: Gateway | None = None
        self._kubelet: Kubelet | None = None
        self._settled: Callable[[], Coroutine[Any, Any, None]] | None = None

    async def settle(self) -> None:
        """Wait until Knative's components work, once everything that was started is run.

        Raises EnvoyError when the gateway cannot be started.
        """
        if self._settled is None:
            return
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self._settled()
        except TimeoutError:
            _log.warning("not all of Knative's components work: see the pods of knative-serving"
                         " and kourier-system")  # fmt: skip

    async def start(
        self, address: str, api: tuple[str, int], application: BreakableApi
    ) -> list[Component]:
        """Start node and gateway at `address`; returns everything that is to run from now on."""
        settings, store, clock = self._settings, self._store, self._clock
        node = NodeSettings(
            settings.state_dir,
            settings.name,
            settings.node,
            settings.images,
            api,
            secret=self._secret,
        )
        kubelet = self._kubelet = Kubelet(store, clock, node, self._launched)
        await kubelet.start()
        front = GatewaySettings(
            settings.state_dir, address, settings.port, settings.https_port, self._authority
        )
        gateway = self._gateway = Gateway(store, clock, front, kubelet.network)
        await gateway.start()
        plane = control_plane(
            store,
            clock,
            images=kubelet.catalogue,
            load=gateway,
            versions=Versions(knative=KNATIVE, kourier=KOURIER),
        )
        held = components(clock, gateway, plane, application)
        kubelet.components.update(held)
        self._settled = partial(settled, store, held, gateway)
        faults = Faults(store, clock, gateway, kubelet.dns_faults, application.break_)
        faults.install()
        authority_pem = self._authority.pair.certificate.decode()
        namespaces = NamespaceController(store, clock, authority_pem)
        return [kubelet, gateway, namespaces, faults, *plane.parts]

    @property
    def kubelet(self) -> Kubelet | None:
        """The node, once it has been started."""
        return self._kubelet

    @property
    def pod_network(self) -> str:
        return self._kubelet.pod_network if self._kubelet else "none"

    @property
    def pod_network_reason(self) -> str:
        """Why the pods' network is not a better one; empty for the best."""
        return self._kubelet.network.reason if self._kubelet else ""

    @property
    def gateway_ports(self) -> Mapping[str, int]:
        """The gateway's ports: http, and https where there is one."""
        if self._gateway is None:
            return {}
        https = self._gateway.https_port
        return {"http": self._gateway.http_port} | ({"https": https} if https else {})

    async def stop(self) -> None:
        """End the gateway and the node with all pods."""
        if self._gateway is not None:
            await self._gateway.stop()
        if self._kubelet is not None:
            await self._kubelet.stop()
