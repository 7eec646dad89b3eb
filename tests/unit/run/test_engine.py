"""The engine: steps once and in order, what they need first, and a journal of everything."""

from __future__ import annotations

import errno
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from harness.core.errors import UsageError
from harness.core.observation import (
    ContractObserved,
    ErrorObserved,
    LoadObserved,
    ServiceObserved,
)
from harness.core.plan import make_plan
from harness.core.record import Event, StepStarted
from harness.core.verdict import Verdict
from harness.run.engine import Run
from harness.run.journal import JOURNAL, read_record
from harness.spec.words import ExitCode
from tests.support.fakes import (
    NOT_READY,
    FakeCluster,
    FakeEvidence,
    FakeFolder,
    FakeTools,
    fake_settings,
    probed,
)

HEAD = """\
apiVersion: vpm.dev/v1
kind: Scenario
name: sample
services:
  hello: {manifest: hello.yaml}
steps:
"""
CHAIN = """\
- name: apply
  contract: {file: apply.json, mode: exec}
- name: ready
  needs: [apply]
  ready: {service: hello}
- name: probe
  needs: [ready]
  probe: {service: hello, vantages: [devbox, in-cluster]}
"""
ALL = ["cluster vpm-mini", "apply", "ready", "probe"]


class OpenRun(Protocol):
    """Opens a run of some steps; it is closed at the end of the test."""

    def __call__(
        self,
        steps: str,
        *,
        tools: FakeTools | None = ...,
        cluster: FakeCluster | None = ...,
        evidence: FakeEvidence | None = ...,
        seen: list[Event] | None = ...,
    ) -> Run: ...


@pytest.fixture
def open_run(tmp_path: Path) -> Iterator[OpenRun]:
    runs: list[Run] = []

    def make(
        steps: str,
        *,
        tools: FakeTools | None = None,
        cluster: FakeCluster | None = None,
        evidence: FakeEvidence | None = None,
        seen: list[Event] | None = None,
    ) -> Run:
        run = Run(
            make_plan(HEAD + textwrap.indent(steps, "  "), "s.yaml"),
            fake_settings(tmp_path, tools=tools, cluster=cluster, evidence=evidence),
            FakeFolder(tmp_path),
            "sample_20260102T030405Z",
            tell=(seen if seen is not None else []).append,
        )
        runs.append(run)
        return run

    yield make
    for run in runs:
        run.close()


def test_every_step_runs_once_and_in_order(open_run: OpenRun) -> None:
    tools = FakeTools()
    run = open_run(CHAIN, tools=tools)
    for step in (*ALL, *ALL):
        run.step(step)
    verdict = run.close()
    assert [step.step for step in verdict.steps] == ALL
    assert verdict.verdict is Verdict.PASS
    assert verdict.exit_code == ExitCode.PASS
    assert tools.calls == [
        "execute apply.json",
        "wait default/hello",
        "read default/hello",
        "probe hello",
    ]


def test_one_step_brings_what_it_needs(open_run: OpenRun) -> None:
    run = open_run(CHAIN)
    run.step("ready")
    assert list(run.record.steps) == ["cluster vpm-mini", "apply", "ready"]


def test_the_journal_tells_the_same_story(open_run: OpenRun, tmp_path: Path) -> None:
    events: list[Event] = []
    run = open_run(CHAIN, seen=events)
    run.step("probe")
    assert read_record(tmp_path / JOURNAL) == run.record
    run.close()
    assert read_record(tmp_path / JOURNAL) == run.record
    assert [event.step for event in events if isinstance(event, StepStarted)] == ALL


def test_a_step_whose_need_failed_is_skipped_with_the_reason(open_run: OpenRun) -> None:
    run = open_run(CHAIN, tools=FakeTools(states=["failed"]))
    run.step("probe")
    assert run.verdict("apply").verdict is Verdict.FAIL
    assert run.verdict("ready").skipped == (
        "it needs 'apply', which ended in FAIL: the contract ended in failed instead of"
        " succeeded or noop: failed by a fake"
    )
    assert run.verdict("probe").skipped is not None
    assert run.close().exit_code == ExitCode.FAIL


