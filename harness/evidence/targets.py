"""From paths that a person names to the runs and copies that are meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.evidence.checks.finding import Finding
from harness.evidence.store import RUNS, reports_of

_SUFFIXES = frozenset({".json", ".md"})
"""Of files that may hold evidence."""


@dataclass(slots=True)
class Wanted:
    """What is meant below one reports folder; `whole` when the folder itself was named.

    `copies` are paths below the folder, without suffix.
    """

    runs: list[Path] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Targets:
    """Everything that was named, by reports folder, and what could not be understood."""

    reports: Mapping[Path, Wanted]
    findings: tuple[Finding, ...]


def find_targets(paths: Iterable[Path]) -> Targets:
    """Sort paths into run folders and copies.

    A path is a reports folder, its `runs` folder, a run folder or anything in it, or a copy.
    Nothing to look at is a finding, as a check that saw nothing must not pass.
    """
    reports: dict[Path, Wanted] = {}
    findings: list[Finding] = []
    for path in paths:
        problem = _add(path.absolute(), reports)
        if problem:
            findings.append(Finding(str(path), "", "evidence", problem, "files"))
    for root, wanted in reports.items():
        if wanted.whole:
            wanted.runs = _folders(root / RUNS)
            if not wanted.runs:
                findings.append(Finding(str(root), "", "runs", "none", "files"))
        wanted.runs = sorted(set(wanted.runs))
    return Targets(reports=reports, findings=tuple(findings))


def _add(path: Path, reports: dict[Path, Wanted]) -> str | None:
    """Add one path; returns what is wrong with it, if anything is."""
    if not path.exists():
        return "no such file or folder"
    path = path.resolve()
    root = reports_of(path)
    if root is None:
        return f"a path that is not below a folder with {RUNS}/"
    wanted = reports.setdefault(root, Wanted())
    below = path.relative_to(root).parts
    if below in ((), (RUNS,)):
        wanted.whole = True
    elif below[0] == RUNS:
        wanted.runs.append(root / RUNS / below[1])
    elif path.is_file() and path.suffix in _SUFFIXES:
        wanted.copies.append(_copy_name(path, root))
    elif path.is_dir():
        wanted.copies.extend(_copies_in(path, root))
    else:
        return "neither a run nor a copy of its evidence"
    return None


def _copies_in(folder: Path, root: Path) -> Sequence[str]:
    files = (path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return sorted({_copy_name(path, root) for path in files})


def _copy_name(path: Path, root: Path) -> str:
    """A copy's path below reports, without its suffix."""
    return path.relative_to(root).with_suffix("").as_posix()


def _folders(runs: Path) -> list[Path]:
    return [path for path in runs.iterdir() if path.is_dir()] if runs.is_dir() else []
