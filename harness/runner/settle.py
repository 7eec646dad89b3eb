"""Bringing one claimed contract to its final state: judge, lock, ledger, execution, filing.

Every step is on the disk before the next begins, in this order: ledger `started`, the rename to
running, `applying`, the apply, `applied`, status.json, the final mark, the final rename. A
runner that dies anywhere leaves a state from which `settle` goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.contracts.model import Contract
from harness.contracts.paths import shown
from harness.contracts.refusal import Reason, Refusal
from harness.core.identity import ClusterIdentity
from harness.core.observation import ContractObserved
from harness.ports import Clock, KubeClient, Kubectl
from harness.runner.apply import Permit
from harness.runner.examine import Examined, Examiner
from harness.runner.execution import Execution, Job
from harness.runner.folder import Console
from harness.runner.ledger import CHANGING_MARKS, Entry, Ledger, Mark
from harness.runner.lock import ClusterLock, cluster_lock
from harness.runner.outcome import Outcome
from harness.runner.queue import Claim, Queue
from harness.runner.report import Report, recorded
from harness.runner.settings import RunnerSettings
from harness.runner.states import Event
from harness.runner.status import STATUS

MARK_OF: dict[Event, Mark] = {
    Event.SUCCEED: "succeeded",
    Event.CHANGE_NOTHING: "noop",
    Event.FAIL: "failed",
    Event.REFUSE: "refused",
    Event.MISMATCH: "environment_mismatch",
}
EVENT_OF = {mark: event for event, mark in MARK_OF.items()}


@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything that a settlement works with."""

    settings: RunnerSettings
    queue: Queue
    ledger: Ledger
    examiner: Examiner
    kubectl: Kubectl
    client: KubeClient | None
    cluster: ClusterIdentity
    clock: Clock

    def report(self, run_id: str, *, file: str, mode: str, resumed_at: str | None = None) -> Report:
        """Begin the report of a run."""
        return Report(
            self.settings.reports / run_id,
            file=file,
            mode=mode,
            cluster=self.cluster,
            clock=self.clock,
            resumed_at=resumed_at,
        )

    def examine(self, data: bytes, *, name: str) -> Examined:
        """Read and judge a contract file."""
        return self.examiner.examine(data, name=name, received=self.clock.now())

    def job(self, examined: Examined, contract: Contract, resumed_at: Mark | None = None) -> Job:
        """The work that an allowed contract asks for."""
        return Job(
            contract=contract,
            reads=examined.reads or {},
            cluster=self.cluster,
            client=self.client,
            resumed_at=resumed_at,
        )


def settle(claim: Claim, workshop: Workshop) -> ContractObserved:
    """Bring a claimed contract to its end, record it and file it."""
    last = workshop.ledger.last_of(claim.run_id) if claim.resumed else None
    if last and last.mark in EVENT_OF:
        folder = workshop.settings.reports / claim.run_id
        if (folder / STATUS).exists():
            # The record and the ledger are complete; only the last rename was missing.
            workshop.queue.advance(claim, Event.START)
            workshop.queue.advance(claim, EVENT_OF[last.mark])
            return recorded(folder)
        last = None  # an earlier run had this name, and its record was deleted since
    return _Settlement(claim, workshop, last).settle()


def abandon(claim: Claim, workshop: Workshop, error: Exception) -> ContractObserved:
    """File a contract as failed because the runner itself went wrong over it."""
    last = workshop.ledger.last_of(claim.run_id)
    return _Settlement(claim, workshop, last).fail(f"internal error: {error!r}")


def give_up(claim: Claim, workshop: Workshop, reason: str) -> ContractObserved:
    """File an interrupted contract as failed without going on with it."""
    settlement = _Settlement(claim, workshop, workshop.ledger.last_of(claim.run_id))
    settlement.examine()
    return settlement.fail(reason)


