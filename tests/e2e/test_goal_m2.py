"""The main job, end to end, as a newcomer starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.core.observation import ContractObserved, ProbeObserved, ServiceObserved
from harness.core.record import RunRecord
from harness.spec.words import ExitCode
from tests.support.runs import (
    ROOT,
    Finished,
    environment,
    finish,
    processes_mentioning,
    pytest_command,
    start,
    vpm_command,
)

STEPS = 12


@pytest.fixture(scope="module")
def by_pytest(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("pytest")
    reports = home / "reports"
    junit = f"--junit-xml={home / 'junit.xml'}"
    command = pytest_command("scenarios/goal_m2", "-v", junit, reports=reports)
    return finish(start(command, home=home), reports)


@pytest.fixture(scope="module")
def by_vpm(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("vpm")
    reports = home / "reports"
    return finish(start(vpm_command("scenarios/goal_m2", reports=reports), home=home), reports)


def test_it_passes_and_says_which_cluster_and_why(by_pytest: Finished) -> None:
    assert by_pytest.exit_code == ExitCode.PASS, by_pytest.text
    assert f"{STEPS} passed" in by_pytest.stdout
    assert "vpm: embedded cluster (" in by_pytest.stdout
    assert "scenarios/goal_m2/scenario.yaml::probe metrics-echo PASSED" in by_pytest.stdout


def test_vpm_run_does_the_same(by_vpm: Finished) -> None:
    assert by_vpm.exit_code == ExitCode.PASS, by_vpm.text
    assert by_vpm.stdout.count("PASS ") == STEPS
    assert "PASS: all 12 steps passed" in by_vpm.stdout


def test_both_loops_leave_the_same_record(by_pytest: Finished, by_vpm: Finished) -> None:
    assert shape(by_pytest.record) == shape(by_vpm.record)


def shape(record: RunRecord) -> list[object]:
    """A record without what differs from run to run: times, ids and latencies."""
    seen: list[object] = [record.opened.scenario, record.opened.plan_sha256]
    for step in record.steps.values():
        seen.append(step.step)
        for observation in step.observations:
            match observation:
                case ProbeObserved():
                    seen.append((observation.vantage, dict(observation.outcomes)))
                case ServiceObserved():
                    seen.append((observation.service, observation.generation))
                case ContractObserved():
                    seen.append((observation.mode, observation.state))
                case other:
                    seen.append(other.kind)
    return seen


def test_each_service_was_probed_from_three_vantages(by_pytest: Finished) -> None:
    steps = by_pytest.record.steps
    for service in ("hello", "metrics-echo"):
        probes = [
            seen
            for seen in steps[f"probe {service}"].observations
            if isinstance(seen, ProbeObserved)
        ]
        counts = {seen.vantage: (seen.good, seen.total) for seen in probes}
        assert counts == dict.fromkeys(("in-cluster", "gateway", "devbox"), (20, 20))
        (inside,) = [seen for seen in probes if seen.vantage == "in-cluster"]
        assert inside.identity is not None
        assert inside.identity.pod


def test_the_dry_run_showed_a_diff_and_changed_nothing(by_pytest: Finished) -> None:
    (seen,) = by_pytest.record.steps["preview hello"].observations
    assert isinstance(seen, ContractObserved)
    assert seen.state == "previewed"
    assert "+  name: hello" in seen.diff
    assert set(seen.unchanged) == {"cluster", "inbox"}


def test_ready_at_the_current_generation(by_pytest: Finished) -> None:
    for service in ("hello", "metrics-echo"):
        (seen,) = by_pytest.record.steps[f"ready {service}"].observations
        assert isinstance(seen, ServiceObserved)
        assert seen.generation == seen.observed_generation >= 1
        assert seen.mismatches == ()


def test_a_second_exec_is_refused(by_pytest: Finished) -> None:
    (seen,) = by_pytest.record.steps["refuse a second apply of hello"].observations
    assert isinstance(seen, ContractObserved)
    assert seen.state == "refused"
    assert "already_done" in seen.reason


def test_the_runner_left_its_files(by_pytest: Finished) -> None:
    folders = sorted((by_pytest.reports / "codex_runs").glob("apply_*"))
    assert len(folders) >= 2
    complete = [
        folder
        for folder in folders
        if {"run.log", "apply.log", "after.yaml", "status.json"}
        <= {path.name for path in folder.iterdir()}
    ]
    assert len(complete) == 2
    for folder in complete:
        assert "[EXEC] kubectl apply" in (folder / "run.log").read_text(encoding="utf-8")
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        assert status["state"] == "succeeded"


@pytest.mark.parametrize(
    "name",
    [
        "phase2/hello_ready",
        "metrics-echo/metrics_echo_ready_status_goal_m2",
        "metrics-echo/metrics_echo_sli_goal_m2",
    ],
)
def test_evidence_is_published_as_markdown_and_json(by_pytest: Finished, name: str) -> None:
    path = by_pytest.reports / name
    document = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert document["claim"]["verdict"] == "PASS"
    assert "PASS" in path.with_suffix(".md").read_text(encoding="utf-8")


def test_evidence_verifies_and_an_edit_is_found(by_pytest: Finished) -> None:
    verify = [
        sys.executable,
        "-m",
        "harness.cli.main",
        "evidence",
        "verify",
        f"--repository={ROOT}",
    ]
    good = subprocess.run(
        [*verify, str(by_pytest.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert good.returncode == 0, good.stdout + good.stderr


def test_junit_names_the_steps(by_pytest: Finished) -> None:
    cases = ElementTree.parse(by_pytest.reports.parent / "junit.xml").iter("testcase")
    names = [case.get("name") for case in cases]
    assert len(names) == STEPS
    assert "probe metrics-echo" in names


def test_nothing_is_left_running(by_pytest: Finished, by_vpm: Finished) -> None:
    for run in (by_pytest, by_vpm):
        cluster = run.record.cluster
        assert cluster is not None
        assert processes_mentioning(str(run.reports.parent)) == []


def test_a_run_adds_at_most_200_kb_to_reports(by_pytest: Finished, by_vpm: Finished) -> None:
    """The copies are not added: each run writes them again in the same place."""
    for run in (by_pytest, by_vpm):
        folders = [run.reports / name for name in ("runs", "codex_runs")]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) <= 200_000


def test_judging_the_folder_again_gives_the_same_verdict(by_pytest: Finished) -> None:
    judge = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "judge", str(by_pytest.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert judge.returncode == 0
    assert "PASS: all 12 steps passed" in judge.stdout


def test_the_inbox_of_the_repository_is_not_touched(by_pytest: Finished) -> None:
    inbox = ROOT / "codex" / "inbox"
    assert not list(inbox.glob("*.json"))
    assert by_pytest.exit_code == 0


def test_one_step_sets_up_what_it_needs_without_reporting_it(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    command = pytest_command("scenarios/goal_m2", "-k", "probe and hello", reports=reports)
    result = finish(start(command, home=tmp_path), reports)
    assert result.exit_code == 0, result.text
    assert "1 passed, 11 deselected" in result.stdout
    assert list(result.record.steps) == [
        "cluster vpm-mini",
        "preview hello",
        "apply hello",
        "ready hello",
        "probe hello",
    ]


def test_a_kept_cluster_is_used_again_and_a_noop_says_so(tmp_path: Path) -> None:
    uids = []
    try:
        for number in range(2):
            reports = tmp_path / f"reports-{number}"
            command = vpm_command("scenarios/goal_m2", "--keep=always", reports=reports)
            result = finish(start(command, home=tmp_path), reports)
            assert result.exit_code == 0, result.text
            assert result.record.cluster is not None
            uids.append(result.record.cluster.identity.uid)
    finally:
        down = subprocess.run(
            [
                sys.executable,
                "-m",
                "harness.cli.main",
                "cluster",
                "down",
                "vpm-mini",
                f"--confirm={uids[0] if uids else ''}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
            env=environment(tmp_path),
        )
    assert uids[0] == uids[1]
    (second,) = result.record.steps["apply hello"].observations
    assert isinstance(second, ContractObserved)
    assert second.state == "noop"
    assert down.returncode == 0, down.stderr
    assert processes_mentioning(str(tmp_path)) == []
