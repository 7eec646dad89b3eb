"""From what a run saw and how it was judged to its evidence documents. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.core.observation import (
    ColdStartObserved,
    ContractObserved,
    LoadObserved,
    Observation,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.record import RunRecord
from harness.core.verdict import Claim, RunVerdict, StepVerdict, Verdict, fold
from harness.evidence.derive import (
    artefacts_of,
    gaps_of_tool,
    not_checked,
    notes_on,
    service_of,
    service_subject,
    thresholds_of,
    vantage_evidence,
    window_of,
)
from harness.evidence.focus import (
    applied,
    artefacts_for,
    claims_for,
    claims_of_scenario,
    cluster_for,
    contract_of_ready,
    contract_of_run,
    tool_for,
    vantages_for,
)
from harness.evidence.model import (
    SCHEMA,
    Evidence,
    Kind,
    Origin,
    StepEvidence,
    Subject,
    VantageEvidence,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Service:
    """Everything a run says about one KService: observations with their steps, and claims."""

    key: str
    seen: tuple[tuple[str, Observation], ...]
    claims: tuple[Claim, ...]

    def all(self, kind: type[T]) -> list[T]:
        """Its observations of one kind, in order."""
        return [seen for _, seen in self.seen if isinstance(seen, kind)]

    def last(self, kind: type[T]) -> T | None:
        """Its last observation of one kind."""
        return next(reversed(self.all(kind)), None)

    def vantages(self) -> tuple[VantageEvidence, ...]:
        """All its probes, each with what follows from the counts."""
        return tuple(
            vantage_evidence(step, seen)
            for step, seen in self.seen
            if isinstance(seen, ProbeObserved)
        )

    def claimed(self, name: str) -> tuple[Claim, ...]:
        """Its claims of one name; `sli` finds every `sli <objective>`."""
        return tuple(claim for claim in self.claims if claim.name.split(" ")[0] == name)


def build(
    record: RunRecord,
    verdict: RunVerdict,
    *,
    previous: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Evidence, ...]:
    """The documents of a run, in a fixed order: services by name, then contracts, then the run.

    `previous` maps a document's `claim_key` to the hashes of the documents before it.
    """
    drafts = [
        *(draft for service in _services(record, verdict) for draft in _about(record, service)),
        *_contracts(record, verdict),
        _scenario(record, verdict),
    ]
    before = previous or {}
    gaps = gaps_of_tool(record.opened.tool)
    return tuple(
        replace(
            draft,
            not_checked=(*draft.not_checked, *gaps),
            previous=tuple(before.get(draft.claim_key, ())),
        )
        for draft in drafts
    )


def _services(record: RunRecord, verdict: RunVerdict) -> Iterator[_Service]:
    seen: dict[str, list[tuple[str, Observation]]] = {}
    for step in record.steps.values():
        for observation in step.observations:
            key = service_of(observation)
            if key:
                seen.setdefault(key, []).append((step.step, observation))
    claims = _claims(verdict)
    for key in sorted({*seen, *(claim.subject for claim in verdict.services)}):
        own = tuple(claim for claim in claims if claim.subject == key)
        yield _Service(key=key, seen=tuple(seen.get(key, ())), claims=own)


def _claims(verdict: RunVerdict) -> tuple[Claim, ...]:
    """The run's claims about services first, then what only a step claimed."""
    found = list(verdict.services)
    told = {(claim.subject, claim.title) for claim in found}
    for step in verdict.steps:
        found.extend(claim for claim in step.claims if (claim.subject, claim.title) not in told)
    return tuple(dict.fromkeys(found))


def _about(record: RunRecord, service: _Service) -> Iterator[Evidence]:
    """The documents about one service; one for each kind of which the run saw something."""
    state = service.last(ServiceObserved)
    ready = service.claimed("ready")
    if ready:
        contract = applied(service.all(ContractObserved))
        yield _document(record, service, "ready", ready[-1], service=state, contract=contract)
    reached = (*service.claimed("reachable"), *service.claimed("sli"))
    if reached:
        yield _document(record, service, "sli", _folded("sli", service.key, reached))
    for claim in service.claimed("load")[-1:]:
        load = service.last(LoadObserved)
        yield _document(record, service, "load", claim, load=load)
    for claim in service.claimed("autoscale")[-1:]:
        load = service.last(LoadObserved)
        yield _document(record, service, "autoscale", claim, load=load)
    for claim in service.claimed("coldstart")[-1:]:
        cold = service.last(ColdStartObserved)
        yield replace(_document(record, service, "coldstart", claim), coldstart=cold)
    contradictory = [claim for claim in service.claimed("service") if _contradicts(claim)]
    for claim in contradictory[-1:]:
        yield _document(record, service, "contradiction", claim, service=state)


def _contradicts(claim: Claim) -> bool:
    return claim.verdict is Verdict.INCONCLUSIVE and bool(claim.contradicts or claim.hop)