def test_a_cluster_that_does_not_open_is_an_error_and_nothing_else_runs(open_run: OpenRun) -> None:
    run = open_run(CHAIN, cluster=FakeCluster(error="there is no engine"))
    run.step("probe")
    (seen,) = run.record.steps["cluster vpm-mini"].observations
    assert seen == ErrorObserved("there is no engine", mend="start it")
    assert run.verdict("probe").skipped is not None
    assert run.close().exit_code == ExitCode.ERROR


class OnAFullDisk(FakeTools):
    """Tools that can write nothing."""

    def execute(self, contract: Path) -> ContractObserved:
        raise OSError(errno.ENOSPC, "No space left on device", "run.log")


def test_a_step_that_the_machine_stops_is_an_error_and_ends(open_run: OpenRun) -> None:
    run = open_run(CHAIN, tools=OnAFullDisk())
    step = run.step("apply")
    (seen,) = step.observations
    assert isinstance(seen, ErrorObserved)
    assert "No space left on device: 'run.log'" in seen.message
    assert run.verdict("apply").verdict is Verdict.ERROR
    run.step("probe")
    assert run.verdict("probe").skipped is not None
    assert run.close().exit_code == ExitCode.ERROR


def test_the_incident_is_inconclusive_and_names_the_hop(open_run: OpenRun) -> None:
    tools = FakeTools(probes={"devbox": probed("devbox", good=0)})
    run = open_run(CHAIN, tools=tools)
    run.step("probe")
    verdict = run.verdict("probe")
    assert verdict.verdict is Verdict.INCONCLUSIVE
    service = verdict.claims[0]
    assert (service.name, service.vantage, service.hop) == ("service", "devbox", "connect")
    assert run.close().exit_code == ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("expect", "met", "code"),
    [
        ("{verdict: INCONCLUSIVE, hop: connect, vantage: devbox}", True, ExitCode.PASS),
        ("{verdict: INCONCLUSIVE}", True, ExitCode.PASS),
        ("{verdict: INCONCLUSIVE, hop: resolve}", False, ExitCode.FAIL),
        ("{verdict: INCONCLUSIVE, vantage: in-cluster}", False, ExitCode.FAIL),
        ("{verdict: INCONCLUSIVE, diagnosis: gateway-not-exposed}", True, ExitCode.PASS),
        ("{verdict: INCONCLUSIVE, diagnosis: dns-not-found}", False, ExitCode.FAIL),
        ("{verdict: PASS}", False, ExitCode.FAIL),
    ],
)
def test_an_expectation_changes_the_exit_code_but_not_the_verdict(
    open_run: OpenRun, expect: str, met: bool, code: ExitCode
) -> None:
    steps = CHAIN + f"  expect: {expect}\n"
    tools = FakeTools(probes={"devbox": probed("devbox", good=0)})
    run = open_run(steps, tools=tools)
    run.step("probe")
    assert run.verdict("probe").expected is met
    verdict = run.close()
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.exit_code == code


def test_not_ready_fails(open_run: OpenRun) -> None:
    run = open_run(CHAIN, tools=FakeTools(ready=NOT_READY))
    run.step("ready")
    assert run.verdict("ready").verdict is Verdict.FAIL
    assert run.close().exit_code == ExitCode.FAIL


def test_what_answers_for_a_service_that_is_not_there_is_judged(open_run: OpenRun) -> None:
    absent = ServiceObserved(service="hello", namespace="default", found=False, at="")
    tools = FakeTools(ready=absent, probes={"devbox": probed("devbox", good=0)})
    run = open_run("- name: p\n  probe: {service: hello, vantages: [devbox]}\n", tools=tools)
    run.step("p")
    (claim,) = (claim for claim in run.verdict("p").claims if claim.name == "service")
    assert (claim.verdict, claim.diagnosis) == (Verdict.FAIL, "absent")


