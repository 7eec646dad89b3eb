"""The gateway's own objects: kourier's Services, as other parts and people look for them."""

from infra.embedded.kinds import SERVICE
from infra.embedded.store import Obj, Store

NAMESPACE = "kourier-system"
EXTERNAL_ADDRESS = "10.96.0.81"  # of kourier
INTERNAL_ADDRESS = "10.96.0.80"  # of kourier-internal where pods do not reach the host itself
HTTP, INTERNAL, HTTPS = 8080, 8081, 8443  # ports of the gateway's pods
_SELECTOR = {"app": "3scale-kourier-gateway"}
_LABELS = {
    "networking.knative.dev/ingress-provider": "kourier",
    "app.kubernetes.io/component": "net-kourier",
    "app.kubernetes.io/name": "knative-serving",
}


def ensure(store: Store, *, internal: str, public: str, ports: tuple[int, int | None]) -> None:
    """Write the Services; `ports` are those that the host reaches (HTTP, HTTPS)."""
    http, https = ports
    outside = [_port("http2", 80, HTTP, node_port=http)]
    if https is not None:
        outside.append(_port("https", 443, HTTPS, node_port=https))
    _put(store, "kourier", outside, "LoadBalancer", EXTERNAL_ADDRESS, {"ingress": [{"ip": public}]})
    _put(store, "kourier-internal", [_port("http2", 80, INTERNAL)], "ClusterIP", internal, {})


def is_external(service: Obj) -> bool:
    """Whether this is the Service through which the gateway is reached from outside."""
    metadata = service["metadata"]
    return bool(metadata["namespace"] == NAMESPACE and metadata["name"] == "kourier")


def exposes(service: Obj) -> bool:
    """Whether the Service leads from outside to the gateway's pods.

    Envoy has the Service's port itself: the Service is taken at its word and not at its endpoints,
    so that connections are refused once it was edited, as on a real cluster.
    """
    spec = service["spec"]
    selector = spec.get("selector")
    return (
        spec.get("type") in ("LoadBalancer", "NodePort")
        and bool(selector)
        and selector.items() <= _SELECTOR.items()
        and any(port["port"] == 80 and port.get("targetPort") == HTTP for port in spec["ports"])
    )


def _port(name: str, port: int, target: int, node_port: int | None = None) -> Obj:
    entry: Obj = {"name": name, "port": port, "protocol": "TCP", "targetPort": target}
    return entry | ({"nodePort": node_port} if node_port else {})


def _put(store: Store, name: str, ports: list[Obj], kind: str, address: str, balancer: Obj) -> None:
    wanted: Obj = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(_LABELS)},
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": ports,
            "selector": dict(_SELECTOR),
            "sessionAffinity": "None",
            "type": kind,
        },
        "status": {"loadBalancer": balancer},
    }
    current = store.find(SERVICE, NAMESPACE, name)
    if current is None:
        store.create(SERVICE, wanted)
        return
    store.update(SERVICE, {**current, "spec": wanted["spec"]})
    store.update_status(
        SERVICE, {**store.get(SERVICE, NAMESPACE, name), "status": wanted["status"]}
    )
