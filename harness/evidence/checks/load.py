"""Reading run folders: everything bounded, and whatever cannot be read becomes a finding."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from harness.core.errors import UsageError
from harness.core.observation import Artefact
from harness.core.record import Event, RunRecord, decode_event, fold_events
from harness.evidence.canonical import MAX_DOCUMENT_BYTES, sha256
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.files import inside, read_regular
from harness.evidence.ledger import (
    FILE_NAME,
    TOMBSTONE,
    LedgerEntry,
    decode_entry,
    decode_tombstone,
)
from harness.evidence.model import Evidence, Malformed, decode
from harness.evidence.packed import NotPacked, unpacked

JOURNAL = "journal.jsonl"
"""The journal of a run that goes on; with its evidence written it is compressed (`.gz`)."""
MAX_JOURNAL_BYTES = 64 * 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """An evidence document of a run: its path in the folder, its bytes and what they say."""

    path: str
    content: bytes
    evidence: Evidence

    @property
    def sha256(self) -> str:
        """The hash of its file."""
        return sha256(self.content)


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run folder as far as it could be read, with what could not."""

    folder: Path
    name: str
    entry: LedgerEntry | None = None
    entry_sha256: str = ""
    documents: tuple[Document, ...] = ()
    record: RunRecord | None = None
    pruned: bool = False
    findings: tuple[Finding, ...] = ()

    def at(self, path: str) -> str:
        """A file of this run, as findings name it."""
        return f"{self.name}/{path}"


def load_run(folder: Path, name: str) -> LoadedRun:
    """Read a run folder. `name` is what findings call it. Never raises on what is in there."""
    findings: list[Finding] = []
    entry_bytes = read_bounded(folder / FILE_NAME, f"{name}/{FILE_NAME}", findings)
    entry = None
    if entry_bytes is not None:
        try:
            entry = decode_entry(entry_bytes)
        except Malformed as error:
            findings.append(_malformed(f"{name}/{FILE_NAME}", error))
    pruned = _is_pruned(folder, name, sha256(entry_bytes or b""), findings)
    documents = tuple(_documents(folder, name, entry, findings)) if not pruned else ()
    record = _record(folder, name, findings) if not pruned else None
    return LoadedRun(
        folder=folder,
        name=name,
        entry=entry,
        entry_sha256=sha256(entry_bytes or b""),
        documents=documents,
        record=record,
        pruned=pruned,
        findings=tuple(findings),
    )


def load_documents(folder: Path) -> list[Evidence]:
    """The documents of a run folder that can be read."""
    return [document.evidence for document in _documents(folder, folder.name, None, [])]


def read_bounded(
    path: Path, name: str, findings: list[Finding], *, limit: int = MAX_DOCUMENT_BYTES
) -> bytes | None:
    """The file's bytes; None, with a finding, when it is missing, too large or unreadable."""
    try:
        return read_regular(path, limit=limit)
    except OSError as error:
        found = error.strerror or type(error).__name__
        findings.append(Finding(name, "", "a file that can be read", found, "files"))
        return None


def file_hash(root: Path, artefact: Artefact) -> Artefact | None:
    """The artefact as it is on disk, hashed in bounded memory; None when no file is there.

    A file of another size is not read: whatever it holds, it is another one.

    Errors:
        UsageError: its path leads out of `root`.
    """
    path = inside(root, artefact.path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size != artefact.bytes:
            return replace(artefact, bytes=status.st_size, sha256="(not read)")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return replace(artefact, bytes=file.tell(), sha256=digest)
    except OSError:
        return None


def journal_of(folder: Path) -> Path:
    """The journal of a run: plain while the run goes on, compressed afterwards."""
    plain, packed = folder / JOURNAL, folder / f"{JOURNAL}.gz"
    return plain if plain.exists() or not packed.exists() else packed


def _is_pruned(folder: Path, name: str, ledger: str, findings: list[Finding]) -> bool:
    """Whether the run's bulk was removed on purpose."""
    if not (folder / TOMBSTONE).exists():
        return False
    shown_name = f"{name}/{TOMBSTONE}"
    content = read_bounded(folder / TOMBSTONE, shown_name, findings)
    try:
        tombstone = decode_tombstone(content or b"")
    except Malformed as error:
        findings.append(_malformed(shown_name, error))
        return False
    if tombstone.ledger_sha256 != ledger or tombstone.run_id != folder.name:
        found = f"{tombstone.run_id}, {tombstone.ledger_sha256}"
        expected = f"{folder.name}, {ledger}"
        findings.append(Finding(shown_name, "ledger_sha256", expected, found, "ledger"))
    return True


def _documents(
    folder: Path, name: str, entry: LedgerEntry | None, findings: list[Finding]
) -> Iterator[Document]:
    listed = {document.path for document in entry.documents} if entry else set()
    on_disk = {path.relative_to(folder).as_posix() for path in folder.glob("evidence/*.json")}
    for path in sorted(listed | on_disk):
        shown_name = f"{name}/{path}"
        try:
            file = inside(folder, path)
        except UsageError as error:
            found = shown(error.message)
            findings.append(Finding(f"{name}/{FILE_NAME}", "documents", "a path", found, "files"))
            continue
        content = read_bounded(file, shown_name, findings)
        if content is None:
            continue
        try:
            yield Document(path, content, decode(content))
        except Malformed as error:
            findings.append(_malformed(shown_name, error))


def _malformed(name: str, error: Malformed) -> Finding:
    return Finding(name, error.field, "a document of its schema", shown(error), "schema")


def _record(folder: Path, name: str, findings: list[Finding]) -> RunRecord | None:
    path = journal_of(folder)
    shown_name = f"{name}/{path.name}"
    content = read_bounded(path, shown_name, findings, limit=MAX_JOURNAL_BYTES)
    if content is None:
        return None
    try:
        if path.suffix == ".gz":
            content = unpacked(path, limit=MAX_JOURNAL_BYTES)
    except (NotPacked, OSError) as error:
        findings.append(Finding(shown_name, "", "a journal", shown(error), "journal"))
        return None
    if not content.endswith(b"\n"):
        torn = shown(content[-40:].decode(errors="replace"))
        findings.append(Finding(shown_name, "", "a whole last line", torn, "journal"))
        return None
    try:
        return fold_events(_events(content))
    except UsageError as error:
        findings.append(Finding(shown_name, "", "events", shown(error.message), "journal"))
        return None


def _events(content: bytes) -> Iterator[Event]:
    for line in content.splitlines():
        yield decode_event(line)
