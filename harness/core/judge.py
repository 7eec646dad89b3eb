"""Judging: pure functions of what was planned and what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.core.conditions import ready_claim
from harness.core.diagnose import diagnose
from harness.core.observation import (
    ColdStartObserved,
    ContractObserved,
    ErrorObserved,
    FilesObserved,
    LoadObserved,
    ProbeObserved,
    ServiceObserved,
    SkippedObserved,
)
from harness.core.plan import Plan
from harness.core.reachability import reachable_claim, sli_claims
from harness.core.record import RunRecord, StepRecord
from harness.core.verdict import Claim, RunVerdict, StepVerdict, Verdict, fold
from harness.spec.model import (
    ApplyAction,
    ContractAction,
    EvidenceAction,
    Expectation,
    FaultAction,
    LoadAction,
    ProbeAction,
    ReadyAction,
    Step,
)

SERVICE = "service"


def judge_step(plan: Plan, record: RunRecord, id: str) -> StepVerdict:
    """The verdict of one step, from the record alone."""
    planned = plan.by_id[id]
    seen = record.steps.get(id)
    if seen is None:
        return StepVerdict(id, Verdict.INCONCLUSIVE, "the step did not run", skipped="not selected")
    if not planned.step:
        return _judge_cluster(record, seen)
    return _with_expectation(_judge_seen(planned.step, seen), planned.step.expect)


def judge_run(plan: Plan, record: RunRecord) -> RunVerdict:
    """The verdict of a run: of the steps that were started, in the order of the plan."""
    steps = tuple(
        judge_step(plan, record, planned.id) for planned in plan.steps if planned.id in record.steps
    )
    verdict = fold(step.verdict for step in steps)
    services = _latest_claims(steps)
    worst = [step for step in steps if step.verdict is verdict]
    reason = f"{worst[0].step}: {worst[0].reason}" if worst else "no step ran"
    if verdict is Verdict.PASS:
        reason = f"all {len(steps)} steps passed"
    return RunVerdict(verdict, reason, steps, services)


def judge_ended(plan: Plan, record: RunRecord) -> RunVerdict:
    """The verdict of a run that will not go on: one that broke off is never a PASS."""
    verdict = judge_run(plan, record)
    if record.closed is not None and record.closed.error:
        reason = f"the run could not be closed: {record.closed.error}"
        return replace(verdict, verdict=Verdict.ERROR, reason=reason, itself=Verdict.ERROR)
    if not record.complete:
        worst = fold((verdict.verdict, Verdict.INCONCLUSIVE))
        reason = f"the run did not come to its own end; {verdict.reason}"
        return replace(verdict, verdict=worst, reason=reason, itself=Verdict.INCONCLUSIVE)
    return verdict


def _latest_claims(steps: Iterable[StepVerdict]) -> tuple[Claim, ...]:
    latest = {
        (claim.subject, claim.title): claim
        for step in steps
        for claim in step.claims
        if claim.name != "step"
    }
    return tuple(sorted(latest.values(), key=lambda claim: (claim.subject, claim.title)))


def _judge_cluster(record: RunRecord, seen: StepRecord) -> StepVerdict:
    error = _first_error(seen)
    if record.cluster is None:
        return StepVerdict(seen.step, Verdict.ERROR, error or "the cluster was not opened")
    identity = record.cluster.identity
    reason = f"{identity.provider} cluster {identity.name}, Knative {identity.knative_version}"
    return StepVerdict(seen.step, Verdict.PASS, reason)


def _first_error(seen: StepRecord) -> str | None:
    errors = (seen for seen in seen.observations if isinstance(seen, ErrorObserved))
    return next((error.message for error in errors), None)


def _judge_seen(step: Step, seen: StepRecord) -> StepVerdict:
    for observation in seen.observations:
        if isinstance(observation, SkippedObserved):
            reason = observation.reason
            return StepVerdict(step.name, Verdict.INCONCLUSIVE, reason, skipped=reason)
    error = _first_error(seen)
    if error is not None:
        return StepVerdict(step.name, Verdict.ERROR, error, claims=_claims(step, seen))
    if not seen.ended:
        return StepVerdict(step.name, Verdict.ERROR, "the run ended in the middle of this step")
    return _decide(step, _claims(step, seen))


def _decide(step: Step, claims: Sequence[Claim]) -> StepVerdict:
    """A step's verdict: of the claim `service` where there is one, else the fold of its claims."""
    if not claims:
        return StepVerdict(step.name, Verdict.ERROR, "the step reported nothing")
    services = [claim for claim in claims if claim.name == SERVICE]
    deciding = services or claims
    verdict = fold(claim.verdict for claim in deciding)
    worst = next(claim for claim in deciding if claim.verdict is verdict)
    return StepVerdict(step.name, verdict, worst.reason, claims=tuple(claims))


