"""What follows from observations and claims: ratios, windows, subjects, gaps. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set

from harness.core.observation import (
    Artefact,
    ColdStartObserved,
    ContractObserved,
    LoadObserved,
    Observation,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.outcome import HOP_OF, Hop
from harness.core.record import RunRecord, ToolInfo
from harness.core.sli import samples_to_prove, wilson
from harness.core.verdict import Claim
from harness.evidence.model import Subject, Threshold, VantageEvidence, Window
from harness.evidence.stamps import EARLIEST, moment_or_none, utc_text


def vantage_evidence(step: str, probe: ProbeObserved) -> VantageEvidence:
    """One probe with its failures by hop, its ratio and the ratio's 95 % interval."""
    hops = failures_by_hop(probe)
    return VantageEvidence(
        step=step,
        probe=probe,
        hops={hop.value: count for hop, count in hops.items()},
        first_broken=next(iter(hops), None),
        ratio=probe.good / probe.valid if probe.valid else None,
        interval=wilson(probe.good, probe.valid),
    )


def failures_by_hop(probe: ProbeObserved) -> dict[Hop, int]:
    """How many attempts did not pass each hop, in the order of the path; prober errors left out."""
    failed: Counter[Hop] = Counter()
    for outcome, count in probe.outcomes.items():
        failed[HOP_OF.get(outcome, Hop.PROBER)] += count
    return {hop: failed[hop] for hop in Hop if failed[hop] and hop not in (Hop.NONE, Hop.PROBER)}


def service_subject(key: str, state: ServiceObserved | None) -> Subject:
    """The KService of a key `namespace/name`, as it was last seen."""
    namespace, _, name = key.rpartition("/")
    if state is None or not state.found:
        return Subject(kind="Service", namespace=namespace, name=name)
    return Subject(
        kind="Service",
        namespace=namespace,
        name=name,
        uid=state.uid,
        generation=state.generation,
        observed_generation=state.observed_generation,
        resource_version=state.resource_version,
        revision=state.latest_ready,
        image=state.image,
        image_digest=state.image_digest,
    )


def service_of(observation: Observation) -> str | None:
    """The key `namespace/name` of the KService that an observation is about, if it is."""
    match observation:
        case ServiceObserved() | ProbeObserved() | LoadObserved() | ColdStartObserved():
            return f"{observation.namespace}/{observation.service}"
        case ContractObserved(resource=resource) if "/" in resource:
            return resource.split(" ")[-1]
    return None


_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_OBJECTIVE = re.compile(
    rf"sli (?P<metric>success|latency)(?:<=(?P<below>{_NUMBER})s)?>=(?P<target>{_NUMBER})"
)


def thresholds_of(
    claims: Sequence[Claim], vantages: Sequence[VantageEvidence]
) -> tuple[Threshold, ...]:
    """The objectives in the names of `sli` claims, each with what was observed."""
    return tuple(
        _threshold(claim, found, vantages)
        for claim in claims
        if (found := _OBJECTIVE.fullmatch(claim.name))
    )


def _threshold(
    claim: Claim, objective: re.Match[str], vantages: Sequence[VantageEvidence]
) -> Threshold:
    target = float(objective["target"])
    # Where a drill probes twice the last probe decides, as it does for the judge.
    probes = [seen.probe for seen in vantages if seen.probe.vantage == claim.vantage][-1:]
    valid = sum(probe.valid for probe in probes)
    met = sum(events_within(probe, objective["below"]) for probe in probes)
    return Threshold(
        claim=claim.title,
        indicator=objective["metric"],
        below=float(objective["below"]) if objective["below"] else None,
        target=target,
        met=met,
        valid=valid,
        observed=met / valid if 0 <= met <= valid != 0 else None,
        proof_needs=samples_to_prove(target) if 0 <= target < 1 else None,
    )


def events_within(probe: ProbeObserved, below: str | None) -> int:
    """How many good events an objective counts: all successes, or those below a latency."""
    return probe.good if below is None else probe.latencies_within.get(below, 0)


def not_checked(
    claims: Sequence[Claim], state: ServiceObserved | None, vantages: Sequence[VantageEvidence]
) -> tuple[str, ...]:
    """Everything that a reader might take for checked and that was not, each once."""
    told = {item.partition(" (")[0] for claim in claims for item in claim.not_checked}
    return tuple(
        dict.fromkeys(
            [
                *(f"{claim.title}: {item}" for claim in claims for item in claim.not_checked),
                *_gaps_of_state(state),
                *(gap for vantage in vantages for gap in _gaps_of_vantage(vantage.probe, told)),
            ]
        )
    )


def _gaps_of_state(state: ServiceObserved | None) -> Iterator[str]:
    if state is not None and state.found and not state.image_digest:
        yield "image digest: the cluster did not say which one runs"


def _gaps_of_vantage(probe: ProbeObserved, told: Set[str]) -> Iterator[str]:
    if probe.error:
        yield f"{probe.vantage}: could not run: {probe.error}"
    elif not probe.valid:
        yield f"{probe.vantage}: no data"
    if probe.by_address and f"{probe.vantage}: resolve" not in told:
        yield f"{probe.vantage}: hop resolve; the address was taken from the name"


def gaps_of_tool(tool: ToolInfo) -> tuple[str, ...]:
    """What is not known about where the run came from."""
    return () if tool.git_commit else ("commit: the run was not made in a git repository",)


def notes_on(
    contract: ContractObserved | None, states: Sequence[ServiceObserved]
) -> tuple[str, ...]:
    """How READY came about: whether this run earned it, and how long it took."""
    notes = [
        f"READY {'did not come within' if state.mismatches else 'came after'} {state.waited:.3g} s."
        for state in states
        if state.waited
    ]
    if contract is not None and contract.mode == "exec":
        before, after = contract.generation_before, contract.generation_after
        if before is not None and before == after:
            notes.append(f"READY was not earned by this run: the generation stayed {after}.")
    return tuple(notes[-2:])


def window_of(record: RunRecord, observations: Sequence[Observation]) -> Window:
    """From the first to the last moment of the observations; the run's own when none has one."""
    moments = {moment for seen in observations for moment in _moments(seen)}
    if not moments:
        ends = {step.ended or step.started for step in record.steps.values()}
        moments = {record.opened.at, *ends}
    ordered = sorted(moments, key=lambda text: moment_or_none(text) or EARLIEST)
    return Window(start=_alike(ordered[0]), end=_alike(ordered[-1]))


def _alike(text: str) -> str:
    """A moment as all documents spell it; what is none stays, for `verify` to find."""
    found = moment_or_none(text)
    return utc_text(found) if found else text


def _moments(seen: Observation) -> tuple[str, ...]:
    match seen:
        case ServiceObserved():
            return (seen.at,)
        case ProbeObserved() | LoadObserved() | ColdStartObserved():
            return (seen.at, seen.until)
    return ()


def artefacts_of(observations: Sequence[Observation]) -> tuple[Artefact, ...]:
    """The run folder's files that the observations rest on, by path."""
    found = {artefact.path: artefact for seen in observations for artefact in _files(seen)}
    return tuple(found[path] for path in sorted(found))


def _files(seen: Observation) -> Iterator[Artefact]:
    match seen:
        case ProbeObserved(samples=samples, logs=logs):
            yield from (samples, *logs) if samples else logs
        case ServiceObserved(raw=Artefact() as artefact) | LoadObserved(raw=Artefact() as artefact):
            yield artefact
