"""Which cluster is this? Read from the API in the same way for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

from harness.core.errors import ClusterError
from harness.core.identity import ClusterIdentity
from harness.ports import KubeClient
from infra.clusters.gateway import gateway_namespace
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    SERVING_NAMESPACE,
    VERSION_LABEL,
    dig,
    label_of,
    name_of,
)

EMULATOR_BUILD = "+embedded"
"""In the server's version: the emulator says what it is, also to those who only have a context."""

KNATIVE_CONTROLLER = "controller"
KOURIER_CONTROLLER = "net-kourier-controller"


class ClusterApi(KubeClient, Protocol):
    """A KubeClient that can also say which version its server has."""

    def server_version(self) -> str: ...


def cluster_uid(api: KubeClient) -> str:
    """The UID of namespace kube-system: it is the cluster's for as long as the cluster lives.

    Errors:
        ClusterError: the namespace cannot be read.
    """
    namespace = api.get(NAMESPACE, "", "kube-system")
    uid = dig(namespace, "metadata", "uid")
    if not uid:
        raise ClusterError(
            "the cluster has no namespace kube-system, so it cannot be told from others",
            mend="use a context whose server is a whole Kubernetes API",
        )
    return cast(str, uid)


def installed_version(api: KubeClient, deployment: str) -> str:
    """The version label of one of Knative's Deployments, empty when it is not installed."""
    found = api.get(DEPLOYMENT, SERVING_NAMESPACE, deployment)
    return label_of(found, VERSION_LABEL)


def configured_domain(api: KubeClient) -> str:
    """The default domain of config-domain: the entry without a selector, empty if none is set."""
    config = api.get(CONFIG_MAP, SERVING_NAMESPACE, "config-domain")
    data = dig(config, "data") or {}
    domains = sorted(key for key, value in data.items() if not key.startswith("_") and not value)
    return domains[0] if domains else ""


def control_plane_images(api: KubeClient) -> Mapping[str, str]:
    """The images of Knative's and kourier's Deployments, by namespace/name."""
    return {
        f"{place}/{name_of(found)}": ", ".join(
            container.get("image", "")
            for container in dig(found, "spec", "template", "spec", "containers") or ()
        )
        for place in (SERVING_NAMESPACE, gateway_namespace(api))
        for found in api.list(DEPLOYMENT, place)
    }


def read_identity(
    api: ClusterApi,
    *,
    provider: str,
    name: str,
    context: str,
    chosen_because: str = "",
    details: Mapping[str, str] | None = None,
) -> ClusterIdentity:
    """The identity that evidence is bound to.

    Errors:
        ClusterError: the API server does not answer or refuses to be read.
    """
    kourier = installed_version(api, KOURIER_CONTROLLER)
    version = api.server_version()
    return ClusterIdentity(
        provider=provider,
        name=name,
        context=context,
        uid=cluster_uid(api),
        server_version=version,
        knative_version=installed_version(api, KNATIVE_CONTROLLER),
        ingress="kourier" if kourier else "",
        ingress_version=kourier,
        emulator=EMULATOR_BUILD in version,
        chosen_because=chosen_because,
        details=dict(details or {}),
        images=control_plane_images(api),
    )