def test_closing_lets_the_cluster_go_and_keeps_the_verdict(open_run: OpenRun) -> None:
    cluster, evidence = FakeCluster(), FakeEvidence()
    run = open_run(CHAIN, cluster=cluster, evidence=evidence)
    run.step("ready")
    first = run.close()
    assert cluster.log == ["opened", "closed"]
    assert run.close() is first
    assert len(evidence.written) == 1
    with pytest.raises(UsageError, match="the run is closed"):
        run.step("probe")


def test_diagnostics_are_collected_while_the_cluster_is_open(open_run: OpenRun) -> None:
    cluster, evidence = FakeCluster(), FakeEvidence()
    run = open_run(CHAIN, cluster=cluster, tools=FakeTools(ready=NOT_READY), evidence=evidence)
    run.step("ready")
    assert cluster.log == ["opened", "diagnostics"]
    run.close()
    assert cluster.log == ["opened", "diagnostics", "closed after a failure"]
    assert evidence.diagnostics == [Path("diagnostics/1-ready")]


def test_a_drill_that_ends_as_expected_and_a_failure_after_it_have_a_bundle_each(
    open_run: OpenRun,
) -> None:
    steps = (
        "- name: a drill\n  probe: {service: hello, vantages: [devbox]}\n"
        "  expect: {verdict: INCONCLUSIVE}\n"
        "- name: the same drill\n  probe: {service: hello, vantages: [devbox]}\n"
        "  expect: {verdict: INCONCLUSIVE}\n"
        "- name: No (this fails)\n  probe: {service: hello, vantages: [devbox]}\n"
        "- name: and this\n  probe: {service: hello, vantages: [devbox]}\n"
    )
    evidence = FakeEvidence()
    tools = FakeTools(probes={"devbox": probed("devbox", good=0)})
    run = open_run(steps, tools=tools, evidence=evidence)
    for step in ("a drill", "the same drill", "No (this fails)", "and this"):
        run.step(step)
    run.close()
    assert evidence.diagnostics == [
        Path("diagnostics/1-a-drill"),
        Path("diagnostics/2-no-this-fails"),
    ]


def test_a_run_that_passes_leaves_no_diagnostics(open_run: OpenRun) -> None:
    evidence = FakeEvidence()
    run = open_run(CHAIN, evidence=evidence)
    run.step("probe")
    run.close()
    assert evidence.diagnostics == []


def test_an_interrupted_run_has_a_bundle_though_no_step_failed(open_run: OpenRun) -> None:
    evidence = FakeEvidence()
    run = open_run(CHAIN, evidence=evidence)
    run.step("ready")
    run.close(interrupted=True)
    assert evidence.diagnostics == [Path("diagnostics/1-end-of-the-run")]


def test_a_cluster_that_can_not_be_closed_is_an_error_of_the_run(open_run: OpenRun) -> None:
    run = open_run(CHAIN, cluster=FakeCluster(error_at_end="it hangs"))
    run.step("ready")
    verdict = run.close()
    assert verdict.verdict is Verdict.ERROR
    assert "it hangs" in verdict.reason
    assert verdict.exit_code == ExitCode.ERROR


def test_an_interrupted_run_is_never_a_pass(open_run: OpenRun) -> None:
    run = open_run(CHAIN)
    run.step("ready")
    verdict = run.close(interrupted=True)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.exit_code == ExitCode.INCONCLUSIVE


