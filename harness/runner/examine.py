"""Reading and judging one contract: what preview, exec, lint and approve have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from harness.contracts.approval import Subject, unmet
from harness.contracts.forms import Defaults, read_contract
from harness.contracts.model import (
    Action,
    Contract,
    Manifest,
    approved_content,
    content_hash,
    digest,
)
from harness.contracts.policy import Policy
from harness.contracts.policy import judge as judge_contract
from harness.contracts.refusal import ContractRefused, Reason, Refusal
from harness.ports import Approvals
from harness.runner.approvals import consents
from harness.runner.files import read_once
from harness.runner.manifests import ManifestRead, ManifestReader


@dataclass(frozen=True, slots=True)
class Examined:
    """A contract file as it was read: the contract (None when it has no known form), the
    manifests it names, and every reason why the policy forbids it."""

    contract: Contract | None
    content: str
    refusals: tuple[Refusal, ...] = ()
    reads: Mapping[str, ManifestRead] | None = None
    subject: Subject | None = None

    @property
    def reason(self) -> str:
        """All refusals in one line."""
        return "; ".join(str(refusal) for refusal in self.refusals)

    @property
    def may(self) -> list[str]:
        """What the contract may do, a line for each action; nothing when it is refused."""
        if self.contract is None or self.refusals:
            return []
        where = f"on {self.contract.target}"
        return [f"{_described(action)} {where}" for action in self.contract.actions] or [
            f"be filed: {self.contract.kind} without actions"
        ]


class Examiner:
    """Examines contract files under one policy."""

    def __init__(self, *, policy: Policy, reader: ManifestReader, approvals: Approvals) -> None:
        self.policy = policy
        self._reader = reader
        self._approvals = approvals

    def examine(self, data: bytes, *, name: str, received: datetime) -> Examined:
        """Read a contract and judge it by the policy; never raises for what it says."""
        try:
            limit = self.policy.limits.contract_bytes
            if len(data) > limit:
                raise ContractRefused(Refusal(Reason.TOO_LARGE, f"more than {limit} bytes"))
            contract = read_contract(data, defaults=self._defaults(name, received))
        except ContractRefused as error:
            return Examined(contract=None, content=digest(data), refusals=error.refusals)
        return self.judge(contract)

    def examine_file(self, path: Path, *, received: datetime) -> Examined:
        """Read and judge a contract file; never raises for what is there."""
        try:
            data = read_once(path, self.policy.limits.contract_bytes)
        except OSError as error:
            detail = f"it cannot be read: {error.strerror or error}"
            refusal = Refusal(Reason.NOT_A_FILE, detail)
            return Examined(contract=None, content="", refusals=(refusal,))
        return self.examine(data, name=path.stem, received=received)

    def approval_refusal(
        self, examined: Examined, *, provider: str, diff: str | None = None
    ) -> Refusal | None:
        """Why no approval counts for a contract that applies something; else None."""
        contract, subject = examined.contract, examined.subject
        if contract is None or subject is None or not contract.applies:
            return None
        return unmet(
            consents(contract, self._approvals, over=subject.over),
            subject=replace(subject, diff=diff),
            provider=provider,
            rules=self.policy.approvals,
        )

    def judge(self, contract: Contract) -> Examined:
        """Read the manifests that a contract names, and judge it by the policy."""
        paths = [action.manifest for action in contract.manifests]
        named = dict.fromkeys([*paths, *([contract.scope] if contract.scope else [])])
        reads = self._reader.read_all(named)
        facts = {path: read.facts for path, read in reads.items()}
        digests = [facts[action.manifest].digest for action in contract.manifests]
        applied = [
            facts[action.manifest].digest for action in contract.manifests if action.verb == "apply"
        ]
        subject = Subject(over=approved_content(applied), target=str(contract.target))
        return Examined(
            contract=contract,
            content=content_hash(contract, digests),
            refusals=judge_contract(contract=contract, facts=facts, policy=self.policy),
            reads=reads,
            subject=subject if applied else None,
        )

    def _defaults(self, name: str, received: datetime) -> Defaults:
        historical = self.policy.historical
        return Defaults(
            name=name,
            received=received,
            contexts=historical.contexts,
            namespace=historical.namespace,
        )


def _described(action: Action) -> str:
    source = f" from {action.manifest}" if isinstance(action, Manifest) else ""
    return f"{action.verb} {action.resource}{source} within {action.timeout:g} s"
