"""The same picture or set of samples may not stand for two things."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from harness.core.observation import Artefact
from harness.evidence.canonical import sha256
from harness.evidence.checks.finding import Finding
from harness.evidence.checks.load import LoadedRun
from harness.evidence.ledger import LedgerEntry

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"})
_EMPTY = frozenset({sha256(b""), sha256(gzip.compress(b"", mtime=0))})
_RENDERED = "evidence"
"""Pictures in here are drawn from documents and checked against them."""


def duplicate_findings(
    runs: Sequence[LoadedRun], known: Mapping[str, LedgerEntry]
) -> Iterator[Finding]:
    """Files of these runs that another run, or another place of the same run, has too."""
    first: dict[str, str] = {}
    for entry in sorted(known.values(), key=lambda entry: (entry.written_at, entry.run_id)):
        for file in filter(_unique, entry.files):
            first.setdefault(file.sha256, f"{entry.run_id}/{file.path}")
    for run in runs:
        for file in run.entry.files if run.entry else ():
            place = f"{run.folder.name}/{file.path}"
            if _unique(file) and first.get(file.sha256, place) != place:
                found = f"the same bytes as {first[file.sha256]}"
                yield Finding(run.at(file.path), "", "a file of its own", found, "duplicate")


def _unique(file: Artefact) -> bool:
    """Whether no two things can have this file in common."""
    path = PurePosixPath(file.path)
    if path.parts[0] == _RENDERED or file.sha256 in _EMPTY:
        return False
    return path.suffix in _PICTURES or path.parts[0] == "samples"
