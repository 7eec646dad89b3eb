"""Server-side apply."""

from infra.embedded.api import body, patch
from infra.embedded.api.context import Api, Call
from infra.embedded.store import Obj


def server_side(api: Api, call: Call, raw: bytes) -> tuple[Obj, bool]:
    """Apply a configuration; returns the object and whether it was created."""
    from infra.embedded.api import write

    obj, _ = body.decode_object(raw, patch.APPLY)
    target = call.target
    old = api.store.find(target.kind, target.space, target.name or "")
    if old is None:
        return write.insert(api, call, obj, "Apply"), True
    return write.save(api, call, old, patch.merge(old, obj), "Apply"), False
