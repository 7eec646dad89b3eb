"""`vpm runner approve`: somebody's consent to what a contract would apply now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.contracts.approval import Subject, sign, unmet
from harness.contracts.difftext import diff_digest
from harness.contracts.forms import safe_name
from harness.contracts.model import Approval, Contract, dump, extended
from harness.contracts.refusal import ContractRefused, Refusal
from harness.core.errors import UsageError
from harness.ports import Approvals
from harness.runner.apply import DIFF
from harness.runner.examine import Examined, Examiner
from harness.runner.files import write_atomic
from harness.runner.queue import Queue
from harness.runner.settings import RunnerSettings
from harness.runner.states import FOLDER_OF, State

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Consent:
    """Who approves and how: `pem` is the private key for a signed approval; `diff_of` a run
    (usually a dry one) whose diff the approval is narrowed to; `contexts` are added to those
    that the contract is for."""

    by: str
    at: datetime
    pem: bytes | None = None
    diff_of: str | None = None
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved, where it was written, and whether the contract waits again.

    `refusal_on` says why the approval does not count for a provider, or None.
    """

    contract: Contract
    approval: Approval
    path: Path
    refusal_on: Callable[[str], Refusal | None]
    requeued: Path | None = None


class Approver:
    """Approves contracts of one repository."""

    def __init__(
        self, *, settings: RunnerSettings, examiner: Examiner, approvals: Approvals
    ) -> None:
        self._settings = settings
        self._examiner = examiner
        self._approvals = approvals
        self._queue = Queue(inbox=settings.inbox, reports=settings.reports)

    def approve(self, reference: str, consent: Consent, *, embed: bool = False) -> Approved:
        """Approve a contract by its id or path. `embed` writes the approval into its file.

        A contract that was refused, and that is found by its id, is put back into the inbox.

        Errors:
            UsageError: no such contract, nothing to approve, the policy forbids it anyway, or
                contexts to add without `embed`.
        """
        if consent.contexts and not embed:
            raise UsageError(
                "further contexts change the contract itself, not only its approval",
                mend="add --embed, which writes the contract's file",
            )
        path = self._find(reference)
        examined = self._examiner.examine_file(path, received=consent.at)
        contract, approval, subject = self._consent(path, examined, consent)

        def refusal_on(provider: str) -> Refusal | None:
            rules = self._examiner.policy.approvals
            return unmet([approval], subject=subject, provider=provider, rules=rules)

        if embed:
            write_atomic(path, dump(contract.model_copy(update={"approval": approval})))
            return Approved(contract, approval, path, refusal_on)
        kept = self._approvals.record(approval, target=str(contract.target))
        refused = path.parent == self._settings.inbox / FOLDER_OF[State.REFUSED]
        requeued = self._queue.submit(contract.id, dump(contract)) if refused else None
        return Approved(contract, approval, kept, refusal_on, requeued)

    def _find(self, reference: str) -> Path:
        given = Path(reference)
        if given.is_file():
            return given
        for folder in ("", FOLDER_OF[State.REFUSED]):
            for path in sorted((self._settings.inbox / folder).glob("*.json"), reverse=True):
                if reference == path.stem or reference == self._id_of(path):
                    return path
        raise UsageError(
            f"no contract {reference} waits in {self._settings.inbox} or was refused there",
            mend="give the id of a contract there, or the path of a file",
        )

    def _id_of(self, path: Path) -> str | None:
        contract = self._examiner.examine_file(path, received=_NO_TIME).contract
        return contract.id if contract else None

    def _consent(
        self, path: Path, examined: Examined, consent: Consent
    ) -> tuple[Contract, Approval, Subject]:
        if consent.contexts and examined.contract:
            examined = self._for_more(path, examined.contract, consent.contexts)
        contract = examined.contract
        if contract is None or examined.refusals:
            raise UsageError(f"{path}: {examined.reason}", mend="an approval would not help")
        if examined.subject is None:
            raise UsageError(f"{path}: applies nothing, so it needs no approval")
        diff = self._diff(consent.diff_of)
        subject = Subject(over=examined.subject.over, target=examined.subject.target, diff=diff)
        by, at = consent.by, consent.at
        if consent.pem is not None:
            return contract, sign(by=by, at=at, subject=subject, pem=consent.pem), subject
        return contract, Approval(by=by, at=at, over=subject.over, diff=diff), subject

    def _for_more(self, path: Path, contract: Contract, contexts: tuple[str, ...]) -> Examined:
        try:
            return self._examiner.judge(extended(contract, contexts))
        except ContractRefused as error:
            raise UsageError(f"{path}: {error}", mend="name a context of a kubeconfig") from error

    def _diff(self, run_id: str | None) -> str | None:
        if run_id is None:
            return None
        path = self._settings.reports / safe_name(run_id) / DIFF
        try:
            return diff_digest(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UsageError(f"{path}: the run {run_id} has no diff") from error
