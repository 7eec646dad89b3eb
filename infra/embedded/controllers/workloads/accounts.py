"""Why a pod is refused before it exists: its service account is not there."""

from infra.embedded.kinds import SERVICEACCOUNT
from infra.embedded.store import Obj, Store


def refusal(store: Store, namespace: str, spec: Obj, prefix: str) -> str | None:
    """The API server's words when a pod cannot be admitted, else None."""
    account = spec.get("serviceAccountName") or "default"
    if store.find(SERVICEACCOUNT, namespace, account) is not None:
        return None
    return (
        f'pods "{prefix}" is forbidden: error looking up service account '
        f'{namespace}/{account}: serviceaccount "{account}" not found'
    )
