"""What must be true of a cluster before anything runs on it; only reads."""

from __future__ import annotations

from typing import Final

from harness.core.identity import ClusterIdentity
from harness.ports import KubeClient
from infra.clusters.errors import ForeignIngress, KnativeIncomplete, KnativeMissing, VersionSkew
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    KOURIER_INGRESS_CLASS,
    KSERVICE,
    SERVING_NAMESPACE,
    dig,
    name_of,
)
from infra.knative.catalogue import load_catalogue, version_tuple

_CONTROL_PLANE: Final = ("activator", "autoscaler", "controller", "webhook")
_DEFAULT_INGRESS: Final = "istio.ingress.networking.knative.dev"


def ingress_class(api: KubeClient) -> str:
    """The ingress class that Knative uses: both spellings of the key, else Knative's default."""
    data = dig(api.get(CONFIG_MAP, SERVING_NAMESPACE, "config-network"), "data") or {}
    return str(data.get("ingress-class") or data.get("ingress.class") or _DEFAULT_INGRESS)


def not_available(api: KubeClient, namespace: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the Deployments are missing or not Available, each with what is seen instead."""
    found = {name_of(item): item for item in api.list(DEPLOYMENT, namespace)}
    problems = []
    for name in names:
        conditions = dig(found.get(name), "status", "conditions") or ()
        available = any(c["type"] == "Available" and c["status"] == "True" for c in conditions)
        if name not in found:
            problems.append(f"{name} is missing")
        elif not available:
            problems.append(f"{name} is not Available")
    return tuple(problems)


def check_kubernetes(server: str, knative: str) -> None:
    """Refuse a Kubernetes that is too old for this Knative (`1.18`).

    Errors:
        VersionSkew: it is; the message names the minimum.
    """
    release = load_catalogue().release(knative)
    if version_tuple(server)[:2] < version_tuple(release.kubernetes_minimum)[:2]:
        raise VersionSkew(
            f"Kubernetes {server} is too old: Knative {knative} needs "
            f"{release.kubernetes_minimum} or later",
            mend="use a newer cluster or node image, or an older Knative (--vpm-knative)",
        )


def check_serving(api: KubeClient, identity: ClusterIdentity, *, gateway_given: bool) -> None:
    """Refuse a cluster on which a KService cannot become READY and be reached.

    Errors:
        KnativeMissing, KnativeIncomplete, VersionSkew, ForeignIngress
    """
    if not api.serves(KSERVICE):
        if identity.knative_version:
            raise KnativeIncomplete(
                "Knative's controller is installed, but its kinds are not served",
                mend="install the CRDs of this version: --vpm-bootstrap",
            )
        raise KnativeMissing(
            f"context {identity.context} has no Knative Serving",
            mend="--vpm-bootstrap installs it (vpm cluster up --cluster existing)",
        )
    problems = not_available(api, SERVING_NAMESPACE, _CONTROL_PLANE)
    if problems:
        raise KnativeIncomplete(
            f"Knative Serving does not run: {', '.join(problems)}",
            mend=f"kubectl -n {SERVING_NAMESPACE} get pods; or finish it with --vpm-bootstrap",
        )
    minor = ".".join(identity.knative_version.split(".")[:2])
    if minor in load_catalogue().names:
        check_kubernetes(identity.server_version, minor)
    if not gateway_given and (ingress := ingress_class(api)) != KOURIER_INGRESS_CLASS:
        raise ForeignIngress(
            f"Knative uses the ingress class {ingress}, not {KOURIER_INGRESS_CLASS}",
            mend="name its gateway: --vpm-gateway HOST:PORT",
        )
