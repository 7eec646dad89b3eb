"""The incident that started it all: READY=True, and nothing reaches it from the devbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.judge import judge_ended
from harness.core.observation import ProbeObserved
from harness.core.plan import make_plan
from harness.core.verdict import StepVerdict, Verdict
from tests.support.runs import Finished, finish, pytest_command, start

BROKEN = "the devbox gets nothing while the cluster is well"


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("incident")
    command = pytest_command("scenarios/metrics_echo", reports=home / "reports")
    return finish(start(command, home=home), home / "reports")


def verdicts(run: Finished) -> dict[str, StepVerdict]:
    plan = make_plan(run.record.opened.plan, run.record.opened.source)
    return {step.step: step for step in judge_ended(plan, run.record).steps}


def test_the_drill_ends_as_expected_and_says_that_it_is_one(incident: Finished) -> None:
    assert incident.exit_code == 0, incident.text
    assert "metrics_echo: INCONCLUSIVE, as the scenario expects" in incident.stdout


def test_with_the_gateway_stopped_only_the_cluster_itself_reaches_the_service(
    incident: Finished,
) -> None:
    seen = incident.record.steps[BROKEN].observations
    good = {probe.vantage: probe.good for probe in seen if isinstance(probe, ProbeObserved)}
    assert good == {"in-cluster": 20, "gateway": 0, "devbox": 0}


def test_the_verdict_names_the_hop_and_what_to_do_next(incident: Finished) -> None:
    service = verdicts(incident)[BROKEN].claims[0]
    assert (service.name, service.verdict) == ("service", Verdict.INCONCLUSIVE)
    assert (service.vantage, service.hop) == ("devbox", "connect")
    assert "20/20 ok from in-cluster" in service.confirms
    assert service.next_step


def test_it_passes_once_the_gateway_is_exposed(incident: Finished) -> None:
    assert verdicts(incident)["every vantage reaches it"].verdict is Verdict.PASS


def test_ready_was_true_all_the_time(incident: Finished) -> None:
    claims = verdicts(incident)[BROKEN].claims
    assert [claim.verdict for claim in claims if claim.name == "ready"] == [Verdict.PASS]


def test_the_evidence_of_the_incident_is_kept(incident: Finished) -> None:
    copy: Path = incident.reports / "metrics-echo" / "metrics_echo_sli_incident.md"
    assert copy.read_text(encoding="utf-8").startswith("---\n")
