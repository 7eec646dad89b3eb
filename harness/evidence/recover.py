"""Evidence of a run that was killed: what its journal still tells, closed off and written."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.errors import UsageError
from harness.core.judge import judge_ended
from harness.core.observation import Artefact, FilesObserved, Observation
from harness.core.plan import Plan, make_plan
from harness.core.record import Event, RunRecord, decode_event, fold_events
from harness.evidence.checks.load import MAX_JOURNAL_BYTES, journal_of
from harness.evidence.files import write_whole
from harness.evidence.ledger import FILE_NAME, decode_entry
from harness.evidence.model import Malformed
from harness.evidence.packed import NotPacked, unpacked
from harness.evidence.store import EvidenceStore, RunFolder
from harness.evidence.write import FOLDER, Copies, finish_copies, write_evidence
from harness.spec.model import EvidenceAction


def recover(store: EvidenceStore, folder: RunFolder) -> tuple[Artefact, ...]:
    """Write the evidence of a run that ended without it; that of one that broke off is never PASS.

    A last line that the crash tore was never acknowledged: it is cut off. Where the crash came
    while the evidence was being written, what it left is replaced.

    Errors:
        UsageError: the run has its evidence, or its journal cannot be read.
    """
    if (folder.path / FILE_NAME).exists():
        return _finished(store, folder)
    record = _healed(folder)
    folder.sweep(unsealed=FOLDER)
    plan = make_plan(record.opened.plan, record.opened.source)
    verdict = judge_ended(plan, record)
    language = record.opened.language
    copies = _copies(plan, record) if record.complete else {}
    return write_evidence(store, folder, record, verdict, language=language, copies=copies)


def _copies(plan: Plan, record: RunRecord) -> Copies:
    """The copies that a run which came to its end was about to make."""
    services = plan.scenario.services
    asked = [
        planned.step.action
        for planned in plan.steps
        if planned.step is not None
        and isinstance(planned.step.action, EvidenceAction)
        and any(isinstance(seen, FilesObserved) for seen in _seen(record, planned.id))
    ]
    return {
        (f"{services[one.service].namespace}/{one.service}", one.claim): one.copy_to
        for one in asked
    }


def _seen(record: RunRecord, step: str) -> tuple[Observation, ...]:
    return record.steps[step].observations if step in record.steps else ()


def _finished(store: EvidenceStore, folder: RunFolder) -> tuple[Artefact, ...]:
    """What a crash after the ledger entry left to do: copies, and temporary files to remove."""
    try:
        entry = decode_entry((folder.path / FILE_NAME).read_bytes())
        written = tuple(finish_copies(store, folder, entry))
    except (OSError, Malformed) as error:
        raise UsageError(f"{folder.path}: its evidence cannot be read: {error}") from error
    if not folder.sweep() and not written:
        raise UsageError(f"{folder.path}: the run has its evidence")
    return written


def _healed(folder: RunFolder) -> RunRecord:
    path = journal_of(folder.path)
    try:
        packed = path.suffix == ".gz"
        content = unpacked(path, limit=MAX_JOURNAL_BYTES) if packed else path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: no journal can be read: {error.strerror}") from error
    except NotPacked as error:
        raise UsageError(f"{path}: no journal can be read: {error}") from error
    whole, _, torn = content.rpartition(b"\n")
    record = fold_events(_events(whole))
    if torn:
        write_whole(path, whole + b"\n", replace=True)
    return record


def _events(content: bytes) -> Iterator[Event]:
    for line in content.splitlines():
        yield decode_event(line)
