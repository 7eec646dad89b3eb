"""Approving, rolling back, and what a later run makes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from harness.contracts.model import parse_contract
from harness.core.errors import UsageError
from harness.runner.approvals import FileApprovals
from harness.runner.approve import Approved, Approver, Consent
from harness.runner.offline import make_examiner
from harness.runner.rollback import make_rollback
from harness.runner.runner import load_policy
from tests.support.runner import CONTEXT, HELLO, PEM, Desk, identity, manifest

NOW = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)


def approve(
    desk: Desk,
    reference: str,
    *,
    signed: bool = True,
    embed: bool = False,
    contexts: tuple[str, ...] = (),
) -> Approved:
    approver = Approver(
        settings=desk.settings,
        examiner=make_examiner(desk.settings),
        approvals=FileApprovals(desk.settings.approvals),
    )
    by = "tester" if signed else "somebody"
    consent = Consent(by=by, at=NOW, pem=PEM if signed else None, contexts=contexts)
    return approver.approve(reference, consent, embed=embed)


def test_a_recorded_approval_lets_the_embedded_cluster_run(desk: Desk) -> None:
    contract = desk.contract(signed=False)
    assert desk.runner().execute(contract).reason.startswith("approval_missing")

    approved = approve(desk, "apply_hello", signed=False)

    assert approved.requeued == desk.settings.inbox / "apply_hello.json"
    assert desk.runner().execute(approved.requeued).state == "succeeded"


def test_a_recorded_approval_is_not_enough_elsewhere(desk: Desk) -> None:
    contract = desk.contract(signed=False)
    approve(desk, str(contract), signed=False)
    observed = desk.runner(cluster=identity(provider="existing")).execute(contract)
    assert "is only recorded; provider existing wants a signed one" in observed.reason


def test_a_signed_approval_counts_for_any_id_of_the_same_work(desk: Desk) -> None:
    approve(desk, str(desk.contract("first", signed=False)))
    other = desk.contract("second", signed=False)
    observed = desk.runner(cluster=identity(provider="kind")).execute(other)
    assert observed.state == "succeeded"


def test_an_approval_can_be_written_into_the_contract(desk: Desk) -> None:
    contract = desk.contract(signed=False)
    approve(desk, str(contract), embed=True)
    assert parse_contract(contract.read_bytes()).approval is not None
    assert desk.runner().execute(contract).state == "succeeded"


def test_an_approval_may_add_a_context(desk: Desk) -> None:
    contract = desk.contract()
    done = approve(desk, str(contract), embed=True, contexts=("kind-vpm-mini", CONTEXT))
    assert done.contract.target.contexts == (CONTEXT, "kind-vpm-mini")
    assert parse_contract(contract.read_bytes()).target == done.contract.target
    elsewhere = identity(provider="kind", context="kind-vpm-mini")
    assert desk.runner(cluster=elsewhere).execute(contract).state == "succeeded"


@pytest.mark.parametrize(
    ("contexts", "embed", "said"),
    [
        (("kind-vpm-mini",), False, "change the contract itself"),
        (("prod",), True, "prod is not among embedded-"),
        (("not a name",), True, "target.contexts"),
        (tuple(f"embedded-{n}" for n in range(11)), True, "at most 10"),
    ],
)
def test_a_context_that_cannot_be_added_changes_nothing(
    desk: Desk, contexts: tuple[str, ...], embed: bool, said: str
) -> None:
    contract = desk.contract()
    before = contract.read_bytes()
    with pytest.raises(UsageError, match=said):
        approve(desk, str(contract), embed=embed, contexts=contexts)
    assert contract.read_bytes() == before


def test_an_approval_of_a_diff_ends_with_the_diff(desk: Desk) -> None:
    contract = desk.contract(signed=False)
    dry = desk.runner().preview(contract)
    approver = Approver(
        settings=desk.settings,
        examiner=make_examiner(desk.settings),
        approvals=FileApprovals(desk.settings.approvals),
    )
    consent = Consent(by="tester", at=NOW, pem=PEM, diff_of=dry.run_id)
    assert approver.approve(str(contract), consent).approval.diff is not None

    # Somebody else changes the cluster: the same manifest now makes another diff.
    (desk.repo / HELLO).write_text(manifest(target="Moon"))
    desk.runner().execute(desk.contract("moon"))
    (desk.repo / HELLO).write_text(manifest())
    observed = desk.runner().execute(contract)

    assert observed.state == "refused"
    assert observed.reason.startswith("diff_drifted: tester approved sha256:")


@pytest.mark.parametrize("content", [b"{}", b'{"task": "noop", "actions": []}'])
def test_what_needs_no_approval_gets_none(desk: Desk, content: bytes) -> None:
    path = desk.file("x.json", content)
    with pytest.raises(UsageError, match=r"x\.json"):
        approve(desk, str(path))


def test_an_unknown_id_is_told(desk: Desk) -> None:
    with pytest.raises(UsageError, match="no contract nope waits"):
        approve(desk, "nope")


def test_a_broken_approval_file_counts_for_nothing(desk: Desk) -> None:
    contract = desk.contract(signed=False)
    kept = approve(desk, str(contract)).path
    kept.write_text("{")
    assert desk.runner().execute(contract).reason.startswith("approval_missing")


def test_a_rollback_is_a_contract_that_restores_and_wants_approval(desk: Desk) -> None:
    desk.runner().execute(desk.contract("first"))
    (desk.repo / HELLO).write_text(manifest(target="Moon"))
    second = desk.runner().execute(desk.contract("second"))
    assert second.generation_after == 2

    policy = load_policy(desk.settings.policy)
    made = make_rollback(second.run_id, settings=desk.settings, policy=policy, now=NOW)
    refused = desk.runner().execute(made.contract)
    assert refused.reason.startswith("approval_missing")

    approved = approve(desk, made.id)
    assert approved.requeued is not None
    observed = desk.runner().execute(approved.requeued)

    assert (observed.state, observed.generation_after) == ("succeeded", 3)
    live = desk.kubectl.state["objects"]["hello"]["spec"]["template"]["spec"]
    assert live["containers"][0]["env"] == [{"name": "TARGET", "value": "World"}]


def test_a_rollback_manifest_holds_no_server_fields(desk: Desk) -> None:
    desk.runner().execute(desk.contract("first"))
    (desk.repo / HELLO).write_text(manifest(target="Moon"))
    second = desk.runner().execute(desk.contract("second"))
    policy = load_policy(desk.settings.policy)
    made = make_rollback(second.run_id, settings=desk.settings, policy=policy, now=NOW)
    text = made.manifests[0].read_text()
    assert not [word for word in ("uid", "status", "generation", "resourceVersion") if word in text]


@pytest.mark.parametrize("run_id", ["nope", "../../x"])
def test_a_rollback_of_nothing_is_told(desk: Desk, run_id: str) -> None:
    policy = load_policy(desk.settings.policy)
    with pytest.raises(UsageError, match="there is no finished run"):
        make_rollback(run_id, settings=desk.settings, policy=policy, now=NOW)


def test_what_did_not_exist_is_not_restored(desk: Desk) -> None:
    first = desk.runner().execute(desk.contract("first"))
    policy = load_policy(desk.settings.policy)
    with pytest.raises(UsageError, match="nothing was there before the run"):
        make_rollback(first.run_id, settings=desk.settings, policy=policy, now=NOW)


def test_a_redacted_record_is_not_restored(desk: Desk) -> None:
    first = desk.runner().execute(desk.contract("first"))
    folder = Path(first.folder)
    (folder / "before.yaml").write_text("metadata: {name: x}\ntoken: REDACTED\n")
    policy = load_policy(desk.settings.policy)
    with pytest.raises(UsageError, match="redacted"):
        make_rollback(first.run_id, settings=desk.settings, policy=policy, now=NOW)
    assert json.loads((folder / "status.json").read_text())["state"] == "succeeded"


def test_a_waiting_contract_is_found_by_its_id(desk: Desk) -> None:
    (desk.settings.inbox / "broken.json").write_bytes(b"{")
    waiting = desk.settings.inbox / "another-name.json"
    waiting.write_bytes(desk.contract("the_id", signed=False).read_bytes())

    approved = approve(desk, "the_id")

    assert (approved.contract.id, approved.requeued) == ("the_id", None)
    assert desk.runner().execute(waiting).state == "succeeded"


def test_a_diff_of_a_run_that_has_none_is_told(desk: Desk) -> None:
    approver = Approver(
        settings=desk.settings,
        examiner=make_examiner(desk.settings),
        approvals=FileApprovals(desk.settings.approvals),
    )
    consent = Consent(by="tester", at=NOW, pem=PEM, diff_of="nope")
    with pytest.raises(UsageError, match="the run nope has no diff"):
        approver.approve(str(desk.contract(signed=False)), consent)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (None, "the run changed nothing"),
        ("a: 1\n", "has no metadata"),
        ("just a text\n", "not YAML as kubectl prints it"),
        ("items: 5\n", "has no metadata"),
        ("{", "not YAML"),
        ("metadata: {name: ../../x}\n", "none that a contract may name"),
    ],
)
def test_a_record_that_cannot_be_restored_is_told(
    desk: Desk, before: str | None, said: str
) -> None:
    folder = Path(desk.runner().execute(desk.contract()).folder)
    (folder / "before.yaml").unlink()
    if before is not None:
        (folder / "before.yaml").write_text(before)
    policy = load_policy(desk.settings.policy)
    with pytest.raises(UsageError, match=said):
        make_rollback(folder.name, settings=desk.settings, policy=policy, now=NOW)


def test_annotations_of_people_survive_a_rollback(desk: Desk) -> None:
    folder = Path(desk.runner().execute(desk.contract()).folder)
    live = yaml.safe_load(manifest())
    live["metadata"]["annotations"] = {"team": "x", "serving.knative.dev/creator": "somebody"}
    (folder / "before.yaml").write_text(yaml.safe_dump(live))
    policy = load_policy(desk.settings.policy)
    made = make_rollback(folder.name, settings=desk.settings, policy=policy, now=NOW)
    assert yaml.safe_load(made.manifests[0].read_text())["metadata"]["annotations"] == {"team": "x"}
