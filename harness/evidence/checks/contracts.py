"""The runner's files: those that a contract's evidence names must still be what they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.core.errors import UsageError
from harness.core.observation import ContractObserved
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.load import JOURNAL, LoadedRun, file_hash
from harness.evidence.files import inside

RUNNER = "codex_runs"


def contract_findings(run: LoadedRun, reports: Path) -> Iterator[Finding]:
    """Files below `reports/codex_runs` that were changed or are gone."""
    for document in run.documents:
        contract = document.evidence.contract
        if document.evidence.kind == "run" and contract is not None and contract.artefacts:
            yield from _files(run.at(document.path), contract, reports)
    told = {document.evidence.contract for document in run.documents}
    shown_folders = {contract.folder for contract in told if contract is not None}
    for contract in _journalled(run):
        if contract.folder not in shown_folders:
            yield from _files(run.at(JOURNAL), contract, reports)


def _journalled(run: LoadedRun) -> Iterator[ContractObserved]:
    """The contracts that only the journal tells of: previews of what was then executed."""
    for step in run.record.steps.values() if run.record else ():
        for seen in step.observations:
            if isinstance(seen, ContractObserved) and seen.artefacts:
                yield seen


def _files(name: str, contract: ContractObserved, reports: Path) -> Iterator[Finding]:
    # Only the last part counts: a folder may have been recorded with the path of another machine.
    folder = f"{RUNNER}/{PurePosixPath(contract.folder).name}"
    try:
        root = inside(reports, folder)
    except UsageError as error:
        yield Finding(name, "contract.folder", "a run's folder", shown(error.message), "files")
        return
    for artefact in contract.artefacts:
        file = f"{reports.name}/{folder}/{artefact.path}"
        try:
            found = file_hash(root, artefact)
        except UsageError as error:
            yield Finding(name, "contract.artefacts", "a path", shown(error.message), "files")
            continue
        if found is None:
            yield Finding(file, "", "a file", "none", "files")
        elif found != artefact:
            yield Finding(file, "", f"sha256 {artefact.sha256}", f"sha256 {found.sha256}", "files")
