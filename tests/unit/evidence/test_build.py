"""Documents follow from record and verdict, and each holds what its reader needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.judge import judge_ended
from harness.core.observation import (
    CommandRecord,
    ContractObserved,
    ErrorObserved,
    Observation,
    ProbeObserved,
    ServiceObserved,
    SkippedObserved,
)
from harness.core.outcome import HOP_OF, Hop
from harness.core.record import (
    RunClosed,
    RunOpened,
    RunRecord,
    StepEnded,
    StepObserved,
    StepStarted,
    fold_events,
)
from harness.core.verdict import Verdict
from harness.evidence.build import build
from harness.evidence.derive import (
    failures_by_hop,
    notes_on,
    thresholds_of,
    vantage_evidence,
    window_of,
)
from harness.evidence.focus import applied, contract_of_ready, contract_of_run
from harness.evidence.matrix import PATH, State, labels, rows
from harness.evidence.model import Evidence, Window
from tests.support.stories import KEY, Paper, Story, documents

STORY = Story(devbox=0)


def record_of(story: Story, **seen: tuple[Observation, ...]) -> RunRecord:
    """The story's record; `seen` replaces what a step saw (`_` in a step's name is a blank)."""
    record = fold_events(story.events(Paper(story.run_id)))
    steps = dict(record.steps)
    for name, observations in seen.items():
        step = name.replace("_", " ")
        steps[step] = replace(steps[step], observations=observations)
    return replace(record, steps=steps)


def built(story: Story, record: RunRecord) -> dict[str, Evidence]:
    found = build(record, judge_ended(story.plan(), record))
    return {f"{one.subject.key} {one.kind}": one for one in found}


def test_building_is_a_function_of_its_arguments() -> None:
    assert documents(STORY) == documents(STORY)


def test_the_incident_has_a_document_for_each_claim() -> None:
    found = documents(STORY)
    assert {kind: one.claim.verdict.value for kind, one in found.items()} == {
        "ready": "PASS",
        "sli": "FAIL",
        "load": "PASS",
        "contradiction": "INCONCLUSIVE",
        "run": "PASS",
        "scenario": "INCONCLUSIVE",
    }


def test_without_a_contradiction_there_is_no_document_of_one() -> None:
    assert "contradiction" not in documents(Story(devbox=20))


def test_reasons_cite_samples_that_are_there() -> None:
    document = documents(STORY)["contradiction"]
    cited = {cite for claim in document.claims for cite in claim.cites}
    known = {id for seen in document.vantages for id in seen.probe.first_ids.values()}
    assert cited
    assert cited <= known


def test_a_document_stands_on_its_own() -> None:
    document = documents(STORY)["ready"]
    assert document.subject.key == KEY
    assert document.subject.uid == "0b1f6f0e-hello"
    assert document.subject.revision == "hello-00001"
    assert document.subject.image_digest.startswith("sha256:")
    assert document.window == Window(STORY.after(2.5), STORY.after(16))
    assert document.captured_at == document.window.end
    assert document.origin.plan_sha256 == STORY.plan().sha256
    assert {file.path for file in document.artefacts} == {"raw/hello.yaml"}
    assert {file.path for file in documents(STORY)["sli"].artefacts} >= {
        "samples/devbox.jsonl.gz",
        "samples/in-cluster.jsonl.gz",
    }


def test_what_was_not_checked_is_said() -> None:
    probe = replace(STORY.probe(Paper("x"), "devbox", 20), by_address=True)
    service = replace(STORY.service(Paper("x")), image_digest="")
    idle = replace(STORY.probe(Paper("x"), "node", 0), total=0, valid=0, outcomes={}, failures={})
    dead = replace(idle, vantage="gateway", error="no pod")
    record = record_of(STORY, probe_hello=(service, probe, idle, dead), load_hello=())
    said = " | ".join(built(STORY, record)[f"{KEY} sli"].not_checked)
    for gap in (
        "image digest",
        "devbox: resolve",
        "node: no data",
        "gateway: could not run: no pod",
        "commit:",
    ):
        assert gap in said


def test_the_ready_document_shows_the_contract_that_applied() -> None:
    refused = replace(STORY.contract(), state="refused", reason="already done", commands=())
    record = record_of(STORY, load_hello=(refused,))
    document = built(STORY, record)[f"{KEY} ready"]
    assert document.contract is not None
    assert document.contract.state == "succeeded"
    assert [command.argv[1] for command in document.contract.commands] == ["apply", "wait", "get"]


def test_a_contract_that_two_steps_ran_has_the_document_of_the_time_that_counts() -> None:
    refused = replace(STORY.contract(), state="refused", reason="already done", commands=())
    found = built(STORY, record_of(STORY, load_hello=(refused,)))
    assert [name for name in found if name.endswith(" run")] == ["deploy hello run"]


def test_two_contracts_have_two_documents() -> None:
    another = replace(STORY.contract(), contract="contracts/other.json", state="refused")
    found = built(STORY, record_of(STORY, load_hello=(another,)))
    assert {"deploy hello run", "load hello run"} <= set(found)
    stems = [one.file_stem for one in found.values()]
    assert len(stems) == len(set(stems))


def test_a_ready_that_was_not_earned_says_so() -> None:
    noop = replace(STORY.contract(), state="noop", generation_before=3, generation_after=3)
    document = built(STORY, record_of(STORY, deploy_hello=(noop,)))[f"{KEY} ready"]
    assert "READY was not earned by this run: the generation stayed 3." in document.notes
    assert "READY came after 1.8 s." in document.notes


def test_a_ready_that_was_waited_for_in_vain_did_not_come() -> None:
    seen = ServiceObserved("hello", "default", True, "", waited=2.07, mismatches=("not yet",))
    assert notes_on(None, [seen]) == ("READY did not come within 2.07 s.",)


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ([], None),
        (["failed"], "failed"),
        (["succeeded", "refused"], "succeeded"),
        (["noop", "previewed"], "noop"),
        (["failed", "succeeded", "noop"], "noop"),
    ],
)
def test_the_contract_that_counts(states: list[str], chosen: str | None) -> None:
    contracts = [replace(STORY.contract(), state=state) for state in states]
    found = applied(contracts)
    assert (found.state if found else None) == chosen


def command(*argv: str, exit_code: int | None = 0, text: str = "") -> CommandRecord:
    return CommandRecord(("kubectl", *argv), exit_code, 0.1, text, "")


def with_commands(*commands: CommandRecord) -> ContractObserved:
    return replace(STORY.contract(), commands=commands)


def test_a_dry_run_is_no_apply() -> None:
    contract = with_commands(command("apply", "--dry-run=server"), command("apply"), command("get"))
    shown = contract_of_ready(contract).commands
    assert [" ".join(one.argv[1:]) for one in shown] == ["apply", "get"]


def test_the_get_after_the_apply_is_shown() -> None:
    before, after = command("get", text="before"), command("get", text="after")
    assert contract_of_ready(with_commands(before, command("apply"), after)).commands[-1] == after


@pytest.mark.parametrize(
    ("exit_code", "kept"), [(0, ""), (1, ""), (2, "x" * 600), (None, "x" * 600)]
)
def test_only_failed_commands_keep_their_output(exit_code: int | None, kept: str) -> None:
    # kubectl diff exits 1 when it found differences, which is no failure.
    [shown] = contract_of_run(
        with_commands(command("diff", exit_code=exit_code, text="x" * 9000))
    ).commands
    assert shown.stdout.split("\n")[0] == kept


def test_a_killed_run_says_so() -> None:
    happened = [event for event in STORY.events(Paper("x")) if not isinstance(event, RunClosed)]
    record = fold_events(happened)
    document = built(STORY, record)["goal_m2 scenario"]
    assert document.claim.verdict is Verdict.INCONCLUSIVE
    assert document.notes == ("The run did not come to its end: its journal stops early.",)


def test_an_interrupted_run_says_so() -> None:
    happened = STORY.events(Paper("x"))[:-1]
    record = fold_events([*happened, RunClosed(STORY.after(9), 9.0, interrupted=True)])
    assert built(STORY, record)["goal_m2 scenario"].notes == ("The run was interrupted.",)


def test_a_run_whose_cluster_never_opened_has_its_document() -> None:
    [opened, *_] = STORY.events(Paper("x"))
    assert isinstance(opened, RunOpened)
    record = fold_events(
        [
            opened,
            StepStarted("cluster vpm-mini", STORY.after(0)),
            StepObserved("cluster vpm-mini", STORY.after(1), ErrorObserved("no engine")),
            StepEnded("cluster vpm-mini", STORY.after(1), 1.0),
            StepStarted("ready hello", STORY.after(1)),
            StepObserved("ready hello", STORY.after(1), SkippedObserved("no cluster")),
            StepEnded("ready hello", STORY.after(1), 0.0),
            RunClosed(STORY.after(2), 2.0),
        ]
    )
    [document] = built(STORY, record).values()
    assert document.claim.verdict is Verdict.ERROR
    assert document.cluster is None
    assert document.window == Window(STORY.after(0), STORY.after(1))
    assert [step.skipped for step in document.steps] == [None, "no cluster"]


def test_windows_compare_moments_not_texts() -> None:
    early = replace(STORY.service(Paper("x")), at="2026-11-20T09:30:02Z")
    late = replace(early, at="2026-11-20T18:30:02.500+09:00")
    record = record_of(STORY)
    assert window_of(record, [late, early]) == Window(
        "2026-11-20T09:30:02.000000Z", "2026-11-20T09:30:02.500000Z"
    )


def test_previous_documents_are_named_by_claim() -> None:
    record = record_of(STORY)
    verdict = judge_ended(STORY.plan(), record)
    key = f"ready {KEY} scenarios/goal_m2/scenario.yaml"
    found = {one.kind: one for one in build(record, verdict, previous={key: ("aa", "bb")})}
    assert found["ready"].claim_key == key
    assert found["ready"].previous == ("aa", "bb")
    assert found["sli"].previous == ()


OUTCOMES = st.dictionaries(st.sampled_from(sorted(HOP_OF)), st.integers(1, 50), max_size=6)


def probe_with(outcomes: dict[str, int]) -> ProbeObserved:
    good = outcomes.get("ok", 0)
    total = sum(outcomes.values())
    return ProbeObserved(
        "hello", "default", "devbox", "http://x", STORY.after(1), STORY.after(2),
        total=total, good=good, valid=total - outcomes.get("prober_error", 0), outcomes=outcomes,
    )  # fmt: skip


@given(OUTCOMES)
def test_every_failure_is_at_exactly_one_hop(outcomes: dict[str, int]) -> None:
    probe = probe_with(outcomes)
    failed = failures_by_hop(probe)
    assert sum(failed.values()) + probe.good == probe.valid
    order = list(Hop)
    assert sorted(failed, key=order.index) == list(failed)


@given(OUTCOMES)
def test_the_matrix_loses_no_attempt(outcomes: dict[str, int]) -> None:
    seen = vantage_evidence("step", probe_with(outcomes))
    [row] = rows([seen])
    assert [cell.hop for cell in row.cells] == list(PATH)
    reached = seen.probe.valid
    for cell in row.cells:
        assert cell.reached == reached
        assert cell.passed == reached - seen.hops.get(cell.hop.value, 0)
        reached = cell.passed
        assert (cell.state is State.NOT_REACHED) <= (cell.reached == 0)
    assert reached == seen.probe.good
    broken = [cell.hop for cell in row.cells if cell.passed < cell.reached]
    assert seen.first_broken == (broken[0] if broken else None)


def test_a_vantage_used_twice_is_told_apart_by_its_step() -> None:
    probe = probe_with({"ok": 1})
    seen = [vantage_evidence("before", probe), vantage_evidence("after", probe)]
    other = vantage_evidence("after", replace(probe, vantage="gateway"))
    assert labels([*seen, other]) == ("devbox (before)", "devbox (after)", "gateway")


@pytest.mark.parametrize(
    ("name", "target", "below", "needs"),
    [
        ("sli success>=0.99", 0.99, None, 381),
        ("sli success>=1", 1.0, None, None),
        ("sli latency<=0.3s>=0.95", 0.95, 0.3, 73),
        ("sli latency<=1e-05s>=0.5", 0.5, 1e-05, 4),
    ],
)
def test_objectives_are_read_from_the_names_of_claims(
    name: str, target: float, below: float | None, needs: int | None
) -> None:
    claim = replace(documents(STORY)["sli"].claim, name=name, vantage="devbox")
    probe = replace(probe_with({"ok": 3, "reset": 1}), latencies_within={"0.3": 2, "1e-05": 0})
    [found] = thresholds_of([claim], [vantage_evidence("s", probe)])
    assert (found.target, found.below, found.proof_needs) == (target, below, needs)
    assert found.met == (3 if below is None else probe.latencies_within[f"{below:g}"])
    assert found.observed == found.met / 4


@pytest.mark.parametrize("name", ["sli", "sli mood>=9", "sli latency<=es>=x", "reachable"])
def test_what_names_no_objective_has_none(name: str) -> None:
    claim = replace(documents(STORY)["sli"].claim, name=name)
    assert thresholds_of([claim], []) == ()


def test_where_a_drill_probes_twice_the_last_probe_decides() -> None:
    claim = replace(documents(STORY)["sli"].claim, name="sli success>=0.9", vantage="devbox")
    seen = [
        vantage_evidence("s", probe_with({"reset": 9})),
        vantage_evidence("t", probe_with({"ok": 9})),
    ]
    [found] = thresholds_of([claim], seen)
    assert (found.met, found.valid) == (9, 9)