class _Settlement:
    """One claimed contract on its way to a final state."""

    def __init__(self, claim: Claim, workshop: Workshop, last: Entry | None) -> None:
        self._claim = claim
        self._shop = workshop
        self._last = last
        resumed_at = self._last.mark if self._last else None
        self._report = workshop.report(
            claim.run_id, file=shown(claim.name), mode="exec", resumed_at=resumed_at
        )

    def settle(self) -> ContractObserved:
        """Judge, and carry out what may be carried out."""
        if self._claim.problem:
            reason = str(Refusal(Reason.NOT_A_FILE, self._claim.problem))
            return self._report.ended(Outcome(Event.REFUSE, reason))
        examined = self.examine()
        if self._changed and self._last and self._last.content != examined.content:
            reason = "interrupted while applying, and the manifest was changed since; compare "
            return self._end(Outcome(Event.FAIL, f"{reason}before.yaml with the cluster"))
        if examined.contract is None or examined.refusals:
            return self._refuse(examined.reason)
        path = self._shop.ledger.lock_path(self._shop.cluster.uid)
        timeout = self._shop.settings.lock_timeout
        with cluster_lock(path, timeout=timeout, clock=self._shop.clock) as lock:
            refusal = self._refusal(examined, examined.contract)
            if refusal:
                return self._refuse(str(refusal))
            return self._execute(examined, examined.contract, lock)

    def examine(self) -> Examined:
        """Read and judge the contract; the report says how it was understood."""
        limit = self._shop.examiner.policy.limits.contract_bytes
        data = self._claim.read(limit)
        examined = self._shop.examine(data, name=Path(self._claim.name).stem)
        self._report.examined(examined)
        return examined

    def fail(self, reason: str) -> ContractObserved:
        """End the contract as failed."""
        return self._end(Outcome(Event.FAIL, reason))

    @property
    def _changed(self) -> bool:
        """Whether this run, before it was interrupted, may have changed the cluster."""
        return self._last is not None and self._last.mark in CHANGING_MARKS

    def _refusal(self, examined: Examined, contract: Contract) -> Refusal | None:
        done = self._shop.ledger.done(
            id=contract.id, content=examined.content, cluster=self._shop.cluster.uid
        )
        if done:
            detail = f"run {done.run_id} {done.mark} at {done.at}; --again makes a new id"
            return Refusal(Reason.ALREADY_DONE, detail)
        provider = self._shop.cluster.provider
        return self._shop.examiner.approval_refusal(examined, provider=provider)

    def _execute(
        self, examined: Examined, contract: Contract, lock: ClusterLock
    ) -> ContractObserved:
        def mark(name: Mark) -> None:
            self._mark(name, contract.id, examined.content)

        if self._last is None:
            mark("started")
        self._shop.queue.advance(self._claim, Event.START)
        console = Console(self._shop.kubectl, self._report.folder)
        permit = Permit(
            lock=lock,
            mark=mark,
            approved=lambda diff: self._shop.examiner.approval_refusal(
                examined, provider=self._shop.cluster.provider, diff=diff
            ),
        )
        job = self._shop.job(examined, contract, self._last.mark if self._last else None)
        execution = Execution(job, console=console, folder=self._report.folder, permit=permit)
        outcome = execution.run()
        observed = self._report.ended(outcome, console.records)
        mark(MARK_OF[outcome.event])
        self._shop.queue.advance(self._claim, outcome.event)
        return observed

    def _refuse(self, reason: str) -> ContractObserved:
        # After a change a refusal would sound as if nothing had happened.
        event = Event.FAIL if self._changed else Event.REFUSE
        return self._end(Outcome(event, reason))

    def _end(self, outcome: Outcome) -> ContractObserved:
        observed = self._report.ended(outcome)
        if self._last:
            self._mark(MARK_OF[outcome.event], self._last.id, self._last.content)
        self._shop.queue.advance(self._claim, outcome.event)
        return observed

    def _mark(self, name: Mark, id: str, content: str) -> None:
        self._shop.ledger.append(
            Entry(
                at=self._shop.clock.now().isoformat(),
                id=id,
                content=content,
                cluster=self._shop.cluster.uid,
                run_id=self._claim.run_id,
                mark=name,
            )
        )
