"""From a Route's traffic to targets: revisions with their shares.  Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra.embedded.controllers import conditions, meta
from infra.embedded.controllers.serving.pod_spec import protocol
from infra.embedded.store import Obj

DEFAULT = ""  # the tag of the route's own host


@dataclass(frozen=True, slots=True)
class Target:
    """One revision's share of a host's traffic; `percent` is None where the spec has none."""

    revision: str
    percent: int | None
    tag: str = ""
    latest: bool = False
    configuration: str = ""
    protocol: str = "http1"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why traffic cannot be assigned; a failure outweighs something that may still come."""

    reason: str
    message: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """Targets as the status lists them, and by tag as the ingress needs them."""

    targets: tuple[Target, ...] = ()
    by_tag: Mapping[str, tuple[Target, ...]] | None = None
    problem: Problem | None = None


def assign(
    spec: Sequence[Obj], configurations: Mapping[str, Obj], revisions: Mapping[str, Obj]
) -> Traffic:
    """Resolve a Route's targets among the objects of its namespace."""
    found: list[Target] = []
    worst: Problem | None = None
    for entry in spec:
        target = _target(entry, configurations, revisions)
        if isinstance(target, Target):
            found.append(target)
        elif worst is None or target.failed:
            worst = target
    if worst is not None:
        return Traffic(problem=worst)
    return Traffic(tuple(_merged(found)), _by_tag(found))


def _target(
    entry: Obj, configurations: Mapping[str, Obj], revisions: Mapping[str, Obj]
) -> Target | Problem:
    name = entry.get("revisionName") or ""
    configuration = "" if name else entry.get("configurationName", "")
    if configuration:
        owner = configurations.get(configuration)
        if owner is None:
            return _missing("Configuration", configuration)
        name = owner.get("status", {}).get("latestReadyRevisionName", "")
        if not name:
            return _unready_configuration(owner)
    revision = revisions.get(name)
    if revision is None:
        return _missing("Revision", name)
    if not configuration and not (meta.observed(revision) and conditions.is_true(revision)):
        return _unready_revision(revision)
    return Target(
        name,
        entry.get("percent"),
        entry.get("tag", ""),
        bool(entry.get("latestRevision", bool(configuration))),
        configuration,
        protocol(revision),
    )


def _missing(kind: str, name: str) -> Problem:
    return Problem(f"{kind}Missing", f'{kind} "{name}" referenced in traffic not found.', True)


def _unready_configuration(configuration: Obj) -> Problem:
    name = configuration["metadata"]["name"]
    ready = conditions.find(configuration)
    if ready is not None and ready.is_false:
        message = f'Configuration "{name}" does not have any ready Revision.'
        return Problem("RevisionMissing", message, True)
    message = f'Configuration "{name}" is waiting for a Revision to become ready.'
    return Problem("RevisionMissing", message, False)


def _unready_revision(revision: Obj) -> Problem:
    name = revision["metadata"]["name"]
    ready = conditions.find(revision)
    if ready is not None and ready.is_false:
        return Problem("RevisionMissing", f'Revision "{name}" failed to become ready.', True)
    return Problem("RevisionMissing", f'Revision "{name}" is not yet ready.', False)


def _merged(targets: Sequence[Target]) -> list[Target]:
    """Entries with the same revision and tag become one, with the sum of their shares."""
    merged: list[Target] = []
    for target in targets:
        for index, other in enumerate(merged):
            if _identity(other) == _identity(target):
                total = (other.percent or 0) + (target.percent or 0)
                merged[index] = replace(other, percent=total)
                break
        else:
            merged.append(target)
    return merged


def _identity(target: Target) -> tuple[str, str, bool]:
    return target.revision, target.tag, target.latest


def _by_tag(targets: Sequence[Target]) -> dict[str, tuple[Target, ...]]:
    groups: dict[str, list[Target]] = {DEFAULT: list(targets)}
    for target in targets:
        if target.tag:
            groups.setdefault(target.tag, []).append(target)
    return {tag: _consolidated(group) for tag, group in sorted(groups.items())}


def _consolidated(targets: Sequence[Target]) -> tuple[Target, ...]:
    """One target per revision; a single one gets everything."""
    by_revision: dict[str, Target] = {}
    for target in targets:
        first = by_revision.get(target.revision)
        if first is None:
            by_revision[target.revision] = target
        elif target.percent is not None:
            total = (first.percent or 0) + target.percent
            by_revision[target.revision] = replace(first, percent=total)
    found = tuple(by_revision.values())
    return (replace(found[0], percent=100),) if len(found) == 1 else found
