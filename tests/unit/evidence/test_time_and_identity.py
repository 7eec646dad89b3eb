"""Times that cannot be true, and evidence that is not whose it says it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.checks.identity import identity_findings
from harness.evidence.checks.load import Document, LoadedRun
from harness.evidence.checks.time import time_findings
from harness.evidence.ledger import LedgerEntry, PreviousEntry
from harness.evidence.model import Evidence, Window, encode
from harness.evidence.stamps import moment, moment_or_none, new_run_id, stamp_of, utc_text
from tests.support.stories import START, TOOL, SteppedClock, Story, documents

NOW = START + timedelta(hours=1)
COMMIT = "c0ffee" + "0" * 34
STORY = Story(tool=replace(TOOL, git_commit=COMMIT))
READY = documents(STORY)["ready"]
ENTRY = LedgerEntry(
    "vpm.ledger/v1", STORY.run_id, STORY.after(20), READY.cluster.uid if READY.cluster else "",
    (), (), (),
)  # fmt: skip


def run_of(document: Evidence, entry: LedgerEntry = ENTRY) -> LoadedRun:
    held = Document("evidence/x.json", encode(document), document)
    return LoadedRun(Path(STORY.run_id), STORY.run_id, entry, "e" * 64, (held,))


def late(
    document: Evidence = READY,
    entry: LedgerEntry = ENTRY,
    *,
    now: datetime = NOW,
    max_age: timedelta | None = None,
    known: dict[str, LedgerEntry] | None = None,
    commit: datetime = START - timedelta(days=1),
) -> list[str]:
    found = time_findings(
        run_of(document, entry),
        now=now,
        max_age=max_age,
        known=known or {},
        commits={COMMIT: commit},
    )
    return [finding.field for finding in found]


def foreign(document: Evidence = READY, *providers: str, **known: Any) -> list[str]:
    commits = known.get("commits", {COMMIT: START})
    run = run_of(document, known.get("entry", ENTRY))
    found = identity_findings(run, providers=frozenset(providers), commits=commits)
    return [finding.field for finding in found]


def test_a_true_document_has_no_findings() -> None:
    assert late() == []
    assert foreign() == []
    assert foreign(READY, "embedded") == []


def shifted(document: Evidence, by: timedelta) -> Evidence:
    """A local time under the label Z, as has happened."""
    end = utc_text(moment(document.captured_at) + by)
    window = Window(utc_text(moment(document.window.start) + by), end)
    return replace(document, captured_at=end, window=window)


@pytest.mark.parametrize("hours", [-9, 9, 30])
def test_a_time_shifted_by_hours_does_not_fit_the_id(hours: int) -> None:
    assert "captured_at" in late(
        shifted(READY, timedelta(hours=hours)), now=NOW + timedelta(days=9)
    )


def test_the_future_is_found() -> None:
    assert late(now=START) == ["written_at", "captured_at"]


def test_old_evidence_is_found_where_an_age_is_asked_for() -> None:
    later = NOW + timedelta(days=3)
    assert late(now=later) == []
    assert late(now=later, max_age=timedelta(days=4)) == []
    assert late(now=later, max_age=timedelta(days=2)) == ["captured_at"]


def test_nothing_is_captured_before_its_commit() -> None:
    assert late(commit=START + timedelta(hours=2)) == ["captured_at"]


def test_the_ledger_is_in_order() -> None:
    newer = replace(ENTRY, written_at=STORY.after(500))
    entry = replace(ENTRY, previous=(PreviousEntry("later", "f" * 64),))
    assert late(entry=entry, known={"f" * 64: newer}) == ["written_at"]
    assert late(entry=entry, known={"f" * 64: replace(newer, written_at=STORY.after(-9))}) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"captured_at": "yesterday"}, "captured_at"),
        ({"captured_at": "2026-11-20T09:30:16"}, "captured_at"),
        ({"captured_at": STORY.after(15)}, "captured_at"),
        ({"window": Window(STORY.after(40), STORY.after(16))}, "window.end"),
        ({"window": Window("now", STORY.after(16))}, "window.start"),
    ],
)
def test_moments_are_checked(change: dict[str, Any], field: str) -> None:
    assert field in late(replace(READY, **change))


def with_cluster(**change: Any) -> Evidence:
    assert READY.cluster is not None
    return replace(READY, cluster=replace(READY.cluster, **change))


def with_subject(**change: Any) -> Evidence:
    return replace(READY, subject=replace(READY.subject, **change))


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (with_cluster(uid="another"), "cluster_uid"),
        (with_cluster(uid=""), "cluster.uid"),
        (with_cluster(emulator=False), "cluster.emulator"),
        (with_cluster(provider="kind"), "cluster.emulator"),
        (with_cluster(context="<context>"), "cluster.context"),
        (with_subject(uid="another"), "subject.uid"),
        (with_subject(uid=""), "subject.uid"),
        (with_subject(image_digest=""), "subject.image_digest"),
        (with_subject(image_digest="sha256:TBD"), "subject.image_digest"),
        (with_subject(revision="{{ revision }}"), "subject.revision"),
        (replace(READY, run_id="another_run"), "run_id"),
        (replace(READY, tool=replace(READY.tool, git_commit="")), "tool.git_commit"),
        (replace(READY, tool=replace(READY.tool, git_commit="HEAD")), "tool.git_commit"),
        (replace(READY, tool=replace(READY.tool, git_commit="a" * 40)), "tool.git_commit"),
    ],
)
def test_a_false_identity_is_found(document: Evidence, field: str) -> None:
    assert field in foreign(document)


def test_a_gap_that_is_owned_up_to_is_none() -> None:
    open_about_it = replace(
        with_subject(image_digest=""), not_checked=("image digest: the cluster did not say",)
    )
    assert foreign(open_about_it) == []


def test_without_a_repository_the_commit_cannot_be_believed() -> None:
    assert foreign(commits=None) == ["tool.git_commit"]


@pytest.mark.parametrize("providers", [("kind",), ("kind", "existing")])
def test_an_emulator_never_passes_for_a_cluster(providers: tuple[str, ...]) -> None:
    assert foreign(READY, *providers) == ["cluster.provider", "cluster.emulator"]
    disguised = with_cluster(provider="kind")
    assert "cluster.emulator" in foreign(disguised, *providers)


def test_no_cluster_at_all_is_none_of_the_wanted() -> None:
    assert "cluster" in foreign(replace(READY, cluster=None), "kind")


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_run_id_carries_its_moment(at: datetime) -> None:
    run_id = new_run_id("goal m2/α", SteppedClock(at))
    assert stamp_of(run_id) == at.replace(microsecond=0)
    assert run_id.startswith("goal-m2_")


def test_run_ids_never_repeat() -> None:
    clock = SteppedClock()
    assert len({new_run_id("x", clock) for _ in range(200)}) == 200


@pytest.mark.parametrize("text", ["20261399T000000Z", "no stamp", "x20261120T0930Z", ""])
def test_what_is_no_stamp_is_none(text: str) -> None:
    assert stamp_of(text) is None


@given(st.text())
def test_reading_a_moment_never_fails_otherwise(text: str) -> None:
    assert moment_or_none(text) is None or moment(text).tzinfo is UTC


@pytest.mark.parametrize("stamp", ["20251115T183901Z", "20261122T093000Z", "20261120T092959Z"])
def test_a_contract_runs_within_its_run(stamp: str) -> None:
    assert READY.contract is not None
    contract = replace(READY.contract, run_id=f"apply_hello_dev_{stamp}")
    late_by_a_second = stamp == "20261120T092959Z"
    assert ("contract.run_id" in late(replace(READY, contract=contract))) != late_by_a_second
