"""Endpoints and EndpointSlices: the pods behind a Service with a selector."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from infra.embedded.clock import Clock
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime.controller import Key, Watch, itself, key_of
from infra.embedded.controllers.workloads import pods
from infra.embedded.kinds import ENDPOINTS, ENDPOINTSLICE, POD, SERVICE
from infra.embedded.store import Obj, Store, generate_name

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGER_LABEL = "endpoints.kubernetes.io/managed-by"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
_HEADLESS = "service.kubernetes.io/headless"


def port_number(port: Obj, pod: Obj) -> int | None:
    """The number of a Service's port on a pod; None when the pod has no port of that name."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers", ()):
        for declared in container.get("ports", ()):
            named = declared.get("name") == target
            if named and declared.get("protocol", "TCP") == port.get("protocol", "TCP"):
                number: int = declared["containerPort"]
                return number
    return None


def ports_of(service: Obj, pod: Obj) -> list[Obj]:
    """The ports under which a pod serves the Service, as a slice lists them."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = port_number(port, pod)
        if number is not None:
            named = {"name": port["name"]} if port.get("name") else {}
            found.append({**named, "port": number, "protocol": port.get("protocol", "TCP")})
    return found


def endpoint_of(pod: Obj) -> Obj:
    """One pod as a slice lists it."""
    leaving, ready = meta.is_deleting(pod), pods.is_ready(pod)
    target = {
        "kind": "Pod",
        "name": pod["metadata"]["name"],
        "namespace": pod["metadata"]["namespace"],
        "uid": pod["metadata"]["uid"],
    }
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not leaving, "serving": ready, "terminating": leaving},
        **({"nodeName": node} if (node := pod["spec"].get("nodeName")) else {}),
        "targetRef": target,
    }


def subsets_of(members: Sequence[Obj], ports: Sequence[Obj]) -> list[Obj]:
    """The same pods as Endpoints list them; those that are leaving are left out."""
    ready: list[Obj] = []
    unready: list[Obj] = []
    for endpoint in members:
        if endpoint["conditions"]["terminating"]:
            continue
        entry = {
            "ip": endpoint["addresses"][0],
            **({"nodeName": node} if (node := endpoint.get("nodeName")) else {}),
            "targetRef": endpoint["targetRef"],
        }
        (ready if endpoint["conditions"]["ready"] else unready).append(entry)
    if not ready and not unready:
        return []
    groups = {"addresses": ready, "notReadyAddresses": unready}
    return [{**{k: v for k, v in groups.items() if v}, "ports": sorted(ports, key=_port_digest)}]


def _port_digest(port: Obj) -> bytes:
    """What Kubernetes sorts the ports of a subset by: a digest of Go's rendering of each."""
    rendered = (
        f"(v1.EndpointPort){{Name:(string){port.get('name', '')} Port:(int32){port['port']} "
        f"Protocol:(v1.Protocol){port['protocol']} AppProtocol:(*string)<nil>}}"
    )
    return hashlib.md5(rendered.encode(), usedforsecurity=False).digest()


class Selectors:
    """Services by one label of their selector: a pod asks for the few that may select it."""

    def __init__(self) -> None:
        self._selectors: dict[Key, Mapping[str, str]] = {}
        self._by_label: dict[tuple[str, str, str], set[Key]] = {}

    def put(self, key: Key, selector: Mapping[str, str]) -> None:
        """A Service selects by these labels from now on."""
        if self._selectors.get(key) == selector:
            return
        self.forget(key)
        self._selectors[key] = selector
        self._by_label.setdefault(_first_label(key, selector), set()).add(key)

    def forget(self, key: Key) -> None:
        selector = self._selectors.pop(key, None)
        if selector is not None:
            label = _first_label(key, selector)
            self._by_label[label].discard(key)
            if not self._by_label[label]:
                del self._by_label[label]

    def matching(self, pod: Obj) -> list[Key]:
        """The Services that select a pod."""
        namespace = pod["metadata"]["namespace"]
        return [
            key
            for name, value in meta.labels(pod).items()
            for key in sorted(self._by_label.get((namespace, name, value), ()))
            if meta.selects(self._selectors[key], pod)
        ]


