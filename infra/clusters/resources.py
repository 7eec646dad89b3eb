"""The kinds that drivers, bootstrap and doctor read or write."""

from __future__ import annotations

from typing import Any, Final, cast

from harness.ports import JsonObject, ResourceKind

NAMESPACE: Final = ResourceKind("", "v1", "namespaces", "Namespace", namespaced=False)
NODE: Final = ResourceKind("", "v1", "nodes", "Node", namespaced=False)
SERVICE: Final = ResourceKind("", "v1", "services", "Service")
POD: Final = ResourceKind("", "v1", "pods", "Pod")
CONFIG_MAP: Final = ResourceKind("", "v1", "configmaps", "ConfigMap")
DEPLOYMENT: Final = ResourceKind("apps", "v1", "deployments", "Deployment")
STATEFUL_SET: Final = ResourceKind("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SET: Final = ResourceKind("apps", "v1", "daemonsets", "DaemonSet")
JOB: Final = ResourceKind("batch", "v1", "jobs", "Job")
ENDPOINT_SLICE: Final = ResourceKind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CRD: Final = ResourceKind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
KSERVICE: Final = ResourceKind("serving.knative.dev", "v1", "services", "Service")
FAULT: Final = ResourceKind("emulator.vpm.dev", "v1alpha1", "faults", "Fault", namespaced=False)
ACCESS_REVIEW: Final = ResourceKind(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
)

SERVING_NAMESPACE: Final = "knative-serving"
KOURIER_NAMESPACE: Final = "kourier-system"
"""Where a release puts it: `gateway.gateway_namespace` says where it is."""
KOURIER_SERVICE: Final = "kourier"
KOURIER_INGRESS_CLASS: Final = "kourier.ingress.networking.knative.dev"
VERSION_LABEL: Final = "app.kubernetes.io/version"


def dig(obj: JsonObject | None, *path: str) -> Any:
    """The value at a path of keys, or None where any of them is missing."""
    value: Any = obj
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def name_of(obj: JsonObject) -> str:
    """The object's name."""
    return cast(str, dig(obj, "metadata", "name") or "")


def namespace_of(obj: JsonObject) -> str:
    """The object's namespace, empty for cluster-scoped kinds."""
    return cast(str, dig(obj, "metadata", "namespace") or "")


def label_of(obj: JsonObject | None, label: str) -> str:
    """The value of one label, empty when it is not set."""
    return cast(str, dig(obj, "metadata", "labels", label) or "")