def test_evidence_is_published_of_what_failed_too(open_run: OpenRun) -> None:
    steps = CHAIN + (
        "- name: publish\n  needs: [ready]\n"
        "  evidence: {service: hello, claim: ready, copy: phase2/hello_ready}\n"
    )
    evidence = FakeEvidence()
    run = open_run(steps, tools=FakeTools(ready=NOT_READY), evidence=evidence)
    run.step("publish")
    assert run.verdict("publish").verdict is Verdict.PASS
    run.close()
    ((_, verdict, copies),) = evidence.written
    assert verdict.verdict is Verdict.FAIL
    assert [(copy.service, copy.claim, copy.path) for copy in copies] == [
        ("default/hello", "ready", "phase2/hello_ready")
    ]


@pytest.mark.parametrize(
    ("reports", "shown"),
    [
        ("reports", "reports/phase2/hello_ready.md"),
        ("/elsewhere", "/elsewhere/phase2/hello_ready.md"),
    ],
)
def test_the_summary_names_copies_where_they_are_written(
    tmp_path: Path, reports: str, shown: str
) -> None:
    steps = CHAIN + (
        "- name: publish\n  needs: [ready]\n"
        "  evidence: {service: hello, claim: ready, copy: phase2/hello_ready}\n"
    )
    settings = replace(fake_settings(tmp_path), reports=tmp_path / reports)
    plan = make_plan(HEAD + textwrap.indent(steps, "  "), "s.yaml")
    run = Run(plan, settings, FakeFolder(tmp_path), "sample_20260102T030405Z")
    run.step("publish")
    run.close()
    assert run.notes == (shown,)


def test_evidence_of_what_nobody_saw_is_an_error(open_run: OpenRun) -> None:
    steps = "- name: publish\n  evidence: {service: hello, claim: sli, copy: a/b}\n"
    run = open_run(steps)
    run.step("publish")
    assert run.verdict("publish").verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("capabilities", "exit_code", "verdict"),
    [
        (frozenset({"owned"}), 0, Verdict.PASS),
        (frozenset({"owned"}), 1, Verdict.ERROR),
        (frozenset(), 0, Verdict.ERROR),
    ],
)
def test_apply_changes_only_clusters_that_the_harness_made(
    open_run: OpenRun, capabilities: frozenset[str], exit_code: int, verdict: Verdict
) -> None:
    run = open_run(
        "- name: apply\n  apply: {service: hello}\n",
        tools=FakeTools(applied=exit_code),
        cluster=FakeCluster(capabilities=capabilities),
    )
    run.step("apply")
    assert run.verdict("apply").verdict is verdict


def test_an_update_has_a_manifest_of_its_own(open_run: OpenRun) -> None:
    tools = FakeTools()
    run = open_run(
        "- name: update\n  apply: {service: hello, manifest: other.yaml}\n",
        tools=tools,
        cluster=FakeCluster(capabilities=frozenset({"owned"})),
    )
    run.step("update")
    assert "apply other.yaml" in tools.calls


def test_a_fault_that_the_cluster_cannot_make_is_skipped(open_run: OpenRun) -> None:
    run = open_run("- name: break\n  fault: {type: gateway-not-exposed}\n")
    run.step("break")
    assert run.verdict("break").skipped == "this cluster cannot inject faults"
    assert run.close().exit_code == ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("requests", "failures", "verdict"),
    [
        (1000, 0, Verdict.PASS),
        (1000, 11, Verdict.FAIL),
        (99, 0, Verdict.FAIL),
        (0, 0, Verdict.FAIL),
    ],
)
def test_load_gates(open_run: OpenRun, requests: int, failures: int, verdict: Verdict) -> None:
    loaded = LoadObserved(
        "hello", "default", "http://x", "a", "b", 10, 10.0, requests, failures, exit_code=0
    )
    run = open_run(
        "- name: load\n  load: {service: hello, gates: {requests: 100, success: 99%}}\n",
        tools=FakeTools(loaded=loaded),
    )
    run.step("load")
    assert run.verdict("load").verdict is verdict


def test_a_step_that_does_not_exist(open_run: OpenRun) -> None:
    with pytest.raises(UsageError, match="no step 'nothing'"):
        open_run(CHAIN).step("nothing")
