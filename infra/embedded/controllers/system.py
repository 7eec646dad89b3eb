"""Knative's own workloads, as far as clients look for them.

The emulator does their work in its own process, so there are no pods behind these Deployments.
They say so themselves (annotation `REPRESENTS`), and their controller leaves them alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.embedded.clock import Clock
from infra.embedded.controllers.serving import queue_proxy
from infra.embedded.controllers.serving.config import SYSTEM
from infra.embedded.controllers.serving.serverlessservice import ACTIVATOR
from infra.embedded.controllers.workloads.addresses import free_cluster_ip
from infra.embedded.controllers.workloads.represented import REPRESENTS, WHY
from infra.embedded.kinds import DEPLOYMENT, ENDPOINTS, SERVICE
from infra.embedded.store import Obj, Store

_IMAGE = "vpm-harness/embedded"
KOURIER_SYSTEM = "kourier-system"


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions that the components' labels show."""

    knative: str
    kourier: str


def deployments(versions: Versions) -> Iterator[Obj]:
    """One Deployment per component of Knative Serving and kourier."""
    for name in ("activator", "autoscaler", "controller", "webhook"):
        yield _deployment(SYSTEM, name, name, versions.knative, {})
    provider = {"networking.knative.dev/ingress-provider": "kourier"}
    for namespace, name in (
        (SYSTEM, "net-kourier-controller"),
        (KOURIER_SYSTEM, "3scale-kourier-gateway"),
    ):
        yield _deployment(namespace, name, "net-kourier", versions.kourier, provider)


def _deployment(
    namespace: str, name: str, component: str, version: str, labels: Mapping[str, str]
) -> Obj:
    selector = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/component": component,
                "app.kubernetes.io/name": "knative-serving",
                "app.kubernetes.io/version": version,
                **labels,
            },
            "annotations": {REPRESENTS: WHY},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"creationTimestamp": None, "labels": selector},
                "spec": {
                    "containers": [{"name": name, "image": _IMAGE, "resources": {}}],
                    "restartPolicy": "Always",
                },
            },
        },
        "status": {},
    }


def available(deployment: Obj, now: str) -> Obj:
    """The status of a component that runs in this process."""
    conditions = (
        ("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        ("Progressing", "NewReplicaSetAvailable", f"This is {WHY}."),
    )
    counts = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        **dict.fromkeys(counts, 1),
        "conditions": [
            {"type": type, "status": "True", "reason": reason, "message": message,
             "lastUpdateTime": now, "lastTransitionTime": now}
            for type, reason, message in conditions
        ],
    }  # fmt: skip


def activator(address: str, versions: Versions) -> tuple[Obj, Obj]:
    """The activator's Service and Endpoints; `address` is where the data path listens."""
    namespace, name = ACTIVATOR
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {
            "app": "activator",
            "app.kubernetes.io/component": "activator",
            "app.kubernetes.io/name": "knative-serving",
            "app.kubernetes.io/version": versions.knative,
        },
    }
    ports = [
        {"name": port, "port": number, "protocol": "TCP"}
        for port, number in (
            ("http", queue_proxy.HTTP_PORT),
            ("http2", queue_proxy.HTTP_PORT + 1),
            ("https", queue_proxy.TLS_PORT),
        )
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "annotations": {REPRESENTS: WHY}},
        "spec": {
            "type": "ClusterIP",
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8012},
                {"name": "http2", "port": 81, "protocol": "TCP", "targetPort": 8013},
                {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 8112},
            ],
            "sessionAffinity": "None",
        },
        "status": {"loadBalancer": {}},
    }
    subsets = [{"addresses": [{"ip": address}], "ports": ports}]
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": metadata,
        "subsets": subsets,
    }
    return service, endpoints


class SystemWorkloads:
    """Creates the represented objects, and calls them available while this process runs."""

    def __init__(self, store: Store, clock: Clock, address: str, versions: Versions) -> None:
        self._store, self._clock = store, clock
        self._address, self._versions = address, versions

    def install(self) -> None:
        """Create what is missing and bring it up to date; safe to repeat."""
        for wanted in deployments(self._versions):
            key = wanted["metadata"]["namespace"], wanted["metadata"]["name"]
            found = self._store.find(DEPLOYMENT, *key) or self._store.create(DEPLOYMENT, wanted)
            if not found.get("status", {}).get("availableReplicas"):
                status = available(found, self._clock.stamp())
                self._store.update_status(DEPLOYMENT, {**found, "status": status})
        service, endpoints = activator(self._address, self._versions)
        if self._store.find(SERVICE, *ACTIVATOR) is None:
            address = free_cluster_ip(self._store)
            service["spec"] |= {"clusterIP": address, "clusterIPs": [address]}
            self._store.create(SERVICE, service)
        existing = self._store.find(ENDPOINTS, *ACTIVATOR)
        if existing is None:
            self._store.create(ENDPOINTS, endpoints)
        else:
            self._store.update(ENDPOINTS, {**existing, "subsets": endpoints["subsets"]})
