"""The store: files whole or absent, folders that only grow, runs that never mix."""

from __future__ import annotations

import gzip
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from harness.core.errors import EnvironmentProblem, UsageError
from harness.evidence import EvidenceStore, RunFolder, new_run_id
from harness.evidence.diagnostics import BUNDLE_LIMIT, FILE_LIMIT
from harness.evidence.history import read_points
from harness.evidence.ledger import LedgerEntry
from harness.evidence.store import read_ledger
from harness.evidence.verify import VerifyOptions, verify
from tests.support.secrets import ENCODED, FORMS, PLANTED
from tests.support.stories import START, Paper, SteppedClock, Story, write_run
from tests.support.wait import eventually


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "reports", SteppedClock(START + timedelta(seconds=20)))


@pytest.fixture
def folder(store: EvidenceStore) -> RunFolder:
    return store.open_run("run_20261120T093000Z_aaaaaa")


def test_a_run_is_opened_once(store: EvidenceStore, folder: RunFolder) -> None:
    with pytest.raises(UsageError, match="already there"):
        store.open_run(folder.run_id)
    assert store.run(folder.run_id).path == folder.path


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    clock = SteppedClock(START)
    with pytest.raises(EnvironmentProblem, match="reports cannot be written to") as caught:
        EvidenceStore(tmp_path / "reports", clock).open_run("run_20261120T093000Z_aaaaaa")
    assert "--vpm-reports" in (caught.value.mend or "")


@pytest.mark.parametrize("run_id", ["", "..", "a/b", "/abs", ".hidden", "x" * 200, "a\0b"])
def test_an_id_that_is_no_folder_name_is_refused(store: EvidenceStore, run_id: str) -> None:
    with pytest.raises(UsageError, match="not a run id"):
        store.open_run(run_id)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", ".", "link/x"])
def test_nothing_is_written_outside(folder: RunFolder, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder.path / "link").symlink_to(outside)
    with pytest.raises(UsageError):
        folder.add(name, b"x")
    assert list(outside.iterdir()) == []


def test_a_file_is_added_once_and_never_changed(folder: RunFolder) -> None:
    folder.add("a/b.txt", b"first")
    with pytest.raises(UsageError, match="only adds"):
        folder.add("a/b.txt", b"second")
    assert (folder.path / "a/b.txt").read_bytes() == b"first"
    assert [file.path for file in folder.files()] == ["a/b.txt"]


def test_compression_is_deterministic(folder: RunFolder) -> None:
    first = folder.artefact("one.jsonl", b"{}\n" * 1000, compress=True)
    second = folder.artefact("two.jsonl", b"{}\n" * 1000, compress=True)
    assert first.path == "one.jsonl.gz"
    assert first.sha256 == second.sha256
    assert first.bytes < 100
    assert gzip.decompress((folder.path / first.path).read_bytes()) == b"{}\n" * 1000


def test_generated_files_are_replaced_but_never_in_a_run(
    store: EvidenceStore, folder: RunFolder
) -> None:
    target = store.reports / "phase2/hello.md"
    store.write(target, b"old")
    store.write(target, b"new")
    assert target.read_bytes() == b"new"
    with pytest.raises(UsageError, match="only grows"):
        store.write(folder.path / "x", b"")


def _write_for_ever(path: Path) -> None:
    folder = RunFolder(path)
    for number in range(100_000):
        folder.add(f"{number}.bin", b"x" * 200_000)


def test_a_killed_writer_leaves_no_half_file(folder: RunFolder) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_write_for_ever, args=(folder.path,)
    )
    process.start()
    eventually(lambda: len(folder.files()) >= 5, timeout=60)
    process.kill()
    process.join(30)
    assert {file.bytes for file in folder.files()} == {200_000}


def test_two_runs_at_once_never_mix_and_the_next_names_both(tmp_path: Path) -> None:
    stories = [Story(suffix=f"{number:06x}") for number in range(4)]
    reports = tmp_path / "reports"
    EvidenceStore(reports, SteppedClock()).open_run("unfinished")

    def write(story: Story) -> RunFolder:
        return write_run(EvidenceStore(reports, SteppedClock(START + timedelta(seconds=20))), story)

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(write, stories))
    last = write_run(
        EvidenceStore(reports, SteppedClock(START + timedelta(seconds=320))),
        Story(at=START + timedelta(seconds=300), suffix="ffffff"),
    )
    known = read_ledger(reports)
    entry = next(entry for entry in known.values() if entry.run_id == last.run_id)
    assert len(known) == 5
    assert named(known, entry) == {folder.run_id for folder in written}
    options = VerifyOptions(now=START + timedelta(hours=1))
    for folder in (*written, last):
        rules = {finding.rule for finding in verify([folder.path], options=options)}
        assert rules <= {"duplicate"}  # four runs of one story have the same samples


