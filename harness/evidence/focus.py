"""What a kind of document holds of all that was seen: enough to stand alone, and no more. Pure.

What is left out stands in another document of the run, in its journal, or in the logs of the
runner, which a contract names with their hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from harness.core.observation import CommandRecord, ContractObserved, ProbeObserved
from harness.core.verdict import Claim, Verdict
from harness.evidence.model import Kind, VantageEvidence

FAILED_LIMIT = 600
READY_LIMIT = 1200
DIFF_LIMIT = 800

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

_DETAILED: frozenset[Kind] = frozenset({"sli", "autoscale", "coldstart"})
_APPLIED = ("succeeded", "noop")


def claims_for(kind: Kind, claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims that belong into a document about a service."""
    return tuple(claim for claim in claims if claim.name.split(" ")[0] in _NAMES[kind])


def claims_of_scenario(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The overview: what holds of each service as a whole, and everything that does not hold."""
    return tuple(
        claim
        for claim in claims
        if claim.name in ("service", "ready", "load") or claim.verdict is not Verdict.PASS
    )


def vantages_for(kind: Kind, vantages: Sequence[VantageEvidence]) -> tuple[VantageEvidence, ...]:
    """The vantages of a document; where latency is not the point, without its details."""
    if kind == "load":
        return ()
    if kind in _DETAILED:
        return tuple(vantages)
    brief = _counted if kind == "ready" else _without_latency
    return tuple(replace(seen, probe=brief(seen.probe)) for seen in vantages)


def _without_latency(probe: ProbeObserved) -> ProbeObserved:
    return replace(probe, phases={}, histogram=(), latencies_within={})


def _counted(probe: ProbeObserved) -> ProbeObserved:
    """The counts alone: the SLI document of the same run says who sent and who answered."""
    return replace(
        _without_latency(probe),
        identity=None,
        peers={},
        servers={},
        first_good_after=None,
        steady_after=None,
        first_good_seconds=None,
        later_p50=None,
        later_max=None,
    )


def applied(contracts: Sequence[ContractObserved]) -> ContractObserved | None:
    """The contract that brought a service to where it is: the last that applied, else the last."""
    ordered = [*contracts, *(one for one in contracts if _has_applied(one))]
    return ordered[-1] if ordered else None


def _has_applied(contract: ContractObserved) -> bool:
    return contract.mode == "exec" and contract.state in _APPLIED


def contract_of_ready(contract: ContractObserved) -> ContractObserved:
    """A contract as the READY file shows it: what applied, what waited, what was there after."""
    commands = contract.commands
    last = {
        verb: command
        for verb in ("apply", "wait", "get")
        for command in commands
        if verb in command.argv[:3] and not any("--dry-run" in part for part in command.argv)
    }
    shown = tuple(_brief(command, READY_LIMIT) for command in last.values())
    return replace(contract, commands=shown, diff="")


def contract_of_run(contract: ContractObserved) -> ContractObserved:
    """A contract with every command and what those said that failed; the logs have it all."""
    commands = tuple(
        _brief(command, 0 if command.exit_code == 0 else FAILED_LIMIT)
        for command in contract.commands
    )
    return replace(contract, commands=commands, diff=_cut(contract.diff, DIFF_LIMIT))


def _brief(command: CommandRecord, limit: int) -> CommandRecord:
    out, err = _cut(command.stdout, limit), _cut(command.stderr, limit)
    return replace(command, stdout=out, stderr=err)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if not limit:
        return ""
    return f"{text[:limit]}\n({len(text) - limit} more characters: see the runner's logs)\n"
