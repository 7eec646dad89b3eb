"""Looks at KServices through the API server, and waits for READY by watching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.core.conditions import (
    Behind,
    endpoints_fact,
    is_ready,
    read_service,
    related_fact,
)
from harness.core.dig import JsonObject, text_at
from harness.core.errors import ClusterError
from harness.core.identity import GATEWAY_NAMESPACE
from harness.core.observation import ServiceObserved
from harness.ports import Clock, KubeClient, ResourceKind

KSERVICE = ResourceKind("serving.knative.dev", "v1", "services", "Service")
REVISION = ResourceKind("serving.knative.dev", "v1", "revisions", "Revision")
ROUTE = ResourceKind("serving.knative.dev", "v1", "routes", "Route")
KINGRESS = ResourceKind("networking.internal.knative.dev", "v1alpha1", "ingresses", "Ingress")
POD = ResourceKind("", "v1", "pods", "Pod")
ENDPOINT_SLICE = ResourceKind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")


class ServiceReader:
    """Reads KServices with what stands behind them."""

    def __init__(
        self, *, client: KubeClient, clock: Clock, gateway_namespace: str = GATEWAY_NAMESPACE
    ) -> None:
        self._client = client
        self._clock = clock
        self._gateway_namespace = gateway_namespace

    def read(self, namespace: str, name: str) -> ServiceObserved:
        """The KService now, with its Route, KIngress and endpoints.

        Errors:
            ClusterError: the API server cannot be reached or refuses.
        """
        return self._observe(self._client.get(KSERVICE, namespace, name), namespace, name)

    def wait_ready(self, namespace: str, name: str, *, timeout: float) -> ServiceObserved:
        """The KService when it is READY, or as it is after `timeout` seconds.

        READY is what `harness.core.conditions` says, not the condition alone. The object need
        not exist yet.

        Errors:
            ClusterError: the API server cannot be reached or refuses.
        """
        begun = self._clock.monotonic()
        for obj in self._client.watch(KSERVICE, namespace, name, timeout=timeout):
            seen = read_service(obj, service=name, namespace=namespace, now=self._clock.now())
            if is_ready(seen):
                waited = self._clock.monotonic() - begun
                return self._observe(obj, namespace, name, waited=waited)
        last = self._client.get(KSERVICE, namespace, name)
        return self._observe(last, namespace, name, waited=self._clock.monotonic() - begun)

    def _observe(
        self, obj: JsonObject | None, namespace: str, name: str, *, waited: float | None = None
    ) -> ServiceObserved:
        revision = text_at(obj, "status", "latestReadyRevisionName")
        seen = read_service(
            obj,
            service=name,
            namespace=namespace,
            now=self._clock.now(),
            revision=self._client.get(REVISION, namespace, revision) if revision else None,
            pods=self._pods(namespace, revision) if revision else (),
            waited=waited,
            behind=self._behind(namespace, name, revision) if obj is not None else (),
        )
        return replace(seen, gateway_namespace=self._gateway_namespace)

    def _pods(self, namespace: str, revision: str) -> Sequence[JsonObject]:
        """The revision's pods; none where they may not be read: only the digest is lost."""
        try:
            return self._client.list(
                POD, namespace, selector=f"serving.knative.dev/revision={revision}"
            )
        except ClusterError:
            return ()

    def _behind(self, namespace: str, name: str, revision: str) -> Sequence[Behind]:
        """A line about each object behind the service; what may not be read says so."""
        facts = []
        try:
            for kind in (ROUTE, KINGRESS):
                found = self._client.get(kind, namespace, name)
                label = "KIngress" if kind is KINGRESS else kind.kind
                absent = Behind(f"{label} {name}: not found", agrees=False)
                facts.append(related_fact(label, found) if found else absent)
            if revision:
                facts += [
                    self._endpoints(namespace, revision, may_be_none=False),
                    self._endpoints(namespace, f"{revision}-private", may_be_none=True),
                ]
        except ClusterError as error:
            # READY stands on the KService alone: a missing permission here must not hide it.
            facts.append(Behind(f"not readable: {error.message}"))
        return facts

    def _endpoints(self, namespace: str, service: str, *, may_be_none: bool) -> Behind:
        """What stands behind a revision's public Service, or behind its pods' own."""
        selector = f"kubernetes.io/service-name={service}"
        slices = self._client.list(ENDPOINT_SLICE, namespace, selector=selector)
        return endpoints_fact(slices, service=service, may_be_none=may_be_none)