def _claims(step: Step, seen: StepRecord) -> tuple[Claim, ...]:
    match step.action:
        case ProbeAction() as action:
            return _probe_claims(action, seen)
        case ReadyAction():
            services = [o for o in seen.observations if isinstance(o, ServiceObserved)]
            return tuple(ready_claim(service) for service in services[-1:])
        case ContractAction() as action:
            contracts = [o for o in seen.observations if isinstance(o, ContractObserved)]
            return tuple(_contract_claim(step.name, action, contract) for contract in contracts)
        case LoadAction() as action:
            loads = [o for o in seen.observations if isinstance(o, LoadObserved)]
            scaled = [autoscale_claim(action.gates.pods, load) for load in loads]
            return (*(load_claim(action, load) for load in loads), *(c for c in scaled if c))
        case EvidenceAction():
            return _file_claims(step.name, seen)
        case ApplyAction() | FaultAction():
            reason = "; ".join(str(observation.kind) for observation in seen.observations)
            return (Claim("step", step.name, Verdict.PASS, f"done ({reason or 'nothing seen'})"),)


def _probe_claims(action: ProbeAction, seen: StepRecord) -> tuple[Claim, ...]:
    services = [o for o in seen.observations if isinstance(o, ServiceObserved)]
    probes = [o for o in seen.observations if isinstance(o, ProbeObserved)]
    ready = services[-1] if services else None
    bar, asked = action.minimum, action.objectives
    details = [
        *(ready_claim(service) for service in services[-1:]),
        *(reachable_claim(probe, minimum=bar, objectives=asked) for probe in probes),
        *(claim for probe in probes for claim in sli_claims(probe, asked)),
    ]
    details += [
        coldstart_claim(cold, probes)
        for cold in seen.observations
        if isinstance(cold, ColdStartObserved)
    ]
    if not probes:
        return tuple(details)
    diagnosis = diagnose(ready=ready, probes=probes, objectives=asked, minimum=bar)
    return (service_claim(diagnosis, details), *details)


def service_claim(diagnosis: Claim, details: Sequence[Claim]) -> Claim:
    """The claim `service`: the diagnosis where it found something, else the worst of the rest.

    READY=True with a vantage that fails, wholly or in part, is a contradiction and INCONCLUSIVE;
    the objectives that were missed stay visible beside it.
    """
    verdict = fold(claim.verdict for claim in details)
    if diagnosis.verdict is not Verdict.PASS or verdict is Verdict.PASS:
        return diagnosis
    worst = next(claim for claim in details if claim.verdict is verdict)
    return Claim(
        SERVICE,
        diagnosis.subject,
        verdict,
        f"{worst.title}: {worst.reason}",
        vantage=worst.vantage,
        hop=worst.hop,
        cites=worst.cites,
        next_step=worst.next_step,
    )


