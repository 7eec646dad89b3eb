"""The runner: an approved contract changes the cluster once, as approved, with a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.contracts.forms import safe_name
from harness.contracts.model import dump, stamp
from harness.contracts.paths import shown
from harness.contracts.policy import Policy, parse_policy
from harness.contracts.refusal import ContractRefused
from harness.contracts.strict_json import parse_object
from harness.core.errors import ClusterError, CommandError, UsageError, VpmError
from harness.core.identity import ClusterIdentity
from harness.core.observation import ContractObserved
from harness.ports import Approvals, Clock, KubeClient, Kubectl
from harness.runner.examine import Examiner
from harness.runner.files import NotAFile, read_once
from harness.runner.folder import Console
from harness.runner.ledger import Entry, Ledger
from harness.runner.lock import Busy
from harness.runner.manifests import ManifestReader
from harness.runner.outcome import Outcome, Stopped
from harness.runner.preview import inbox_fingerprint, preview
from harness.runner.queue import Claim, Queue, reserve
from harness.runner.settings import RunnerSettings
from harness.runner.settle import Workshop, abandon, settle
from harness.runner.states import Event

__all__ = ["Runner", "RunnerSettings", "stamp"]

MAX_POLICY = 262_144


class Runner:
    """Runs the contracts of one repository on one open cluster."""

    def __init__(
        self,
        *,
        settings: RunnerSettings,
        kubectl: Kubectl,
        client: KubeClient | None,
        cluster: ClusterIdentity,
        clock: Clock,
        approvals: Approvals,
    ) -> None:
        policy = load_policy(settings.policy)
        reader = ManifestReader(repo=settings.repo, policy=policy, kubectl=kubectl)
        self._shop = Workshop(
            settings=settings,
            queue=Queue(inbox=settings.inbox, reports=settings.reports),
            ledger=Ledger(settings.ledger),
            examiner=Examiner(policy=policy, reader=reader, approvals=approvals),
            kubectl=kubectl,
            client=client,
            cluster=cluster,
            clock=clock,
        )

    def preview(self, contract: Path, *, run_id: str | None = None) -> ContractObserved:
        """What exec would do: the policy's decision and the server's diff. Changes nothing.

        Errors:
            UsageError: the file cannot be read.
        """
        shop = self._shop
        inbox = inbox_fingerprint(shop.settings.inbox)
        data = _read(contract, shop.examiner.policy.limits.contract_bytes)
        run_id = reserve(shop.settings.reports, run_id or f"{contract.stem}-dry")
        report = shop.report(run_id, file=shown(contract.name), mode="dry")
        examined = shop.examine(data, name=contract.stem)
        report.examined(examined)
        if examined.contract is None or examined.refusals:
            return report.ended(Outcome(Event.REFUSE, examined.reason))
        console = Console(shop.kubectl, report.folder)
        job = shop.job(examined, examined.contract)
        try:
            seen = preview(job, console=console, folder=report.folder)
        except Stopped as stop:
            return report.ended(Outcome(stop.event, stop.message), console.records)
        except (ClusterError, CommandError) as error:
            return report.ended(Outcome(Event.MISMATCH, error.message), console.records)
        refusal = shop.examiner.approval_refusal(examined, provider=shop.cluster.provider)
        unchanged = {
            "cluster": seen.cluster_unchanged,
            "inbox": inbox_fingerprint(shop.settings.inbox) == inbox,
        }
        return report.previewed(
            reason=f"exec would be refused: {refusal}" if refusal else "exec would run",
            diff=seen.diff,
            unchanged=tuple(name for name, same in unchanged.items() if same),
            records=console.records,
        )

    def execute(
        self, contract: Path, *, again: bool = False, run_id: str | None = None
    ) -> ContractObserved:
        """Carry out one contract, once; `again` runs the same work under a new id.

        A file outside the inbox is copied into it first and stays where it is.

        Errors:
            UsageError: the file cannot be read, or another runner has taken it.
        """
        path = contract
        if again or contract.resolve().parent != self._shop.settings.inbox.resolve():
            path = self._submit(contract, again=again)
        claim = self._shop.queue.claim(path, run_id=run_id)
        if claim is None:
            raise UsageError(f"{path}: there is no such contract, or another runner has taken it")
        return self.settle(claim)

    def pending(self, *, patience: float = 0.0) -> list[Path]:
        """The contracts that wait in the inbox, without those that are still being written: what
        is no JSON, and was changed less than `patience` seconds ago."""
        waiting = self._shop.queue.pending()
        return [path for path in waiting if not (patience and self._grows(path, patience))]

    def claims(self, *, patience: float = 0.0) -> Iterator[Claim]:
        """What there is to do: first the rests of killed runs on this cluster, then the inbox.

        Each claim is locked for the caller, who must settle it.

        Errors:
            OSError: at the end, when contracts could not be claimed; the others were.
        """
        problems: list[OSError] = []
        for claim in self._shop.queue.orphans():
            if self._elsewhere(claim):
                claim.close()
            else:
                yield claim
        for path in self.pending(patience=patience):
            try:
                claimed = self._shop.queue.claim(path)
            except OSError as error:
                problems.append(error)
                continue
            if claimed is not None:
                yield claimed
        for problem in problems:
            raise problem

    def stranded(self) -> list[Entry]:
        """The last word on each contract that a killed run on another cluster left behind.

        They wait for that cluster; `release` ends those whose cluster will not come back.
        """
        found = []
        for claim in self._shop.queue.orphans():
            if last := self._elsewhere(claim):
                found.append(last)
            claim.close()
        return found

    def judge(self, claim: Claim) -> str:
        """Why a claimed contract would be refused by policy or for want of approval, or empty."""
        limit = self._shop.examiner.policy.limits.contract_bytes
        examined = self._shop.examine(claim.read(limit), name=Path(claim.name).stem)
        provider = self._shop.cluster.provider
        missing = self._shop.examiner.approval_refusal(examined, provider=provider)
        return examined.reason or (str(missing) if missing else "")

    def settle(self, claim: Claim) -> ContractObserved:
        """Bring a claimed contract to its final state, record it, file it, and unlock it."""
        try:
            return settle(claim, self._shop)
        except Busy:
            if not claim.resumed:  # what was begun stays known by its run id
                self._shop.queue.advance(claim, Event.RELEASE)
            raise
        except (VpmError, OSError):
            raise  # the machine's trouble: the contract stays in _running for the next drain
        except Exception as error:  # noqa: BLE001  (a bug must not stop the other contracts)
            return abandon(claim, self._shop, error)
        finally:
            claim.close()

    def _grows(self, path: Path, patience: float) -> bool:
        try:
            age = self._shop.clock.now().timestamp() - path.lstat().st_mtime
            # Far from now, on either side, is a clock that was set or a file that was copied.
            if abs(age) < patience:
                parse_object(read_once(path, self._shop.examiner.policy.limits.contract_bytes))
        except ContractRefused:
            return True
        except OSError:
            pass  # whoever claims it says what it is
        return False

    def _elsewhere(self, claim: Claim) -> Entry | None:
        last = self._shop.ledger.last_of(claim.run_id)
        return last if last and last.cluster != self._shop.cluster.uid else None

    def _submit(self, contract: Path, *, again: bool) -> Path:
        data = _read(contract, self._shop.examiner.policy.limits.contract_bytes)
        name = contract.stem
        if again:
            examined = self._shop.examine(data, name=contract.stem)
            if examined.contract is None:
                raise UsageError(f"{contract}: {examined.reason}")
            now = self._shop.clock.now()
            first = examined.contract.again_of or examined.contract.id
            name = f"{first}_again_{now:%Y%m%dT%H%M%S%fZ}"
            changes = {"id": name, "again_of": first, "created": now}
            data = dump(examined.contract.model_copy(update=changes))
        return self._shop.queue.submit(safe_name(name), data)


def load_policy(path: Path) -> Policy:
    """The policy file at `path`.

    Errors:
        UsageError: it cannot be read. SpecError: every problem in it.
    """
    if not path.exists():
        raise UsageError(
            f"{path}: there is no policy, so no contract may run",
            mend="write one: `vpm runner schema policy` prints its schema",
        )
    content = _read(path, MAX_POLICY)
    if len(content) > MAX_POLICY:
        raise UsageError(f"{path}: larger than {MAX_POLICY} bytes")
    return parse_policy(content, source=str(path))


def _read(path: Path, limit: int) -> bytes:
    try:
        return read_once(path, limit)
    except NotAFile as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
