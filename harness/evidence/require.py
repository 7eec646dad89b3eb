"""The definition of done: a list of evidence that must be there, and be good enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.errors import Problem, SpecError, UsageError
from harness.evidence.canonical import MAX_DOCUMENT_BYTES
from harness.evidence.checks.finding import Finding
from harness.evidence.checks.identity import EMULATORS
from harness.evidence.checks.load import load_run
from harness.evidence.files import read_regular
from harness.evidence.model import Evidence, Kind, Threshold
from harness.evidence.stamps import EARLIEST, moment, moment_or_none
from harness.evidence.store import RUNS
from harness.evidence.verify import VerifyOptions, verify_all
from harness.spec.units import Duration, Ratio
from harness.spec.words import Verdict
from harness.spec.yaml_source import read_yaml

RULE = "require"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RequiredObjective(_Model):
    """What a vantage must have reached, whatever the scenario itself asked for."""

    vantage: str
    metric: Literal["success", "latency"]
    target: Ratio
    threshold: Duration | None = None


class Requirement(_Model):
    """One document that must be there. `providers` empty: any, the emulator included."""

    kind: Kind
    subject: Annotated[str, Field(min_length=1)]
    verdict: Verdict = Verdict.PASS
    providers: tuple[Literal["embedded", "kind", "existing"], ...] = ()
    max_age: Duration | None = None
    objectives: tuple[RequiredObjective, ...] = ()


class Requirements(_Model):
    """A whole list."""

    apiVersion: Literal["vpm.dev/v1"]  # noqa: N815  as in every file of this kind
    kind: Literal["Requirements"]
    require: Annotated[tuple[Requirement, ...], Field(min_length=1)]


def read_requirements(path: Path) -> Requirements:
    """The list in a file.

    Errors:
        UsageError: the file cannot be read.
        SpecError: everything wrong with it, each with its place.
    """
    try:
        text = read_regular(path, limit=MAX_DOCUMENT_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    source = read_yaml(text, str(path))
    if source.problems:
        raise SpecError(source.problems)
    try:
        return Requirements.model_validate(source.value)
    except ValidationError as error:
        problems = []
        details = error.errors()
        inside = any(len(detail["loc"]) > 1 for detail in details)
        for detail in details:
            if inside and detail["type"] == "too_short":
                continue  # of a list whose items are what is wrong
            place = source.place(detail["loc"])
            where = ".".join(str(part) for part in detail["loc"])
            problems.append(
                Problem(str(path), place.line, place.column, f"{where}: {detail['msg']}")
            )
        raise SpecError(problems) from error


def unmet(requirements: Requirements, reports: Path, options: VerifyOptions) -> tuple[Finding, ...]:
    """What of the list is missing or not good enough. Only evidence that verifies counts.

    Errors:
        UsageError, CommandError: as `verify`.
    """
    wanted = {(one.kind, one.subject) for one in requirements.require}
    candidates: list[Evidence] = []
    spoilt: list[Finding] = []
    for folder in sorted((reports / RUNS).glob("*/")):
        run = load_run(folder, folder.name)
        matching = [
            document.evidence
            for document in run.documents
            if (document.evidence.kind, document.evidence.subject.key) in wanted
        ]
        if matching:
            findings = verify_all([folder], options=options).findings
            spoilt.extend(findings)
            candidates.extend(() if findings else matching)
    missing = [
        finding
        for number, requirement in enumerate(requirements.require)
        for finding in _judge(f"require.{number}", requirement, candidates, options.now)
    ]
    # Why evidence did not count helps only where something is missing.
    return tuple(sorted({*missing, *(spoilt if missing else ())}))


def _judge(
    field: str, wanted: Requirement, candidates: Sequence[Evidence], now: datetime
) -> Iterator[Finding]:
    """What is wrong with the newest document that a requirement may mean."""
    name = f"{wanted.kind} {wanted.subject}"
    newest = newest_for(wanted, candidates)
    if newest is None:
        expected = f"evidence from {' or '.join(wanted.providers) or 'any cluster'}"
        same = [one for one in candidates if _is_about(wanted, one) and one.cluster]
        others = ", ".join(sorted({one.cluster.provider for one in same if one.cluster}))
        yield Finding(name, field, expected, f"only from {others}" if others else "none", RULE)
        return
    if newest.claim.verdict is not wanted.verdict:
        found = f"{newest.claim.verdict.value} in {newest.run_id}: {newest.claim.reason}"
        yield Finding(name, f"{field}.verdict", wanted.verdict.value, found, RULE)
    age = now - moment(newest.captured_at)
    if wanted.max_age is not None and age > timedelta(seconds=wanted.max_age):
        expected = f"at most {timedelta(seconds=wanted.max_age)} old"
        yield Finding(name, f"{field}.max_age", expected, f"{age} old in {newest.run_id}", RULE)
    for number, objective in enumerate(wanted.objectives):
        yield from _objective(name, f"{field}.objectives.{number}", objective, newest)


def newest_for(wanted: Requirement, documents: Sequence[Evidence]) -> Evidence | None:
    """The newest document that a requirement may mean, whatever its verdict."""
    allowed = [
        one
        for one in documents
        if _is_about(wanted, one) and (not wanted.providers or _counts(one, wanted.providers))
    ]
    return max(allowed, key=lambda one: moment_or_none(one.captured_at) or EARLIEST, default=None)


def _is_about(wanted: Requirement, document: Evidence) -> bool:
    return (document.kind, document.subject.key) == (wanted.kind, wanted.subject)


def _counts(document: Evidence, providers: Sequence[str]) -> bool:
    """Whether a document comes from one of the providers; an emulator never passes for more."""
    cluster = document.cluster
    if cluster is None or cluster.provider not in providers:
        return False
    return not cluster.emulator or cluster.provider in EMULATORS


def _objective(
    name: str, field: str, wanted: RequiredObjective, document: Evidence
) -> Iterator[Finding]:
    measured = [one for one in document.thresholds if _matches(one, wanted)]
    expected = f"{wanted.metric} ≥ {wanted.target:.6g} from {wanted.vantage}"
    if not measured:
        yield Finding(name, field, expected, "not measured", RULE)
    for threshold in measured:
        if threshold.observed is None or threshold.observed < wanted.target:
            found = "no data" if threshold.observed is None else f"{threshold.observed:.6g}"
            yield Finding(name, field, expected, f"{found} in {document.run_id}", RULE)


def _matches(threshold: Threshold, wanted: RequiredObjective) -> bool:
    return (
        threshold.indicator == wanted.metric
        and threshold.claim.endswith(f" from {wanted.vantage}")
        and threshold.below == wanted.threshold
    )
