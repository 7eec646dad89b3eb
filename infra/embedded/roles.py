"""The ClusterRoles that every cluster begins with, and who has them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.embedded.kinds import ALL_VERBS, CLUSTERROLE, CLUSTERROLEBINDING, Kind
from infra.embedded.store import Obj

_GROUP = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = [verb for verb in ALL_VERBS if verb not in _READ]
_LIVING = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_CORE = ["configmaps", "endpoints", "events", "limitranges", "namespaces/status",
         "persistentvolumeclaims", "pods", "pods/log", "pods/status", "replicationcontrollers",
         "resourcequotas", "serviceaccounts", "services", "services/status"]  # fmt: skip
_SECRET = ["secrets", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]


def _rule(groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str]) -> Obj:
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}


def _paths(*paths: str, verbs: Sequence[str] = ("get",)) -> Obj:
    return {"nonResourceURLs": list(paths), "verbs": list(verbs)}


_WORKLOADS = ("apps", "autoscaling", "batch", "discovery.k8s.io", "networking.k8s.io", "policy",
              "serving.knative.dev", "networking.internal.knative.dev",
              "autoscaling.internal.knative.dev", "caching.internal.knative.dev")  # fmt: skip
_VIEW = [
    _rule([""], _CORE, _READ),
    _rule([""], ["namespaces"], _READ),
    _rule(_WORKLOADS, ["*"], _READ),
]
_EDIT = [*_VIEW, _rule([""], [*_CORE, *_SECRET], _WRITE), _rule([""], _SECRET, _READ),
         _rule(_WORKLOADS, ["*"], _WRITE)]  # fmt: skip
_ROLES: Mapping[str, Sequence[Obj]] = {
    "cluster-admin": [_rule(["*"], ["*"], ["*"]), _paths("*", verbs=["*"])],
    "admin": [*_EDIT, _rule([_GROUP], ["roles", "rolebindings"], ALL_VERBS)],
    "edit": _EDIT,
    "view": _VIEW,
    "system:basic-user": [
        _rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
              ["create"]),
        _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ],
    "system:discovery": [
        _paths("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_LIVING)
    ],
    "system:public-info-viewer": [_paths(*_LIVING)],
}  # fmt: skip
_MEMBERS: Mapping[str, Sequence[str]] = {
    "cluster-admin": ["system:masters"],
    "system:basic-user": ["system:authenticated"],
    "system:discovery": ["system:authenticated"],
    "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
}


def roles() -> Iterator[tuple[Kind, Obj]]:
    """Roles and bindings, each with its kind."""
    for name, rules in _ROLES.items():
        yield CLUSTERROLE, {**_base(CLUSTERROLE, name), "rules": list(rules)}
    for name, groups in _MEMBERS.items():
        subjects = [{"apiGroup": _GROUP, "kind": "Group", "name": group} for group in groups]
        reference = {"apiGroup": _GROUP, "kind": "ClusterRole", "name": name}
        binding = _base(CLUSTERROLEBINDING, name)
        yield CLUSTERROLEBINDING, {**binding, "roleRef": reference, "subjects": subjects}


def _base(kind: Kind, name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "labels": labels},
    }
