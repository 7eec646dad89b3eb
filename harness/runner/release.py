"""Letting go of a contract that a killed run left behind, when its cluster is there no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.identity import ClusterIdentity
from harness.ports import Clock, Kubectl
from harness.runner.examine import Examiner
from harness.runner.ledger import CHANGING_MARKS, Entry, Ledger
from harness.runner.lock import cluster_lock
from harness.runner.queue import Queue
from harness.runner.settings import RunnerSettings
from harness.runner.settle import EVENT_OF, Workshop, give_up, settle
from harness.runner.states import Event, State


@dataclass(frozen=True, slots=True)
class Released:
    """Where the contract is now, and what its record says."""

    path: Path
    state: str
    reason: str


def release(
    run_id: str,
    *,
    by: str,
    settings: RunnerSettings,
    examiner: Examiner,
    kubectl: Kubectl,
    clock: Clock,
) -> Released:
    """End a contract that waits in `_running` for a cluster that will not come back.

    Nothing is sent to any cluster. A run that had begun is filed as failed, and its record says
    who released it and how far it had come; one that had not goes back to the inbox.

    Errors:
        UsageError: no such contract is left behind, or a runner works on it.
        Busy: a kubectl of the killed run still works on the cluster.
    """
    queue, ledger = Queue(inbox=settings.inbox, reports=settings.reports), Ledger(settings.ledger)
    claim = queue.orphan(run_id)
    if claim is None:
        raise UsageError(
            f"{settings.inbox / '_running'}: no contract {run_id} was left behind by a killed run",
            mend="`ls` shows those that are there; one that a runner works on cannot be released",
        )
    try:
        last = ledger.last_of(run_id)
        if last is None:
            queue.advance(claim, Event.RELEASE)
            return Released(claim.path, State.INBOX, "nothing had begun; it waits again")
        shop = Workshop(
            settings=settings,
            queue=queue,
            ledger=ledger,
            examiner=examiner,
            kubectl=kubectl,
            client=None,
            cluster=_gone(last),
            clock=clock,
        )
        if last.mark in EVENT_OF:
            observed = settle(claim, shop)
        else:
            with cluster_lock(ledger.lock_path(last.cluster), timeout=0, clock=clock):
                observed = give_up(claim, shop, _reason(by, last))
        return Released(claim.path, observed.state, observed.reason)
    finally:
        claim.close()


def _gone(last: Entry) -> ClusterIdentity:
    """All that the ledger knows of the cluster."""
    return ClusterIdentity(
        provider="unknown",
        name="",
        context="",
        uid=last.cluster,
        server_version="",
        knative_version="",
    )


def _reason(by: str, last: Entry) -> str:
    changed = (
        "it may have been changed: compare before.yaml with it if it is still there"
        if last.mark in CHANGING_MARKS
        else "it was not changed"
    )
    return f"released by {by}; interrupted when {last.mark} on cluster {last.cluster}: {changed}"
