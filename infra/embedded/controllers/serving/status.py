"""How every Knative controller writes a status: draft it, then store it with its generation."""

from collections.abc import Callable
from typing import Any

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.controllers.conditions import READY, Conditions
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import ReconcileError
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj, Store

_OWN = ("conditions", "observedGeneration")


class Draft:
    """The status of one object while its controller works it out."""

    def __init__(self, obj: Obj, dependents: tuple[str, ...], clock: Clock) -> None:
        """`dependents` are the conditions that decide Ready."""
        before = obj.get("status", {})
        self.obj = obj
        self.fields: dict[str, Any] = {k: v for k, v in before.items() if k not in _OWN}
        self.conditions = Conditions(dependents, before.get("conditions") or (), clock.now())
        if before.get("observedGeneration") != obj["metadata"]["generation"] and before:
            message = "unsuccessfully observed a new generation"
            self.conditions.mark_unknown(READY, "NewObservedGenFailure", message)
        self.conditions.initialize()

    def put(self, **fields: Any) -> None:
        """Set fields of the status; None removes one."""
        for key, value in fields.items():
            if value is None:
                self.fields.pop(key, None)
            else:
                self.fields[key] = value

    def status(self) -> Obj:
        return {
            **self.fields,
            "conditions": self.conditions.as_json(),
            "observedGeneration": self.obj["metadata"]["generation"],
        }


class StatusWriter:
    """Runs the work on a draft, and stores the status whether or not the work failed."""

    def __init__(
        self, store: Store, clock: Clock, kind: Kind, dependents: tuple[str, ...], component: str
    ) -> None:
        self._store, self._clock = store, clock
        self._kind, self._dependents, self._component = kind, dependents, component

    def run(self, obj: Obj, work: Callable[[Draft], float | None]) -> float | None:
        """Draft, work, store; a ReconcileError becomes the event InternalError and goes on."""
        draft = Draft(obj, self._dependents, self._clock)
        try:
            again = work(draft)
        except ReconcileError as error:
            self._save(draft)
            self.record(obj, events.WARNING, "InternalError", str(error))
            raise
        self._save(draft)
        return again

    def record(self, obj: Obj, type: str, reason: str, message: str) -> None:
        """An event about the object, in the name of this controller."""
        events.record(self._store, self._clock, obj, type, reason, message, self._component)

    def normal(self, obj: Obj, reason: str, message: str) -> None:
        self.record(obj, events.NORMAL, reason, message)

    def _save(self, draft: Draft) -> None:
        meta = draft.obj["metadata"]
        current = self._store.find(self._kind, meta["namespace"], meta["name"])
        if current is not None and current["metadata"]["uid"] == meta["uid"]:
            writes.update_status(self._store, self._kind, current, draft.status())
