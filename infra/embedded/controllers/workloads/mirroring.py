"""EndpointSlices that mirror Endpoints which somebody else wrote (Services without selector)."""

from collections.abc import Iterable
from typing import Any

from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime.controller import Key, Watch, itself
from infra.embedded.controllers.workloads.endpoints import MANAGED_BY, SERVICE_NAME, slice_of
from infra.embedded.kinds import ENDPOINTS, ENDPOINTSLICE, SERVICE
from infra.embedded.store import Obj, Store

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"


def mirrored(endpoints: Obj) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The endpoints and ports of the slice for the first subset."""
    subsets = endpoints.get("subsets") or [{}]
    members = [
        _member(address, ready=ready)
        for field, ready in (("addresses", True), ("notReadyAddresses", False))
        for address in subsets[0].get(field, ())
    ]
    ports = [
        {**({"name": p["name"]} if p.get("name") else {}), "port": p["port"],
         "protocol": p.get("protocol", "TCP")}
        for p in subsets[0].get("ports", ())
    ]  # fmt: skip
    return members, ports


def _member(address: Obj, *, ready: bool) -> dict[str, Any]:
    optional = {"nodeName": address.get("nodeName"), "targetRef": address.get("targetRef")}
    return {
        "addresses": [address["ip"]],
        "conditions": {"ready": ready},
        **{key: value for key, value in optional.items() if value},
    }


class Mirroring:
    """Keeps one slice per mirrored Endpoints object."""

    name = "endpointslice-mirroring-controller"

    def __init__(self, store: Store) -> None:
        self._store = store

    def watches(self) -> Iterable[Watch]:
        return (Watch(ENDPOINTS, itself), Watch(SERVICE, itself))

    def reconcile(self, key: Key) -> float | None:
        endpoints = self._store.find(ENDPOINTS, *key)
        service = self._store.find(SERVICE, *key)
        if endpoints is None or service is None or meta.is_deleting(endpoints):
            return None
        if service["spec"].get("selector") or meta.labels(endpoints).get(SKIP) == "true":
            return None
        members, ports = mirrored(endpoints)
        labels = {**meta.labels(endpoints), MANAGED_BY: MANAGER, SERVICE_NAME: key.name}
        existing = next(iter(self._store.dependents(endpoints, ENDPOINTSLICE)), None)
        if existing is None:
            notes = dict(meta.annotations(endpoints))
            self._store.create(ENDPOINTSLICE, slice_of(endpoints, labels, notes, members, ports))
        elif existing["endpoints"] != members or existing["ports"] != ports:
            self._store.update(ENDPOINTSLICE, {**existing, "endpoints": members, "ports": ports})
        return None
