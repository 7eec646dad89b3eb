"""Logs of the pods and the gateway behind failed attempts: bounded, redacted, kept as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.core.dig import JsonObject, mappings_at, text_at
from harness.core.errors import ClusterError
from harness.core.identity import GATEWAY_NAMESPACE
from harness.core.observation import Artefact, ServiceObserved
from harness.core.redact import redact
from harness.ports import KubeClient
from probes.jobspec import POD
from probes.store import SampleStore

_GATEWAY_SELECTOR = "app=3scale-kourier-gateway"
_MOST_PODS = 4
_LINES = 200
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FailureLogs:
    """Collects logs once a probe has failed attempts."""

    client: KubeClient
    store: SampleStore
    gateway_namespace: str = GATEWAY_NAMESPACE

    def collect(self, service: ServiceObserved, *, prefix: str) -> tuple[Artefact, ...]:
        """The logs of the service's pods and of the gateway, as files that begin with `prefix`.

        A log that cannot be read leaves a file that says why: its absence would say nothing.
        """
        selector = f"serving.knative.dev/service={service.service}"
        return (
            *self._of_pods(service.namespace, selector, prefix),
            *self._of_pods(self.gateway_namespace, _GATEWAY_SELECTOR, prefix),
        )

    def _of_pods(self, namespace: str, selector: str, prefix: str) -> Iterator[Artefact]:
        try:
            pods = self.client.list(POD, namespace, selector=selector)
        except ClusterError as error:
            name = f"logs/{prefix}-{namespace}.log"
            yield self.store.artefact(name, f"not readable: {error.message}\n".encode())
            return
        for pod in pods[:_MOST_PODS]:
            for container in mappings_at(pod, "spec", "containers"):
                yield self._of_container(pod, text_at(container, "name"), prefix)

    def _of_container(self, pod: JsonObject, container: str, prefix: str) -> Artefact:
        namespace, name = text_at(pod, "metadata", "namespace"), text_at(pod, "metadata", "name")
        try:
            text = self.client.logs(namespace, name, container=container, tail=_LINES)
        except ClusterError as error:
            text = f"not readable: {error.message}\n"
        # The end of a log is what happened last; a line that is cut begins with what is left.
        bounded = redact(text).encode()[-_MOST_BYTES:]
        return self.store.artefact(f"logs/{prefix}-{name}-{container}.log", bounded)
