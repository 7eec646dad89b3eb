"""Moments that cannot be true: shifted, in the future, too old, or before what they follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.evidence.checks.finding import Finding
from harness.evidence.checks.load import LoadedRun
from harness.evidence.ledger import FILE_NAME, LedgerEntry
from harness.evidence.model import Evidence
from harness.evidence.stamps import moment, moment_or_none, stamp_of, utc_text

SKEW = timedelta(seconds=5)
"""How far two clocks of one run may stand apart."""
LONGEST_RUN = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Reads moments of one file; what is none becomes a finding and None."""

    file: str
    findings: list[Finding]

    def read(self, field: str, text: str) -> datetime | None:
        """The moment of a field."""
        try:
            return moment(text)
        except ValueError as error:
            self.add(field, "a UTC time in ISO 8601", str(error))
            return None

    def add(self, field: str, expected: str, found: str) -> None:
        """Note what is wrong with a field."""
        self.findings.append(Finding(self.file, field, expected, found, "time"))

    def ordered(self, field: str, earlier: datetime | None, later: datetime | None) -> None:
        """`later`, which is the field's value, must not lie before `earlier`."""
        if earlier is not None and later is not None and earlier - later > SKEW:
            self.add(field, f"not before {utc_text(earlier)}", utc_text(later))


def time_findings(
    run: LoadedRun,
    *,
    now: datetime,
    max_age: timedelta | None,
    known: Mapping[str, LedgerEntry],
    commits: Mapping[str, datetime | None],
) -> Iterator[Finding]:
    """Everything wrong with the moments of a run."""
    findings: list[Finding] = []
    written = _entry(run, findings, now=now, known=known)
    for document in run.documents:
        reader = _Moments(run.at(document.path), findings)
        _document(document.evidence, reader, now=now, max_age=max_age, written=written)
        commit = commits.get(document.evidence.tool.git_commit)
        reader.ordered("captured_at", commit, moment_or_none(document.evidence.captured_at))
    yield from findings


def _entry(
    run: LoadedRun, findings: list[Finding], *, now: datetime, known: Mapping[str, LedgerEntry]
) -> datetime | None:
    if run.entry is None:
        return None
    reader = _Moments(run.at(FILE_NAME), findings)
    written = reader.read("written_at", run.entry.written_at)
    reader.ordered("written_at", stamp_of(run.folder.name), written)
    if written is not None and written - now > SKEW:
        reader.add("written_at", f"not after {utc_text(now)}", utc_text(written))
    for before in run.entry.previous:
        entry = known.get(before.sha256)
        if entry is not None:
            reader.ordered("written_at", moment_or_none(entry.written_at), written)
    return written


def _document(
    document: Evidence,
    reader: _Moments,
    *,
    now: datetime,
    max_age: timedelta | None,
    written: datetime | None,
) -> None:
    captured = reader.read("captured_at", document.captured_at)
    start = reader.read("window.start", document.window.start)
    end = reader.read("window.end", document.window.end)
    reader.ordered("window.end", start, end)
    for number, seen in enumerate(document.vantages):
        at = reader.read(f"vantages.{number}.probe.at", seen.probe.at)
        until = reader.read(f"vantages.{number}.probe.until", seen.probe.until)
        reader.ordered(f"vantages.{number}.probe.until", at, until)
    if captured is None:
        return
    if end is not None and captured != end:
        reader.add("captured_at", utc_text(end), utc_text(captured))
    _against_id(document.run_id, captured, reader)
    _contract(document, reader)
    if written is not None and captured - written > SKEW:
        reader.add("captured_at", f"not after {utc_text(written)}", utc_text(captured))
    if captured - now > SKEW:
        reader.add("captured_at", f"not after {utc_text(now)}", utc_text(captured))
    if max_age is not None and now - captured > max_age:
        reader.add("captured_at", f"at most {max_age} old", f"{now - captured} old")


def _contract(document: Evidence, reader: _Moments) -> None:
    """A contract's run carries its moment too; it lies within the run that asked for it."""
    stamp = stamp_of(document.contract.run_id) if document.contract else None
    first = stamp_of(document.run_id)
    if stamp is None or first is None:
        return
    if not -SKEW <= stamp - first <= LONGEST_RUN:
        expected = f"from {utc_text(first)}, at most {LONGEST_RUN} later"
        reader.add("contract.run_id", expected, utc_text(stamp))


def _against_id(run_id: str, captured: datetime, reader: _Moments) -> None:
    """A time shifted by some hours under the label Z does not fit the run's id."""
    stamp = stamp_of(run_id)
    if stamp is None:
        return
    if not -SKEW <= captured - stamp <= LONGEST_RUN:
        expected = f"from {utc_text(stamp)}, at most {LONGEST_RUN} later"
        reader.add("captured_at", expected, utc_text(captured))
