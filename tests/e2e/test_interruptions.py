"""What a broken-off run leaves: its journal, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.verdict import Verdict
from harness.run.journal import JOURNAL, read_record
from tests.support.runs import (
    ROOT,
    Finished,
    finish,
    processes_mentioning,
    pytest_command,
    start,
    vpm_command,
    wait_for_step,
)
from tests.support.wait import eventually


@pytest.fixture(params=["pytest", "vpm"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    make = pytest_command if request.param == "pytest" else vpm_command
    return make("scenarios/goal_m2", reports=tmp_path / "reports")


def test_ctrl_c_leaves_no_process_and_no_half_written_file(
    command: list[str], tmp_path: Path
) -> None:
    process = start(command, home=tmp_path)
    folder = wait_for_step(tmp_path / "reports", "ready hello")
    assert processes_mentioning(str(tmp_path / "vpm-"))
    os.kill(process.pid, signal.SIGINT)
    result = finish(process, tmp_path / "reports")
    assert result.exit_code != 0
    assert "Traceback" not in result.text
    record = read_record(folder / JOURNAL)
    assert record.closed is not None
    assert record.closed.interrupted
    assert_nothing_runs(tmp_path)
    assert list(tmp_path.rglob(".writing-*")) == []


def test_a_killed_run_keeps_its_journal_and_can_be_judged(
    command: list[str], tmp_path: Path
) -> None:
    process = start(command, home=tmp_path)
    folder = wait_for_step(tmp_path / "reports", "probe hello")
    assert processes_mentioning(str(tmp_path / "vpm-"))
    os.kill(process.pid, signal.SIGKILL)
    finish(process, tmp_path / "reports")
    assert_nothing_runs(tmp_path)
    record = read_record(folder / JOURNAL)
    assert "ready hello" in record.steps
    assert record.closed is None
    judged = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "judge", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert judged.returncode in (Verdict.ERROR.exit_code, Verdict.INCONCLUSIVE.exit_code)
    assert "PASS ready hello" in judged.stdout
    assert "the run did not come to its own end" in judged.stdout


def test_two_runs_at_the_same_time_both_succeed(tmp_path: Path) -> None:
    started = []
    for name in ("one", "two"):
        reports = tmp_path / name / "reports"
        command = vpm_command("scenarios/goal_m2", reports=reports)
        started.append((start(command, home=tmp_path), reports))
    results: list[Finished] = [finish(process, reports) for process, reports in started]
    assert [result.exit_code for result in results] == [0, 0], results[0].text + results[1].text
    clusters = [result.record.cluster for result in results]
    assert len({cluster.identity.uid for cluster in clusters if cluster}) == 2


def assert_nothing_runs(folder: Path) -> None:
    """Every process that names a folder of the test ends."""
    eventually(
        lambda: not processes_mentioning(str(folder)),
        timeout=15,
        what=f"the end of {processes_mentioning(str(folder))}",
    )
