"""The status of a Deployment: counts, and conditions as its controller sets them.  Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.embedded.clock import parse_rfc3339, rfc3339
from infra.embedded.controllers.workloads.rollout import (
    actual,
    available,
    limits,
    ready,
    replicas,
)
from infra.embedded.store import Obj

CREATED, UPDATED, COMPLETE = "NewReplicaSetCreated", "ReplicaSetUpdated", "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
_MESSAGES = {
    CREATED: 'Created new replica set "{}"',
    UPDATED: 'ReplicaSet "{}" is progressing.',
    COMPLETE: 'ReplicaSet "{}" has successfully progressed.',
    TIMED_OUT: 'ReplicaSet "{}" has timed out progressing.',
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition before it has its times."""

    type: str
    status: str
    reason: str
    message: str


def progressing(reason: str, replicaset: str) -> Verdict:
    """The condition Progressing for one of the reasons above."""
    good = "False" if reason == TIMED_OUT else "True"
    return Verdict("Progressing", good, reason, _MESSAGES[reason].format(replicaset))


def set_condition(
    conditions: Sequence[Obj], new: Verdict, now: datetime, *, touch: bool = False
) -> list[Obj]:
    """`conditions` with this one at the end; `touch` renews the update time of an equal one."""
    current = next((c for c in conditions if c["type"] == new.type), None)
    same = current is not None and current["status"] == new.status
    if current is not None and same and current["reason"] == new.reason and not touch:
        return list(conditions)
    since = current["lastTransitionTime"] if current is not None and same else rfc3339(now)
    entry = {
        "type": new.type,
        "status": new.status,
        "lastUpdateTime": rfc3339(now),
        "lastTransitionTime": since,
        "reason": new.reason,
        "message": new.message,
    }
    return [c for c in conditions if c["type"] != new.type] + [entry]


def counts(newest: Obj | None, old: Sequence[Obj]) -> dict[str, int]:
    """The numbers of the status; those that are 0 are left out."""
    every = [*old, *([newest] if newest else [])]
    serving = sum(map(available, every))
    numbers = {
        "replicas": sum(map(actual, every)),
        "updatedReplicas": actual(newest) if newest else 0,
        "readyReplicas": sum(map(ready, every)),
        "availableReplicas": serving,
        "unavailableReplicas": max(0, sum(map(replicas, every)) - serving),
    }
    return {name: number for name, number in numbers.items() if number}


def availability(deployment: Obj, numbers: dict[str, int]) -> Verdict:
    wanted = deployment["spec"].get("replicas", 1) - limits(deployment).unavailable
    if numbers.get("availableReplicas", 0) >= wanted:
        message = "Deployment has minimum availability."
        return Verdict("Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return Verdict("Available", "False", "MinimumReplicasUnavailable", message)


def progress(
    *, deployment: Obj, numbers: dict[str, int], conditions: Sequence[Obj], now: datetime
) -> str | None:
    """The reason that Progressing gets from these numbers, or None where it stays as it is."""
    spec, before = deployment["spec"], deployment.get("status", {})
    wanted, deadline = spec.get("replicas", 1), spec.get("progressDeadlineSeconds")
    current = next((c for c in conditions if c["type"] == "Progressing"), None)
    total, updated = numbers.get("replicas", 0), numbers.get("updatedReplicas", 0)
    if deadline is None or (
        current is not None and current["reason"] == COMPLETE and total == updated
    ):
        return None
    if total == updated == numbers.get("availableReplicas", 0) == wanted:
        return COMPLETE
    fewer_old = total - updated < before.get("replicas", 0) - before.get("updatedReplicas", 0)
    grown = any(
        numbers.get(name, 0) > before.get(name, 0)
        for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    if grown or fewer_old:
        return UPDATED
    late = deadline_left(conditions, deadline, now)
    return TIMED_OUT if late is not None and late <= 0 else None


def deadline_left(conditions: Sequence[Obj], deadline: int, now: datetime) -> float | None:
    """Seconds until a rollout without progress counts as failed; None when none is going on."""
    current = next((c for c in conditions if c["type"] == "Progressing"), None)
    if current is None or current["reason"] in (COMPLETE, TIMED_OUT):
        return None
    return deadline - (now - parse_rfc3339(current["lastUpdateTime"])).total_seconds()


def failures(every: Sequence[Obj]) -> list[dict[str, Any]]:
    """ReplicaFailure conditions of the ReplicaSets, as a Deployment shows them."""
    return [
        {
            "type": "ReplicaFailure",
            "status": c["status"],
            "lastUpdateTime": c["lastTransitionTime"],
            "lastTransitionTime": c["lastTransitionTime"],
            "reason": c["reason"],
            "message": c["message"],
        }
        for replicaset in every
        for c in replicaset.get("status", {}).get("conditions", ())
        if c["type"] == "ReplicaFailure" and c["status"] == "True"
    ]
