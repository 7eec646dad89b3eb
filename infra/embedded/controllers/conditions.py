"""Conditions of Knative's objects: how single conditions make the object's own `Ready`.

The rules are those of Knative's living condition sets: a dependent that is False makes Ready
False, an Unknown one makes it Unknown unless another is False, and only all True make it True.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from infra.embedded.clock import parse_rfc3339, rfc3339
from infra.embedded.store import Obj

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
READY = "Ready"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `since` is the time of its last transition (UTC)."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    severity: str = ""
    since: datetime | None = None

    @property
    def is_true(self) -> bool:
        return self.status == TRUE

    @property
    def is_false(self) -> bool:
        return self.status == FALSE

    @property
    def is_unknown(self) -> bool:
        return self.status == UNKNOWN

    def as_json(self) -> dict[str, Any]:
        optional = {"message": self.message, "reason": self.reason, "severity": self.severity}
        return {
            "lastTransitionTime": rfc3339(self.since) if self.since else None,
            **{key: value for key, value in optional.items() if value},
            "status": self.status,
            "type": self.type,
        }


def parse(entry: Mapping[str, Any]) -> Condition:
    """A condition from its JSON; raises KeyError without type or status."""
    since = entry.get("lastTransitionTime")
    return Condition(
        entry["type"],
        entry["status"],
        entry.get("reason", ""),
        entry.get("message", ""),
        entry.get("severity", ""),
        parse_rfc3339(since) if since else None,
    )


def find(obj: Obj, type: str = READY) -> Condition | None:
    """A condition of an object as stored."""
    for entry in obj.get("status", {}).get("conditions") or ():
        if entry.get("type") == type:
            return parse(entry)
    return None


def is_true(obj: Obj, type: str = READY) -> bool:
    condition = find(obj, type)
    return condition is not None and condition.is_true


class Conditions:
    """The conditions of one object while its controller works on them."""

    def __init__(
        self, dependents: tuple[str, ...], entries: Iterable[Mapping[str, Any]], now: datetime
    ) -> None:
        """`dependents` decide Ready; other conditions are only informative."""
        self._dependents = dependents
        self._now = now
        self._before: dict[str, Condition] = {entry["type"]: parse(entry) for entry in entries}
        self._now_set: dict[str, Condition] = dict(self._before)

    def get(self, type: str) -> Condition | None:
        return self._now_set.get(type)

    def has(self, type: str, status: str) -> bool:
        condition = self.get(type)
        return condition is not None and condition.status == status

    def initialize(self) -> None:
        """Give Ready and its dependents a first value where they have none."""
        ready = self.get(READY) or self._set(Condition(READY, UNKNOWN))
        for type in self._dependents:
            if type not in self._now_set:
                self._set(Condition(type, TRUE if ready.is_true else UNKNOWN))

    def mark_true(self, type: str, reason: str = "", message: str = "") -> None:
        self._set(Condition(type, TRUE, reason, message))
        unhappy = self._unhappy_dependent()
        if unhappy is not None:
            self._set(replace(unhappy, type=READY, since=None))
        elif type != READY:
            self._set(Condition(READY, TRUE))

    def mark_false(self, type: str, reason: str, message: str = "") -> None:
        self._set(Condition(type, FALSE, reason, message))
        if type in self._dependents:
            self._set(Condition(READY, FALSE, reason, message))

    def mark_unknown(self, type: str, reason: str = "", message: str = "") -> None:
        self._set(Condition(type, UNKNOWN, reason, message))
        for dependent in self._dependents:
            other = self.get(dependent)
            if other is not None and other.is_false:  # a failure outweighs what is not known
                if not self.has(READY, FALSE):
                    self.mark_false(READY, reason, message)  # upstream's, not the failure's own
                return
        if type in self._dependents:
            self._set(Condition(READY, UNKNOWN, reason, message))

    def copy_status(self, type: str, source: Condition) -> None:
        """Mark `type` as `source` is, with its reason and message."""
        if source.is_true:
            self.mark_true(type)
        elif source.is_false:
            self.mark_false(type, source.reason, source.message)
        else:
            self.mark_unknown(type, source.reason, source.message)

    def as_json(self) -> list[dict[str, Any]]:
        """All conditions by type; only a change of the status moves a transition time."""
        settled = []
        for type in sorted(self._now_set):
            condition, before = self._now_set[type], self._before.get(type)
            kept = before is not None and before.status == condition.status
            since = before.since if before is not None and kept else self._now
            settled.append(replace(condition, since=since).as_json())
        return settled

    def _set(self, condition: Condition) -> Condition:
        decisive = condition.type == READY or condition.type in self._dependents
        condition = replace(condition, severity="" if decisive else "Info", since=self._now)
        current = self._now_set.get(condition.type)
        if current is not None and replace(current, since=self._now) == condition:
            return current
        # Re-inserted at the end: the order of change breaks ties between equal times.
        self._now_set.pop(condition.type, None)
        self._now_set[condition.type] = condition
        return condition

    def _unhappy_dependent(self) -> Condition | None:
        """What keeps Ready from being True: the latest False, else the latest Unknown."""
        present = [self._now_set[t] for t in sorted(self._dependents) if t in self._now_set]
        present.sort(key=lambda c: c.since or self._now, reverse=True)
        for status in (FALSE, UNKNOWN):
            for condition in present:
                if condition.status == status:
                    return condition
        return None if len(present) == len(self._dependents) else Condition(READY, UNKNOWN)