def _first_label(key: Key, selector: Mapping[str, str]) -> tuple[str, str, str]:
    name = min(selector)
    return key.namespace, name, selector[name]


class EndpointSlices:
    """Keeps Endpoints and one EndpointSlice per Service in step with its pods."""

    name = "endpointslice-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._selectors = Selectors()

    def watches(self) -> Iterable[Watch]:
        return (Watch(SERVICE, itself), Watch(POD, self._selectors.matching))

    def reconcile(self, key: Key) -> float | None:
        service = self._store.find(SERVICE, *key)
        selector = (service or {}).get("spec", {}).get("selector")
        if service is None or not selector or meta.is_deleting(service):
            self._selectors.forget(key)
            if service is None:
                self._remove(key)
            return None
        self._selectors.put(key, selector)
        members = [
            pod
            for pod in self._store.list(POD, key.namespace, selector)
            if pod.get("status", {}).get("podIP") and pods.phase(pod) not in ("Succeeded", "Failed")
        ]
        members.sort(key=lambda pod: str(pod["metadata"]["name"]))
        endpoints = [endpoint_of(pod) for pod in members]
        ports = ports_of(service, members[0]) if members else []
        self._write_endpoints(service, subsets_of(endpoints, ports))
        self._write_slice(service, endpoints, ports)
        return None

    def _remove(self, key: Key) -> None:
        """Endpoints have no owner, so they are deleted with their Service here."""
        endpoints = self._store.find(ENDPOINTS, *key)
        if endpoints is not None and MANAGER_LABEL in meta.labels(endpoints):
            self._store.delete(ENDPOINTS, *key)

    def _trigger(self) -> dict[str, str]:
        return {TRIGGER: self._clock.stamp()}

    def _write_endpoints(self, service: Obj, subsets: list[Obj]) -> None:
        namespace, name = key_of(service)
        existing = self._store.find(ENDPOINTS, namespace, name)
        labels = {
            **meta.labels(service),
            MANAGER_LABEL: "endpoint-controller",
        }
        body = {"subsets": subsets} if subsets else {}
        if existing is None:
            fresh = {"name": name, "namespace": namespace, "labels": labels}
            if subsets:
                fresh["annotations"] = self._trigger()
            self._store.create(
                ENDPOINTS, {"apiVersion": "v1", "kind": "Endpoints", "metadata": fresh, **body}
            )
        elif existing.get("subsets", []) != subsets or meta.labels(existing) != labels:
            kept = {k: v for k, v in existing.items() if k != "subsets"}
            notes = {**meta.annotations(existing), **(self._trigger() if subsets else {})}
            changed = meta.with_metadata({**kept, **body}, labels=labels, annotations=notes)
            self._store.update(ENDPOINTS, changed)

    def _write_slice(self, service: Obj, endpoints: list[Obj], ports: list[Obj]) -> None:
        existing = next(iter(self._store.dependents(service, ENDPOINTSLICE)), None)
        headless = service["spec"].get("clusterIP") == "None"
        labels = {
            **meta.labels(service),
            MANAGED_BY: "endpointslice-controller.k8s.io",
            SERVICE_NAME: service["metadata"]["name"],
            **({_HEADLESS: ""} if headless else {}),
        }
        if existing is None:
            notes = self._trigger() if endpoints else {}
            self._store.create(ENDPOINTSLICE, slice_of(service, labels, notes, endpoints, ports))
        elif existing["endpoints"] != endpoints or existing["ports"] != ports:
            notes = {**meta.annotations(existing), **(self._trigger() if endpoints else {})}
            changed = meta.with_metadata(existing, labels=labels, annotations=notes)
            self._store.update(ENDPOINTSLICE, {**changed, "endpoints": endpoints, "ports": ports})


def slice_of(
    owner: Obj,
    labels: dict[str, str],
    annotations: dict[str, str],
    endpoints: list[Obj],
    ports: list[Obj],
) -> Obj:
    """A new slice that belongs to a Service (or, mirrored, to Endpoints)."""
    prefix = f"{owner['metadata']['name']}-"
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": generate_name(prefix),
            "generateName": prefix,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [meta.controller_ref(owner)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }
