"""The order of admission: defaults of the core kinds, then Knative's webhooks."""

import logging
from collections.abc import Mapping

from infra.embedded.admission import core, definitions, required
from infra.embedded.admission.attempt import Attempt, Obj
from infra.embedded.admission.knative import networking, webhook
from infra.embedded.errors import Cause, Invalid
from infra.embedded.faults.definition import FAULT, why_refused
from infra.embedded.kinds import CONFIGMAP, CRD
from infra.embedded.store import Store

_log = logging.getLogger(webhook.__name__)  # these lines are those of Knative's webhook


def mutate(store: Store, attempt: Attempt) -> Obj:
    """The object with defaults, as mutating admission leaves it; raises a StatusError."""
    if attempt.kind in webhook.GUARDED:
        obj = webhook.mutate(attempt, _config(store, "config-defaults"))
        webhook.check_required(attempt)
        return obj
    if attempt.kind == CRD:
        return definitions.default(attempt)
    if attempt.kind in networking.INNER:
        return webhook.mutate_inner(attempt)
    return core.default(store, attempt)


def validate(store: Store, attempt: Attempt, warnings: list[str]) -> None:
    """Add to the warnings, and raise a StatusError when the object may not be stored."""
    if attempt.operation == "DELETE":
        return
    if attempt.kind == CRD:
        warnings += definitions.unserved(attempt.obj)
    if attempt.kind.resource == FAULT.resource:
        _check_fault(attempt)
    if attempt.kind not in webhook.GUARDED:
        if causes := required.causes(attempt.kind, attempt.obj):
            raise Invalid(attempt.kind, attempt.obj["metadata"].get("name", ""), causes)
        webhook.validate_inner(attempt)
        return
    zero = _config(store, "config-autoscaler").get("allow-zero-initial-scale") == "true"
    said, refusal = webhook.validate(attempt, _config(store, "config-defaults"), zero_initial=zero)
    warnings += said
    meta = attempt.obj["metadata"]
    what = f"{attempt.operation} {attempt.kind} {meta.get('namespace', '')}/{meta.get('name', '')}"
    if refusal is not None:
        _log.debug("%s by %s is refused: %s", what, attempt.user, refusal)
        raise refusal
    _log.debug("%s by %s is admitted", what, attempt.user)


def _check_fault(attempt: Attempt) -> None:
    if why := why_refused(attempt.obj.get("spec") or {}):
        name = attempt.obj["metadata"].get("name", "")
        raise Invalid(attempt.kind, name, [Cause("FieldValueInvalid", why, "spec")])


def _config(store: Store, name: str) -> Mapping[str, str]:
    found = store.find(CONFIGMAP, "knative-serving", name)
    data: Mapping[str, str] = (found or {}).get("data") or {}
    return data
