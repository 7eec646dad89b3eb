"""What a person reads when a step did not end well: the object, the mismatches, the last look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.observation import (
    ContractObserved,
    ErrorObserved,
    LoadObserved,
    Observation,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.outcome import HOP_OF
from harness.core.record import StepRecord
from harness.core.verdict import Claim, ExitCode, RunVerdict, StepVerdict, Verdict


def headline(verdict: RunVerdict) -> str:
    """A run's verdict in one line: a drill says whether it ended as it should."""
    missed = [step.step for step in verdict.steps if step.expected is False]
    if missed:
        expected = f", but {', '.join(missed)} did not end as the scenario expects"
    elif verdict.exit_code is ExitCode.PASS and verdict.verdict is not Verdict.PASS:
        expected = ", as the scenario expects"
    else:
        expected = ""
    return f"{verdict.verdict}{expected}: {verdict.reason}"


def explain(verdict: StepVerdict, record: StepRecord | None) -> tuple[str, ...]:
    """The lines that explain a step: verdict first, then claims, then what was seen."""
    lines = [f"{verdict.verdict}: {verdict.reason}"]
    if verdict.expected is False:
        lines.append("this is not the verdict that the scenario expects")
    lines += [line for claim in verdict.claims for line in _claim_lines(claim)]
    for observation in record.observations if record else ():
        lines += _observation_lines(observation)
    return tuple(lines)


def _claim_lines(claim: Claim) -> Iterator[str]:
    if claim.verdict is Verdict.PASS:
        return
    hop = f" (hop {claim.hop})" if claim.hop else ""
    yield f"  {claim.verdict} {claim.subject} {claim.title}{hop}: {claim.reason}"
    for word, items in (("confirmed by", claim.confirms), ("contradicted by", claim.contradicts)):
        yield from (f"    {word} {item}" for item in items)
    if claim.next_step:
        yield f"    next: {claim.next_step}"


def _observation_lines(observation: Observation) -> Sequence[str]:
    match observation:
        case ServiceObserved():
            return tuple(_service_lines(observation))
        case ProbeObserved():
            return tuple(_probe_lines(observation))
        case ContractObserved():
            return tuple(_contract_lines(observation))
        case LoadObserved():
            errors = [f"    {count} x {error}" for error, count in observation.errors.items()]
            return (f"  load on {observation.url}", *errors)
        case ErrorObserved(mend=str(mend)):
            return (f"  mend: {mend}",)
    return ()


def _service_lines(seen: ServiceObserved) -> Iterator[str]:
    if not seen.found:
        yield f"  KService {seen.namespace}/{seen.service}: not found"
        return
    yield (
        f"  KService {seen.namespace}/{seen.service} uid={seen.uid}"
        f" generation={seen.generation} observedGeneration={seen.observed_generation}"
    )
    yield from (f"    - {mismatch}" for mismatch in sorted(seen.mismatches))
    yield f"    last observation at {seen.at}:"
    for condition in seen.conditions:
        reason = f" {condition.reason}" if condition.reason else ""
        message = f": {condition.message}" if condition.message else ""
        yield f"      {condition.type}={condition.status}{reason}{message}"


def _probe_lines(seen: ProbeObserved) -> Iterator[str]:
    yield f"  {seen.vantage}: {seen.good}/{seen.valid} good, {seen.url}"
    if seen.error:
        yield f"    could not run: {seen.error}"
    for outcome, count in sorted(seen.outcomes.items(), key=lambda item: -item[1]):
        if outcome != "ok":
            detail = seen.details.get(outcome, "")
            yield f"    {count} x {outcome} at hop {HOP_OF[outcome]}: {detail}"


def _contract_lines(seen: ContractObserved) -> Iterator[str]:
    yield f"  contract {seen.contract} ({seen.mode}) -> {seen.state}; see {seen.folder}"
    for command in seen.commands:
        code = "timed out" if command.exit_code is None else f"exit {command.exit_code}"
        yield f"    {code} {command.seconds:.2f}s  {' '.join(command.argv)}"
        if command.exit_code not in (0, 1) and command.stderr:
            yield f"      {command.stderr.strip().splitlines()[-1]}"