def named(known: dict[str, LedgerEntry], entry: LedgerEntry) -> set[str]:
    """Every run that an entry names, directly or not."""
    found = {before.run_id for before in entry.previous}
    for before in entry.previous:
        found |= named(known, known[before.sha256])
    return found


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_planted_secret_is_anywhere_below_the_run(
    store: EvidenceStore, folder: RunFolder, tmp_path: Path, form: str
) -> None:
    collected = tmp_path / "collected"
    (collected / "pods").mkdir(parents=True)
    (collected / "pods/hello.log").write_text(f"start\n{FORMS[form]}\nend\n")
    folder.adopt(collected, "diagnostics")
    folder.artefact("raw/describe.txt", FORMS[form].encode())
    folder.artefact("samples/devbox.jsonl", FORMS[form].encode(), compress=True)
    kept = list(store.reports.rglob("*.*"))
    assert len([path for path in kept if path.is_file()]) == 3
    for path in filter(Path.is_file, kept):
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        for secret in (PLANTED, ENCODED, PLANTED.replace("-", "_"), "a1B2a1B2", "AKIAABCDEFGH"):
            assert secret not in text, path


def test_diagnostics_are_bounded_and_follow_no_link(folder: RunFolder, tmp_path: Path) -> None:
    collected = tmp_path / "collected"
    collected.mkdir()
    for number in range(12):
        (collected / f"{number:02}.log").write_bytes(b"x" * (FILE_LIMIT + 5000) + b"\nthe end\n")
    (collected / "link").symlink_to("/etc/passwd")
    kept = folder.adopt(collected, "diagnostics")
    assert sum(file.bytes for file in kept) <= BUNDLE_LIMIT + 1000
    first = (folder.path / "diagnostics/00.log").read_bytes()
    assert first.startswith(b"(5009 bytes before this were left out)\n")
    assert first.endswith(b"\nthe end\n")
    left_out = (folder.path / "diagnostics/left-out.txt").read_text().split()
    assert "link" in left_out
    assert "11.log" in left_out


def test_a_history_grows_and_shows_its_trend(store: EvidenceStore) -> None:
    story = Story(devbox=10)
    paper = Paper(story.run_id)
    probes = [story.probe(paper, "devbox", 10), story.probe(paper, "in-cluster", 20)]
    first = store.append_history("nightly", "run1", probes)
    assert first[0].startswith("default/hello from devbox: 10/20 = 50.00%")
    assert first[0].endswith("first run")
    second = store.append_history("nightly", "run2", [story.probe(paper, "devbox", 20)])
    assert "20/20 = 100.00%" in second[0]
    assert "before, 1 runs: 10/20" in second[0]


def test_a_torn_last_line_of_a_history_is_healed(store: EvidenceStore) -> None:
    story = Story()
    probes = [story.probe(Paper(story.run_id), "devbox", 20)]
    store.append_history("nightly", "run1", probes)
    path = store.reports / "sli/nightly.jsonl"
    path.write_bytes(path.read_bytes() + b'{"run_id": "run2", "at": "2026')
    store.append_history("nightly", "run3", probes)
    assert [point.run_id for point in read_points(path)] == ["run1", "run3"]


def test_histories_of_many_writers_never_mix(store: EvidenceStore) -> None:
    story = Story()
    probes = [story.probe(Paper(story.run_id), "devbox", 20)] * 3
    names = [new_run_id("nightly", store.clock) for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.append_history("n", name, probes), names))
    points = read_points(store.reports / "sli/n.jsonl")
    assert sorted({point.run_id for point in points}) == sorted(names)
    assert len(points) == 60


def test_a_history_stays_in_its_folder(store: EvidenceStore) -> None:
    with pytest.raises(UsageError):
        store.append_history("../escape", "run1", [])


def test_one_run_stays_small(store: EvidenceStore) -> None:
    folder = write_run(store, Story())
    assert sum(file.bytes for file in folder.files()) < 200_000
