"""The product's own parts on a cluster under test: what a run uses, without a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.conditions import is_ready
from harness.core.identity import ClusterIdentity
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.ports import Cluster as OpenCluster
from harness.ports import Gateway
from harness.runner.kubectl import KubectlProcess
from harness.spec.model import ProbeAction
from harness.timing.clock import SystemClock
from infra.kube import KubernetesClient
from probes.places import ClusterPlaces
from probes.prober import Prober
from probes.ready import ServiceReader
from tests.contract.probes.setting import MemoryStore
from tests.support.cluster import Cluster

IMAGE = "dev.local/metrics-echo:dev"


def echo(name: str, namespace: str, *, image: str = IMAGE, target: str = "one") -> dict[str, Any]:
    """A KService that says which of its revisions answered."""
    container = {"image": image, "env": [{"name": "TARGET", "value": target}]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


@dataclass
class Product:
    """The product's own parts, on the cluster under test."""

    cluster: Cluster
    namespace: str
    agent_image: str = IMAGE
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        info, clock = self.cluster.info, SystemClock()
        gateway = info["gateway"]
        context = f"embedded-{info['name']}"
        opened = OpenCluster(
            ClusterIdentity("embedded", info["name"], context, "u", "1.33", "1.18", emulator=True),
            self.cluster.kubeconfig,
            context,
            Gateway(
                gateway["address"],
                gateway["http"],
                gateway.get("https"),
                Path(gateway["ca"]) if "ca" in gateway else None,
            ),
            info["domain"],
            agent_image=self.agent_image,
        )
        self.client = KubernetesClient(opened.kubeconfig, context, clock=clock)
        kubectl = KubectlProcess(kubeconfig=opened.kubeconfig, context=context, clock=clock)
        places = ClusterPlaces(cluster=opened, client=self.client, kubectl=kubectl, clock=clock)
        self.reader = ServiceReader(client=self.client, clock=clock)
        self.prober = Prober(places=places, store=self.store, clock=clock)

    def up(self, name: str = "echo", **fields: Any) -> ServiceObserved:
        """Apply a KService and wait until it is READY."""
        self.cluster.apply(echo(name, self.namespace, **fields))
        observed = self.reader.wait_ready(self.namespace, name, timeout=30)
        assert is_ready(observed), observed.mismatches
        return observed

    def read(self, name: str = "echo") -> ServiceObserved:
        return self.reader.read(self.namespace, name)

    def probe(
        self, service: ServiceObserved, *vantages: str, **fields: Any
    ) -> tuple[ProbeObserved, ...]:
        asked = {"requests": 10, "rate": "40/s", "timeout": "3s", **fields}
        action = {"service": service.service, "vantages": vantages, **asked}
        return self.prober.probe(service, ProbeAction.model_validate(action))
