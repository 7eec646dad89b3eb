"""What a document says must follow from the run's journal and plan, judged again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from harness import __version__
from harness.core.errors import UsageError
from harness.core.judge import judge_ended
from harness.core.plan import Plan, make_plan
from harness.core.record import RunRecord
from harness.evidence.build import build
from harness.evidence.canonical import Json, parse_object, sha256
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.load import JOURNAL, LoadedRun
from harness.evidence.model import Evidence, encode


def derivation_findings(run: LoadedRun) -> Iterator[Finding]:
    """Documents that differ from what journal and plan give, or that are missing.

    Evidence of another version of the product is not judged again: its judge may have differed.
    """
    record = run.record
    if record is None or record.opened.tool.version != __version__:
        return
    if sha256(record.opened.plan.encode()) != record.opened.plan_sha256:
        expected = sha256(record.opened.plan.encode())
        found = shown(record.opened.plan_sha256)
        yield Finding(run.at(JOURNAL), "plan_sha256", expected, found, "derivation")
        return
    if record.opened.run_id != run.folder.name:
        found = shown(record.opened.run_id)
        yield Finding(run.at(JOURNAL), "run_id", run.folder.name, found, "derivation")
    try:
        plan = _plan(record.opened.plan, record.opened.source)
        derived = _derive(run, record, plan)
    except (UsageError, KeyError, ValueError, ArithmeticError) as error:
        yield Finding(run.at(JOURNAL), "plan", "a plan of its steps", shown(error), "derivation")
        return
    there = {document.path: document for document in run.documents}
    for path in sorted(derived.keys() - there.keys()):
        yield Finding(run.at(path), "", "a document", "none", "derivation")
    for path, document in there.items():
        wanted = derived.get(path)
        if wanted is None:
            yield Finding(run.at(path), "", "no such document", path, "derivation")
        elif document.evidence != wanted:
            yield from _differences(run.at(path), encode(wanted), encode(document.evidence))


def _derive(run: LoadedRun, record: RunRecord, plan: Plan) -> dict[str, Evidence]:
    languages = {document.evidence.language for document in run.documents}
    opened = replace(record.opened, language=next(iter(sorted(languages)), "en"))
    previous = {
        document.evidence.claim_key: document.evidence.previous for document in run.documents
    }
    documents = build(replace(record, opened=opened), judge_ended(plan, record), previous=previous)
    return {f"evidence/{document.file_stem}.json": document for document in documents}


@lru_cache(maxsize=64)
def _plan(text: str, source: str) -> Plan:
    return make_plan(text, source)


def _differences(name: str, expected: bytes, found: bytes) -> Iterator[Finding]:
    for field, wanted, actual in differences(parse_object(expected), parse_object(found)):
        yield Finding(name, field, shown(wanted), shown(actual), "derivation")


def differences(expected: Json, found: Json, field: str = "") -> Iterator[tuple[str, Json, Json]]:
    """The leaves in which two JSON values differ, each with its path."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in sorted({*expected, *found}):
            yield from differences(expected.get(key), found.get(key), f"{field}.{key}".lstrip("."))
    elif isinstance(expected, list) and isinstance(found, list):
        for number in range(max(len(expected), len(found))):
            wanted = expected[number] if number < len(expected) else None
            actual = found[number] if number < len(found) else None
            yield from differences(wanted, actual, f"{field}.{number}")
    elif expected != found:
        yield field, expected, found
