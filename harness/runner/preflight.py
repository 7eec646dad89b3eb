"""Before anything is changed: is this the cluster, and does it serve what the contract names?"""

from __future__ import annotations

from harness.contracts.kinds import Kind
from harness.contracts.model import Contract
from harness.core.identity import ClusterIdentity
from harness.ports import KubeClient, ResourceKind
from harness.runner.folder import Console
from harness.runner.outcome import mismatch

SECONDS = 20.0
NAMESPACE = ResourceKind("", "v1", "namespaces", "Namespace", namespaced=False)


def check_cluster(
    contract: Contract, *, cluster: ClusterIdentity, console: Console, client: KubeClient | None
) -> None:
    """Compare context and cluster UID, and ask API discovery for the contract's kinds.

    A client saves two processes; without one kubectl is asked.

    Errors:
        Stopped: environment_mismatch, with what is wrong. ClusterError: the client's own.
    """
    if not contract.target.covers(cluster.context):
        wanted = ", ".join(contract.target.contexts)
        raise mismatch(
            f"the contract is for {wanted}, this is {cluster.context}; "
            "vpm runner approve with --context approves it for another"
        )
    kinds = {action.resource.known for action in contract.actions} - {None}
    if not kinds:
        return
    uid = _uid_by_client(client) if client else _uid_by_kubectl(console)
    if uid != cluster.uid:
        detail = f"{cluster.context} leads to {uid or 'no cluster'}, opened was {cluster.uid}"
        raise mismatch(f"the cluster was replaced: {detail}")
    extensions = (kind for kind in kinds if kind and kind.group)  # the core is always served
    for kind in sorted(extensions, key=lambda kind: kind.ident):
        served = _served_by_client(client, kind) if client else _served_by_kubectl(console, kind)
        if not served:
            raise mismatch(f"{cluster.context} does not serve {kind.ident} ({kind.qualified})")


def _uid_by_client(client: KubeClient) -> str:
    found = client.get(NAMESPACE, "", "kube-system") or {}
    metadata = found.get("metadata")
    return str(metadata.get("uid", "")) if isinstance(metadata, dict) else ""


def _uid_by_kubectl(console: Console) -> str:
    arguments = ["get", "namespaces", "kube-system", "-o", "jsonpath={.metadata.uid}"]
    result = console.run(arguments, timeout=SECONDS)
    if result.exit_code != 0:
        raise mismatch(f"the cluster does not answer: {result.stderr.strip()[:300]}")
    return result.stdout.strip()


def _served_by_client(client: KubeClient, kind: Kind) -> bool:
    version = kind.api.rpartition("/")[2]
    plural = kind.qualified.partition(".")[0]
    return client.serves(ResourceKind(kind.group, version, plural, kind.kind, kind.namespaced))


def _served_by_kubectl(console: Console, kind: Kind) -> bool:
    arguments = ["api-resources", f"--api-group={kind.group}", "-o", "name"]
    result = console.run(arguments, timeout=SECONDS)
    return kind.qualified in result.stdout.split()
