"""A run that was killed keeps what it saw, and its evidence can still be written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.record import encode_event
from harness.evidence import EvidenceStore, RunFolder
from harness.evidence.checks.load import load_documents
from harness.evidence.recover import recover
from harness.evidence.verify import VerifyOptions, verify
from tests.support.stories import START, SteppedClock, Story, write_run

STORY = Story()
OPTIONS = VerifyOptions(now=START + timedelta(hours=1))


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "reports", SteppedClock(START + timedelta(seconds=20)))


def killed(store: EvidenceStore, *, events: int, torn: bytes) -> RunFolder:
    """A run whose journal stops after some events, in the middle of the next."""
    folder = store.open_run(STORY.run_id)
    happened = STORY.events(folder)[:events]
    (folder.path / "journal.jsonl").write_bytes(b"".join(map(encode_event, happened)) + torn)
    return folder


@pytest.mark.parametrize("torn", [b"", b'{"event": "step_obs', b"\x00\x00\x00"])
@pytest.mark.parametrize("events", [1, 2, 5, 12, 16])
def test_a_killed_run_is_recovered_and_verifies(
    store: EvidenceStore, events: int, torn: bytes
) -> None:
    folder = killed(store, events=events, torn=torn)
    assert verify([folder.path], options=OPTIONS) != ()
    recover(store, folder)
    assert verify([folder.path], options=OPTIONS) == ()
    whole = next(one for one in load_documents(folder.path) if one.kind == "scenario")
    assert whole.claim.verdict.value in ("INCONCLUSIVE", "ERROR")
    assert whole.notes == ("The run did not come to its end: its journal stops early.",)


def test_a_run_is_recovered_once(store: EvidenceStore) -> None:
    folder = killed(store, events=5, torn=b"")
    recover(store, folder)
    with pytest.raises(UsageError, match="has its evidence"):
        recover(store, folder)


@pytest.mark.parametrize("content", [None, b"", b"{}\n", b"torn from the start"])
def test_without_a_journal_there_is_nothing_to_recover(
    store: EvidenceStore, content: bytes | None
) -> None:
    folder = store.open_run(STORY.run_id)
    if content is not None:
        (folder.path / "journal.jsonl").write_bytes(content)
    with pytest.raises(UsageError):
        recover(store, folder)
    assert not (folder.path / "ledger.json").exists()


def test_evidence_that_a_crash_cut_off_is_written_again(store: EvidenceStore) -> None:
    """Whatever was written when the machine stopped: the entry is the last file of a run."""
    whole = write_run(store, STORY)
    written = sorted(path for path in whole.path.rglob("*") if path.is_file())
    evidence = [path for path in written if path.parent.name == "evidence"]
    for kept in (0, 1, len(evidence) // 2, len(evidence)):
        (whole.path / "ledger.json").unlink()
        for path in evidence[kept:]:
            path.unlink()
        (whole.path / "evidence/.writing-left").write_bytes(b"half")
        recover(store, whole)
        assert verify([store.reports], options=OPTIONS) == ()
        assert load_documents(whole.path)[0].claim.verdict.value == "PASS"


def test_copies_that_a_crash_left_out_are_made(store: EvidenceStore) -> None:
    folder = write_run(store, STORY, {("hello", "ready"): "phase2/hello_ready"})
    copy = store.reports / "phase2/hello_ready.md"
    text = copy.read_bytes()
    copy.unlink()
    (folder.path / ".writing-left").write_bytes(b"half")
    assert verify([store.reports], options=OPTIONS) != ()
    recover(store, folder)
    assert copy.read_bytes() == text
    assert verify([store.reports], options=OPTIONS) == ()
    with pytest.raises(UsageError, match="has its evidence"):
        recover(store, folder)
