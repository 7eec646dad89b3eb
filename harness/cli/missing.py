"""A KService that is not there: where one of its name is, and which cluster was looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.core.dig import text_at
from harness.core.errors import ClusterError, UsageError
from harness.ports import Cluster, KubeClient
from infra.kube import KubernetesClient
from probes.ready import KSERVICE

_SHOWN = 8


class NoKService(UsageError):
    """There is no KService of that name in that namespace."""

    def __init__(self, namespace: str, name: str) -> None:
        look = f"kubectl -n {namespace} get ksvc"
        super().__init__(f"there is no KService {namespace}/{name}", mend=look)
        self.name = name


@contextmanager
def located(cluster: Cluster) -> Iterator[None]:
    """Say of a KService that is missing what the cluster has instead."""
    try:
        yield
    except NoKService as error:
        client = KubernetesClient(cluster.kubeconfig, cluster.context)
        try:
            found = known_services(client)
        except ClusterError:  # Whoever may not list everything is told no more than before.
            raise error from None
        who = cluster.identity
        raise UsageError(
            f"{error.message} on the {who.provider} cluster {who.name}",
            mend=mend_missing(error.name, found),
        ) from error


def known_services(client: KubeClient) -> list[tuple[str, str]]:
    """Namespace and name of every KService.

    Errors:
        ClusterError: they cannot be listed.
    """
    names = ((text_at(o, "metadata", "namespace"), text_at(o, "metadata", "name")) for o in
             client.list(KSERVICE))  # fmt: skip
    return sorted(names)


def mend_missing(name: str, found: Sequence[tuple[str, str]]) -> str:
    """What to do, given the KServices that there are."""
    if not found:
        return (
            "this cluster has no KService at all: name the one that has it "
            "(--cluster existing --context NAME), or keep one (vpm cluster up) and apply it there"
        )
    elsewhere = [place for place, other in found if other == name]
    if elsewhere:
        return f"it is in another namespace: --namespace {' or '.join(elsewhere)}"
    shown = [f"{place}/{other}" for place, other in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"there are: {', '.join(shown)}{more}"
