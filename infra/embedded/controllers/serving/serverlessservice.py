"""ServerlessServices: a revision's private Service (its pods) and public one (or activator)."""

from collections.abc import Iterable

from infra.embedded.clock import Clock
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import (
    Key,
    ReconcileError,
    Watch,
    itself,
    label,
    owner,
)
from infra.embedded.controllers.serving import names, queue_proxy
from infra.embedded.controllers.serving.queue_proxy import HTTP2_PORT, HTTP_PORT
from infra.embedded.controllers.serving.status import Draft, StatusWriter
from infra.embedded.controllers.workloads.addresses import free_cluster_ip
from infra.embedded.kinds import DEPLOYMENT, ENDPOINTS, SERVICE, SKS
from infra.embedded.store import Obj, Store

ENDPOINTS_POPULATED, ACTIVATOR_POPULATED = "EndpointsPopulated", "ActivatorEndpointsPopulated"
ACTIVATOR = ("knative-serving", "activator-service")
PUBLIC, PRIVATE = "Public", "Private"


def ports(protocol: str, *, public: bool = True) -> list[Obj]:
    """Ports for requests.  The public Service has one of its own for HTTP/2 in clear text."""
    h2c = protocol == "h2c"
    name, target = ("http2", HTTP2_PORT) if h2c else ("http", HTTP_PORT)
    port = 81 if h2c and public else 80
    return [
        {"name": name, "port": port, "protocol": "TCP", "targetPort": target},
        {"name": "https", "port": 443, "protocol": "TCP", "targetPort": queue_proxy.TLS_PORT},
    ]


def private_ports(protocol: str) -> list[Obj]:
    """Ports of the private Service: those for requests and those that the system uses."""
    requests = ports(protocol, public=False)
    serving = requests[0]["targetPort"]
    system = (
        ("http-autometric", queue_proxy.AUTOMETRIC_PORT, "http-autometric"),
        ("http-usermetric", queue_proxy.USERMETRIC_PORT, "http-usermetric"),
        ("http-queueadm", queue_proxy.ADMIN_PORT, queue_proxy.ADMIN_PORT),
        ("http-istio", serving, serving),
    )
    return requests + [
        {"name": name, "port": port, "protocol": "TCP", "targetPort": target}
        for name, port, target in system
    ]


def service_of(sks: Obj, kind: str, selector: Obj | None, address: str) -> Obj:
    """The Service of one type; `address` is its cluster address."""
    protocol = sks["spec"].get("protocolType", "http1")
    name = names.private_service(sks) if kind == PRIVATE else names.name(sks)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": names.namespace(sks),
            "labels": _child_labels(sks, kind),
            "annotations": dict(meta.annotations(sks)),
            "ownerReferences": [meta.controller_ref(sks)],
        },
        "spec": {
            "ports": private_ports(protocol) if kind == PRIVATE else ports(protocol),
            **({"selector": selector} if selector else {}),
            "clusterIP": address,
            "clusterIPs": [address],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }


def _child_labels(sks: Obj, kind: str) -> dict[str, str]:
    return {**meta.labels(sks), names.SKS: names.name(sks), names.SERVICE_TYPE: kind}


def public_subsets(sks: Obj, private: Obj | None, activator: Obj | None) -> list[Obj]:
    """Who answers for the revision: the activator, or in mode Serve its own ready pods."""
    own = ready_addresses(private)
    serves = sks["spec"]["mode"] == "Serve" and own
    source = private if serves else activator
    subsets = (source or {}).get("subsets") or []
    wanted = {port["name"] for port in ports(sks["spec"].get("protocolType", "http1"))}
    return [
        {**subset, "ports": [p for p in subset.get("ports", ()) if p.get("name") in wanted]}
        for subset in subsets
    ]


def ready_addresses(endpoints: Obj | None) -> int:
    """How many ready addresses Endpoints have."""
    subsets = (endpoints or {}).get("subsets") or ()
    return sum(len(subset.get("addresses", ())) for subset in subsets)