def _folded(name: str, subject: str, claims: Sequence[Claim]) -> Claim:
    """One claim for many: the worst verdict and the reasons of those that have it."""
    verdict = fold(claim.verdict for claim in claims)
    worst = [claim for claim in claims if claim.verdict is verdict]
    reasons = dict.fromkeys(f"{claim.title}: {claim.reason}" for claim in worst)
    passed = f"all {len(claims)} claims hold"
    return Claim(
        name=name,
        subject=subject,
        verdict=verdict,
        reason=passed if verdict is Verdict.PASS else "; ".join(reasons),
        hop=worst[0].hop if worst else None,
        cites=tuple(dict.fromkeys(cite for claim in worst for cite in claim.cites)),
    )


def _document(
    record: RunRecord,
    about: _Service,
    kind: Kind,
    claim: Claim,
    *,
    service: ServiceObserved | None = None,
    contract: ContractObserved | None = None,
    load: LoadObserved | None = None,
) -> Evidence:
    state = about.last(ServiceObserved)
    vantages = vantages_for(kind, about.vantages(), claim.verdict)
    claims = claims_for(kind, about.claims)
    observations = [seen for _, seen in about.seen]
    return replace(
        _draft(record, kind, service_subject(about.key, state), claim, observations),
        claims=claims,
        thresholds=thresholds_of(claims, vantages),
        service=service,
        contract=contract_of_ready(contract) if contract else None,
        artefacts=artefacts_for(kind, observations),
        load=load,
        vantages=vantages,
        not_checked=not_checked(claims, state, vantages),
        notes=notes_on(contract, about.all(ServiceObserved) if service else ()),
    )


def _contracts(record: RunRecord, verdict: RunVerdict) -> Iterator[Evidence]:
    """A document for each contract, of the time that counts: previews, and a second time that was
    refused, are steps of the scenario's document.
    """
    judged = {step.step: step for step in verdict.steps}
    given: dict[str, list[tuple[str, ContractObserved]]] = {}
    for step in record.steps.values():
        for seen in step.observations:
            if isinstance(seen, ContractObserved):
                given.setdefault(seen.contract, []).append((step.step, seen))
    for times in given.values():
        counts = applied([seen for _, seen in times])
        name, contract = next(one for one in reversed(times) if one[1] is counts)
        yield _contract(record, name, contract, judged.get(name))


def _contract(
    record: RunRecord, step: str, seen: ContractObserved, judged: StepVerdict | None
) -> Evidence:
    claim = Claim(
        name="run",
        subject=seen.contract_id,
        verdict=judged.verdict if judged else Verdict.INCONCLUSIVE,
        reason=judged.reason if judged else "the run ended before this step was judged",
    )
    # By its step: a scenario may give one contract to the runner several times.
    subject = Subject(kind="RunContract", name=step)
    return replace(
        _draft(record, "run", subject, claim, [seen]),
        contract=contract_of_run(seen),
        notes=notes_on(seen, ()),
    )


def _scenario(record: RunRecord, verdict: RunVerdict) -> Evidence:
    name = record.opened.scenario
    claim = Claim(name="scenario", subject=name, verdict=verdict.verdict, reason=verdict.reason)
    observations = [seen for step in record.steps.values() for seen in step.observations]
    subject = Subject(kind="Scenario", name=name)
    return replace(
        _draft(record, "scenario", subject, claim, observations),
        claims=claims_of_scenario(verdict.services),
        steps=tuple(_step(record, step) for step in verdict.steps),
        not_checked=not_checked(_claims(verdict), None, ()),
        notes=_ending(record),
        artefacts=(),
    )


def _step(record: RunRecord, judged: StepVerdict) -> StepEvidence:
    seen = record.steps.get(judged.step)
    return StepEvidence(
        step=judged.step,
        verdict=judged.verdict,
        reason=judged.reason,
        started=seen.started if seen else "",
        ended=seen.ended if seen else "",
        seconds=seen.seconds if seen else 0.0,
        expected=judged.expected,
        skipped=judged.skipped,
    )


def _ending(record: RunRecord) -> tuple[str, ...]:
    """What a reader must know about how the run ended."""
    if record.closed is None:
        return ("The run did not come to its end: its journal stops early.",)
    if record.closed.interrupted:
        return ("The run was interrupted.",)
    return (record.closed.error,) if record.closed.error else ()


def _draft(
    record: RunRecord,
    kind: Kind,
    subject: Subject,
    claim: Claim,
    observations: Sequence[Observation],
) -> Evidence:
    """A document with what every kind has."""
    opened = record.opened
    window = window_of(record, observations)
    return Evidence(
        schema=SCHEMA,
        kind=kind,
        run_id=opened.run_id,
        subject=subject,
        claim=claim,
        captured_at=window.end,
        window=window,
        origin=Origin(opened.scenario, opened.source, opened.plan_sha256),
        tool=tool_for(kind, opened.tool),
        language="ja" if opened.language == "ja" else "en",
        cluster=cluster_for(kind, record.cluster.identity) if record.cluster else None,
        capabilities=record.cluster.capabilities if record.cluster and kind == "scenario" else (),
        artefacts=artefacts_of(observations),
    )
