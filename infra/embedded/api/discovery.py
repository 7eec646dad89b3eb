"""Discovery: which groups, versions and resources are served, in both forms."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from infra.embedded.kinds import Kind, Registry

Obj = dict[str, Any]
_STATUS_VERBS = ["get", "patch", "update"]
_SUBRESOURCES: dict[str, tuple[str, list[str]]] = {
    "exec": ("PodExecOptions", ["create", "get"]),
    "finalize": ("Namespace", ["update"]),
    "log": ("Pod", ["get"]),
    "scale": ("Scale", _STATUS_VERBS),
}
_SCALE = {"group": "autoscaling", "version": "v1"}  # the one response of another group
_CUSTOM_VERBS = (
    "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch",
)  # fmt: skip
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def aggregated_wanted(accept: str) -> bool:
    return "as=APIGroupDiscoveryList" in accept.replace(" ", "") and "v=v2" in accept


def api_versions(address: str) -> Obj:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups(registry: Registry) -> Obj:
    names = _group_names(registry)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(registry, name) for name in names],
    }


# The groups in the order in which the API server lists its own; those of CRDs follow.
_ORDER = {
    name: place
    for place, name in enumerate(
        (
            "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io",
            "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
            "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io",
            "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io",
            "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io",
            "flowcontrol.apiserver.k8s.io",
        )
    )
}  # fmt: skip


def _group_names(registry: Registry) -> list[str]:
    names = {kind.group for kind in registry if kind.group}
    return sorted(names, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def _kinds(registry: Registry, group: str, version: str) -> list[Kind]:
    found = [kind for kind in registry if (kind.group, kind.version) == (group, version)]
    return sorted(found, key=lambda kind: kind.plural)


def group(registry: Registry, name: str) -> Obj | None:
    """One APIGroup, None when the group is not served."""
    if not any(kind.group == name for kind in registry):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)}


def _group(registry: Registry, name: str) -> Obj:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in _versions(registry, name)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _versions(registry: Registry, group: str) -> list[str]:
    """Versions of a group, the preferred one first: stable before beta before alpha."""
    versions = dict.fromkeys(kind.version for kind in registry if kind.group == group)
    return sorted(versions, key=_maturity, reverse=True)


def _maturity(version: str) -> tuple[int, int, int]:
    """How much a version is preferred: v2 to v1, v1 to v1beta2, v1beta1 to v1alpha1."""
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return -1, 0, 0
    stage = {None: 2, "beta": 1, "alpha": 0}[found[2]]
    return stage, int(found[1]), int(found[3] or 0)


def resources(registry: Registry, group: str, version: str) -> Obj | None:
    """An APIResourceList, None when the version is not served."""
    kinds = _kinds(registry, group, version)
    if not kinds:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [entry for kind in kinds for entry in _entries(kind)],
    }


def _entries(kind: Kind) -> Iterable[Obj]:
    entry: Obj = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    yield entry | {"storageVersionHash": _storage_hash(kind)}
    for name, response, verbs in _subresources(kind):
        yield {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **(_SCALE if response == "Scale" else {}),
            "kind": response,
            "verbs": verbs,
        }


def _verbs(kind: Kind) -> list[str]:
    """The verbs in the order in which the real server lists them."""
    return list(_CUSTOM_VERBS) if kind.custom else list(kind.verbs)


def _subresources(kind: Kind) -> Iterable[tuple[str, str, list[str]]]:
    for name in kind.subresources:
        response, verbs = _SUBRESOURCES[name]
        yield name, response, verbs
    if kind.status:
        yield "status", kind.kind, _STATUS_VERBS


def _storage_hash(kind: Kind) -> str:
    return hashlib.sha256(f"{kind.api_version}/{kind.kind}".encode()).hexdigest()[:11] + "="


def aggregated(registry: Registry, *, core: bool) -> Obj:
    """The APIGroupDiscoveryList of `/api` or of `/apis`."""
    names = [""] if core else _group_names(registry)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_discovery(registry, name) for name in names],
    }


def _discovery(registry: Registry, group: str) -> Obj:
    metadata = {"name": group} if group else {}
    versions = [
        {
            "version": version,
            "resources": [_resource(kind) for kind in _kinds(registry, group, version)],
            "freshness": "Current",
        }
        for version in _versions(registry, group)
    ]
    return {"metadata": metadata | {"creationTimestamp": None}, "versions": versions}


def _resource(kind: Kind) -> Obj:
    entry: Obj = {
        "resource": kind.plural,
        "responseKind": _gvk(kind, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    subresources = [
        {"subresource": name, "responseKind": _gvk(kind, response), "verbs": verbs}
        for name, response, verbs in _subresources(kind)
    ]
    return entry | ({"subresources": subresources} if subresources else {})


def _gvk(kind: Kind, response: str) -> Obj:
    # The real server leaves group and version empty for kinds that are not custom.
    if response == "Scale":
        return {**_SCALE, "kind": response}
    known = (kind.group, kind.version) if kind.custom else ("", "")
    return {"group": known[0], "version": known[1], "kind": response}
