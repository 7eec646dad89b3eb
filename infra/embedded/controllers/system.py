"""Knative's own workloads: the objects that installing Knative Serving and kourier leaves.

Their pods hold parts of the emulator's own process (`infra.embedded.components`), so of the
recorded pod templates only what something here acts on is kept: labels, ports, probes, resources.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving.config import SYSTEM
from infra.embedded.controllers.workloads.addresses import free_cluster_ip
from infra.embedded.kinds import DEPLOYMENT, ENDPOINTS, ENDPOINTSLICE, SERVICE, SERVICEACCOUNT
from infra.embedded.kubelet.inner import IMAGES
from infra.embedded.store import Obj, Store

KOURIER_SYSTEM = "kourier-system"
GATEWAY = "3scale-kourier-gateway"
_WEBHOOK_ADDRESS = "10.96.133.78"  # as in the recorded error of a webhook that is down
_METRICS = {"metrics": 9090, "profiling": 8008}
_OLD = "emulator.vpm.dev/represents"  # on workloads of former versions, which had no pods


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions that the components' labels show."""

    knative: str
    kourier: str


@dataclass(frozen=True, slots=True)
class _Workload:
    """One component: what is particular about its Deployment."""

    name: str
    ports: Mapping[str, int]
    requests: tuple[str, str]  # cpu, memory
    limits: tuple[str, str]
    readiness: Mapping[str, Any]
    liveness: Mapping[str, Any]
    account: str = "controller"
    namespace: str = SYSTEM
    container: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)  # labels besides `app`
    surge: str = "25%"
    unavailable: str | int = "25%"
    grace: int = 30
    kourier: bool = False


def _http(port: int | str, path: str = "/", scheme: str = "HTTP") -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port, "scheme": scheme}}


_READY = {
    "httpGet": {
        "httpHeaders": [{"name": "Host", "value": "internalkourier"}],
        "path": "/ready",
        "port": 8081,
        "scheme": "HTTP",
    },
    "periodSeconds": 5,
}
_XDS = {"grpc": {"port": 18000, "service": ""}}
_GATEWAY_PORTS = {
    "http2-external": 8080, "http2-internal": 8081, "https-external": 8443, "http-probe": 8090,
    "https-probe": 9443, "metrics": 9000,
}  # fmt: skip
# As recorded in 01-discovery, without delays: what they ask is at hand from the start.  The gateway
# comes first, so that Envoy starts while the others do.
_WORKLOADS = (
    _Workload(
        GATEWAY, _GATEWAY_PORTS,
        ("200m", "200Mi"), ("1", "800Mi"),
        _READY, _READY | {"failureThreshold": 6}, account="", namespace=KOURIER_SYSTEM,
        container="kourier-gateway", surge="100%", unavailable=0, kourier=True,
    ),
    _Workload(
        "activator", {**_METRICS, "http1": 8012, "h2c": 8013},
        ("300m", "60Mi"), ("1", "600Mi"),
        _http(8012) | {"failureThreshold": 5, "periodSeconds": 5},
        _http(8012) | {"failureThreshold": 12},
        account="activator", roles={"role": "activator"}, grace=600,
    ),
    _Workload(
        "autoscaler", {**_METRICS, "websocket": 8080},
        ("100m", "100Mi"), ("1", "1000Mi"),
        _http(8080), _http(8080) | {"failureThreshold": 6}, unavailable=0,
    ),
    _Workload(
        "controller", {**_METRICS, "probes": 8080},
        ("100m", "100Mi"), ("1", "1000Mi"),
        _http("probes", "/readiness") | {"periodSeconds": 5},
        _http("probes", "/health") | {"failureThreshold": 6, "periodSeconds": 5},
    ),
    _Workload(
        "webhook", {**_METRICS, "https-webhook": 8443},
        ("100m", "100Mi"), ("500m", "500Mi"),
        _http(8443, scheme="HTTPS") | {"periodSeconds": 1},
        _http(8443, scheme="HTTPS") | {"failureThreshold": 6},
        roles={"role": "webhook"}, grace=300,
    ),
    _Workload(
        "net-kourier-controller", {"http2-xds": 18000, "metrics": 9090},
        ("200m", "200Mi"), ("1", "500Mi"),
        _XDS, _XDS | {"failureThreshold": 6}, account="net-kourier", container="controller",
        surge="100%", unavailable=0, kourier=True,
    ),
)  # fmt: skip
NAMES = tuple((workload.namespace, workload.name) for workload in _WORKLOADS)


def deployments(versions: Versions) -> Iterator[Obj]:
    """One Deployment per component of Knative Serving and kourier."""
    for workload in _WORKLOADS:
        yield _deployment(workload, versions)


def _labels(component: str, versions: Versions, *, kourier: bool = False) -> dict[str, str]:
    provider = {"networking.knative.dev/ingress-provider": "kourier"} if kourier else {}
    return {
        "app.kubernetes.io/component": "net-kourier" if kourier else component,
        "app.kubernetes.io/name": "knative-serving",
        "app.kubernetes.io/version": versions.kourier if kourier else versions.knative,
        **provider,
    }


def _deployment(workload: _Workload, versions: Versions) -> Obj:
    name = workload.name
    labels = _labels(name, versions, kourier=workload.kourier)
    selector = {"app": name, **workload.roles}
    on_pods = selector if workload.kourier else {**selector, **labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": workload.namespace, "labels": labels},
        "spec": {
            "progressDeadlineSeconds": 600,
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": selector},
            "strategy": {
                "rollingUpdate": {
                    "maxSurge": workload.surge,
                    "maxUnavailable": workload.unavailable,
                },
                "type": "RollingUpdate",
            },
            "template": {
                "metadata": {"creationTimestamp": None, "labels": on_pods},
                "spec": _pod(workload, versions),
            },
        },
        "status": {},
    }


def _pod(workload: _Workload, versions: Versions) -> Obj:
    version = versions.kourier if workload.kourier else versions.knative
    account = {"serviceAccount": workload.account, "serviceAccountName": workload.account}
    return {
        "containers": [
            {
                "image": f"{IMAGES}/{workload.name}:{version}",
                "imagePullPolicy": "IfNotPresent",
                "livenessProbe": _probe(workload.liveness),
                "name": workload.container or workload.name,
                "ports": [
                    {"containerPort": port, "name": name, "protocol": "TCP"}
                    for name, port in workload.ports.items()
                ],
                "readinessProbe": _probe(workload.readiness),
                "resources": {
                    "limits": _resources(workload.limits),
                    "requests": _resources(workload.requests),
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        **(account if workload.account else {}),
        "terminationGracePeriodSeconds": workload.grace,
    }


def _probe(given: Mapping[str, Any]) -> Obj:
    defaults = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1}
    return {**defaults, "timeoutSeconds": 1, **given}


def _resources(amounts: tuple[str, str]) -> dict[str, str]:
    return dict(zip(("cpu", "memory"), amounts, strict=True))


_OWN_PORTS = (("http-metrics", 9090, 9090), ("http-profiling", 8008, 8008))


def services(versions: Versions) -> Iterator[Obj]:
    """The Services of knative-serving; those of kourier-system are the gateway's."""
    yield _service(
        "activator-service", "activator", {"app": "activator"}, {"app": "activator"}, versions,
        (*_OWN_PORTS, ("http", 80, 8012), ("http2", 81, 8013), ("https", 443, 8112)),
    )  # fmt: skip
    yield _service(
        "autoscaler", "autoscaler", {"app": "autoscaler"}, {"app": "autoscaler"}, versions,
        (*_OWN_PORTS, ("http", 8080, 8080)),
    )  # fmt: skip
    yield _service(
        "controller", "controller", {"app": "controller"}, {"app": "controller"}, versions,
        _OWN_PORTS,
    )  # fmt: skip
    yield _service(
        "webhook", "webhook", {"role": "webhook"}, {"role": "webhook"}, versions,
        (*_OWN_PORTS, ("https-webhook", 443, 8443)), address=_WEBHOOK_ADDRESS,
    )  # fmt: skip
    yield _service(
        "net-kourier-controller", "", {}, {"app": "net-kourier-controller"}, versions,
        (("grpc-xds", 18000, 18000),), kourier=True,
    )  # fmt: skip


def _service(
    name: str,
    component: str,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    versions: Versions,
    ports: Sequence[tuple[str, int, int]],
    *,
    address: str = "",
    kourier: bool = False,
) -> Obj:
    """A Service; without an address it is given a free one."""
    has = {"clusterIP": address, "clusterIPs": [address]} if address else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": SYSTEM,
            "labels": {**labels, **_labels(component, versions, kourier=kourier)},
        },
        "spec": {
            **has,
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [
                {"name": port, "port": number, "protocol": "TCP", "targetPort": target}
                for port, number, target in ports
            ],
            "selector": dict(selector),
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        "status": {"loadBalancer": {}},
    }


def install(store: Store, versions: Versions) -> None:
    """Create what is missing; safe to repeat."""
    _uninstall_old(store)
    for account in ("activator", "controller", "net-kourier"):
        if store.find(SERVICEACCOUNT, SYSTEM, account) is None:
            metadata = {"name": account, "namespace": SYSTEM}
            store.create(SERVICEACCOUNT, {"metadata": metadata})
    for service in services(versions):
        if store.find(SERVICE, SYSTEM, service["metadata"]["name"]) is None:
            address = service["spec"].get("clusterIP") or free_cluster_ip(store)
            service["spec"] |= {"clusterIP": address, "clusterIPs": [address]}
            store.create(SERVICE, service)
    for deployment in deployments(versions):
        metadata = deployment["metadata"]
        if store.find(DEPLOYMENT, metadata["namespace"], metadata["name"]) is None:
            store.create(DEPLOYMENT, deployment)


def _uninstall_old(store: Store) -> None:
    """Take away what former versions kept in the place of workloads with pods."""
    for kind in (DEPLOYMENT, SERVICE):
        for namespace in (SYSTEM, KOURIER_SYSTEM):
            for obj in store.list(kind, namespace):
                if _OLD in meta.annotations(obj):
                    name = obj["metadata"]["name"]
                    store.delete(kind, namespace, name)
                    if store.find(ENDPOINTS, namespace, name) is not None:
                        store.delete(ENDPOINTS, namespace, name)
    if store.find(ENDPOINTSLICE, SYSTEM, "webhook-embedded") is not None:
        store.delete(ENDPOINTSLICE, SYSTEM, "webhook-embedded")
