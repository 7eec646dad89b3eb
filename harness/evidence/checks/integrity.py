"""Hashes: every file of a run is the one its ledger entry names, and none is there besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.core.errors import UsageError
from harness.core.observation import Artefact
from harness.evidence.canonical import MAX_DOCUMENT_BYTES, NotJson, json_lines, parse_object
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.load import LoadedRun, file_hash
from harness.evidence.files import read_regular
from harness.evidence.ledger import FILE_NAME, TOMBSTONE, LedgerEntry, digest_of
from harness.evidence.markdown import render
from harness.evidence.model import RENDERER
from harness.evidence.pictures import pictures
from harness.evidence.sign import SIGNATURE

OWN_FILES = frozenset({FILE_NAME, SIGNATURE, TOMBSTONE})
"""Files of a run folder that its ledger entry cannot list."""


def entry_findings(run: LoadedRun) -> Iterator[Finding]:
    """What is wrong with the entry itself."""
    entry, name = run.entry, run.at(FILE_NAME)
    if entry is None:
        return
    if entry.run_id != run.folder.name:
        yield Finding(name, "run_id", run.folder.name, shown(entry.run_id), "ledger")
    try:
        content = read_regular(run.folder / FILE_NAME, limit=MAX_DOCUMENT_BYTES)
        value = parse_object(content)
    except (NotJson, OSError) as error:
        yield Finding(name, "", "JSON", shown(error), "ledger")
        return
    digest = digest_of(value)
    if content != json_lines(value):
        # No other file has the newest entry's hash: its blanks are looked at here.
        yield Finding(name, "", "the spelling in which entries are written", "another", "ledger")
    if digest != entry.digest:
        yield Finding(name, "digest", digest, shown(entry.digest), "ledger")


def file_findings(run: LoadedRun) -> Iterator[Finding]:
    """Files that were edited, are gone, or were added; links, which may lead anywhere tomorrow."""
    if run.folder.is_symlink():
        yield Finding(run.name, "", "a folder", "a link", "files")
    if run.entry is None:
        return
    listed = {file.path for file in run.entry.files}
    for number, file in enumerate(run.entry.files):
        yield from _file(run, file, f"files.{number}")
    for path in sorted(run.folder.rglob("*")):
        name = path.relative_to(run.folder).as_posix()
        if path.is_symlink():
            yield Finding(run.at(name), "", "no link", shown(path.readlink()), "files")
        elif not path.is_dir() and name not in listed and name not in OWN_FILES:
            yield Finding(run.at(name), "", "no file that the ledger does not list", name, "files")


def _file(run: LoadedRun, file: Artefact, field: str) -> Iterator[Finding]:
    try:
        found = file_hash(run.folder, file)
    except UsageError as error:
        yield Finding(run.at(FILE_NAME), field, "a path in the run", shown(error.message), "files")
        return
    if found is None:
        if not run.pruned:
            yield Finding(run.at(file.path), "", "a file", "none", "files")
    elif found != file:
        expected = f"{file.bytes} bytes, sha256 {file.sha256}"
        actual = f"{found.bytes} bytes, sha256 {found.sha256}"
        yield Finding(run.at(file.path), "", expected, actual, "files")


def listing_findings(run: LoadedRun) -> Iterator[Finding]:
    """Documents that the entry describes otherwise than they are, or not at all."""
    if run.entry is None:
        return
    described = {document.path: document for document in run.entry.documents}
    files = {file.path: file for file in run.entry.files}
    for document in run.documents:
        about = described.get(document.path)
        if about is None:
            yield Finding(run.at(FILE_NAME), "documents", document.path, "no entry", "ledger")
            continue
        is_now = {
            "claim": document.evidence.claim_key,
            "sha256": document.sha256,
            "verdict": document.evidence.claim.verdict.value,
            "previous": document.evidence.previous,
        }
        for field, value in is_now.items():
            told = getattr(about, field)
            if told != value:
                yield Finding(run.at(document.path), field, shown(told), shown(value), "ledger")
        for number, artefact in enumerate(document.evidence.artefacts):
            if files.get(artefact.path) != artefact:
                expected = shown(files.get(artefact.path, "a file that the ledger lists"))
                field = f"artefacts.{number}"
                yield Finding(run.at(document.path), field, expected, shown(artefact), "files")


def claims_of(known: Mapping[str, LedgerEntry]) -> dict[str, str]:
    """The claim of every document in the ledger, by its hash."""
    return {
        document.sha256: document.claim for entry in known.values() for document in entry.documents
    }


def chain_findings(
    run: LoadedRun, known: Mapping[str, LedgerEntry], claims: Mapping[str, str]
) -> Iterator[Finding]:
    """What an entry names before it must be there; `claims` as `claims_of` gives them."""
    if run.entry is None:
        return
    name = run.at(FILE_NAME)
    for number, before in enumerate(run.entry.previous):
        entry = known.get(before.sha256)
        if entry is None or entry.run_id != before.run_id:
            expected = f"the ledger entry of {before.run_id}"
            yield Finding(name, f"previous.{number}", expected, before.sha256, "ledger")
    for document in run.entry.documents:
        for number, digest in enumerate(document.previous):
            if claims.get(digest) != document.claim:
                field = f"{document.path}.previous.{number}"
                yield Finding(name, field, "evidence of the same claim", digest, "ledger")


def text_findings(run: LoadedRun) -> Iterator[Finding]:
    """Markdown and pictures must be what the JSON renders to."""
    for document in run.documents:
        if document.evidence.renderer != RENDERER:
            found = f"{document.evidence.renderer}"
            yield Finding(run.at(document.path), "renderer", f"{RENDERER}", found, "text")
            continue
        stem = document.path.removesuffix(".json")
        text = render(document.evidence, run_folder="..", digest=document.sha256)
        wanted = {f"{stem}.md": text}
        for name, picture in pictures(document.evidence).items():
            wanted[f"{stem}.{name}.svg"] = picture
        for path, expected in wanted.items():
            yield from _text(run, path, expected)


def _text(run: LoadedRun, path: str, expected: str) -> Iterator[Finding]:
    try:
        found = read_regular(run.folder / path, limit=MAX_DOCUMENT_BYTES)
    except OSError:
        yield Finding(run.at(path), "", "the rendering of its JSON", "none", "text")
        return
    if found != expected.encode():
        yield text_difference(run.at(path), expected, found)


def text_difference(name: str, expected: str, found: bytes) -> Finding:
    """The first line in which a text is not what its JSON renders to."""
    lines, there = expected.splitlines(), found.decode(errors="replace").splitlines()
    pairs = zip([*lines, "(end)"], [*there, "(end)"], strict=False)
    for number, (line, other) in enumerate(pairs, start=1):
        if line != other:
            return Finding(name, f"line {number}", shown(line), shown(other), "text")
    return Finding(name, "", "the rendering of its JSON", "other line ends", "text")