class ServerlessServices:
    """Keeps both Services and the public Endpoints, and reports whether pods are behind them."""

    name = "serverlessservice-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._status = StatusWriter(store, clock, SKS, (ENDPOINTS_POPULATED,), self.name)

    def watches(self) -> Iterable[Watch]:
        return (
            Watch(SKS, itself),
            Watch(SERVICE, owner(SKS)),
            Watch(ENDPOINTS, label(names.SKS)),
            Watch(ENDPOINTS, self._behind_activator),
        )

    def _behind_activator(self, endpoints: Obj) -> Iterable[Key]:
        """The activator's own endpoints concern everyone."""
        if (names.namespace(endpoints), names.name(endpoints)) != ACTIVATOR:
            return ()
        return [Key(names.namespace(sks), names.name(sks)) for sks in self._store.list(SKS)]

    def reconcile(self, key: Key) -> float | None:
        sks = self._store.find(SKS, *key)
        if sks is None or meta.is_deleting(sks):
            return None
        return self._status.run(sks, self._work)

    def _work(self, draft: Draft) -> None:
        sks = draft.obj
        namespace, target = names.namespace(sks), sks["spec"]["objectRef"]["name"]
        deployment = self._store.find(DEPLOYMENT, namespace, target)
        if deployment is None:
            raise ReconcileError(
                f'error retrieving deployment selector spec: deployments.apps "{target}" not found'
            )
        selector = deployment["spec"]["selector"]["matchLabels"]
        private = self._ensure_service(draft, PRIVATE, selector)
        draft.put(privateServiceName=names.name(private))
        public = self._ensure_service(draft, PUBLIC, None)
        draft.put(serviceName=names.name(public))
        own = self._store.find(ENDPOINTS, namespace, names.name(private))
        activator = self._store.find(ENDPOINTS, *ACTIVATOR)
        self._write_endpoints(sks, public_subsets(sks, own, activator))
        _mark(draft, ready_addresses(own) > 0)

    def _ensure_service(self, draft: Draft, kind: str, selector: Obj | None) -> Obj:
        sks = draft.obj
        name = names.private_service(sks) if kind == PRIVATE else names.name(sks)
        existing = self._store.find(SERVICE, names.namespace(sks), name)
        if existing is None:
            address = free_cluster_ip(self._store)
            return self._store.create(SERVICE, service_of(sks, kind, selector, address))
        if not meta.is_controlled_by(existing, sks):
            message = f'There is an existing Service "{name}" that we do not own.'
            draft.conditions.mark_false(ENDPOINTS_POPULATED, "NotOwned", message)
            raise ReconcileError(f"SKS: {names.name(sks)} does not own Service: {name}")
        wanted = service_of(sks, kind, selector, existing["spec"]["clusterIP"])
        spec = {**existing["spec"], "ports": wanted["spec"]["ports"]}
        if selector:
            spec["selector"] = selector
        return writes.update(self._store, SERVICE, existing, {**existing, "spec": spec})

    def _write_endpoints(self, sks: Obj, subsets: list[Obj]) -> None:
        """Endpoints of the public Service; slices are mirrored from them."""
        body = {"subsets": subsets} if subsets else {}
        existing = self._store.find(ENDPOINTS, names.namespace(sks), names.name(sks))
        if existing is not None:
            kept = {k: v for k, v in existing.items() if k != "subsets"}
            writes.update(self._store, ENDPOINTS, existing, {**kept, **body})
            return
        fresh = {
            "name": names.name(sks),
            "namespace": names.namespace(sks),
            "labels": _child_labels(sks, PUBLIC),
            "annotations": dict(meta.annotations(sks)),
            "ownerReferences": [meta.controller_ref(sks)],
        }
        self._store.create(
            ENDPOINTS, {"apiVersion": "v1", "kind": "Endpoints", "metadata": fresh, **body}
        )


def _mark(draft: Draft, has_pods: bool) -> None:
    marks = draft.conditions
    if has_pods:
        marks.mark_true(ENDPOINTS_POPULATED)
    else:
        marks.mark_unknown(ENDPOINTS_POPULATED, "NoHealthyBackends", "K8s Service is not ready")
    if not has_pods or draft.obj["spec"]["mode"] == "Proxy":
        message = "Revision is backed by Activator"
        marks.mark_true(ACTIVATOR_POPULATED, ACTIVATOR_POPULATED, message)
    else:
        message = "Revision is backed by Activator"
        marks.mark_false(ACTIVATOR_POPULATED, "EndpointsPopulated", message)
