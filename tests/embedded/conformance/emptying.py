"""Namespaces without the services that an area finds there, or leaves."""

from __future__ import annotations

from tests.support.cluster import Cluster
from tests.support.wait import eventually

_SERVING = "service.serving.knative.dev,configuration,route,revision"
_MADE = "deployments,replicasets,pods"


def empty(cluster: Cluster, namespace: str) -> None:
    """Delete services, what they consist of, and events; without the pods' time to drain.

    A pod that ends may be one of a service that is still going: it is looked for again.
    """
    where = ("-n", namespace)
    cluster.kubectl("delete", _SERVING, "--all", *where)

    def gone() -> bool:
        cluster.kubectl("delete", "pod", "--all", "--force", "--grace-period=0", *where)
        return not cluster.kubectl("get", _MADE, "-o", "name", *where).out

    eventually(gone, timeout=60, what=f"no pods in {namespace}")
    cluster.kubectl("delete", "events", "--all", *where)
