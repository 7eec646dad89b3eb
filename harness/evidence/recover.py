"""Evidence of a run that was killed: what its journal still tells, closed off and written."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.errors import UsageError
from harness.core.judge import judge_ended
from harness.core.observation import Artefact
from harness.core.plan import make_plan
from harness.core.record import Event, RunRecord, decode_event, fold_events
from harness.evidence.checks.load import JOURNAL
from harness.evidence.files import write_whole
from harness.evidence.ledger import FILE_NAME
from harness.evidence.store import EvidenceStore, RunFolder
from harness.evidence.write import write_evidence


def recover(store: EvidenceStore, folder: RunFolder) -> tuple[Artefact, ...]:
    """Write the evidence of a run that ended without it; its verdict is never PASS.

    A last line that the crash tore was never acknowledged: it is cut off.

    Errors:
        UsageError: the run has its evidence, or its journal cannot be read.
    """
    if (folder.path / FILE_NAME).exists():
        raise UsageError(f"{folder.path}: the run has its evidence")
    record = _healed(folder)
    plan = make_plan(record.opened.plan, record.opened.source)
    verdict = judge_ended(plan, record)
    language = record.opened.language
    return write_evidence(store, folder, record, verdict, language=language, copies={})


def _healed(folder: RunFolder) -> RunRecord:
    path = folder.path / JOURNAL
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: no journal can be read: {error.strerror}") from error
    whole, _, torn = content.rpartition(b"\n")
    record = fold_events(_events(whole))
    if torn:
        write_whole(path, whole + b"\n", replace=True)
    return record


def _events(content: bytes) -> Iterator[Event]:
    for line in content.splitlines():
        yield decode_event(line)
