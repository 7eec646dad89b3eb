"""Writing a finished run's evidence: documents, pictures, record, ledger entry, copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from harness.core.errors import UsageError
from harness.core.observation import Artefact
from harness.core.record import RunRecord
from harness.core.verdict import RunVerdict
from harness.evidence.build import build
from harness.evidence.canonical import MAX_DOCUMENT_BYTES, sha256
from harness.evidence.checks.load import JOURNAL
from harness.evidence.files import read_regular
from harness.evidence.ledger import (
    FILE_NAME,
    SCHEMA,
    CopyEntry,
    DocumentEntry,
    LedgerEntry,
    copy_owners,
    document_heads,
    encode_entry,
    heads,
)
from harness.evidence.markdown import render
from harness.evidence.model import Evidence, Language, Malformed, decode, encode
from harness.evidence.pictures import pictures
from harness.evidence.stamps import utc_text
from harness.evidence.store import RUNS, EvidenceStore, RunFolder, reports_of

FOLDER = "evidence"

Copies = Mapping[tuple[str, str], str]
"""From (service, kind) to a path below `reports/`, without suffix."""


def write_evidence(
    store: EvidenceStore,
    folder: RunFolder,
    record: RunRecord,
    verdict: RunVerdict,
    *,
    language: str,
    copies: Copies,
) -> tuple[Artefact, ...]:
    """Write everything that follows from a finished run; call it once, after the journal's end.

    Returns every file written, with its path relative to `reports/`. `copies` names a service
    as `namespace/name` or by its name alone.

    Errors:
        UsageError: the run already has its evidence.
    """
    opened = replace(record.opened, language=language)
    entries = store.entries()
    documents = build(
        replace(record, opened=opened), verdict, previous=document_heads(entries.values())
    )
    written = [
        folder.compress(JOURNAL),
        *(file for document in documents for file in _write_document(folder, document)),
    ]
    entry = LedgerEntry(
        schema=SCHEMA,
        run_id=folder.run_id,
        written_at=utc_text(store.clock.now()),
        cluster_uid=record.cluster.identity.uid if record.cluster else "",
        previous=heads(entries),
        documents=tuple(_entry(document) for document in documents),
        files=folder.files(),
        copies=tuple(copy for document in documents for copy in _copies(document, copies)),
    )
    written.append(folder.add(FILE_NAME, encode_entry(entry)))
    below = f"{RUNS}/{folder.run_id}"
    return (
        *(replace(file, path=f"{below}/{file.path}") for file in written),
        *(
            file
            for document in documents
            for copy in _copies(document, copies)
            for file in write_copy(store, document, copy.path)
        ),
    )


def document_path(document: Evidence) -> str:
    """The document's path in its run folder, without suffix."""
    return f"{FOLDER}/{document.file_stem}"


def _write_document(folder: RunFolder, document: Evidence) -> Iterator[Artefact]:
    stem = document_path(document)
    yield folder.add(f"{stem}.json", encode(document))
    yield folder.add(f"{stem}.md", render(document, run_folder="..").encode())
    for name, picture in pictures(document).items():
        yield folder.add(f"{stem}.{name}.svg", picture.encode())


def _entry(document: Evidence) -> DocumentEntry:
    return DocumentEntry(
        claim=document.claim_key,
        path=f"{document_path(document)}.json",
        sha256=sha256(encode(document)),
        verdict=document.claim.verdict.value,
        previous=document.previous,
    )


def _copies(document: Evidence, copies: Copies) -> Iterator[CopyEntry]:
    about = document.subject
    wanted = (about.key, document.kind), (about.name, document.kind)
    for path in sorted({copies[key] for key in wanted if key in copies}):
        yield CopyEntry(path=path, document=f"{document_path(document)}.json")


def write_copy(store: EvidenceStore, document: Evidence, path: str) -> Iterator[Artefact]:
    """Write a document's copy to `path` below reports, as JSON and as Markdown."""
    for name, content in _copied(document, path):
        digest = store.write(store.reports / name, content)
        yield Artefact(path=name, bytes=len(content), sha256=digest)


def _copied(document: Evidence, path: str) -> Iterator[tuple[str, bytes]]:
    text = render(document, run_folder=run_folder_from(path, document.run_id))
    yield f"{path}.json", encode(document)
    yield f"{path}.md", text.encode()


def finish_copies(
    store: EvidenceStore, folder: RunFolder, entry: LedgerEntry
) -> Iterator[Artefact]:
    """Write the copies of a run that are not there as its ledger entry says; a later run's stay."""
    owners = copy_owners(store.entries())
    for copy in entry.copies:
        if owners[copy.path] != (entry.run_id, copy.document):
            continue
        document = decode((folder.path / copy.document).read_bytes())
        wanted = {store.reports / name: content for name, content in _copied(document, copy.path)}
        if any(not there.is_file() or there.read_bytes() != wanted[there] for there in wanted):
            yield from write_copy(store, document, copy.path)


def render_file(path: Path, *, language: Language | None = None) -> str:
    """The Markdown of a document's file, with links that lead from where the file lies.

    Errors:
        UsageError: the file is not evidence, or not below a reports folder.
    """
    try:
        content = read_regular(path, limit=MAX_DOCUMENT_BYTES)
        document = decode(content)
    except (OSError, Malformed) as error:
        raise UsageError(f"{path}: not an evidence document: {error}") from error
    reports = reports_of(path.resolve())
    if reports is None:
        raise UsageError(f"{path}: not below a folder with {RUNS}/")
    below = path.resolve().relative_to(reports).as_posix()
    way = ".." if below.startswith(f"{RUNS}/") else run_folder_from(below, document.run_id)
    shown = replace(document, language=language or document.language)
    return render(shown, run_folder=way, digest=sha256(content))


def run_folder_from(path: str, run_id: str) -> str:
    """The way from a file `path` below reports to a run's folder."""
    up = "../" * (len(PurePosixPath(path).parts) - 1)
    return f"{up}{RUNS}/{run_id}"
