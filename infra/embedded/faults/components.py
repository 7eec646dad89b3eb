"""Components of Knative that are taken away, as `kubectl scale` would: their pods end."""

import asyncio
from collections.abc import Set

from infra.embedded.kinds import DEPLOYMENT, POD
from infra.embedded.store import Obj, Store, copy

NAMESPACE = "knative-serving"
NAMES = ("controller", "activator", "autoscaler", "webhook", "net-kourier-controller")
_TRIES, _PAUSE = 1500, 0.02  # half a minute


async def take_away(store: Store, wanted: Set[str], before: Set[str]) -> None:
    """Have these components gone instead of the earlier ones; returns when they are.

    Raises OSError when one neither goes nor comes.
    """
    for name in sorted(wanted ^ before):
        _scale(store, name, 0 if name in wanted else 1)
        await _settled(store, name, gone=name in wanted)


def _scale(store: Store, name: str, replicas: int) -> None:
    deployment = store.find(DEPLOYMENT, NAMESPACE, name)
    if deployment is None:
        raise OSError(f"there is no Deployment {NAMESPACE}/{name}")
    new = copy(deployment)
    new["spec"]["replicas"] = replicas
    store.update(DEPLOYMENT, new)


async def _settled(store: Store, name: str, *, gone: bool) -> None:
    for _ in range(_TRIES):
        pods = store.list(POD, NAMESPACE, {"app": name})
        if (not pods) if gone else any(map(_is_ready, pods)):
            return
        await asyncio.sleep(_PAUSE)
    raise OSError(f"the pods of {NAMESPACE}/{name} do not {'end' if gone else 'get ready'}")


def _is_ready(pod: Obj) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
