"""Branches of a repository that hold runs each, merged by git."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.evidence import EvidenceStore
from harness.evidence.history import HistoryPoint, append_points, read_points
from harness.evidence.ledger import document_heads
from harness.evidence.prune import prune
from harness.evidence.recover import recover
from harness.evidence.require import Requirements, unmet
from harness.evidence.store import RunFolder, read_ledger
from harness.evidence.verify import VerifyOptions, verify
from tests.support.golden import COPIES, NOW, Golden
from tests.support.stories import START, SteppedClock, Story, write_run

ROOT = Path(__file__).resolve().parents[3]
LATER = NOW + timedelta(hours=1)
OPTIONS = VerifyOptions(now=LATER)
PERSON = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


class Repository:
    """A git repository with reports in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reports = root / "reports"

    def git(self, *arguments: str, fails: bool = False) -> str:
        """What git says; it must end well unless it `fails`."""
        done = subprocess.run(
            ["git", *PERSON, *arguments],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert fails or done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def run(self, branch: str, story: Story) -> Path:
        """A run on a branch, committed; returns its folder."""
        self.git("checkout", "-q", branch)
        store = EvidenceStore(self.reports, SteppedClock(story.at + timedelta(seconds=20)))
        folder = write_run(store, story, COPIES)
        self.commit(story.run_id)
        return folder.path


@pytest.fixture
def branches(golden: Golden) -> tuple[Repository, Story, Story]:
    """Two branches of the golden repository with a run each, `ours` checked out."""
    repository = Repository(golden.reports.parent)
    repository.commit("two runs")
    repository.git("branch", "-m", "ours")
    repository.git("branch", "theirs")
    tool = golden.mended.tool
    mine = Story(at=START + timedelta(hours=2), tool=tool, suffix="aaaaaa")
    other = replace(mine, at=START + timedelta(hours=2, minutes=5), devbox=3, suffix="bbbbbb")
    repository.run("theirs", other)
    repository.run("ours", mine)
    return repository, mine, other


def conflicts(repository: Repository) -> set[str]:
    """The files that git could not merge by itself."""
    return set(repository.git("diff", "--name-only", "--diff-filter=U").split())


def test_runs_merge_without_a_conflict_and_the_next_names_both(
    branches: tuple[Repository, Story, Story],
) -> None:
    repository, mine, other = branches
    repository.git("merge", "-q", "--no-edit", "theirs", fails=True)
    assert all(not name.startswith("reports/runs/") for name in conflicts(repository))
    mend(repository, newest=other)
    known = read_ledger(repository.reports).values()
    next_one = Story(at=START + timedelta(hours=2, minutes=20), tool=mine.tool, suffix="cccccc")
    repository.run("ours", next_one)
    entry = next(
        one for one in read_ledger(repository.reports).values() if one.run_id == next_one.run_id
    )
    assert {before.run_id for before in entry.previous} == {mine.run_id, other.run_id}
    heads = document_heads(known)
    assert all(set(document.previous) == set(heads[document.claim]) for document in entry.documents)
    assert verify([repository.reports], options=OPTIONS) == ()


def mend(repository: Repository, *, newest: Story) -> None:
    """What a person does after a merge: either side of the copies, then the newest run's."""
    for name in conflicts(repository):
        repository.git("checkout", "--ours", "--", name)
    named = {finding.expected for finding in verify([repository.reports], options=OPTIONS)}
    folder = repository.reports / "runs" / newest.run_id
    if named:
        assert all(f"vpm evidence recover reports/runs/{newest.run_id}" in one for one in named)
        store = EvidenceStore(repository.reports, SteppedClock(LATER))
        recover(store, RunFolder(folder))
    repository.commit("merge")


def test_after_the_merge_the_copies_are_written_again(
    branches: tuple[Repository, Story, Story],
) -> None:
    repository, _, other = branches
    repository.git("merge", "-q", "--no-edit", "theirs", fails=True)
    assert conflicts(repository) != set()
    mend(repository, newest=other)
    assert verify([repository.reports], options=OPTIONS) == ()
    copy = (repository.reports / "phase2/hello_ready.md").read_text(encoding="utf-8")
    assert other.run_id in copy


@pytest.fixture
def attributed(golden: Golden) -> None:
    """The golden repository has the attributes that this one ships."""
    shutil.copy(ROOT / ".gitattributes", golden.reports.parent)


@pytest.mark.usefixtures("attributed")
def test_with_the_shipped_attributes_no_file_is_a_mixture(
    branches: tuple[Repository, Story, Story],
) -> None:
    repository, _, other = branches
    copies = [
        repository.root / name for name in repository.git("ls-files", "reports/phase2").split()
    ]
    ours = {path: path.read_bytes() for path in copies}
    repository.git("merge", "-q", "--no-edit", "theirs", fails=True)
    assert conflicts(repository) != set()
    assert {path: path.read_bytes() for path in copies} == ours
    mend(repository, newest=other)
    assert verify([repository.reports], options=OPTIONS) == ()


@pytest.mark.usefixtures("attributed")
def test_histories_of_both_branches_are_joined_and_read_by_time(
    branches: tuple[Repository, Story, Story],
) -> None:
    repository, mine, other = branches
    history = repository.reports / "sli/nightly.jsonl"
    for branch, story in (("theirs", mine), ("ours", other)):  # ours is the later one
        repository.git("checkout", "-q", branch)
        append_points(history, [point(story)])
        repository.commit(f"history of {branch}")
    repository.git("merge", "-q", "--no-edit", "theirs", fails=True)
    assert "reports/sli/nightly.jsonl" not in conflicts(repository)
    assert [found.run_id for found in read_points(history)] == [mine.run_id, other.run_id]
    mend(repository, newest=other)
    assert verify([repository.reports], options=OPTIONS) == ()


def point(story: Story) -> HistoryPoint:
    at = story.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return HistoryPoint(story.run_id, at, "default/hello", "devbox", total=20, valid=20, good=20)


def test_pruning_after_a_merge_keeps_the_newest_of_both_branches(
    branches: tuple[Repository, Story, Story],
) -> None:
    repository, mine, other = branches
    repository.git("merge", "-q", "--no-edit", "theirs", fails=True)
    mend(repository, newest=other)
    store = EvidenceStore(repository.reports, SteppedClock(LATER))
    required = Requirements.model_validate(
        {
            "apiVersion": "vpm.dev/v1",
            "kind": "Requirements",
            "require": [
                {"kind": "ready", "subject": "default/hello"},
                {"kind": "load", "subject": "default/hello"},
            ],
        }
    )
    removed = {one.run_id for one in prune(store, older_than=timedelta(0), requirements=[required])}
    assert removed.isdisjoint({mine.run_id, other.run_id})
    assert removed
    assert verify([repository.reports], options=OPTIONS) == ()
    assert unmet(required, repository.reports, OPTIONS) == ()


def test_a_run_that_a_merge_lost_is_found(branches: tuple[Repository, Story, Story]) -> None:
    repository, mine, other = branches
    repository.git("merge", "-q", "--no-edit", "theirs", fails=True)
    mend(repository, newest=other)
    repository.run("ours", replace(mine, at=START + timedelta(hours=2, minutes=20)))
    shutil.rmtree(repository.reports / "runs" / other.run_id)
    found = {finding.rule for finding in verify([repository.reports], options=OPTIONS)}
    assert "ledger" in found
