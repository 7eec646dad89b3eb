"""Commits in a real repository, samples in real files, paths as people name them."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import CommandError
from harness.evidence.checks.samples import Unreadable, compared, count_samples
from harness.evidence.commits import commit_times, repository_of
from harness.evidence.targets import find_targets
from tests.support.golden import Golden
from tests.support.stories import START, Paper, Story


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, input=stdin
    )
    return answer.stdout.decode().strip()


def test_a_commit_has_its_time(untouched: Golden) -> None:
    commit = untouched.broken.tool.git_commit
    repository = repository_of(untouched.reports)
    assert repository == untouched.reports.parent
    assert commit_times(repository, [commit, commit]) == {commit: START - timedelta(days=1)}


@pytest.mark.parametrize("commit", ["0" * 40, "f" * 64])
def test_a_commit_that_is_not_there_has_none(untouched: Golden, commit: str) -> None:
    assert commit_times(untouched.reports.parent, [commit]) == {commit: None}


def test_a_blob_is_no_commit(golden: Golden) -> None:
    repository = golden.reports.parent
    commit = golden.broken.tool.git_commit
    stdin = b"committer x <x> 1700000000 +0000\n"
    blob = git(repository, "hash-object", "-w", "--stdin", stdin=stdin)
    found = commit_times(repository, [blob, commit])
    assert found[blob] is None
    assert found[commit] is not None


@pytest.mark.parametrize("text", ["", "HEAD", "main\n--all", "../x", "A" * 40])
def test_only_full_ids_are_looked_up(untouched: Golden, text: str) -> None:
    assert commit_times(untouched.reports.parent, [text]) == {}


def test_a_folder_outside_any_repository_has_none(tmp_path: Path) -> None:
    assert repository_of(tmp_path) is None


def test_a_broken_repository_is_an_error_with_its_mend(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(CommandError, match="--repository"):
        commit_times(tmp_path, ["0" * 40])


def lines(*outcomes: str) -> bytes:
    head = json.dumps({"record": "start", "version": 1})
    tail = json.dumps({"record": "summary"})
    samples = [json.dumps({"record": "sample", "outcome": outcome}) for outcome in outcomes]
    return "\n".join([head, *samples, tail, ""]).encode()


@pytest.mark.parametrize("compressed", [True, False])
def test_samples_are_counted_whatever_stands_around_them(tmp_path: Path, compressed: bool) -> None:
    content = lines("ok", "ok", "reset")
    path = tmp_path / ("s.jsonl.gz" if compressed else "s.jsonl")
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert count_samples(path).outcomes == {"ok": 2, "reset": 1}


@pytest.mark.parametrize(
    "content",
    [b"{}\n", b"[]\n", b"no\n", b'{"outcome": ["x"]}\n', b"\xff\n", b'"text"\n'],
)
def test_what_is_no_sample_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="not a sample"):
        count_samples(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(cut=st.integers(0, 200))
def test_a_cut_file_is_unreadable(tmp_path: Path, cut: int) -> None:
    content = gzip.compress(lines(*["ok"] * 50), mtime=0)
    path = tmp_path / "s.jsonl.gz"
    path.write_bytes(content[: max(1, len(content) - 1 - cut)])
    with pytest.raises(Unreadable, match="cannot be read"):
        count_samples(path)


@pytest.mark.parametrize(
    ("named", "runs", "copies", "whole"),
    [
        ("", 2, 0, True),
        ("runs", 2, 0, True),
        ("runs/{run}", 1, 0, False),
        ("runs/{run}/samples/devbox.jsonl.gz", 1, 0, False),
        ("phase2", 0, 1, False),
        ("phase2/hello_ready.md", 0, 1, False),
    ],
)
def test_paths_are_understood(
    untouched: Golden, named: str, runs: int, copies: int, whole: bool
) -> None:
    targets = find_targets([untouched.reports / named.format(run=untouched.run.name)])
    assert targets.findings == ()
    [wanted] = targets.reports.values()
    assert (len(wanted.runs), len(set(wanted.copies)), wanted.whole) == (runs, copies, whole)


def test_two_paths_of_one_run_mean_it_once(untouched: Golden) -> None:
    targets = find_targets([untouched.run / "raw", untouched.run / "journal.jsonl"])
    assert [wanted.runs for wanted in targets.reports.values()] == [[untouched.run]]


def test_a_relative_path_is_understood(untouched: Golden, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(untouched.reports)
    assert list(find_targets([link]).reports) == [untouched.reports]


def test_samples_of_another_probe_are_told(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl.gz"
    lines = [{"record": "sample", "target": "01-hello-devbox", "outcome": "ok"}] * 2
    file.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in lines).encode()))
    count = count_samples(file)
    assert (dict(count.outcomes), count.targets) == ({"ok": 2}, {"01-hello-devbox"})
    probe = Story().probe(Paper("x"), "devbox", 2)
    for name, fields in (("01-hello-devbox", []), ("02-other", ["v.samples"])):
        asked = replace(probe, outcomes={"ok": 2}, first_ids={"ok": f"{name}#0"})
        assert [finding.field for finding in compared("f", "v", asked, count)] == fields
