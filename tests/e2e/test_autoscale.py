"""Autoscaling and a cold start, from a real run: scaled up, down to zero, and up again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.observation import ColdStartObserved, LoadObserved
from harness.evidence.checks.load import load_documents
from harness.evidence.model import Evidence
from tests.support.runs import Finished, finish, start, vpm_command


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("scaled")
    reports = home / "reports"
    command = vpm_command("scenarios/autoscale_hello", "--time-scale=10", reports=reports)
    return finish(start(command, home=home), reports)


@pytest.fixture(scope="module")
def evidence(scaled: Finished) -> dict[str, Evidence]:
    return {document.kind: document for document in load_documents(scaled.folder)}


def test_it_passes(scaled: Finished) -> None:
    assert scaled.exit_code == 0, scaled.text
    assert "PASS: all 7 steps passed" in scaled.stdout


def test_several_pods_were_ready_at_one_time(evidence: dict[str, Evidence]) -> None:
    load = evidence["autoscale"].load
    assert isinstance(load, LoadObserved)
    assert max(pods for _, pods in load.replicas) >= 2
    assert load.replicas[0][1] <= 1
    assert evidence["autoscale"].claim.verdict == "PASS"


def test_the_time_of_the_cold_start_is_told_by_its_phases(evidence: dict[str, Evidence]) -> None:
    cold = evidence["coldstart"].coldstart
    assert isinstance(cold, ColdStartObserved)
    assert sum(seconds for _, seconds in cold.phases) == pytest.approx(cold.seconds, abs=0.001)
    assert cold.phases[-1][0] == "answer"
    assert [seen.probe.good for seen in evidence["coldstart"].vantages] == [1]


@pytest.mark.parametrize("name", ["hello_autoscale", "hello_coldstart"])
def test_the_copies_that_people_know_are_there(scaled: Finished, name: str) -> None:
    folder: Path = scaled.reports / "autoscale"
    assert json.loads((folder / f"{name}.json").read_bytes())["claim"]["verdict"] == "PASS"
    assert (folder / f"{name}.md").read_text(encoding="utf-8").startswith("---\n")


def test_all_of_it_verifies(scaled: Finished, tmp_path: Path) -> None:
    command = ["harness.cli.main", "evidence", "verify", str(scaled.reports)]
    verified = finish(start(command, home=tmp_path), scaled.reports)
    assert verified.exit_code == 0, verified.text
    assert "0 findings in 1 runs, 6 documents, 2 copies" in verified.stdout
