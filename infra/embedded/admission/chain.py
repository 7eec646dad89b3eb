"""The order of admission: the namespace, defaults of the core kinds, Knative's webhooks."""

from infra.embedded.admission.attempt import Attempt, Obj
from infra.embedded.store import Store


def mutate(store: Store, attempt: Attempt) -> Obj:
    """The object with defaults, as mutating admission leaves it; raises a StatusError."""
    del store
    return attempt.obj


def validate(store: Store, attempt: Attempt) -> list[str]:
    """The warnings for an object that may be stored; raises a StatusError otherwise."""
    del store, attempt
    return []
