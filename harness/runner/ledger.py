"""What was done to which cluster: an append-only file per cluster UID.

The key of "never twice" is (contract id, content hash, cluster UID). Lines are appended under
the cluster's lock; a line that a crash tore is skipped by readers. A line on which a decision
after a power cut depends is on the disk before work goes on, with all lines before it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from harness.contracts.forms import safe_name
from harness.contracts.strict_json import text_of

Mark = Literal[
    "started", "applying", "applied", "succeeded", "noop", "failed", "refused",
    "environment_mismatch",
]  # fmt: skip
DONE_MARKS = frozenset({"succeeded", "noop"})
OPEN_MARKS = frozenset({"started", "applying", "applied"})
CHANGING_MARKS = frozenset({"applying", "applied"})
# Without these a run is taken up one step earlier, which changes nothing.
_MAY_BE_LOST = frozenset({"started", "applied"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a run of a contract came to this point. `at` is UTC, ISO 8601."""

    at: str
    id: str
    content: str
    cluster: str
    run_id: str
    mark: Mark


_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


class Ledger:
    """The ledger of every cluster, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lock_path(self, cluster: str) -> Path:
        """The lock file of a cluster."""
        return self._folder / f"{safe_name(cluster)}.lock"

    def append(self, entry: Entry) -> None:
        """Add a line; what decides about a change is on the disk when this returns."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(entry.cluster)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = text_of(_ENTRY.dump_python(entry)) + b"\n"
            os.write(descriptor, b"\n" + line if torn else line)
            if entry.mark not in _MAY_BE_LOST:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def entries(self, cluster: str) -> list[Entry]:
        """The lines of one cluster, oldest first."""
        return _read(self._path(cluster), about="")

    def done(self, *, id: str, content: str, cluster: str) -> Entry | None:
        """The entry that says that this contract already succeeded here, or None."""
        matching = (
            entry
            for entry in _read(self._path(cluster), about=id)
            if (entry.id, entry.content) == (id, content) and entry.mark in DONE_MARKS
        )
        return next(matching, None)

    def last_of(self, run_id: str) -> Entry | None:
        """The last entry of a run on whichever cluster, or None."""
        found = [
            entry
            for path in sorted(self._folder.glob("*.jsonl"))
            for entry in _read(path, about=run_id)
            if entry.run_id == run_id
        ]
        return found[-1] if found else None

    def _path(self, cluster: str) -> Path:
        return self._folder / f"{safe_name(cluster)}.jsonl"


def _read(path: Path, *, about: str) -> list[Entry]:
    """The entries in whose line `about` stands; the others are not even parsed."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    wanted = (line for line in lines if about.encode() in line)
    return [entry for line in wanted if (entry := _decode(line)) is not None]


def _decode(line: bytes) -> Entry | None:
    try:
        return _ENTRY.validate_json(line)
    except ValidationError:
        return None
