"""What the harness remembers about clusters that it created, in files of the user's own.

    $XDG_STATE_HOME/vpm/<provider>/<name>/      (default ~/.local/state/vpm/...)
        lock            held (flock) by the run that uses the cluster
        creating.json   what is about to be created, while it is
        created.json    what was created, when, and how it is recognised again

A record alone never authorises a deletion: it is compared with the living cluster first.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TypeVar

from harness.core.errors import ClusterError

_RECORD = "created.json"
_INTENT = "creating.json"
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class CreatedCluster:
    """A cluster that the harness created. `owner` is a token it is labelled with."""

    provider: str
    name: str
    context: str
    kubeconfig: str
    uid: str
    owner: str
    created_at: str
    harness_version: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intent:
    """A creation that was begun: the token that the cluster will carry, and when (UTC)."""

    owner: str
    at: str


def state_home() -> Path:
    """The folder of all remembered clusters; it need not exist yet."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "vpm"


def write_atomically(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Write a text whole or not at all, and so that a power cut cannot undo it.

    Errors:
        ClusterError: the folder cannot be written to.
    """
    write_bytes_atomically(path, content.encode(), mode=mode)


def write_bytes_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file as `write_atomically` does.

    Errors:
        ClusterError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _not_writable(path.parent, error) from error


def _not_writable(folder: Path, error: OSError) -> ClusterError:
    return ClusterError(
        f"{folder} cannot be written to: {error.strerror}",
        mend="make it this user's own, or keep the harness's state elsewhere: XDG_STATE_HOME "
        "(downloads: XDG_CACHE_HOME)",
    )


Record = TypeVar("Record", CreatedCluster, Intent)


@dataclass(frozen=True, slots=True)
class ClusterFolder:
    """The folder of one remembered cluster."""

    path: Path

    @classmethod
    def of(cls, provider: str, name: str, *, home: Path | None = None) -> ClusterFolder:
        """The folder for a provider's cluster of this name."""
        return cls((home or state_home()) / provider / name)

    def record(self) -> CreatedCluster | None:
        """What was created here, or None.

        Errors:
            ClusterError: the record is there but cannot be understood.
        """
        return _read(self.path / _RECORD, CreatedCluster)

    def intent(self) -> Intent | None:
        """The creation that was begun here and never ended, or None.

        Errors:
            ClusterError: it is there but cannot be understood.
        """
        return _read(self.path / _INTENT, Intent)

    def intend(self, intent: Intent) -> None:
        """Write down what is about to be created."""
        _write(self.path / _INTENT, intent)

    def remember(self, created: CreatedCluster) -> None:
        """Write the record; what was intended has come about."""
        _write(self.path / _RECORD, created)
        (self.path / _INTENT).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the record; the lock file stays, because another run may hold it."""
        (self.path / _RECORD).unlink(missing_ok=True)
        (self.path / _INTENT).unlink(missing_ok=True)

    @contextmanager
    def locked(self, *, wait: bool = False) -> Iterator[bool]:
        """Be the only user of this cluster; yields whether that worked (always with `wait`).

        The lock ends with the process that holds it, however that ends.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.path / _LOCK).open("a")
        except OSError as error:
            raise _not_writable(self.path, error) from error
        with lock as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True


def _read(path: Path, kind: type[Record]) -> Record | None:
    """The record in a file; every field that is there must be a string (or `details`)."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(value, str) for key, value in data.items() if key != "details"):
            raise TypeError("a field is not text")
        if not isinstance(data.get("details", {}), dict):
            raise TypeError("details are not a mapping")
        wanted = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
        if missing := sorted(wanted - data.keys()):
            raise TypeError(f"it does not say {', '.join(missing)}")
        return kind(**data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"{path} is not a record of a cluster: {error}",
            mend=f"look at the cluster, then remove the file: rm {path}",
        ) from error


def _write(path: Path, record: CreatedCluster | Intent) -> None:
    write_atomically(path, json.dumps(asdict(record), indent=2) + "\n")


def remembered_folders(
    home: Path | None = None, *, name: str | None = None
) -> Iterator[ClusterFolder]:
    """The folder of every remembered cluster (of this name), sorted by provider and name."""
    for path in sorted((home or state_home()).glob(f"*/*/{_RECORD}")):
        if name in (None, path.parent.name):
            yield ClusterFolder(path.parent)


def remembered(
    home: Path | None = None, *, name: str | None = None
) -> Iterator[tuple[ClusterFolder, CreatedCluster]]:
    """Every remembered cluster (of this name), sorted by provider and name.

    Errors:
        ClusterError: a record cannot be understood.
    """
    for folder in remembered_folders(home, name=name):
        if record := folder.record():
            yield folder, record
