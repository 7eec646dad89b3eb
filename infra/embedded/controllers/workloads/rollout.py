"""The arithmetic of a Deployment's rollout.  Pure functions."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from infra.embedded.store import Obj

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


def template_hash(template: Obj) -> str:
    """Ten letters that stand for a pod template, in the alphabet of Kubernetes' names.

    A template without a time of creation is the one with null for it: typed clients write either.
    """
    metadata = {"creationTimestamp": None, **(template.get("metadata") or {})}
    same = {**template, "metadata": metadata}
    text = json.dumps(same, sort_keys=True, separators=(",", ":"))
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    return "".join(_LETTERS[number // len(_LETTERS) ** i % len(_LETTERS)] for i in range(10))


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a rollout may go above and below the wanted number of pods."""

    surge: int
    unavailable: int


def limits(deployment: Obj) -> Limits:
    """maxSurge (rounded up) and maxUnavailable (rounded down) in pods; never both 0."""
    spec = deployment["spec"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Limits(0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    replicas = spec.get("replicas", 1)
    surge = _share(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge, min(unavailable, replicas))


def _share(value: int | str, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = replicas * int(value.removesuffix("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)


def new_replicas(deployment: Obj, new: int, total: int) -> int:
    """Replicas of the newest ReplicaSet, which has `new` now, where all have `total` together."""
    wanted: int = deployment["spec"].get("replicas", 1)
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return wanted if total == new else new
    room = wanted + limits(deployment).surge - total
    return min(wanted, new + room) if room > 0 or new > wanted else new


def old_replicas(deployment: Obj, newest: Obj, old: Sequence[Obj]) -> list[int]:
    """Replicas of the older ReplicaSets, in the order given (oldest first)."""
    current = [replicas(rs) for rs in old]
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return [0] * len(old)
    minimum = deployment["spec"].get("replicas", 1) - limits(deployment).unavailable
    pending = replicas(newest) - available(newest)
    room = sum(current) + replicas(newest) - minimum - pending
    counts = []
    for rs, count in zip(old, current, strict=True):  # pods that do not serve go first
        cut = min(count - min(available(rs), count), max(0, room))
        counts.append(count - cut)
        room -= cut
    spare = sum(available(rs) for rs in (*old, newest)) - minimum
    final = []
    for count in counts:
        cut = min(count, max(0, spare))
        final.append(count - cut)
        spare -= cut
    return final


def replicas(replicaset: Obj) -> int:
    count: int = replicaset["spec"].get("replicas", 1)
    return count


def available(replicaset: Obj) -> int:
    count: int = replicaset.get("status", {}).get("availableReplicas", 0)
    return count


def actual(replicaset: Obj) -> int:
    count: int = replicaset.get("status", {}).get("replicas", 0)
    return count


def ready(replicaset: Obj) -> int:
    count: int = replicaset.get("status", {}).get("readyReplicas", 0)
    return count
