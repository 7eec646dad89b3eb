"""One contract through the runner: what happens to the cluster, the inbox and the record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import CommandError, UsageError
from harness.core.observation import ContractObserved
from harness.ports import CommandResult, ResourceKind
from harness.runner.drain import drain
from harness.runner.lock import cluster_lock
from harness.timing.clock import SystemClock
from tests.support.runner import HELLO, Desk, FakeKubectl, identity, manifest


def status_of(observed: ContractObserved) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((Path(observed.folder) / "status.json").read_text())
    return document


def test_an_approved_contract_is_applied_once_and_recorded(desk: Desk) -> None:
    observed = desk.runner().execute(desk.contract())

    assert (observed.state, observed.generation_before, observed.generation_after) == (
        "succeeded",
        None,
        1,
    )
    assert desk.kubectl.verbs == [
        "get", "api-resources", "get", "dry-run", "diff", "apply", "get", "wait", "get",
    ]  # fmt: skip
    assert desk.filed("_done") == ["apply_hello.json"]
    assert {artefact.path for artefact in observed.artefacts} == {
        "run.log", "apply.log", "before.yaml", "after.yaml", "diff.patch", "status.json",
    }  # fmt: skip


def test_the_same_contract_never_runs_twice_on_one_cluster(desk: Desk) -> None:
    contract = desk.contract()
    desk.runner().execute(contract)
    second = desk.runner().execute(contract)

    assert second.state == "refused"
    assert second.reason.startswith("already_done: run apply_hello succeeded at ")
    assert desk.kubectl.state["applied"] == 1
    assert desk.filed("_refused") == ["apply_hello-2.json"]
    # Which contract that was stands in a file of the record, bound by its hash like the others.
    assert {file.name for file in Path(second.folder).iterdir()} == {
        artefact.path for artefact in second.artefacts
    }
    assert {file["path"] for file in status_of(second)["files"]} == {".contract", "run.log"}


def test_again_is_a_new_contract_and_says_noop(desk: Desk) -> None:
    contract = desk.contract()
    desk.runner().execute(contract)
    again = desk.runner().execute(contract, again=True)

    assert again.state == "noop"
    assert again.contract_id.startswith("apply_hello_again_")
    assert desk.kubectl.state["applied"] == 1


def test_another_cluster_is_another_matter(desk: Desk) -> None:
    contract = desk.contract()
    desk.runner().execute(contract)
    desk.kubectl.state.update(uid="another", objects={})

    observed = desk.runner(cluster=identity(uid="another")).execute(contract)

    assert observed.state == "succeeded"
    assert observed.run_id == "apply_hello-2"


def test_a_changed_manifest_needs_a_new_approval(desk: Desk) -> None:
    contract = desk.contract()
    (desk.repo / HELLO).write_text(manifest(target="Moon"))

    observed = desk.runner().execute(contract)

    assert observed.state == "refused"
    assert observed.reason.startswith("approval_invalid: tester approved sha256:")
    assert desk.kubectl.verbs == []


def test_status_binds_the_run_to_the_cluster_and_to_the_files(desk: Desk) -> None:
    observed = desk.runner().execute(desk.contract())
    status = status_of(observed)

    assert (status["schema"], status["state"], status["verdict"]) == (
        "vpm.run/v1",
        "succeeded",
        "PASS",
    )
    assert status["cluster"]["uid"] == identity().uid
    assert {entry["path"] for entry in status["files"]} >= {"run.log", "after.yaml"}
    assert [entry["exit_code"] for entry in status["exit_codes"]] == [0, 0, 0, 0, 1, 0, 0, 0, 0]


RIGHTS = """Error from server (Forbidden): error when applying patch: {"spec":{}}
to: services.serving.knative.dev "hello" is forbidden: User "ann" cannot patch resource "services" …
"""
WEBHOOK = 'Error from server (Forbidden): admission webhook "x" denied the request: no\n'


@pytest.mark.parametrize(
    ("behaviour", "state", "reason"),
    [
        ({"fail": {"apply": [1, "boom\n"]}}, "failed", "apply exited 1: boom"),
        ({"fail": {"diff": [2, "conflict\n"]}}, "failed", "diff exited 2: conflict"),
        ({"fail": {"dry-run": [1, "denied\n"]}}, "failed", "server-side dry run exited 1: denied"),
        ({"fail": {"dry-run": [1, RIGHTS]}}, "environment_mismatch", "no right to this: User"),
        ({"fail": {"diff": [2, RIGHTS]}}, "environment_mismatch", "no right to this: User"),
        ({"fail": {"dry-run": [1, WEBHOOK]}}, "failed", "dry run exited 1: Error from server (F"),
        # After an apply was begun nothing is sure any more.
        ({"fail": {"apply": [1, RIGHTS]}}, "failed", "no right to this: User"),
        ({"never_ready": True}, "failed", "wait exited 1: error: timed out"),
        ({"hang": "wait"}, "failed", "wait: timed out after 25.0 s"),
        ({"moves": True}, "failed", "hello: generation 2, this run made 1"),
        ({"serves": []}, "environment_mismatch", "does not serve serving.knative.dev/v1/Service"),
        ({"uid": "other"}, "environment_mismatch", "the cluster was replaced"),
    ],
)
def test_what_goes_wrong_is_named(
    desk: Desk, behaviour: dict[str, Any], state: str, reason: str
) -> None:
    desk.kubectl.state.update(behaviour)
    observed = desk.runner().execute(desk.contract())

    assert observed.state == state
    assert reason in observed.reason
    assert desk.filed("_failed") == ["apply_hello.json"]
    assert status_of(observed)["state"] == state


def test_a_context_that_the_contract_does_not_name_is_not_touched(desk: Desk) -> None:
    runner = desk.runner(cluster=identity(context="embedded-other"))
    observed = runner.execute(desk.contract())

    assert observed.state == "environment_mismatch"
    assert desk.kubectl.verbs == []


def test_preview_shows_the_diff_and_changes_nothing(desk: Desk) -> None:
    contract = desk.in_inbox(desk.contract())
    observed = desk.runner().preview(contract)

    assert (observed.state, observed.reason) == ("previewed", "exec would run")
    assert observed.unchanged == ("cluster", "inbox")
    assert "+  name: hello" in observed.diff
    assert desk.kubectl.state["applied"] == 0
    assert contract.exists()


def test_preview_of_an_unapproved_contract_shows_what_approval_is_wanted(desk: Desk) -> None:
    observed = desk.runner().preview(desk.contract(signed=False))

    assert observed.state == "previewed"
    assert observed.reason.startswith("exec would be refused: approval_missing: nobody approved")


class BrokenKubectl(FakeKubectl):
    """A kubectl that breaks in a way that nobody foresaw, for one of the contracts."""

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        if "broken" in args:
            raise RuntimeError("unforeseen")
        return super().run(args, timeout=timeout, stdin=stdin)


def test_a_bug_over_one_contract_does_not_stop_the_others(desk: Desk) -> None:
    resource = {"api": "v1", "kind": "Pod", "name": "p"}
    logs = {"verb": "logs", "resource": {**resource, "name": "broken"}}
    for id, action in (("a", logs), ("b", {"verb": "get", "resource": resource})):
        desk.in_inbox(desk.contract(id, signed=False, kind="check", actions=[action]))

    drained = drain(desk.runner(kubectl=BrokenKubectl()), tell=lambda _news: None)

    assert [seen.state for seen in drained.observed] == ["failed", "succeeded"]
    assert drained.observed[0].reason == "internal error: RuntimeError('unforeseen')"
    assert desk.filed("_failed") == ["a.json"]


def test_a_cluster_in_use_leaves_the_contract_waiting(desk: Desk) -> None:
    waiting = desk.in_inbox(desk.contract())
    settings = replace(desk.settings, lock_timeout=0.1)
    path = settings.ledger / f"{identity().uid}.lock"
    with cluster_lock(path, timeout=1, clock=SystemClock()):
        drained = drain(desk.runner(settings=settings), tell=lambda _news: None)

    assert [trouble.name for trouble in drained.troubles] == ["apply_hello.json"]
    assert "another run holds the cluster" in drained.troubles[0].message
    assert waiting.exists()
    assert desk.runner().execute(waiting).state == "succeeded"


class NoKubectl(FakeKubectl):
    """A machine without kubectl."""

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        raise CommandError("kubectl is not installed")


def test_a_machine_without_kubectl_is_an_environment_mismatch(desk: Desk) -> None:
    runner = desk.runner(kubectl=NoKubectl())
    for observed in (runner.preview(desk.contract()), runner.execute(desk.contract())):
        assert (observed.state, observed.reason) == (
            "environment_mismatch",
            "kubectl is not installed",
        )


class FakeClient:
    """The two calls of a KubeClient that the preflight makes."""

    def __init__(self, *, uid: str, serves: bool = True) -> None:
        self._uid = uid
        self._serves = serves

    def get(self, kind: ResourceKind, namespace: str, name: str) -> dict[str, object]:
        assert (kind.plural, namespace, name) == ("namespaces", "", "kube-system")
        return {"metadata": {"uid": self._uid}}

    def serves(self, kind: ResourceKind) -> bool:
        assert (kind.group, kind.version, kind.plural, kind.kind) == (
            "serving.knative.dev",
            "v1",
            "services",
            "Service",
        )
        return self._serves


@pytest.mark.parametrize(
    ("client", "state"),
    [
        (FakeClient(uid=identity().uid), "succeeded"),
        (FakeClient(uid="another"), "environment_mismatch"),
        (FakeClient(uid=identity().uid, serves=False), "environment_mismatch"),
    ],
)
def test_a_client_saves_the_preflight_two_processes(
    desk: Desk, client: FakeClient, state: str
) -> None:
    observed = desk.runner(client=client).execute(desk.contract())
    assert observed.state == state
    assert "api-resources" not in desk.kubectl.verbs


class FlakyDisk(FakeKubectl):
    """The machine fails once, in the middle of a run."""

    failed = False

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        if args[0] == "wait" and not self.failed:
            self.failed = True
            raise OSError("no space left on device")
        return super().run(args, timeout=timeout, stdin=stdin)


def test_after_the_machine_s_trouble_the_next_drain_goes_on(desk: Desk) -> None:
    desk.in_inbox(desk.contract("a"))
    desk.in_inbox(desk.contract("b", signed=False, kind="noop", actions=[]))
    runner = desk.runner(kubectl=FlakyDisk())
    told: list[object] = []

    first = drain(runner, tell=told.append)
    second = drain(runner, tell=told.append)

    assert [trouble.message for trouble in first.troubles] == ["no space left on device"]
    assert [seen.state for seen in first.observed] == ["noop"]
    assert [(seen.run_id, seen.state) for seen in second.observed] == [("a", "succeeded")]
    assert len(told) == 3


def test_judging_a_claim_says_why_it_would_be_refused(desk: Desk) -> None:
    desk.in_inbox(desk.contract("good"))
    desk.in_inbox(desk.contract("unapproved", signed=False))
    desk.in_inbox(desk.file("bad.json", b"{"))
    runner = desk.runner()
    reasons = {}
    for claim in runner.claims():
        reasons[claim.run_id] = runner.judge(claim).partition(":")[0]
        claim.close()
    assert reasons == {"bad": "not_json", "good": "", "unapproved": "approval_missing"}


def test_a_contract_that_is_gone_or_taken_is_told(desk: Desk) -> None:
    runner = desk.runner()
    with pytest.raises(UsageError, match="No such file"):
        runner.execute(desk.repo / "nope.json")
    with pytest.raises(UsageError, match="another runner has taken it"):
        runner.execute(desk.settings.inbox / "nope.json")
    with pytest.raises(UsageError, match="No such file"):
        runner.preview(desk.repo / "nope.json")


def test_again_wants_a_contract(desk: Desk) -> None:
    with pytest.raises(UsageError, match="not_json"):
        desk.runner().execute(desk.file("bad.json", b"{"), again=True)


def test_again_of_again_remembers_the_first(desk: Desk) -> None:
    first = desk.runner().execute(desk.contract())
    again = desk.runner().execute(desk.contract(), again=True)
    filed = desk.settings.inbox / "_done" / f"{again.run_id}.json"
    third = desk.runner().execute(filed, again=True)
    assert third.contract_id.startswith(f"{first.contract_id}_again_2")
    assert third.contract_id.count("again") == 1


def test_a_run_can_be_given_its_name(desk: Desk) -> None:
    runner = desk.runner()
    names = [runner.execute(desk.contract(id), run_id="mine").run_id for id in ("a", "b")]
    names.append(runner.preview(desk.contract("c"), run_id="mine").run_id)
    assert names == ["mine", "mine-2", "mine-3"]
