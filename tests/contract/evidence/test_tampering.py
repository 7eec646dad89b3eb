"""Every edit is found: of any byte, of any field, and of fields whose hashes were mended."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.observation import Artefact, ContractObserved
from harness.evidence import EvidenceStore
from harness.evidence.canonical import sha256
from harness.evidence.checks.derivation import derivation_findings
from harness.evidence.checks.finding import Finding
from harness.evidence.checks.load import Document, LoadedRun, load_run
from harness.evidence.ledger import encode_entry
from harness.evidence.model import Kind, Malformed, decode
from harness.evidence.store import RunFolder, read_ledger
from harness.evidence.verify import verify, verify_all
from tests.support.golden import Golden, at_path, leaves, other, with_value
from tests.support.stories import START, Starts, SteppedClock, Story, write_run


def findings(golden: Golden, path: Path | None = None) -> tuple[Finding, ...]:
    return verify([path or golden.reports], options=golden.options())


def test_nothing_is_found_in_untouched_evidence(untouched: Golden) -> None:
    seen = verify_all([untouched.reports], options=untouched.options())
    assert seen.findings == ()
    assert (seen.runs, seen.documents, seen.copies) == (2, 11, 2)


def every_file(golden: Golden) -> list[Path]:
    return sorted(path for path in golden.reports.rglob("*") if path.is_file())


def meant(golden: Golden, path: Path) -> Path:
    """What a person names to have a file verified: its run, or the copy itself."""
    below = path.relative_to(golden.reports).parts
    return golden.reports / "runs" / below[1] if below[0] == "runs" else golden.reports


def test_a_changed_byte_is_found_in_every_file(golden: Golden) -> None:
    for path in every_file(golden):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        named = {finding.file for finding in findings(golden, meant(golden, path))}
        assert any(path.with_suffix("").name in name for name in named), path
        path.write_bytes(content)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_byte_anywhere_is_found(golden: Golden, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(every_file(golden)))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(0, 7))
    path.write_bytes(content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :])
    try:
        assert findings(golden, meant(golden, path))
    finally:
        path.write_bytes(content)


def test_a_file_that_is_gone_is_found(golden: Golden) -> None:
    for path in every_file(golden):
        kept = path.read_bytes()
        path.unlink()
        assert findings(golden, meant(golden, path)), path
        path.write_bytes(kept)


def test_a_file_that_was_added_is_found(golden: Golden) -> None:
    (golden.run / "samples/extra.jsonl").write_text("{}\n")
    assert [finding.file for finding in findings(golden)] == [
        f"reports/runs/{golden.run.name}/samples/extra.jsonl"
    ]


DOCUMENTS = (
    "default.hello.ready",
    "default.hello.sli",
    "default.hello.load",
    "default.hello.contradiction",
    "deploy+hello.run",
    "goal_m2.scenario",
)


def mutations(run: LoadedRun, path: str) -> Iterator[tuple[str, LoadedRun | None]]:
    """Each field of a document changed once; None where it is then no evidence at all."""
    document = next(one for one in run.documents if one.path == path)
    value = json.loads(document.content)
    rest = tuple(one for one in run.documents if one.path != path)
    for leaf in leaves(value):
        content = json.dumps(with_value(value, leaf, other(at_path(value, leaf)))).encode()
        name = ".".join(map(str, leaf))
        try:
            changed = Document(path, content, decode(content))
        except Malformed:
            yield name, None
        else:
            yield name, replace(run, documents=(*rest, changed))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with documents about autoscaling and a cold start."""
    story = Starts()
    store = EvidenceStore(tmp_path_factory.mktemp("started") / "reports", SteppedClock(START))
    return write_run(store, story).path


def assert_each_field_is_found(folder: Path, name: str) -> None:
    """Hashes are not looked at here: what is found is that the journal says otherwise."""
    run = load_run(folder, "run")
    tried = 0
    for field, changed in mutations(run, f"evidence/{name}.json"):
        tried += 1
        assert changed is None or list(derivation_findings(changed)), field
    assert tried > 30


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_field_is_found_even_where_every_hash_was_mended(untouched: Golden, name: str) -> None:
    assert_each_field_is_found(untouched.first, name)


@pytest.mark.parametrize("name", ["default.hello.autoscale", "default.hello.coldstart"])
def test_each_field_about_scaling_is_found_too(started: Path, name: str) -> None:
    assert_each_field_is_found(started, name)


def test_every_kind_has_a_document_whose_fields_are_changed(
    untouched: Golden, started: Path
) -> None:
    runs = (load_run(folder, "run") for folder in (untouched.first, started))
    kinds = {document.evidence.kind for run in runs for document in run.documents}
    assert kinds == set(get_args(Kind))


@pytest.mark.parametrize(
    ("old", "new"), [(b"\n}", b"\n }"), (b"\n}\n", b"\n}"), (b'": ', b'":'), (b"}\n", b"}\n\n")]
)
def test_a_blank_in_the_newest_entry_is_found(golden: Golden, old: bytes, new: bytes) -> None:
    """No later entry has its hash."""
    entry = golden.run / "ledger.json"
    entry.write_bytes(entry.read_bytes().replace(old, new, 1))
    assert {finding.rule for finding in findings(golden)} == {"ledger"}


def mend_hashes(folder: Path) -> None:
    """Make a run's ledger entry agree with whatever the folder holds now."""
    run = load_run(folder, "run")
    assert run.entry is not None
    documents = tuple(
        replace(
            about,
            sha256=document.sha256,
            verdict=document.evidence.claim.verdict.value,
            previous=document.evidence.previous,
        )
        for about in run.entry.documents
        for document in run.documents
        if document.path == about.path
    )
    files = tuple(file for file in RunFolder(folder).files() if file.path != "ledger.dsse.json")
    entry = replace(run.entry, documents=documents, files=files)
    (folder / "ledger.json").write_bytes(encode_entry(entry))


