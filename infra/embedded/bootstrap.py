"""What a new cluster holds before anybody has asked for anything."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

from infra.embedded.api.version import INFO, KNATIVE, KOURIER
from infra.embedded.crds import definition_of
from infra.embedded.kinds import (
    BUILT_IN,
    CONFIGMAP,
    CRD,
    ENDPOINTS,
    ENDPOINTSLICE,
    NAMESPACE,
    NODE,
    SERVICE,
    Kind,
)
from infra.embedded.roles import roles
from infra.embedded.store import Obj, Store

_KOURIER_CLASS = "kourier.ingress.networking.knative.dev"


def bootstrap(store: Store, *, domain: str, node: str, api: tuple[str, int]) -> None:
    """Create what is missing; objects of a resumed cluster are left as they are."""
    objects = (
        *_namespaces(),
        *_configuration(domain),
        _kubernetes_service(),
        *_kubernetes_endpoints(*api),
        *roles(),
        *_definitions(store.clock.stamp()),
        (NODE, _node(node, api[0], store.clock.stamp())),
    )
    for kind, obj in objects:
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        if store.find(kind, namespace, name) is None:
            store.create(kind, obj)


def _namespaces() -> Iterator[tuple[Kind, Obj]]:
    serving = {"app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": KNATIVE}
    kourier = {"app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": KOURIER,
               "app.kubernetes.io/component": "net-kourier"}  # fmt: skip
    labels: dict[str, Mapping[str, str]] = {
        "default": {},
        "kube-node-lease": {},
        "kube-public": {},
        "kube-system": {},
        "knative-serving": serving,
        "kourier-system": kourier,
    }
    for name, extra in labels.items():
        yield NAMESPACE, namespace(name, extra)


def namespace(name: str, labels: Mapping[str, str]) -> Obj:
    """A Namespace as the API server stores it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _configuration(domain: str) -> Iterator[tuple[Kind, Obj]]:
    data: dict[str, Mapping[str, str]] = {
        "config-autoscaler": {},
        "config-certmanager": {},
        "config-defaults": {},
        "config-deployment": {"registries-skipping-tag-resolving": "kind.local,ko.local,dev.local"},
        "config-domain": {domain: ""},
        "config-features": {},
        "config-gc": {},
        "config-kourier": {},
        "config-leader-election": {},
        "config-logging": {},
        "config-network": {"ingress-class": _KOURIER_CLASS},
        "config-observability": {},
        "config-tracing": {},
    }
    for name, values in data.items():
        yield CONFIGMAP, _config_map(name, {"_example": _EXAMPLE, **values})


# Knative's ConfigMaps carry an explanation under this key, which nobody reads as a setting.
_EXAMPLE = "See https://knative.dev/docs/serving/configuration/ for what can be set here.\n"


def _config_map(name: str, data: Mapping[str, str]) -> Obj:
    labels = {"app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": KNATIVE}
    obj: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "knative-serving", "labels": labels},
    }
    return obj | ({"data": dict(data)} if data else {})


def _kubernetes_service() -> tuple[Kind, Obj]:
    return SERVICE, {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        "status": {"loadBalancer": {}},
    }


def _definitions(now: str) -> Iterator[tuple[Kind, Obj]]:
    labels = {"app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": KNATIVE,
              "knative.dev/crd-install": "true"}  # fmt: skip
    for kind in BUILT_IN:
        if kind.custom:
            yield CRD, definition_of(kind, labels, now)


def _kubernetes_endpoints(address: str, port: int) -> Iterator[tuple[Kind, Obj]]:
    meta = {"name": "kubernetes", "namespace": "default"}
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    yield (
        ENDPOINTS,
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": meta | {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
        },
    )
    yield (
        ENDPOINTSLICE,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": meta | {"labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": ports,
        },
    )


# Not the machine's own: pods here are small processes, and what manifests request for a server
# (queue-proxy alone 25m of CPU) would fill two cores with 80 services.
_CAPACITY = {"cpu": "32", "memory": "64Gi", "pods": "1000"}


def _node(name: str, address: str, now: str) -> Obj:
    """The one node.  It is ready while this process runs, for its kubelet is a part of it."""
    capacity = dict(_CAPACITY)
    ready = {"lastHeartbeatTime": now, "lastTransitionTime": now, "type": "Ready", "status": "True",
             "reason": "KubeletReady", "message": "kubelet is posting ready status"}  # fmt: skip
    info = {
        "architecture": "amd64",
        "containerRuntimeVersion": f"embedded://{KNATIVE}",
        "kernelVersion": platform.release(),
        "kubeletVersion": INFO["gitVersion"],
        "operatingSystem": "linux",
        "osImage": f"{platform.system()} (processes of this machine)",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "spec": {},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": [ready],
            "nodeInfo": info,
        },
    }
