"""The mark that the harness leaves on what it created."""

from __future__ import annotations

from typing import Final

from harness.ports import KubeClient
from infra.clusters.resources import NAMESPACE, label_of

OWNER_LABEL: Final = "vpm.dev/created-by"
"""On namespace kube-system of a cluster, and on namespaces that a scenario created."""

OUR_LABELS: Final = (
    ("app.kubernetes.io/part-of", "vpm"),
    ("app.kubernetes.io/managed-by", "vpm-harness"),
)
"""On workloads of the dev overlay, and on those that the harness makes."""


def label_owner(api: KubeClient, owner: str) -> None:
    """Mark the cluster as the one that the harness created with this owner token."""
    api.patch(NAMESPACE, "", "kube-system", {"metadata": {"labels": {OWNER_LABEL: owner}}})


def owner_of(api: KubeClient) -> str:
    """The cluster's owner token, empty when the harness did not create it."""
    return label_of(api.get(NAMESPACE, "", "kube-system"), OWNER_LABEL)
