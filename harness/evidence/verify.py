"""Verifying: everything about evidence that a machine can find wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from harness.evidence.checks.arithmetic import arithmetic_findings
from harness.evidence.checks.contracts import contract_findings
from harness.evidence.checks.copies import copies_to_check, copy_findings, stray_findings
from harness.evidence.checks.derivation import derivation_findings
from harness.evidence.checks.duplicates import duplicate_findings
from harness.evidence.checks.finding import Finding
from harness.evidence.checks.identity import identity_findings
from harness.evidence.checks.integrity import (
    chain_findings,
    claims_of,
    entry_findings,
    file_findings,
    listing_findings,
    text_findings,
)
from harness.evidence.checks.load import LoadedRun, load_run
from harness.evidence.checks.samples import sample_findings
from harness.evidence.checks.signed import signature_findings
from harness.evidence.checks.time import time_findings
from harness.evidence.commits import commit_times, repository_of
from harness.evidence.ledger import LedgerEntry
from harness.evidence.sign import public_key
from harness.evidence.store import RUNS, read_ledger
from harness.evidence.targets import find_targets


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How strictly to look. `now` is the moment against which ages and the future are judged.

    `providers` are those that count (empty: all); `keys` are files with public keys, one of
    which must have signed each run; `repository` holds the commits (None: the one of the path,
    else the one of the working folder).
    """

    now: datetime
    max_age: timedelta | None = None
    providers: frozenset[str] = frozenset()
    keys: tuple[Path, ...] = ()
    repository: Path | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at and what was found; nothing looked at is a finding of its own."""

    findings: tuple[Finding, ...]
    runs: int = 0
    documents: int = 0
    copies: int = 0


def verify(paths: Sequence[Path], *, options: VerifyOptions) -> tuple[Finding, ...]:
    """Everything wrong with the evidence at the paths: reports folders, run folders or files.

    Errors:
        UsageError: a key file holds no key.
        CommandError: git is needed and cannot be run.
    """
    return verify_all(paths, options=options).findings


def verify_all(paths: Sequence[Path], *, options: VerifyOptions) -> Verified:
    """As `verify`, with the number of things looked at."""
    targets = find_targets(paths)
    keys = tuple(public_key(file) for file in options.keys)
    found: list[Finding] = list(targets.findings)
    seen = Counter[str]()
    for reports, wanted in targets.reports.items():
        known = read_ledger(reports)
        runs = [load_run(folder, f"{reports.name}/{RUNS}/{folder.name}") for folder in wanted.runs]
        claims = claims_of(known)
        for run in runs:
            found.extend(_run_findings(run))
            found.extend(chain_findings(run, known, claims))
            found.extend(contract_findings(run, reports))
            found.extend(signature_findings(run, keys))
        found.extend(_dated_findings(reports, runs, known, options))
        found.extend(duplicate_findings(runs, known))
        copies = copies_to_check(wanted, known)
        found.extend(
            finding
            for path, owner in copies.items()
            for finding in copy_findings(reports, path, owner)
        )
        found.extend(stray_findings(reports, known) if wanted.whole else ())
        seen.update(
            runs=len(runs), documents=sum(len(run.documents) for run in runs), copies=len(copies)
        )
    return Verified(findings=tuple(sorted(set(found))), **seen)


def _dated_findings(
    reports: Path,
    runs: Sequence[LoadedRun],
    known: Mapping[str, LedgerEntry],
    options: VerifyOptions,
) -> Iterator[Finding]:
    """The checks that need the commits of the repository."""
    repository = options.repository or repository_of(reports) or repository_of(Path.cwd())
    commits = {document.evidence.tool.git_commit for run in runs for document in run.documents}
    times = commit_times(repository, commits) if repository else None
    for run in runs:
        yield from identity_findings(run, providers=options.providers, commits=times)
        yield from time_findings(
            run, now=options.now, max_age=options.max_age, known=known, commits=times or {}
        )


def _run_findings(run: LoadedRun) -> Iterator[Finding]:
    yield from run.findings
    yield from entry_findings(run)
    yield from file_findings(run)
    yield from listing_findings(run)
    yield from text_findings(run)
    yield from derivation_findings(run)
    yield from sample_findings(run)
    for document in run.documents:
        yield from arithmetic_findings(run.at(document.path), document.evidence)
