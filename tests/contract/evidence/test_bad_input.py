"""Whatever lies below reports: a finding, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import SpecError, UsageError
from harness.evidence.canonical import MAX_DOCUMENT_BYTES
from harness.evidence.checks.finding import Finding
from harness.evidence.ledger import encode_entry
from harness.evidence.require import read_requirements
from harness.evidence.store import read_ledger
from harness.evidence.verify import verify
from harness.evidence.write import render_file
from tests.support.golden import Golden

Spoil = Callable[[Path], None]


def findings(golden: Golden, *paths: Path) -> tuple[Finding, ...]:
    return verify(paths or [golden.reports], options=golden.options())


def text(name: str, content: str | bytes) -> Spoil:
    raw = content.encode() if isinstance(content, str) else content

    def spoil(run: Path) -> None:
        (run / name).write_bytes(raw)

    return spoil


def value(name: str, field: str, new: object) -> Spoil:
    def spoil(run: Path) -> None:
        document = json.loads((run / name).read_bytes())
        document[field] = new
        (run / name).write_text(json.dumps(document))

    return spoil


def huge(name: str) -> Spoil:
    def spoil(run: Path) -> None:
        with (run / name).open("wb") as file:
            file.truncate(MAX_DOCUMENT_BYTES + 1)

    return spoil


def sparse(name: str) -> Spoil:
    """A file that says to hold a gigabyte."""

    def spoil(run: Path) -> None:
        os.truncate(run / name, 2**30)

    return spoil


def pipe_instead(name: str) -> Spoil:
    def spoil(run: Path) -> None:
        (run / name).unlink()
        os.mkfifo(run / name)

    return spoil


def gone(name: str) -> Spoil:
    return lambda run: (run / name).unlink()


def folder_instead(name: str) -> Spoil:
    def spoil(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return spoil


def link_to(name: str, target: str) -> Spoil:
    def spoil(run: Path) -> None:
        (run / name).unlink()
        (run / name).symlink_to(target)

    return spoil


def link(name: str, target: str) -> Spoil:
    return lambda run: (run / name).symlink_to(target)


def moved_behind_a_link(name: str) -> Spoil:
    """The same content, but from outside of the run."""

    def spoil(run: Path) -> None:
        outside = run.parent.parent.parent / "elsewhere"
        (run / name).rename(outside)
        (run / name).symlink_to(outside)

    return spoil


READY = "evidence/default.hello.ready.json"


@pytest.mark.parametrize(
    ("spoil", "file", "found"),
    [
        (text(READY, "not JSON"), READY, "Expecting value"),
        (text(READY, b"\xff\xfe\x00"), READY, "utf-8"),
        (text(READY, "[" * 100_000), READY, "deeply"),
        (text(READY, ""), READY, "Expecting value"),
        (value(READY, "schema", "vpm.evidence/v9"), READY, "vpm.evidence/v9"),
        (value(READY, "kind", "vibe"), READY, "Input should be"),
        (value(READY, "extra", 1), READY, "Unexpected"),
        (huge(READY), READY, str(MAX_DOCUMENT_BYTES + 1)),
        (gone(READY), READY, "No such file"),
        (pipe_instead(READY), READY, "a pipe"),
        (pipe_instead("ledger.json"), "ledger.json", "a pipe"),
        (pipe_instead("journal.jsonl.gz"), "journal.jsonl.gz", "a pipe"),
        (pipe_instead("samples/devbox.jsonl.gz"), "samples/devbox.jsonl.gz", "none"),
        (sparse("samples/devbox.jsonl.gz"), "samples/devbox.jsonl.gz", str(2**30)),
        (sparse(READY), READY, str(2**30)),
        (sparse("journal.jsonl.gz"), "journal.jsonl.gz", str(2**30)),
        (text(READY, '{"schema": NaN}'), READY, "NaN"),
        (text(READY, '{"schema": 1, "schema": 2}'), READY, "twice"),
        (folder_instead(READY), READY, "a folder"),
        (link_to(READY, "/etc/passwd"), "ledger.json", "leads out"),
        (moved_behind_a_link("ledger.json"), "ledger.json", "elsewhere"),
        (moved_behind_a_link(READY), READY, "elsewhere"),
        (link("samples/more", "/usr"), "samples/more", "/usr"),
        (link("loop", "."), "loop", "."),
        (gone("ledger.json"), "ledger.json", "No such file"),
        (text("ledger.json", "{}"), "ledger.json", "None"),
        (value("ledger.json", "schema", "vpm.ledger/v9"), "ledger.json", "vpm.ledger/v9"),
        (gone("samples/devbox.jsonl.gz"), "samples/devbox.jsonl.gz", "none"),
        (text("samples/devbox.jsonl.gz", "no gzip"), "samples/devbox.jsonl.gz", "cannot be read"),
        (link_to("raw/hello.yaml", "/etc/passwd"), "ledger.json", "leads out"),
        (text("journal.jsonl", "{}\n"), "journal.jsonl", "not a journal event"),
        (text("journal.jsonl", '{"event": "run_op'), "journal.jsonl", "run_op"),
        (gone("journal.jsonl.gz"), "journal.jsonl", "No such file"),
        (text("pruned.json", "{}"), "pruned.json", "Field required"),
    ],
)  # fmt: skip
def test_a_spoilt_run_is_a_finding(golden: Golden, spoil: Spoil, file: str, found: str) -> None:
    spoil(golden.run)
    about = f"reports/runs/{golden.run.name}/{file}"
    told = [finding.found for finding in findings(golden, golden.run) if finding.file == about]
    assert any(found in text for text in told), told


def test_a_run_that_only_is_linked_is_a_finding(golden: Golden) -> None:
    golden.run.rename(golden.reports.parent / "elsewhere")
    golden.run.symlink_to(golden.reports.parent / "elsewhere")
    told = {(finding.file, finding.found) for finding in findings(golden, golden.reports)}
    assert (f"reports/runs/{golden.run.name}", "a link") in told


def test_no_name_of_a_file_breaks_the_line_or_steers_a_terminal(golden: Golden) -> None:
    (golden.run / os.fsdecode(b"\xff\n\x1b[31m")).touch()
    [finding] = findings(golden, golden.run)
    assert str(finding).isprintable()
    assert r"\udcff\n\x1b[31m" in str(finding)


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_path_outside_the_run_is_a_finding(golden: Golden, path: str) -> None:
    entries = {one.run_id: one for one in read_ledger(golden.reports).values()}
    entry = entries[golden.run.name]
    files = (replace(entry.files[0], path=path), *entry.files[1:])
    documents = (replace(entry.documents[0], path=path), *entry.documents[1:])
    changed = replace(entry, files=files, documents=documents)
    (golden.run / "ledger.json").write_bytes(encode_entry(changed))
    told = {finding.field for finding in findings(golden) if finding.file.endswith("ledger.json")}
    assert {"files.0", "documents"} <= told


def test_a_path_that_is_not_there_is_a_finding(golden: Golden, tmp_path: Path) -> None:
    [finding] = findings(golden, tmp_path / "nowhere")
    assert finding.found == "no such file or folder"


def test_a_path_outside_reports_is_a_finding(golden: Golden, tmp_path: Path) -> None:
    alone = tmp_path / "alone.json"
    shutil.copy(golden.run / READY, alone)
    [finding] = findings(golden, alone)
    assert "not below a folder with runs/" in finding.found


def test_an_empty_reports_folder_does_not_pass(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "reports/runs").mkdir(parents=True)
    [finding] = findings(golden, tmp_path / "reports")
    assert (finding.expected, finding.found) == ("runs", "none")


def test_a_run_that_was_killed_is_a_finding(golden: Golden) -> None:
    killed = golden.reports / "runs/goal_m2_20261120T113000Z_killed"
    killed.mkdir()
    shutil.copy(golden.run / "journal.jsonl.gz", killed)
    files = {finding.file for finding in findings(golden)}
    assert f"reports/runs/{killed.name}/ledger.json" in files


@pytest.mark.parametrize(
    "named",
    [
        "phase2/hello_ready.md",
        "phase2/hello_ready.json",
        "phase2",
        "runs",
        "runs/{run}/evidence/default.hello.ready.md",
        "",
    ],
)
def test_a_path_may_name_any_of_it(untouched: Golden, named: str) -> None:
    path = untouched.reports / named.format(run=untouched.run.name)
    assert findings(untouched, path) == ()


def test_an_edited_copy_is_found_by_its_own_name(golden: Golden) -> None:
    copy = golden.reports / "phase2/hello_ready.md"
    copy.write_text(copy.read_text().replace("PASS", "FAIL"))
    [finding] = findings(golden, copy)
    assert finding.field.startswith("line ")
    assert 'verdict: "PASS"' in finding.expected


@pytest.mark.parametrize("read", [render_file, read_requirements])
def test_a_pipe_is_bad_usage_and_not_waited_for(
    golden: Golden, read: Callable[[Path], object]
) -> None:
    pipe = golden.run / "evidence/pipe.json"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="pipe"):
        read(pipe)


def test_a_list_of_bad_items_is_not_called_empty(tmp_path: Path) -> None:
    bad = tmp_path / "done.yaml"
    bad.write_text(
        "apiVersion: vpm.dev/v1\nkind: Requirements\nrequire:\n  - {kind: redy, subject: x}\n"
    )
    with pytest.raises(SpecError) as caught:
        read_requirements(bad)
    assert "redy" in str(caught.value) or "kind" in str(caught.value)
    assert "at least 1" not in str(caught.value)
