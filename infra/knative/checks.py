"""What is still missing for each step of an installation; only reads, empty when it is right."""

from __future__ import annotations

from typing import Any, Final

from harness.ports import JsonObject, KubeClient
from infra.clusters.resources import (
    CONFIG_MAP,
    CRD,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KOURIER_INGRESS_CLASS,
    KOURIER_NAMESPACE,
    KOURIER_SERVICE,
    SERVICE,
    SERVING_NAMESPACE,
    VERSION_LABEL,
    dig,
    label_of,
    name_of,
    namespace_of,
)

SERVING_CRDS: Final = (
    "configurations.serving.knative.dev",
    "domainmappings.serving.knative.dev",
    "revisions.serving.knative.dev",
    "routes.serving.knative.dev",
    "services.serving.knative.dev",
    "certificates.networking.internal.knative.dev",
    "clusterdomainclaims.networking.internal.knative.dev",
    "images.caching.internal.knative.dev",
    "ingresses.networking.internal.knative.dev",
    "metrics.autoscaling.internal.knative.dev",
    "podautoscalers.autoscaling.internal.knative.dev",
    "serverlessservices.networking.internal.knative.dev",
)
SERVING_DEPLOYMENTS: Final = ("activator", "autoscaler", "controller", "webhook")


def missing_crds(api: KubeClient, minor: str) -> tuple[str, ...]:
    """Which of Serving's CRDs are absent, of another version, or not Established."""
    found = {name_of(item): item for item in api.list(CRD)}
    return tuple(
        problem
        for name in SERVING_CRDS
        if (problem := _object_problem(found.get(name), name, minor, "Established"))
    )


def missing_deployments(
    api: KubeClient, namespace: str, names: tuple[str, ...], minor: str
) -> tuple[str, ...]:
    """Which Deployments are absent, of another version, or not Available."""
    found = {name_of(item): item for item in api.list(DEPLOYMENT, namespace)}
    return tuple(
        problem
        for name in names
        if (problem := _object_problem(found.get(name), name, minor, "Available"))
    )


def missing_webhook(api: KubeClient) -> tuple[str, ...]:
    """Whether the webhook has no ready endpoint: the next apply would fail."""
    slices = api.list(
        ENDPOINT_SLICE, SERVING_NAMESPACE, selector="kubernetes.io/service-name=webhook"
    )
    ready = any(
        dig(endpoint, "conditions", "ready") and endpoint.get("addresses")
        for piece in slices
        for endpoint in dig(piece, "endpoints") or ()
    )
    return () if ready else ("the webhook has no ready endpoint",)


def missing_core(api: KubeClient, minor: str) -> tuple[str, ...]:
    """What Serving's control plane lacks."""
    deployments = missing_deployments(api, SERVING_NAMESPACE, SERVING_DEPLOYMENTS, minor)
    return deployments + missing_webhook(api)


def missing_kourier(api: KubeClient, minor: str) -> tuple[str, ...]:
    """What kourier lacks."""
    controller = missing_deployments(api, SERVING_NAMESPACE, ("net-kourier-controller",), minor)
    gateway = missing_deployments(api, KOURIER_NAMESPACE, ("3scale-kourier-gateway",), minor)
    return controller + gateway


def missing_ingress_class(api: KubeClient) -> tuple[str, ...]:
    """Whether config-network does not name kourier."""
    data = config_data(api, "config-network")
    current = data.get("ingress-class") or data.get("ingress.class")
    return () if current == KOURIER_INGRESS_CLASS else (f"ingress-class is {current or 'not set'}",)


def missing_domain(api: KubeClient, wanted: str) -> tuple[str, ...]:
    """Whether `wanted` is not the default domain."""
    domains = default_domains(api)
    return () if domains == (wanted,) else (f"the domain is {', '.join(domains) or 'not set'}",)


def missing_node_ports(api: KubeClient, wanted: dict[int, int]) -> tuple[str, ...]:
    """Which ports of kourier's Service do not have the NodePort of `wanted` (port: NodePort)."""
    service = api.get(SERVICE, KOURIER_NAMESPACE, KOURIER_SERVICE)
    actual = {port["port"]: port.get("nodePort") for port in dig(service, "spec", "ports") or ()}
    return tuple(
        f"port {port} has NodePort {actual.get(port) or 'none'}, not {node_port}"
        for port, node_port in wanted.items()
        if actual.get(port) != node_port
    )


def node_ports_taken(api: KubeClient, wanted: tuple[int, ...]) -> tuple[str, ...]:
    """Which of the NodePorts belong to another Service than kourier's."""
    return tuple(
        f"NodePort {port['nodePort']} belongs to {namespace_of(item)}/{name_of(item)}"
        for item in api.list(SERVICE)
        if (namespace_of(item), name_of(item)) != (KOURIER_NAMESPACE, KOURIER_SERVICE)
        for port in dig(item, "spec", "ports") or ()
        if port.get("nodePort") in wanted
    )


def default_domains(api: KubeClient) -> tuple[str, ...]:
    """The domains of config-domain that have no selector."""
    data = config_data(api, "config-domain")
    return tuple(sorted(key for key, value in data.items() if key[:1] != "_" and not value))


def config_data(api: KubeClient, name: str) -> dict[str, Any]:
    """The data of one of Knative's ConfigMaps; empty when there is none."""
    return dig(api.get(CONFIG_MAP, SERVING_NAMESPACE, name), "data") or {}


def _object_problem(obj: JsonObject | None, name: str, minor: str, condition: str) -> str:
    if obj is None:
        return f"{name} is missing"
    version = label_of(obj, VERSION_LABEL)
    if not version.startswith(f"{minor}."):
        return f"{name} is of version {version or 'unknown'}"
    conditions = dig(obj, "status", "conditions") or ()
    holds = any(c["type"] == condition and c["status"] == "True" for c in conditions)
    return "" if holds else f"{name} is not {condition}"
