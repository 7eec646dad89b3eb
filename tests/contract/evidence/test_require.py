"""The definition of done, and pruning that keeps what it needs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.core.errors import SpecError, UsageError
from harness.evidence.prune import prune
from harness.evidence.require import read_requirements, unmet
from harness.evidence.store import EvidenceStore
from harness.evidence.verify import verify
from tests.support.golden import COPIES, NOW, Golden
from tests.support.stories import SteppedClock, write_run

HEAD = "apiVersion: vpm.dev/v1\nkind: Requirements\nrequire:\n"


def missing(golden: Golden, tmp_path: Path, *items: str) -> list[str]:
    file = tmp_path / "required.yaml"
    file.write_text(HEAD + "".join(f"  - {{{item}}}\n" for item in items))
    found = unmet(read_requirements(file), golden.reports, golden.options())
    return [f"{finding.field}: {finding.found}" for finding in found if finding.rule == "require"]


READY = "kind: ready, subject: default/hello"
SLI = "kind: sli, subject: default/hello"


@pytest.mark.parametrize(
    "item",
    [
        READY,
        f"{READY}, verdict: PASS, max_age: 3h",
        f"{READY}, providers: [embedded]",
        f"{SLI}, objectives: [{{vantage: devbox, metric: success, target: 99%}}]",
        f"{SLI}, objectives: [{{vantage: devbox, metric: latency, threshold: 500ms, target: 1}}]",
        "kind: contradiction, subject: default/hello, verdict: INCONCLUSIVE",
    ],
)
def test_what_is_there_is_enough(untouched: Golden, tmp_path: Path, item: str) -> None:
    assert missing(untouched, tmp_path, item) == []


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (f"{READY}, verdict: FAIL", "require.0.verdict: PASS in "),
        (f"{READY}, max_age: 1h", "require.0.max_age: 1:59:44 old in "),
        (f"{READY}, providers: [kind]", "require.0: only from embedded"),
        (f"{READY}, providers: [kind, existing]", "require.0: only from embedded"),
        ("kind: ready, subject: default/other", "require.0: none"),
        ("kind: coldstart, subject: default/hello", "require.0: none"),
        (
            f"{SLI}, objectives: [{{vantage: node, metric: success, target: 99%}}]",
            "require.0.objectives.0: not measured",
        ),
    ],
)
def test_what_is_not_enough_is_named(
    untouched: Golden, tmp_path: Path, item: str, found: str
) -> None:
    [told] = missing(untouched, tmp_path, item)
    assert told.startswith(found)


def test_the_newest_counts_not_the_best(golden: Golden, tmp_path: Path) -> None:
    clock = SteppedClock(golden.mended.at + timedelta(minutes=30, seconds=20))
    worse = replace(golden.broken, at=golden.mended.at + timedelta(minutes=30), suffix="a7a7a7")
    write_run(EvidenceStore(golden.reports, clock), replace(worse, devbox=13), COPIES)
    objective = (
        f"{SLI}, verdict: FAIL, objectives: [{{vantage: devbox, metric: success, target: 70%}}]"
    )
    told = missing(golden, tmp_path, objective)
    assert [line.split(" in ")[0] for line in told] == ["require.0.objectives.0: 0.65"]


def test_edited_evidence_does_not_count(golden: Golden, tmp_path: Path) -> None:
    for folder in (golden.first, golden.run):
        document = folder / "evidence/default.hello.ready.json"
        document.write_bytes(document.read_bytes().replace(b"hello-00001", b"hello-00002", 1))
    assert missing(golden, tmp_path, READY) == ["require.0: none"]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "empty"),
        ("[", "1:"),
        ("kind: Requirements\n", "apiVersion"),
        (f"{HEAD}  - {{kind: vibe, subject: x}}\n", "require.0.kind"),
        (f"{HEAD}  - {{kind: ready}}\n", "require.0.subject"),
        (f"{HEAD}  - {{kind: ready, subject: x, max_age: 5}}\n", "not a duration"),
        (f"{HEAD}  - {{kind: ready, subject: x, colour: red}}\n", "colour"),
        ("apiVersion: vpm.dev/v1\nkind: Requirements\nrequire: []\n", "at least 1"),
    ],
)
def test_a_bad_list_is_refused_with_its_place(tmp_path: Path, text: str, about: str) -> None:
    file = tmp_path / "required.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as refused:
        read_requirements(file)
    assert about in str(refused.value)
    assert f"{file}:" in str(refused.value)


def test_a_list_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_requirements(tmp_path / "none.yaml")


def pruned(golden: Golden, *lists: Path, dry_run: bool = False) -> list[str]:
    store = EvidenceStore(golden.reports, SteppedClock(NOW))
    requirements = [read_requirements(file) for file in lists]
    found = prune(store, older_than=timedelta(hours=1), requirements=requirements, dry_run=dry_run)
    return [one.run_id for one in found]


def with_a_later_incident(golden: Golden) -> None:
    """A newer run with a contradiction, so that nothing needs the first one any more."""
    later = replace(golden.broken, at=golden.mended.at + timedelta(hours=1), suffix="b8b8b8")
    clock = SteppedClock(later.at + timedelta(seconds=20))
    write_run(EvidenceStore(golden.reports, clock), later, COPIES)


def test_the_newest_evidence_of_each_claim_is_kept(golden: Golden) -> None:
    # The earlier run holds the only contradiction, the later one all else.
    assert pruned(golden) == []


def test_what_nothing_needs_goes_and_the_rest_still_verifies(golden: Golden) -> None:
    with_a_later_incident(golden)
    assert pruned(golden, dry_run=True) == [golden.first.name, golden.run.name]
    assert pruned(golden) == [golden.first.name, golden.run.name]
    left = sorted(path.name for path in golden.run.iterdir())
    assert left == ["ledger.json", "pruned.json"]
    assert verify([golden.reports], options=golden.options()) == ()
    assert pruned(golden) == []


def test_a_list_keeps_what_it_needs(golden: Golden, tmp_path: Path) -> None:
    kind = replace(golden.mended, at=golden.mended.at + timedelta(minutes=5), provider="kind")
    clock = SteppedClock(kind.at + timedelta(seconds=20))
    write_run(EvidenceStore(golden.reports, clock), kind)
    with_a_later_incident(golden)
    file = tmp_path / "required.yaml"
    file.write_text(f"{HEAD}  - {{{READY}, providers: [kind]}}\n")
    assert kind.run_id in pruned(golden, dry_run=True)
    assert kind.run_id not in pruned(golden, file)


def test_pruning_that_was_interrupted_goes_on(golden: Golden) -> None:
    with_a_later_incident(golden)
    before = golden.first.with_name("kept")
    shutil.copytree(golden.first, before)
    pruned(golden)
    shutil.copytree(before / "raw", golden.first / "raw")
    shutil.rmtree(before)
    assert verify([golden.reports], options=golden.options()) == ()
    assert pruned(golden) == [golden.first.name]
    assert not (golden.first / "raw").exists()


def test_a_tombstone_for_another_entry_is_found(golden: Golden) -> None:
    with_a_later_incident(golden)
    pruned(golden)
    shutil.copy(golden.first / "pruned.json", golden.run / "pruned.json")
    [finding] = verify([golden.reports], options=golden.options())
    assert finding.field == "ledger_sha256"
