"""The two webhooks: `webhook.serving.knative.dev` changes, the validation webhook refuses."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.embedded.admission.attempt import Attempt, Obj
from infra.embedded.admission.knative import annotations as notes
from infra.embedded.admission.knative import networking
from infra.embedded.admission.knative.changes import spec_changes, template_changes
from infra.embedded.admission.knative.defaults import (
    CREATOR,
    LAST_MODIFIER,
    Defaults,
    default_revision,
    default_template,
    default_traffic,
    sign,
)
from infra.embedded.admission.knative.problems import Problem, invalid, report
from infra.embedded.admission.knative.revision import check_revision_spec
from infra.embedded.admission.knative.traffic import check_traffic, not_dns1035
from infra.embedded.api import shapes
from infra.embedded.api.fields import mistakes
from infra.embedded.api.nulls import settle
from infra.embedded.api.schema import wrong_type
from infra.embedded.errors import BadRequest, Invalid
from infra.embedded.kinds import CONFIGURATION, KSERVICE, REVISION, ROUTE

GUARDED = frozenset([KSERVICE, CONFIGURATION, REVISION, ROUTE])
_TEMPLATED = frozenset([KSERVICE, CONFIGURATION])
_ROUTED = frozenset([KSERVICE, ROUTE])
_TEMPLATE = "spec.template"


def mutate(attempt: Attempt, config: Mapping[str, str]) -> Obj:
    """Write the defaults into the object (in place); raises BadRequest for a wrong type."""
    kind, obj = attempt.kind, attempt.obj
    shape = shapes.of_kind(kind)
    if shape is not None:
        if mistake := next(mistakes(shape, obj, kind.kind), None):
            raise _undecodable(mistake)
        settle(shape, obj)
    defaults = Defaults.parse(config)
    if kind in _TEMPLATED:
        default_template(obj, attempt.old, defaults)
    elif kind == REVISION and attempt.old is None:
        obj["spec"] = obj.get("spec") or {}
        default_revision(obj["spec"], defaults)
    if kind in _ROUTED:
        default_traffic(obj, latest=kind == KSERVICE)
    if kind != REVISION:
        sign(obj, attempt.old, attempt.user)
    return obj


def check_required(attempt: Attempt) -> None:
    """What the CRD's schema requires after the defaults; raises Invalid."""
    if attempt.kind in _TEMPLATED and "containers" not in attempt.obj["spec"]["template"]["spec"]:
        cause = wrong_type(f"{_TEMPLATE}.spec.containers", "array", None)
        raise Invalid(attempt.kind, attempt.obj["metadata"].get("name", ""), [cause])


def validate(
    attempt: Attempt, config: Mapping[str, str], *, zero_initial: bool
) -> tuple[list[str], BadRequest | None]:
    """The warnings about an object and, when it is refused, the refusal."""
    problems = list(_problems(attempt, Defaults.parse(config), zero_initial=zero_initial))
    warnings = report(problem for problem in problems if problem.warning)
    errors = report(problem for problem in problems if not problem.warning)
    refusal = None
    if errors:
        refusal = _denied("validation.webhook.serving.knative.dev", f"validation failed: {errors}")
    return warnings.split("\n") if warnings else [], refusal


def mutate_inner(attempt: Attempt) -> Obj:
    """Read an object between Knative's parts, in place; raises BadRequest for a wrong type."""
    if mistake := networking.decode(attempt.kind, attempt.obj):
        raise _undecodable(mistake)
    return attempt.obj


def validate_inner(attempt: Attempt) -> None:
    """Raise BadRequest for an object between Knative's parts that none of them could use."""
    if errors := report(networking.check(attempt.kind, attempt.obj)):
        raise _denied("validation.webhook.serving.knative.dev", f"validation failed: {errors}")


def _undecodable(mistake: str) -> BadRequest:
    why = f"mutation failed: cannot decode incoming new object: {mistake}"
    return _denied("webhook.serving.knative.dev", why)


def _denied(webhook: str, why: str) -> BadRequest:
    return BadRequest(f'admission webhook "{webhook}" denied the request: {why}')


def _problems(attempt: Attempt, defaults: Defaults, *, zero_initial: bool) -> Iterator[Problem]:
    kind, obj, old = attempt.kind, attempt.obj, attempt.old
    meta, spec = obj["metadata"], obj.get("spec") or {}
    name = meta.get("name", "")
    if name and (problem := not_dns1035(name)):
        yield Problem(problem, ("metadata.name",))
    if kind in _TEMPLATED:
        yield from notes.check_misplaced(meta.get("annotations") or {}, "metadata.annotations")
        yield from _template(spec["template"], name, defaults, zero_initial=zero_initial)
        if old is not None:
            yield from _name_change(old, spec["template"])
    if kind == REVISION:
        yield from _revision(obj, old, defaults, zero_initial=zero_initial)
    if kind in _ROUTED:
        yield from notes.check_rollout(meta.get("annotations") or {}, "metadata.annotations")
        yield from check_traffic(
            spec.get("traffic") or [], "spec.traffic", service=kind == KSERVICE
        )
    if old is not None and kind != REVISION:
        yield from _signatures(attempt)


def _template(
    template: Obj, parent: str, defaults: Defaults, *, zero_initial: bool
) -> Iterator[Problem]:
    meta = template.get("metadata") or {}
    name, where = meta.get("name", ""), f"{_TEMPLATE}.metadata"
    if name and not name.startswith(f"{parent}-"):
        yield invalid(f'"{name}" must have prefix "{parent}-"', f"{where}.name")
    if name and (problem := not_dns1035(name)):
        yield invalid(problem, f"{where}.name")
    given = meta.get("annotations") or {}
    yield from notes.check_autoscaling(given, f"{where}.annotations", zero_initial=zero_initial)
    yield from notes.check_revision(given, f"{where}.annotations")
    yield from check_revision_spec(template["spec"], f"{_TEMPLATE}.spec", defaults)


def _name_change(old: Obj, template: Obj) -> Iterator[Problem]:
    """A template that keeps its own name must stay as it is."""
    before: dict[str, Any] = (old.get("spec") or {}).get("template") or {}
    name = (template.get("metadata") or {}).get("name")
    if not name or name != (before.get("metadata") or {}).get("name"):
        return
    if changes := template_changes(before, template):
        yield Problem(
            "Saw the following changes without a name change (-old +new)",
            (f"{_TEMPLATE}.metadata.name",),
            changes,
        )


def _revision(
    obj: Obj, old: Obj | None, defaults: Defaults, *, zero_initial: bool
) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    if old is not None:
        if changes := spec_changes(old.get("spec") or {}, spec):
            yield Problem("Immutable fields changed (-old +new)", ("spec",), changes)
        return
    given, where = obj["metadata"].get("annotations") or {}, "metadata.annotations"
    yield from notes.check_autoscaling(given, where, zero_initial=zero_initial)
    yield from notes.check_revision(given, where)
    yield from check_revision_spec(spec, "spec", defaults)


def _signatures(attempt: Attempt) -> Iterator[Problem]:
    """Who created an object cannot be changed; who changed it is whoever changes it."""
    old = (attempt.old or {}).get("metadata", {}).get("annotations") or {}
    new = attempt.obj["metadata"].get("annotations") or {}
    where = "metadata.annotations"
    if old.get(CREATOR) != new.get(CREATOR):
        yield Problem("annotation value is immutable", (f"{where}.{CREATOR}",))
    claimed = new.get(LAST_MODIFIER)
    if claimed and claimed not in (old.get(LAST_MODIFIER), attempt.user):
        yield invalid(claimed, f"{where}.{LAST_MODIFIER}")
