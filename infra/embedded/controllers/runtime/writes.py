"""Compare, then write: most reconciliations change nothing, and copying costs more than looking."""

from infra.embedded.kinds import Kind
from infra.embedded.store import Obj, Store


def update(store: Store, kind: Kind, existing: Obj, wanted: Obj) -> Obj:
    """Replace `existing` unless `wanted` equals it; returns what is stored then."""
    return existing if wanted == existing else store.update(kind, wanted)


def update_status(store: Store, kind: Kind, existing: Obj, status: Obj) -> Obj:
    """Give `existing` another status, unless it has this one; returns what is stored then."""
    if existing.get("status") == status:
        return existing
    return store.update_status(kind, {**existing, "status": status})
