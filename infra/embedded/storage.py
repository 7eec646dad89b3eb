"""Durable objects: one SQLite table, written before anybody is told about a change."""

import sqlite3
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One stored object; `body` is its JSON, None for a deleted one."""

    resource: str
    namespace: str
    name: str
    revision: int
    body: bytes | None


class Storage:
    """Survives kill -9 of the process; with no path it lives in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        # One thread uses it. But Python 3.13 warns of connections that are let go without being
        # closed, and the garbage collector, which closes them here, may run in any thread.
        self._db = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False
        )
        weakref.finalize(self, self._db.close)
        # Losing the machine may lose the last writes, losing the process may not: no fsync.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(_SCHEMA)

    def load(self) -> tuple[list[Row], int]:
        """All living objects and the last revision ever written."""
        last = self._db.execute("SELECT coalesce(max(revision), 0) FROM objects").fetchone()[0]
        self._db.execute("DELETE FROM objects WHERE body IS NULL AND revision < ?", (last,))
        return [row for row in self._rows() if row.body is not None], int(last)

    def _rows(self) -> Iterator[Row]:
        for values in self._db.execute("SELECT * FROM objects ORDER BY revision"):
            yield Row(*values)

    def write(self, row: Row) -> None:
        """Write one object; a deleted one stays as a tombstone, which keeps the last revision."""
        self._db.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            (row.resource, row.namespace, row.name, row.revision, row.body),
        )

    def close(self) -> None:
        self._db.close()
