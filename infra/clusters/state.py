"""What the harness remembers about clusters that it created, in files of the user's own.

    $XDG_STATE_HOME/vpm/<provider>/<name>/      (default ~/.local/state/vpm/...)
        lock            held (flock) by the run that uses the cluster
        created.json    what was created, when, and how it is recognised again

A record alone never authorises a deletion: it is compared with the living cluster first.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.core.errors import ClusterError

_RECORD = "created.json"
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


def state_home() -> Path:
    """The folder of all remembered clusters; it need not exist yet."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "vpm"


def write_atomically(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all, and so that a power cut cannot undo it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


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
        path = self.path / _RECORD
        try:
            return CreatedCluster(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ClusterError(
                f"{path} is not a record of a cluster: {error}",
                mend=f"look at the cluster, then remove the file: rm {path}",
            ) from error

    def remember(self, created: CreatedCluster) -> None:
        """Write the record."""
        write_atomically(self.path / _RECORD, json.dumps(asdict(created), indent=2) + "\n")

    def forget(self) -> None:
        """Remove the record; the lock file stays, because another run may hold it."""
        (self.path / _RECORD).unlink(missing_ok=True)

    @contextmanager
    def locked(self, *, wait: bool = False) -> Iterator[bool]:
        """Be the only user of this cluster; yields whether that worked (always with `wait`).

        The lock ends with the process that holds it, however that ends.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / _LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True


def remembered(home: Path | None = None) -> Iterator[tuple[ClusterFolder, CreatedCluster]]:
    """Every remembered cluster, sorted by provider and name."""
    for path in sorted((home or state_home()).glob(f"*/*/{_RECORD}")):
        folder = ClusterFolder(path.parent)
        if record := folder.record():
            yield folder, record
