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


class StorageError(OSError):
    """The objects' file cannot be read, as after a power loss; the message says what to do."""


class Storage:
    """Survives kill -9 of the process; with no path it lives in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises StorageError."""
        # One thread uses it. But Python 3.13 warns of connections that are let go without being
        # closed, and the garbage collector, which closes them here, may run in any thread.
        self._db = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False
        )
        weakref.finalize(self, self._db.close)
        # Losing the machine may lose the last writes, losing the process may not: no fsync.
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.execute(_SCHEMA)
            self._check()
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"the cluster's objects in {path} cannot be read: {error}; without the file the"
                " cluster starts empty: move it away, and -wal and -shm beside it"
            ) from error

    def _check(self) -> None:
        """Raise sqlite3.DatabaseError for a file whose pages do not fit together."""
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

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
