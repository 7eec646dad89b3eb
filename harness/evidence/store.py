"""The store: the only writer below `reports/`. A run only adds files to its own folder."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.errors import EnvironmentProblem, UsageError
from harness.core.observation import Artefact, ProbeObserved
from harness.core.redact import redact_bytes
from harness.evidence.canonical import MAX_DOCUMENT_BYTES, sha256
from harness.evidence.diagnostics import bundle_files
from harness.evidence.files import TEMPORARY, inside, read_regular, write_whole
from harness.evidence.history import append_points, point_of, read_points, trend
from harness.evidence.ledger import FILE_NAME, TOMBSTONE, LedgerEntry, decode_entry
from harness.evidence.model import Malformed
from harness.evidence.stamps import RUN_ID
from harness.ports import Clock

RUNS = "runs"
HISTORIES = "sli"


class RunFolder:
    """One run's folder. Files are added whole, once, and never changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_id(self) -> str:
        """The run's id is its folder's name."""
        return self.path.name

    def artefact(self, name: str, content: bytes, *, compress: bool = False) -> Artefact:
        """Add a raw file below the folder, redacted; `compress` appends `.gz` to its name.

        Compression is deterministic: the same content gives the same bytes.

        Errors:
            UsageError: the name leads out of the folder or is already taken.
        """
        content = redact_bytes(content)
        if compress:
            name, content = f"{name}.gz", gzip.compress(content, mtime=0)
        return self.add(name, content)

    def add(self, name: str, content: bytes) -> Artefact:
        """Add a file below the folder byte by byte as it is given.

        Errors:
            UsageError: the name leads out of the folder or is already taken.
        """
        write_whole(inside(self.path, name), content, replace=False)
        return Artefact(path=name, bytes=len(content), sha256=sha256(content))

    def compress(self, name: str) -> Artefact:
        """Put a file's compressed form in its place, as `<name>.gz`.

        A crash in between leaves the file, its compressed form or both, and calling this again
        goes on from there.
        """
        source, target = self.path / name, self.path / f"{name}.gz"
        if source.exists():
            write_whole(target, gzip.compress(source.read_bytes(), mtime=0), replace=True)
            source.unlink()
        content = target.read_bytes()
        return Artefact(path=target.name, bytes=len(content), sha256=sha256(content))

    def sweep(self, *, unsealed: str = "") -> int:
        """Remove what a crash left of files that were being written, and the folder `unsealed`,
        whose files no ledger entry names yet; returns how many files that were.
        """
        left = [path for path in self.path.rglob("*") if path.name.startswith(TEMPORARY)]
        if unsealed:
            left += [path for path in (self.path / unsealed).rglob("*") if path.is_file()]
        for path in dict.fromkeys(left):
            path.unlink()
        return len(left)

    def adopt(self, source: Path, name: str) -> tuple[Artefact, ...]:
        """Add what was collected in another folder: redacted, and bounded in size and number.

        Errors:
            UsageError: a name is already taken.
        """
        return tuple(self.add(f"{name}/{file}", content) for file, content in bundle_files(source))

    def prune(self, tombstone: bytes, keep: frozenset[str]) -> None:
        """Remove every file but those to keep; the tombstone comes first, so that a crash in
        between leaves a run that is known to be pruned, and pruning it again goes on.
        """
        if not (self.path / TOMBSTONE).exists():
            self.add(TOMBSTONE, tombstone)
        for name in sorted(self._names()):
            if name not in keep:
                (self.path / name).unlink()
        folders = [path for path in self.path.rglob("*") if path.is_dir()]
        for folder in sorted(folders, reverse=True):
            folder.rmdir()

    def files(self) -> tuple[Artefact, ...]:
        """Every file that is there now, but the ledger entry; by path."""
        return tuple(
            Artefact(path=name, bytes=len(content), sha256=sha256(content))
            for name in sorted(self._names())
            for content in [(self.path / name).read_bytes()]
        )

    def _names(self) -> Iterator[str]:
        for path in self.path.rglob("*"):
            if path.is_file() and not path.name.startswith(TEMPORARY):
                name = path.relative_to(self.path).as_posix()
                if name != FILE_NAME:
                    yield name


class EvidenceStore:
    """Everything below `reports/`."""

    def __init__(self, reports: Path, clock: Clock) -> None:
        self.reports = reports
        self.clock = clock

    def open_run(self, run_id: str) -> RunFolder:
        """Create the folder of a new run.

        Errors:
            UsageError: the id is no folder name, or a run with this id is already there.
            EnvironmentProblem: the folder of the reports cannot be written to.
        """
        path = self._run_path(run_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except OSError as error:
            if isinstance(error, FileExistsError) and error.filename == str(path):
                raise UsageError(f"the run {run_id} is already there: {path}") from error
            raise EnvironmentProblem(
                f"{self.reports} cannot be written to: {error.strerror}",
                mend="make it this user's own, or keep the evidence elsewhere: "
                "--vpm-reports FOLDER (vpm run: --reports)",
            ) from error
        return RunFolder(path)

    def run(self, run_id: str) -> RunFolder:
        """The folder of a run that was opened before.

        Errors:
            UsageError: there is none.
        """
        path = self._run_path(run_id)
        if not path.is_dir():
            raise UsageError(f"there is no run {run_id} below {self.reports / RUNS}")
        return RunFolder(path)

    def write(self, path: Path, content: bytes) -> str:
        """Write a generated file below `reports/`, replacing it whole; return its SHA-256.

        Errors:
            UsageError: the path leads out of `reports/` or into a run folder.
        """
        relative = path.relative_to(self.reports) if path.is_absolute() else path
        target = inside(self.reports, relative.as_posix())
        if relative.parts[0] == RUNS:
            raise UsageError(f"{relative} lies in a run folder, which only grows")
        write_whole(target, content, replace=True)
        return sha256(content)

    def append_history(
        self, name: str, run_id: str, probes: Sequence[ProbeObserved]
    ) -> tuple[str, ...]:
        """Add a run's counts to the history `reports/sli/<name>.jsonl`; returns the trend.

        Errors:
            UsageError: the name leads out of `reports/sli`.
        """
        path = inside(self.reports / HISTORIES, f"{name}.jsonl")
        append_points(path, [point_of(run_id, probe) for probe in probes])
        return trend(read_points(path))

    def entries(self) -> dict[str, LedgerEntry]:
        """The ledger: every readable entry by the hash of its file."""
        return read_ledger(self.reports)

    def _run_path(self, run_id: str) -> Path:
        if not RUN_ID.fullmatch(run_id):
            raise UsageError(f"{run_id!r} is not a run id: letters, digits, '.', '_' and '-' are")
        return self.reports / RUNS / run_id


def read_ledger(reports: Path) -> dict[str, LedgerEntry]:
    """Every readable ledger entry below a reports folder, by the hash of its file.

    What cannot be read is left out here; `verify` reports it.
    """
    found: dict[str, LedgerEntry] = {}
    for path in sorted(reports.glob(f"{RUNS}/*/{FILE_NAME}")):
        try:
            content = read_regular(path, limit=MAX_DOCUMENT_BYTES)
            found[sha256(content)] = decode_entry(content)
        except (OSError, Malformed):
            continue
    return found


def reports_of(path: Path) -> Path | None:
    """The reports folder at or above a path: the nearest one that holds `runs`."""
    return next((folder for folder in (path, *path.parents) if (folder / RUNS).is_dir()), None)
