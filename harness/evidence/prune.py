"""Pruning: the bulk of old runs goes; what the ledger, copies and lists need stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from harness.evidence.checks.load import load_run
from harness.evidence.ledger import (
    FILE_NAME,
    TOMBSTONE,
    LedgerEntry,
    Tombstone,
    copy_owners,
    document_heads,
    encode_tombstone,
)
from harness.evidence.require import Requirements, newest_for
from harness.evidence.sign import SIGNATURE
from harness.evidence.stamps import moment_or_none, utc_text
from harness.evidence.store import RUNS, EvidenceStore

_STAYS = frozenset({FILE_NAME, SIGNATURE, TOMBSTONE})


@dataclass(frozen=True, slots=True)
class Pruned:
    """A run whose bulk was removed, or would be."""

    run_id: str
    bytes: int


def prune(
    store: EvidenceStore,
    *,
    older_than: timedelta,
    requirements: Sequence[Requirements] = (),
    dry_run: bool = False,
) -> tuple[Pruned, ...]:
    """Prune runs that are older and that nothing needs.

    Needed are: the newest evidence of each claim, whatever a generated copy shows, and the
    newest evidence for each requirement. A run without a readable entry is left alone: it may
    still be going on. The ledger entry itself stays, with its signature.
    """
    entries = store.entries()
    needed = _needed(entries) | _required(store, requirements)
    now = store.clock.now()
    pruned = []
    for digest, entry in entries.items():
        folder = store.run(entry.run_id)
        if entry.run_id in needed or now - (moment_or_none(entry.written_at) or now) <= older_than:
            continue
        size = sum(file.bytes for file in folder.files() if file.path not in _STAYS)
        if not size:
            continue
        pruned.append(Pruned(entry.run_id, size))
        if not dry_run:
            folder.prune(_tombstone(entry, digest, utc_text(now)), _STAYS)
    return tuple(sorted(pruned, key=lambda one: one.run_id))


def _tombstone(entry: LedgerEntry, digest: str, at: str) -> bytes:
    return encode_tombstone(Tombstone("vpm.pruned/v1", entry.run_id, at, digest))


def _needed(entries: Mapping[str, LedgerEntry]) -> set[str]:
    """The runs that hold the newest evidence of a claim or that a copy shows."""
    heads = {digest for hashes in document_heads(entries.values()).values() for digest in hashes}
    found = {
        entry.run_id
        for entry in entries.values()
        if any(document.sha256 in heads for document in entry.documents)
    }
    return found | {run_id for run_id, _ in copy_owners(entries).values()}


def _required(store: EvidenceStore, requirements: Sequence[Requirements]) -> set[str]:
    if not requirements:
        return set()
    folders = sorted((store.reports / RUNS).glob("*/"))
    documents = [
        document.evidence
        for folder in folders
        for document in load_run(folder, folder.name).documents
    ]
    wanted = [one for requirement in requirements for one in requirement.require]
    found = [newest_for(one, documents) for one in wanted]
    return {document.run_id for document in found if document is not None}
