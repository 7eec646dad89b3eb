"""READY, judged on the object and on nothing else.

A KService is READY only if its Ready condition is True, the controller has observed the current
generation, and the newest revision is the one that is ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.core.dig import JsonObject, mappings_at, number_at, text_at, value_at
from harness.core.observation import Condition, ServiceObserved
from harness.core.verdict import Claim, Verdict

READY = "Ready"
_STATUSES = "containerStatuses"
_QUEUE_PROXY = "queue-proxy"


@dataclass(frozen=True, slots=True)
class Behind:
    """A line about an object behind a service, and whether it agrees with READY=True."""

    text: str
    agrees: bool = True


def read_service(
    obj: JsonObject | None,
    *,
    service: str,
    namespace: str,
    now: datetime,
    revision: JsonObject | None = None,
    pods: Sequence[JsonObject] = (),
    waited: float | None = None,
    behind: Sequence[Behind] = (),
) -> ServiceObserved:
    """What a KService object shows, with every reason why it is not READY in `mismatches`.

    `obj` is the object as the API server gave it, None when there is none. The image's digest is
    what `revision` (the latest ready one) says, or else what its running `pods` say. `behind` are
    the objects that READY stands on. `now` is the devbox's clock, `waited` is in seconds.
    """
    at = now.astimezone(UTC).isoformat(timespec="milliseconds")
    if obj is None:
        return ServiceObserved(
            service=service,
            namespace=namespace,
            found=False,
            at=at,
            waited=waited,
            mismatches=(f"services.serving.knative.dev {namespace}/{service}: not found",),
        )
    conditions = read_conditions(obj)
    ready = find_condition(conditions, READY)
    return ServiceObserved(
        service=service,
        namespace=namespace,
        found=True,
        at=at,
        uid=text_at(obj, "metadata", "uid"),
        generation=number_at(obj, "metadata", "generation"),
        observed_generation=number_at(obj, "status", "observedGeneration"),
        resource_version=text_at(obj, "metadata", "resourceVersion"),
        conditions=conditions,
        latest_created=text_at(obj, "status", "latestCreatedRevisionName"),
        latest_ready=text_at(obj, "status", "latestReadyRevisionName"),
        url=text_at(obj, "status", "url"),
        address=text_at(obj, "status", "address", "url"),
        image=_image(obj),
        image_digest=_digest(revision, pods),
        age=_age(ready, now=now),
        waited=waited,
        mismatches=tuple(sorted(_mismatches(obj, ready))),
        related=tuple(fact.text for fact in behind),
        doubts=tuple(fact.text for fact in behind if not fact.agrees),
    )


def read_conditions(obj: JsonObject) -> tuple[Condition, ...]:
    """The status conditions of any Kubernetes object, in their order."""
    return tuple(
        Condition(
            type=text_at(entry, "type"),
            status=text_at(entry, "status"),
            reason=text_at(entry, "reason"),
            message=text_at(entry, "message"),
            last_transition=text_at(entry, "lastTransitionTime"),
        )
        for entry in mappings_at(obj, "status", "conditions")
    )


def find_condition(conditions: Sequence[Condition], type: str) -> Condition | None:
    """The condition of that type, None when the object does not have it."""
    return next((condition for condition in conditions if condition.type == type), None)


def condition_text(condition: Condition | None) -> str:
    """A condition as people read it: `Unknown (RevisionMissing: waiting for …)`."""
    if condition is None:
        return "not set"
    why = ": ".join(part for part in (condition.reason, condition.message) if part)
    return f"{condition.status} ({why})" if why else condition.status


def related_fact(kind: str, obj: JsonObject) -> Behind:
    """An object behind the service: its Ready condition, and what is not True."""
    conditions = read_conditions(obj)
    ready = find_condition(conditions, READY)
    others = [c for c in conditions if c.type != READY and c.status != "True"]
    parts = [f"{READY}={condition_text(ready)}"]
    parts += [f"{condition.type}={condition_text(condition)}" for condition in others]
    text = f"{kind} {text_at(obj, 'metadata', 'name')}: {', '.join(parts)}"
    return Behind(text, agrees=ready is not None and ready.status == "True")


def endpoints_fact(slices: Sequence[JsonObject], *, service: str, may_be_none: bool) -> Behind:
    """How many ready endpoints a Kubernetes Service has, from its EndpointSlices.

    A revision's own pods may be none, when it is at zero; its public Service always leads
    somewhere, to them or to the activator.
    """
    endpoints = [entry for piece in slices for entry in mappings_at(piece, "endpoints")]
    ready = [entry for entry in endpoints if value_at(entry, "conditions", "ready") is not False]
    text = f"EndpointSlices of {service}: {len(ready)} of {len(endpoints)} ready"
    return Behind(text, agrees=bool(ready) or (may_be_none and not endpoints))


def is_ready(observed: ServiceObserved) -> bool:
    """Whether what was observed is READY as this product defines it."""
    return observed.found and not observed.mismatches


def ready_claim(observed: ServiceObserved, *, earned: bool | None = None) -> Claim:
    """The claim `ready` of a service.

    `earned` says whether this run brought about the generation that is READY; None when the
    run changed nothing and never meant to.
    """
    subject = f"{observed.namespace}/{observed.service}"
    if is_ready(observed):
        return Claim(
            "ready",
            subject,
            Verdict.PASS,
            _ready_reason(observed, earned=earned),
            contradicts=observed.doubts,
        )
    waited = f" after waiting {observed.waited:.1f} s" if observed.waited is not None else ""
    return Claim(
        "ready",
        subject,
        Verdict.FAIL,
        f"not READY{waited}: " + "; ".join(observed.mismatches),
        contradicts=observed.related,
        next_step=f"kubectl -n {observed.namespace} describe ksvc {observed.service}",
    )


def _ready_reason(observed: ServiceObserved, *, earned: bool | None) -> str:
    reason = f"READY=True at generation {observed.generation}, revision {observed.latest_ready}"
    if observed.age is not None:
        reason += f", for {observed.age:.0f} s"
    if earned is False:
        reason += "; not earned by this run: the generation is the one that was there before"
    return reason


def _mismatches(obj: JsonObject, ready: Condition | None) -> Iterator[str]:
    if ready is None or ready.status != "True":
        yield f"status.conditions[Ready]: expected True, found {condition_text(ready)}"
    generation = value_at(obj, "metadata", "generation")
    observed = value_at(obj, "status", "observedGeneration")
    if observed is None or observed != generation:
        yield (
            f"status.observedGeneration: expected {generation} (metadata.generation), "
            f"found {_shown(observed)}"
        )
    created = text_at(obj, "status", "latestCreatedRevisionName")
    latest = text_at(obj, "status", "latestReadyRevisionName")
    if not created or latest != created:
        yield (
            "status.latestReadyRevisionName: expected "
            f"{created or 'a revision'} (latestCreatedRevisionName), found {_shown(latest)}"
        )
    if value_at(obj, "metadata", "deletionTimestamp") is not None:
        yield "metadata.deletionTimestamp: the object is being deleted"


def _age(ready: Condition | None, *, now: datetime) -> float | None:
    """Seconds since the Ready condition last changed; None when that time is not readable."""
    if ready is None:
        return None
    try:
        since = datetime.fromisoformat(ready.last_transition)
    except ValueError:
        return None
    if since.tzinfo is None:
        return None
    return (now - since).total_seconds()


def _image(obj: JsonObject) -> str:
    containers = mappings_at(obj, "spec", "template", "spec", "containers")
    return text_at(containers[0], "image") if containers else ""


def _digest(revision: JsonObject | None, pods: Sequence[JsonObject]) -> str:
    """The digest of the app's image. Tags of local registries are not resolved by Knative, so
    that the Revision has none and only the pods' runtime knows it."""
    said = [text_at(status, "imageDigest") for status in mappings_at(revision, "status", _STATUSES)]
    said += [
        text_at(status, "imageID")
        for pod in pods
        for status in mappings_at(pod, "status", _STATUSES)
        if text_at(status, "name") != _QUEUE_PROXY
    ]
    return next((digest for text in said if (digest := _after(text, "sha256:"))), "")


def _after(text: str, mark: str) -> str:
    """The part of a text from a mark on; empty without it."""
    _, found, rest = text.partition(mark)
    return found + rest if found else ""


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else str(value)
