"""With a key, every run must carry a signature over its ledger entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from securesystemslib.signer import Key

from harness.evidence.checks.finding import Finding
from harness.evidence.checks.load import LoadedRun, read_bounded
from harness.evidence.ledger import FILE_NAME
from harness.evidence.sign import SIGNATURE, signature_problem


def signature_findings(run: LoadedRun, keys: Sequence[Key]) -> Iterator[Finding]:
    """What is wrong with a run's signature; nothing is asked for without keys."""
    if not keys:
        return
    findings: list[Finding] = []
    envelope = read_bounded(run.folder / SIGNATURE, run.at(SIGNATURE), findings)
    yield from findings
    if envelope is None or run.entry is None:
        return
    entry = (run.folder / FILE_NAME).read_bytes()
    problem = signature_problem(entry, envelope, keys)
    if problem:
        expected = "a signature over ledger.json by the key"
        yield Finding(run.at(SIGNATURE), "", expected, problem, "signature")
