"""Generated copies: each must be what the run that it names renders to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.errors import UsageError
from harness.evidence.canonical import sha256
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.integrity import text_difference
from harness.evidence.checks.load import read_bounded
from harness.evidence.files import inside
from harness.evidence.ledger import LedgerEntry, copy_owners
from harness.evidence.markdown import render
from harness.evidence.model import SCHEMA, Malformed, decode
from harness.evidence.store import RUNS
from harness.evidence.targets import Wanted
from harness.evidence.write import run_folder_from

_HEAD_BYTES = 400
_MARK = SCHEMA.encode()
_TEMPLATE = re.compile(r"template|テンプレート|雛形", re.IGNORECASE)


def copies_to_check(
    wanted: Wanted, known: Mapping[str, LedgerEntry]
) -> dict[str, tuple[str, str] | None]:
    """The copies that are meant: path to (run, document) of the newest run that lists it."""
    owners = copy_owners(known)
    runs = {folder.name for folder in wanted.runs}
    copies = {path: owners[path] for path in owners if wanted.whole or owners[path][0] in runs}
    return {**copies, **{path: owners.get(path) for path in wanted.copies}}


def copy_findings(reports: Path, path: str, owner: tuple[str, str] | None) -> Iterator[Finding]:
    """What is wrong with the copy at `path` (below reports, without suffix)."""
    name = f"{reports.name}/{path}"
    if owner is None:
        yield Finding(name, "", "a copy that a run lists", "none", "copy")
        return
    run_id, document = owner
    findings: list[Finding] = []
    try:
        source = inside(reports, f"{RUNS}/{run_id}/{document}")
        copied = inside(reports, f"{path}.json")
        rendered = inside(reports, f"{path}.md")
    except UsageError as error:
        yield Finding(name, "", "a path below reports", shown(error.message), "copy")
        return
    original = read_bounded(source, f"{reports.name}/{RUNS}/{run_id}/{document}", findings)
    content = read_bounded(copied, f"{name}.json", findings)
    text = read_bounded(rendered, f"{name}.md", findings)
    yield from findings
    mend = f" (vpm evidence recover {reports.name}/{RUNS}/{run_id} writes it again)"
    if original is not None and content is not None and content != original:
        expected = f"the document of {run_id}{mend}"
        yield Finding(f"{name}.json", "", expected, _named(content), "copy")
    if original is not None and text is not None:
        for finding in _text(f"{name}.md", original, text, run_folder_from(path, run_id)):
            yield replace(finding, expected=f"{finding.expected}{mend}")


def _text(name: str, original: bytes, text: bytes, run_folder: str) -> Iterator[Finding]:
    try:
        expected = render(decode(original), run_folder=run_folder, digest=sha256(original))
    except Malformed:
        return  # reported with the run
    if expected.encode() != text:
        yield text_difference(name, expected, text)


def _named(content: bytes) -> str:
    """What a copy says it is."""
    try:
        return f"one of {shown(decode(content).run_id)}, changed"
    except Malformed as error:
        return shown(error)


def stray_findings(reports: Path, known: Mapping[str, LedgerEntry]) -> Iterator[Finding]:
    """Files that look like evidence but belong to no run; templates that hold values are these."""
    owned = copy_owners(known)
    for path in sorted(reports.rglob("*")):
        relative = path.relative_to(reports)
        if relative.parts[0] == RUNS or path.suffix not in (".md", ".json") or path.is_dir():
            continue
        if relative.with_suffix("").as_posix() in owned:
            continue
        found = _stray(path)
        if found:
            name = f"{reports.name}/{relative.as_posix()}"
            yield Finding(name, "", "a copy that a run lists", found, "copy")


def _stray(path: Path) -> str | None:
    """What a file that no run lists seems to be; None for one that is not about evidence."""
    if not path.is_file():
        return "no regular file"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        return f"a file that cannot be read: {error.strerror}"
    if _MARK not in head:
        return None
    return "a template with values" if _TEMPLATE.search(path.name) else "evidence of no run"
