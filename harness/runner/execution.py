"""Carrying out a contract: preflight, the actions in their order, the snapshots around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.contracts.command import read_arguments
from harness.contracts.model import Action, Contract, Manifest
from harness.core.errors import ClusterError, CommandError
from harness.core.identity import ClusterIdentity
from harness.ports import KubeClient
from harness.runner.apply import DIFF, ManifestRun, Permit, snapshots
from harness.runner.folder import APPLY_LOG, Console, RunFolder
from harness.runner.ledger import CHANGING_MARKS, Mark
from harness.runner.manifests import ManifestRead
from harness.runner.objects import Shown, shown
from harness.runner.outcome import Change, Outcome, Stopped, unwell
from harness.runner.preflight import check_cluster
from harness.runner.states import Event

BEFORE = "before.yaml"
AFTER = "after.yaml"


@dataclass(frozen=True, slots=True)
class Job:
    """A contract that may run, and what is known about where."""

    contract: Contract
    reads: Mapping[str, ManifestRead]
    cluster: ClusterIdentity
    client: KubeClient | None
    resumed_at: Mark | None = None


class Execution:
    """One exec of one contract. `run` never raises for what the cluster does."""

    def __init__(self, job: Job, *, console: Console, folder: RunFolder, permit: Permit) -> None:
        self._job = job
        self._console = console
        self._folder = folder
        self._permit = permit
        self._changes: list[Change] = []
        self._diffs: list[str] = []
        # What an interrupted run had compared: afterwards there may be nothing left to show.
        self._earlier_diffs = (folder.read(DIFF) or "") if job.resumed_at else ""
        self._after: list[str] = []
        self._applied = False

    def run(self) -> Outcome:
        """Do the work and say how it ended."""
        try:
            event, reason = self._work()
        except Stopped as stop:
            event, reason = stop.event, stop.message
        except (ClusterError, CommandError) as error:
            event, reason = Event.MISMATCH, error.message
        if self._begun and event in (Event.REFUSE, Event.MISMATCH):
            event = Event.FAIL  # both would say that nothing was changed
        return Outcome(event, reason, tuple(self._changes), "".join(self._diffs))

    @property
    def _begun(self) -> bool:
        """Whether the cluster may have been changed by this run, now or before it was killed."""
        return self._applied or self._job.resumed_at in CHANGING_MARKS

    def _work(self) -> tuple[Event, str]:
        contract = self._job.contract
        check_cluster(
            contract, cluster=self._job.cluster, console=self._console, client=self._job.client
        )
        if not contract.actions:
            return Event.CHANGE_NOTHING, "the contract asks for nothing"
        runs = {index: self._manifest_run(action) for index, action in self._applies()}
        before = self._before(list(runs.values()))
        try:
            for index, action in enumerate(contract.actions):
                if index in runs:
                    self._bring_about(runs[index], before)
                else:
                    self._look(action)
        except Stopped:
            self._after = _last_look(runs.values())
            raise
        finally:
            self._keep_diffs()
            if runs:
                self._folder.write(AFTER, "---\n".join(self._after))
        return self._conclusion()

    def _applies(self) -> list[tuple[int, Manifest]]:
        return [
            (index, action)
            for index, action in enumerate(self._job.contract.actions)
            if isinstance(action, Manifest) and action.verb == "apply"
        ]

    def _manifest_run(self, action: Manifest) -> ManifestRun:
        namespace = action.resource.namespace or self._job.contract.target.namespace
        read = self._job.reads[action.manifest]
        return ManifestRun(action, read, namespace, self._console)

    def _before(self, runs: list[ManifestRun]) -> dict[str, Shown]:
        if not runs:
            return {}
        kept = self._folder.read(BEFORE)
        if kept is None:
            kept = snapshots(runs, kept=BEFORE)
            self._folder.write(BEFORE, kept)
        return shown(kept)

    def _bring_about(self, run: ManifestRun, before: Mapping[str, Shown]) -> None:
        facts = run.read.facts
        self._folder.log("APPLY", f"manifest={facts.real} {facts.digest}", name=APPLY_LOG)
        run.dry_run()
        if self._compare(run):
            if self._job.resumed_at in CHANGING_MARKS:
                self._folder.log("WARN", "differences remain: the manifest is applied again")
            run.check_approval(self._permit)
            self._applied = True
            run.apply(self._permit)
        else:
            self._folder.log("SKIP", "apply: the cluster already is as the manifest says")
            self._folder.log("INFO", "no differences: apply is left out", name=APPLY_LOG)
        applied = shown(run.snapshot(kept=f"{AFTER}, as it ended"))
        run.wait_ready()
        self._after.append(run.snapshot(kept=AFTER))
        self._changes += run.changes(before, applied, shown(self._after[-1]))

    def _compare(self, run: ManifestRun) -> bool:
        differs = run.compare()
        self._diffs.append(run.diff)
        self._keep_diffs()  # before anything is applied: the logs point to it
        return differs

    def _keep_diffs(self) -> None:
        self._folder.write(DIFF, "".join([self._earlier_diffs, *self._diffs]))

    def _look(self, action: Action) -> None:
        if isinstance(action, Manifest):
            self._compare(self._manifest_run(action))
            return
        namespace = self._job.contract.target.namespace
        arguments = read_arguments(action, namespace=namespace)
        result = self._console.run(arguments, timeout=action.timeout + 1)
        if result.exit_code != 0:
            ended = "timed out" if result.timed_out else f"exited {result.exit_code}"
            raise unwell(result, f"{action.verb} {ended}: {result.stderr.strip()[:300]}")

    def _conclusion(self) -> tuple[Event, str]:
        if not self._job.contract.applies:
            return Event.SUCCEED, "every action ended well"
        if not self._begun:
            return Event.CHANGE_NOTHING, "READY; the cluster already was as the manifest says"
        how = "; ".join(f"{c.name} generation {c.before} -> {c.after}" for c in self._changes)
        again = " (resumed after an interruption)" if self._job.resumed_at else ""
        return Event.SUCCEED, f"READY at the new generation: {how}{again}"


def _last_look(runs: Iterable[ManifestRun]) -> list[str]:
    """What is there after a failure; the failure itself matters more than this."""
    try:
        return [snapshots(list(runs), kept=AFTER)]
    except Stopped:
        return []
