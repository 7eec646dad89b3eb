"""Where the engine of each vantage runs."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from harness.core.errors import ClusterError, CommandError, ProbeError
from harness.core.observation import Artefact, ServiceObserved
from harness.ports import Clock, Cluster, KubeClient, Kubectl, Vantage
from harness.spec.model import ProbeAction
from probes.build import cached_agent
from probes.execute import ExecVantage, pod_address
from probes.logs import FailureLogs
from probes.onnode import node_gateway, node_of, node_vantage
from probes.plan import (
    DEVBOX,
    GATEWAY,
    IN_CLUSTER,
    IN_CLUSTER_GATEWAY,
    NODE,
    POD_PREFIX,
    Route,
    route_of,
)
from probes.pod import PodVantage
from probes.store import SampleStore
from probes.vantage import LocalVantage

Engine = TypeVar("Engine", PodVantage, LocalVantage, ExecVantage)

_SHARED = {
    DEVBOX: DEVBOX,
    GATEWAY: DEVBOX,
    IN_CLUSTER: IN_CLUSTER,
    IN_CLUSTER_GATEWAY: IN_CLUSTER,
}

_CAPABILITIES = {NODE: "node"}


class ClusterPlaces:
    """The places of one open cluster; implements `probes.prober.Places`."""

    def __init__(
        self, *, cluster: Cluster, client: KubeClient, kubectl: Kubectl, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._kubectl = kubectl
        self._clock = clock
        self._engines: list[PodVantage | LocalVantage | ExecVantage] = []
        self._abandoned = False

    @cached_property
    def _local(self) -> LocalVantage:
        return self._kept(LocalVantage(DEVBOX, cached_agent()))

    def place_of(self, vantage: str) -> str:
        """The place whose engine serves a vantage: devbox and gateway share one, pods another."""
        return _SHARED.get(vantage, vantage)

    def open(self, place: str, *, namespace: str) -> Vantage:
        """The adapter for a place.

        Errors:
            ProbeError: this cluster has no such place.
        """
        if place == DEVBOX:
            return self._local
        if place == IN_CLUSTER:
            pod = PodVantage(
                name=place,
                namespace=namespace,
                image=self._cluster.agent_image,
                client=self._client,
                clock=self._clock,
            )
            return self._kept(pod)
        if place == NODE:
            node = node_of(self._client)
            vantage = node_vantage(node, agent=self._local.agent, clock=self._clock)
            return self._kept(vantage) if isinstance(vantage, LocalVantage) else vantage
        if place.startswith(POD_PREFIX):
            address = pod_address(place, namespace=namespace)
            return self._kept(ExecVantage(name=place, address=address, kubectl=self._kubectl))
        raise ProbeError(f"{place}: there is no such vantage on this cluster")

    def _kept(self, engine: Engine) -> Engine:
        """Keep an engine to be abandoned, if need be at once: places are opened in threads."""
        self._engines.append(engine)
        if self._abandoned:
            engine.abandon()
        return engine

    def logs(
        self, service: ServiceObserved, store: SampleStore, *, prefix: str
    ) -> tuple[Artefact, ...]:
        """The logs behind failed attempts, as files of `store`."""
        namespace = self._cluster.gateway.namespace
        return FailureLogs(self._client, store, namespace).collect(service, prefix=prefix)

    def abandon(self) -> None:
        """Have every engine end soon, also those that are only about to start."""
        self._abandoned = True
        for engine in self._engines:
            # A cluster that does not answer: its Job ends by its own deadline.
            with suppress(ClusterError, CommandError):
                engine.abandon()

    @property
    def first_lead(self) -> float:
        """How long a pod may take to start before anyone has seen one do so, in seconds."""
        return 0.5 if self._cluster.identity.emulator else 3.0

    def route(self, vantage: str, service: ServiceObserved, action: ProbeAction) -> Route:
        """How a vantage gets to a service.

        Errors:
            ProbeError: the service or the gateway has no address that the vantage needs.
        """
        return route_of(
            vantage,
            service=service,
            action=action,
            cluster=self._cluster,
            node_gateway=node_gateway(self._client, action.scheme, self._cluster.gateway.namespace)
            if vantage == NODE
            else "",
        )

    def authority(self, scheme: str) -> str:
        """The certificate (PEM) that the gateway's own is checked with; empty: the system's."""
        ca_file = self._cluster.gateway.ca_file if scheme == "https" else None
        return ca_file.read_text(encoding="ascii") if ca_file else ""

    def missing(self, vantage: str) -> str:
        """Why this cluster cannot have a vantage at all; empty when it can."""
        needed = _CAPABILITIES.get(self.place_of(vantage))
        if needed is None or needed in self._cluster.capabilities:
            return ""
        return f"{self._cluster.identity.provider} clusters lack the capability {needed!r}"
