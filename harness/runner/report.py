"""The report of one run: its log, its status.json, and the observation for whoever asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.contracts.strict_json import text_of
from harness.core.identity import ClusterIdentity
from harness.core.observation import CommandRecord, ContractObserved
from harness.ports import Clock
from harness.runner.examine import Examined
from harness.runner.folder import RunFolder
from harness.runner.outcome import Change, Outcome
from harness.runner.states import DONE, RESULT_OF, VERDICT_OF, State
from harness.runner.status import STATUS, Ended, Status, encode_status, read_status, versions

PREVIEWED = "previewed"


@dataclass(frozen=True, slots=True)
class _End:
    """How a run ended, whether it was a preview or not."""

    state: str
    reason: str
    diff: str = ""
    changes: tuple[Change, ...] = ()
    generations: tuple[int | None, int | None] = (None, None)
    unchanged: tuple[str, ...] = ()


class Report:
    """Collects what is known about one run and writes it down at its end."""

    def __init__(
        self,
        path: Path,
        *,
        file: str,
        mode: str,
        cluster: ClusterIdentity,
        clock: Clock,
        resumed_at: str | None = None,
    ) -> None:
        self.folder = RunFolder(path, clock=clock)
        self._file = file
        self._mode = mode
        self._cluster = cluster
        self._clock = clock
        self._resumed_at = resumed_at
        self._began = clock.now().isoformat()
        self._examined = Examined(contract=None, content="")
        self.folder.log("INFO", f"Processing {file} (mode={mode})")
        if resumed_at:
            self.folder.log("WARN", f"resumed after an interruption; last known: {resumed_at}")

    def examined(self, examined: Examined) -> None:
        """Log the contract as it was understood, or why it was not."""
        self._examined = examined
        if examined.contract is not None:
            value = examined.contract.model_dump(mode="json", by_alias=True, exclude_none=True)
            self.folder.log("json", text_of(value).decode())
        for refusal in examined.refusals:
            self.folder.log("WARN", str(refusal))

    def previewed(
        self,
        *,
        reason: str,
        diff: str,
        unchanged: tuple[str, ...],
        records: Sequence[CommandRecord],
    ) -> ContractObserved:
        """End a dry run: what exec would do, and what this run has left as it was."""
        self.folder.log("INFO", f"{PREVIEWED}: {reason}; unchanged: {', '.join(unchanged)}")
        end = _End(PREVIEWED, reason, diff=diff, unchanged=unchanged)
        return self._end(end, records)

    def ended(self, outcome: Outcome, records: Sequence[CommandRecord] = ()) -> ContractObserved:
        """End a run in the final state that its outcome leads to."""
        state = RESULT_OF[outcome.event]
        self.folder.log("INFO" if state in DONE else "ERROR", f"{state}: {outcome.reason}")
        end = _End(
            state,
            outcome.reason,
            diff=outcome.diff,
            changes=outcome.changes,
            generations=outcome.generations,
        )
        return self._end(end, records)

    def _end(self, end: _End, records: Sequence[CommandRecord]) -> ContractObserved:
        self.folder.write(STATUS, encode_status(self._status(end, records)))
        return self._observed(end, records)

    def _observed(self, end: _End, records: Sequence[CommandRecord]) -> ContractObserved:
        contract = self._examined.contract
        before, after = end.generations
        return ContractObserved(
            contract=self._file,
            contract_id=contract.id if contract else "",
            mode=self._mode,
            state=end.state,
            reason=end.reason,
            run_id=self.folder.path.name,
            folder=str(self.folder.path),
            content_hash=self._examined.content,
            resource=", ".join(str(action.resource) for action in contract.actions)
            if contract
            else "",
            generation_before=before,
            generation_after=after,
            diff=end.diff,
            unchanged=end.unchanged,
            commands=tuple(records),
            artefacts=self.folder.artefacts(),
        )

    def _status(self, end: _End, records: Sequence[CommandRecord]) -> Status:
        contract = self._examined.contract
        before, after = end.generations
        return Status(
            run_id=self.folder.path.name,
            contract_id=contract.id if contract else "",
            contract_file=self._file,
            contract_kind=contract.kind if contract else "",
            content=self._examined.content,
            mode=self._mode,
            state=end.state,
            reason=end.reason,
            verdict=None if end.state == PREVIEWED else VERDICT_OF[State(end.state)],
            at=self._began,
            until=self._clock.now().isoformat(),
            cluster=replace(self._cluster, images={}),
            approved=self._examined.subject.over if self._examined.subject else "",
            target=str(contract.target) if contract else "",
            generation_before=before,
            generation_after=after,
            changes=end.changes,
            exit_codes=tuple(_ended(record) for record in records),
            resumed_at=self._resumed_at,
            files=self.folder.artefacts(without=[STATUS]),
            versions=versions(self._cluster),
        )


def recorded(folder: Path) -> ContractObserved:
    """What a run that ended before said of itself in its status.json.

    Errors:
        UsageError: there is no such record.
    """
    status = read_status(folder / STATUS)
    return ContractObserved(
        contract=status.contract_file,
        contract_id=status.contract_id,
        mode=status.mode,
        state=status.state,
        reason=status.reason,
        run_id=status.run_id,
        folder=str(folder),
        content_hash=status.content,
        generation_before=status.generation_before,
        generation_after=status.generation_after,
        artefacts=status.files,
    )


def _ended(record: CommandRecord) -> Ended:
    return Ended(" ".join(record.argv), record.exit_code, record.seconds)