def edit_json(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value, indent=1) + "\n")


def test_an_edit_in_json_with_mended_hashes_is_found(golden: Golden) -> None:
    document = golden.run / "evidence/default.hello.load.json"
    edit_json(document, lambda value: value.update(captured_at="2026-11-20T10:30:15.000000Z"))
    mend_hashes(golden.run)
    rules = {finding.rule for finding in findings(golden, golden.run)}
    assert {"text", "derivation"} <= rules


def test_a_run_that_is_taken_out_of_the_ledger_is_found(golden: Golden) -> None:
    shutil.rmtree(golden.first)
    found = findings(golden)
    assert {finding.rule for finding in found} == {"ledger"}
    assert any(finding.field == "previous.0" for finding in found)


@pytest.mark.parametrize("suffix", [".json", ".md"])
def test_a_copy_of_an_older_run_is_found(golden: Golden, suffix: str) -> None:
    old = golden.first / f"evidence/default.hello.ready{suffix}"
    (golden.reports / f"phase2/hello_ready{suffix}").write_bytes(old.read_bytes())
    [finding] = findings(golden)
    assert finding.file == f"reports/phase2/hello_ready{suffix}"
    assert golden.run.name in finding.expected
    assert golden.first.name in finding.found


def test_a_document_outside_of_its_run_is_found(golden: Golden) -> None:
    document = golden.run / "evidence/default.hello.ready.json"
    shutil.copy(document, golden.reports / "phase2/other.json")
    for named in (golden.reports, golden.reports / "phase2/other.json"):
        told = {finding.rule for finding in findings(golden, named)}
        assert told == {"copy"}


@pytest.mark.parametrize("name", ["phase3/ready.md", "phase3/ready_template.md"])
def test_evidence_of_no_run_is_found(golden: Golden, name: str) -> None:
    stray = golden.reports / name
    stray.parent.mkdir()
    shutil.copy(golden.reports / "phase2/hello_ready.md", stray)
    [finding] = findings(golden)
    assert finding.file == f"reports/{name}"
    assert ("template" in finding.found) == ("template" in name)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_regular_file_is_found(golden: Golden, make: Callable[[Path], None]) -> None:
    make(golden.reports / "odd.md")
    [finding] = findings(golden)
    assert (finding.file, finding.found) == ("reports/odd.md", "no regular file")


def test_one_set_of_samples_under_two_vantages_is_found(golden: Golden) -> None:
    samples = golden.run / "samples"
    shutil.copy(samples / "in-cluster.jsonl.gz", samples / "devbox.jsonl.gz")
    mend_hashes(golden.run)
    assert "duplicate" in {finding.rule for finding in findings(golden)}


def test_one_picture_for_two_dashboards_is_found(golden: Golden) -> None:
    for folder in (golden.first, golden.run):
        RunFolder(folder).artefact("raw/dashboard.png", b"\x89PNG error")
        mend_hashes(folder)
    rules = {finding.rule: finding.found for finding in findings(golden)}
    assert rules["duplicate"].endswith(f"{golden.first.name}/raw/dashboard.png")


def test_the_ledger_knows_both_runs_in_their_order(untouched: Golden) -> None:
    entries = {entry.run_id: entry for entry in read_ledger(untouched.reports).values()}
    assert entries[untouched.first.name].previous == ()
    [before] = entries[untouched.run.name].previous
    assert before.run_id == untouched.first.name


def test_the_journal_of_another_run_is_found(golden: Golden) -> None:
    shutil.copy(golden.first / "journal.jsonl.gz", golden.run / "journal.jsonl.gz")
    mend_hashes(golden.run)
    found = {(finding.file.rpartition("/")[2], finding.field) for finding in findings(golden)}
    assert ("journal.jsonl", "run_id") in found


def test_another_renderer_is_named(golden: Golden) -> None:
    document = golden.run / "evidence/default.hello.load.json"
    edit_json(document, lambda value: value.update(renderer=9))
    mend_hashes(golden.run)
    told = {(finding.field, finding.found, finding.rule) for finding in findings(golden)}
    assert ("renderer", "9", "text") in told


def with_runner_files(golden: Golden) -> Path:
    """A later run whose contract names a file of the runner."""
    log = golden.reports / "codex_runs/apply_hello_dev_x/apply.log"
    log.parent.mkdir(parents=True)
    log.write_text("[APPLY] manifest=hello-ksvc.yaml\n")
    clock = SteppedClock(golden.mended.at + timedelta(minutes=10, seconds=20))
    story = ContractStory(
        at=golden.mended.at + timedelta(minutes=10), tool=golden.mended.tool, suffix="c0c0c0"
    )
    write_run(EvidenceStore(golden.reports, clock), story)
    return log


class ContractStory(Story):
    """A story whose contract left files, recorded with the path of another machine."""

    def contract(self) -> ContractObserved:
        content = b"[APPLY] manifest=hello-ksvc.yaml\n"
        kept = Artefact("apply.log", len(content), sha256(content))
        folder = "/home/other/reports/codex_runs/apply_hello_dev_x"
        return replace(super().contract(), folder=folder, artefacts=(kept,))


def test_the_runner_s_files_are_checked_too(golden: Golden) -> None:
    log = with_runner_files(golden)
    assert findings(golden) == ()
    log.write_text("[APPLY] manifest=other-ksvc.yaml\n")
    [edited] = findings(golden)
    log.unlink()
    [gone] = findings(golden)
    assert edited.file == gone.file == "reports/codex_runs/apply_hello_dev_x/apply.log"
    assert gone.found == "none"
