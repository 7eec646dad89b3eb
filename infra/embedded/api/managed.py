"""managedFields: who set which field."""

from infra.embedded.api.context import Call
from infra.embedded.clock import Clock
from infra.embedded.store import Obj


def note(
    call: Call, submitted: Obj, old: Obj | None, new: Obj, operation: str, clock: Clock
) -> None:
    """Record in `new` that the caller's manager set the fields that differ from `old`."""
    del call, submitted, old, new, operation, clock