def _contract_claim(step: str, action: ContractAction, seen: ContractObserved) -> Claim:
    if seen.state in action.accepted:
        return Claim("step", step, Verdict.PASS, f"{seen.state}: {seen.reason}")
    expected = " or ".join(action.accepted)
    reason = f"the contract ended in {seen.state} instead of {expected}: {seen.reason}"
    wrong_place = seen.state == "environment_mismatch"
    return Claim("step", step, Verdict.ERROR if wrong_place else Verdict.FAIL, reason)


def load_claim(action: LoadAction, seen: LoadObserved) -> Claim:
    """The claim `load`: whether the counts of a load check pass its gates."""
    subject, gates = f"{seen.namespace}/{seen.service}", action.gates
    good = seen.requests - seen.failures
    missed = []
    if seen.requests < gates.requests:
        missed.append(f"{seen.requests} requests, at least {gates.requests} wanted")
    if seen.requests and good / seen.requests < gates.success:
        missed.append(f"{good}/{seen.requests} good, {gates.success:.4%} wanted")
    if gates.p95 is not None and seen.latency is not None and seen.latency.p95 > gates.p95:
        missed.append(f"p95 {seen.latency.p95:.3f} s, at most {gates.p95:.3f} s wanted")
    if missed:
        return Claim("load", subject, Verdict.FAIL, "; ".join(missed))
    rate = seen.requests / seen.seconds if seen.seconds > 0 else 0.0
    reason = f"{good}/{seen.requests} good in {seen.seconds:.1f} s ({rate:.1f}/s)"
    return Claim("load", subject, Verdict.PASS, reason)


def autoscale_claim(pods: int | None, seen: LoadObserved) -> Claim | None:
    """The claim `autoscale`: whether a load was met with enough pods; None where none was asked.

    Pods that nobody counted are no data.
    """
    if pods is None:
        return None
    subject, most = (
        f"{seen.namespace}/{seen.service}",
        max((n for _, n in seen.replicas), default=0),
    )
    if not seen.replicas or not seen.requests:
        why = "no pods were counted" if seen.requests else "no request was made"
        return Claim("autoscale", subject, Verdict.INCONCLUSIVE, why)
    reason = f"at most {most} pods ready at one time, {pods} wanted"
    return Claim("autoscale", subject, Verdict.PASS if most >= pods else Verdict.FAIL, reason)


def coldstart_claim(seen: ColdStartObserved, probes: Sequence[ProbeObserved]) -> Claim:
    """The claim `coldstart`: whether a request to a service without a pod was answered well."""
    good = any(probe.good for probe in probes)
    phases = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in seen.phases)
    ended = "answered well" if good else "no good answer"
    return Claim(
        "coldstart",
        f"{seen.namespace}/{seen.service}",
        Verdict.PASS if good else Verdict.FAIL,
        f"{ended} {seen.seconds:.2f} s after a request from zero pods ({phases})",
        cites=tuple(cite for probe in probes for cite in probe.first_ids.values()),
    )


def _file_claims(step: str, seen: StepRecord) -> tuple[Claim, ...]:
    files = [
        note
        for observation in seen.observations
        if isinstance(observation, FilesObserved)
        for note in observation.notes
    ]
    if not files:
        return (Claim("step", step, Verdict.FAIL, "no evidence was asked for"),)
    reason = f"published with the run's evidence as {', '.join(files)}"
    return (Claim("step", step, Verdict.PASS, reason),)


def _with_expectation(judged: StepVerdict, expect: Expectation | None) -> StepVerdict:
    if expect is None or judged.skipped:
        return judged
    met = judged.verdict is expect.verdict and (
        (expect.hop is None and expect.vantage is None and expect.diagnosis is None)
        or any(_matches(claim, expect) for claim in judged.claims)
    )
    return StepVerdict(judged.step, judged.verdict, judged.reason, judged.claims, expected=met)


def _matches(claim: Claim, expect: Expectation) -> bool:
    return (
        claim.verdict is expect.verdict
        and expect.hop in (None, claim.hop)
        and expect.vantage in (None, claim.vantage)
        and expect.diagnosis in (None, claim.diagnosis)
    )
