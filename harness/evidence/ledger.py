"""The ledger: each run folder holds its own entry, which names the heads before it.

Entries form a graph like commits do, so branches of a repository merge without a conflict: two
runs that did not know of each other name the same entry before them, and the next names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from harness.core.observation import Artefact
from harness.evidence.canonical import Json, NotJson, canonical, json_lines, parse_object, sha256
from harness.evidence.model import Malformed

SCHEMA: Literal["vpm.ledger/v1"] = "vpm.ledger/v1"
FILE_NAME = "ledger.json"
TOMBSTONE = "pruned.json"


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """One evidence document of the run; `previous` are the hashes of those before it."""

    claim: str
    path: str
    sha256: str
    verdict: str
    previous: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreviousEntry:
    """A ledger entry that was a head when this one was written."""

    run_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CopyEntry:
    """A generated copy: its path below reports, without suffix, and the document it shows."""

    path: str
    document: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What one run left: every file with its hash. `digest` is the hash of the rest."""

    schema: Literal["vpm.ledger/v1"]
    run_id: str
    written_at: str
    cluster_uid: str
    previous: tuple[PreviousEntry, ...]
    documents: tuple[DocumentEntry, ...]
    files: tuple[Artefact, ...]
    copies: tuple[CopyEntry, ...] = ()
    digest: str = ""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Left in a run folder whose bulk was pruned; names the ledger entry that stays."""

    schema: Literal["vpm.pruned/v1"]
    run_id: str
    pruned_at: str
    ledger_sha256: str

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)


_ADAPTER: TypeAdapter[LedgerEntry] = TypeAdapter(LedgerEntry)
_TOMBSTONE: TypeAdapter[Tombstone] = TypeAdapter(Tombstone)


def digest_of(entry: Mapping[str, Json]) -> str:
    """The hash of everything in the entry's JSON but its digest."""
    return sha256(canonical({key: value for key, value in entry.items() if key != "digest"}))


def encode_entry(entry: LedgerEntry) -> bytes:
    """The entry's bytes, sealed with its digest."""
    value: dict[str, Json] = _ADAPTER.dump_python(entry, mode="json")
    return json_lines({**value, "digest": digest_of(value)})


def decode_entry(content: bytes) -> LedgerEntry:
    """The entry in `content`.

    Errors:
        Malformed: not JSON, another version, or a field that is missing, unknown or wrong.
    """
    try:
        version = parse_object(content).get("schema")
    except NotJson as error:
        raise Malformed(str(error)) from error
    if version != SCHEMA:
        raise Malformed(f"version {version!r} is not known; {SCHEMA!r} is", field="schema")
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise Malformed(first["msg"], field=".".join(str(part) for part in first["loc"])) from error


def encode_tombstone(tombstone: Tombstone) -> bytes:
    """The tombstone's bytes."""
    return _TOMBSTONE.dump_json(tombstone, indent=1) + b"\n"


def decode_tombstone(content: bytes) -> Tombstone:
    """The tombstone in `content`.

    Errors:
        Malformed: it is none.
    """
    try:
        return _TOMBSTONE.validate_json(content)
    except ValidationError as error:
        raise Malformed(error.errors()[0]["msg"]) from error


def heads(entries: Mapping[str, LedgerEntry]) -> tuple[PreviousEntry, ...]:
    """The entries (by the hash of their file) that no other entry names."""
    named = {before.sha256 for entry in entries.values() for before in entry.previous}
    found = [
        PreviousEntry(e.run_id, digest) for digest, e in entries.items() if digest not in named
    ]
    return tuple(sorted(found, key=lambda head: (head.run_id, head.sha256)))


def copy_owners(entries: Mapping[str, LedgerEntry]) -> dict[str, tuple[str, str]]:
    """For each generated copy the newest run that lists it, and the document that it shows."""
    newest = sorted(entries.values(), key=lambda entry: (entry.written_at, entry.run_id))
    return {copy.path: (entry.run_id, copy.document) for entry in newest for copy in entry.copies}


def document_heads(entries: Iterable[LedgerEntry]) -> dict[str, tuple[str, ...]]:
    """For each claim, the hashes of its documents that no later document names."""
    documents = [document for entry in entries for document in entry.documents]
    named = {before for document in documents for before in document.previous}
    found: dict[str, list[str]] = {}
    for document in documents:
        if document.sha256 not in named:
            found.setdefault(document.claim, []).append(document.sha256)
    return {claim: tuple(sorted(hashes)) for claim, hashes in found.items()}
