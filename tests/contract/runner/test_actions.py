"""Contracts of other kinds, several actions, several manifests, and previews of them all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml

from harness.contracts.model import approved_content, digest, validate
from harness.ports import CommandResult
from harness.runner.drain import preview_all
from harness.runner.offline import make_reader
from harness.runner.overlay import overlay_entries
from harness.runner.runner import load_policy
from tests.support.runner import (
    HELLO,
    OVERLAY,
    Desk,
    FakeKubectl,
    contract_document,
    identity,
    manifest,
)

ECHO = f"{OVERLAY}/metrics-echo-ksvc.yaml"
POD = {"api": "v1", "kind": "Pod", "name": "p"}
KSVC = {"api": "serving.knative.dev/v1", "kind": "Service", "name": "hello"}


def apply_of(path: str, name: str | None) -> dict[str, Any]:
    resource = {"api": KSVC["api"], "kind": "Service", "namespace": "default"}
    return {"verb": "apply", "manifest": path, "resource": {**resource, **_named(name)}}


def _named(name: str | None) -> dict[str, str]:
    return {"name": name} if name else {}


def check(desk: Desk, *actions: dict[str, Any], id: str = "check") -> Any:
    return desk.contract(id, signed=False, kind="check", actions=list(actions))


def test_a_check_runs_its_actions_in_order(desk: Desk) -> None:
    desk.runner().execute(desk.contract())
    desk.kubectl.state["calls"].clear()
    contract = check(
        desk,
        {"verb": "get", "resource": KSVC, "output": "wide"},
        {"verb": "describe", "resource": KSVC},
        {"verb": "wait", "resource": KSVC, "timeout": 5},
        {"verb": "logs", "resource": POD},
        {"verb": "diff", "manifest": HELLO, "resource": {**KSVC, "namespace": "default"}},
    )
    observed = desk.runner().execute(contract)

    assert (observed.state, observed.reason) == ("succeeded", "every action ended well")
    assert desk.kubectl.verbs == [
        "get", "api-resources", "get", "describe", "wait", "logs", "diff",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "behaviour", "reason"),
    [
        ({"verb": "get", "resource": KSVC}, {"fail": {"get": [1, "x"]}}, "does not answer"),
        (
            {"verb": "logs", "resource": POD},
            {"fail": {"logs": [1, "no pod"]}},
            "logs exited 1: no pod",
        ),
        ({"verb": "logs", "resource": POD}, {"hang": "logs"}, "logs timed out"),
        ({"verb": "wait", "resource": KSVC}, {}, "wait exited 1"),
        (
            {"verb": "diff", "manifest": HELLO, "resource": {**KSVC, "namespace": "default"}},
            {"fail": {"diff": [2, "conflict"]}},
            "diff exited 2: conflict",
        ),
    ],
)
def test_a_check_that_fails_says_where(
    desk: Desk, action: dict[str, Any], behaviour: dict[str, Any], reason: str
) -> None:
    desk.kubectl.state.update(behaviour)
    observed = desk.runner().execute(check(desk, action))
    assert reason in observed.reason
    assert observed.state in ("failed", "environment_mismatch")


def test_differences_are_no_failure_of_a_check(desk: Desk) -> None:
    action = {"verb": "diff", "manifest": HELLO, "resource": {**KSVC, "namespace": "default"}}
    observed = desk.runner().execute(check(desk, action))
    assert observed.state == "succeeded"
    assert "+  name: hello" in observed.diff
    assert desk.kubectl.state["applied"] == 0


@pytest.mark.parametrize("kind", ["noop", "ask", "check"])
def test_a_contract_that_asks_for_nothing_is_a_noop(desk: Desk, kind: str) -> None:
    observed = desk.runner().execute(desk.contract(signed=False, kind=kind, actions=[]))
    assert (observed.state, desk.kubectl.verbs) == ("noop", [])


@pytest.mark.parametrize("kind", ["update_north_star", "persist_report_mvp"])
def test_kinds_of_a_later_part_are_refused_clearly(desk: Desk, kind: str) -> None:
    document = contract_document(kind=kind, actions=[], context_document="goal: 1")
    path = desk.file("later.json", yaml.safe_dump(document, default_flow_style=True).encode())
    path.write_bytes(validate(document).model_dump_json(by_alias=True).encode())
    observed = desk.runner().execute(path)
    assert observed.reason == f"not_executable_yet: no part of this version carries out {kind}"


def both(desk: Desk, id: str = "both") -> Any:
    """A contract that applies two manifests, approved as recorded over both in order."""
    digests = [digest((desk.repo / path).read_bytes()) for path in (HELLO, ECHO)]
    approval = {"by": "me", "at": "2026-11-22T10:00:00Z", "over": approved_content(digests)}
    actions = [apply_of(HELLO, "hello"), apply_of(ECHO, "metrics-echo")]
    return desk.contract(id, signed=False, actions=actions, approval=approval)


def test_two_manifests_in_one_contract(desk: Desk) -> None:
    observed = desk.runner().execute(both(desk))
    assert observed.state == "succeeded"
    assert sorted(desk.kubectl.state["objects"]) == ["hello", "metrics-echo"]
    assert (observed.generation_before, observed.generation_after) == (None, None)
    assert "hello generation None -> 1; metrics-echo generation None -> 1" in observed.reason


def test_only_what_differs_is_applied(desk: Desk) -> None:
    desk.runner().execute(desk.contract())
    desk.kubectl.state["calls"].clear()
    observed = desk.runner().execute(both(desk))
    assert observed.state == "succeeded"
    assert desk.kubectl.verbs.count("apply") == 1


def test_one_changed_manifest_ends_the_approval_of_both(desk: Desk) -> None:
    contract = both(desk)
    (desk.repo / ECHO).write_text(manifest("metrics-echo", target="x"))
    assert desk.runner().execute(contract).state == "refused"


def test_a_kustomize_folder_is_applied_as_it_was_built(desk: Desk) -> None:
    (desk.repo / OVERLAY / "kustomization.yaml").write_text(
        "resources: [hello-ksvc.yaml, metrics-echo-ksvc.yaml]\n"
    )
    contract = desk.contract(signed=False, actions=[apply_of(OVERLAY, None)])
    refused = desk.runner().preview(contract).reason
    over = refused.partition("nobody approved ")[2].partition(" on ")[0]
    approval = {"by": "me", "at": "2026-11-22T10:00:00Z", "over": over}
    approved = desk.contract(signed=False, actions=[apply_of(OVERLAY, None)], approval=approval)

    observed = desk.runner().execute(approved)

    assert observed.state == "succeeded", observed.reason
    assert sorted(desk.kubectl.state["objects"]) == ["hello", "metrics-echo"]


@pytest.mark.parametrize(
    "reads",
    [
        [],
        ["role.rbac.authorization.k8s.io/hello"],
        ["service/hello"],
        ["secret/hello", "service.serving.knative.dev/hello"],
    ],
)
def test_what_kubectl_reads_differently_is_refused(desk: Desk, reads: list[str]) -> None:
    desk.kubectl.state["reads"] = reads
    observed = desk.runner().execute(desk.contract())
    assert observed.state == "refused"
    assert observed.reason == f"object_mismatch: kubectl reads {reads}"
    assert desk.kubectl.state["applied"] == 0
    assert "apply" not in desk.kubectl.verbs


@pytest.mark.parametrize(
    ("behaviour", "state", "reason"),
    [
        ({"uid": "x"}, "environment_mismatch", "the cluster was replaced"),
        ({"serves": []}, "environment_mismatch", "does not serve"),
        ({"fail": {"dry-run": [1, "denied"]}}, "failed", "server-side dry run exited 1: denied"),
        ({"fail": {"diff": [2, "x"]}}, "failed", "diff exited 2: x"),
    ],
)
def test_a_preview_tells_what_exec_would_meet(
    desk: Desk, behaviour: dict[str, Any], state: str, reason: str
) -> None:
    desk.kubectl.state.update(behaviour)
    observed = desk.runner().preview(desk.contract())
    assert (observed.mode, observed.state) == ("dry", state)
    assert reason in observed.reason


def test_a_preview_on_another_context_asks_the_cluster_nothing(desk: Desk) -> None:
    observed = desk.runner(cluster=identity(context="prod")).preview(desk.contract())
    assert (observed.state, desk.kubectl.verbs) == ("environment_mismatch", [])


def test_a_preview_of_a_bad_contract_is_a_refusal(desk: Desk) -> None:
    observed = desk.runner().preview(desk.file("bad.json", b"{"))
    assert (observed.mode, observed.state) == ("dry", "refused")


def test_a_preview_of_the_inbox_moves_nothing(desk: Desk) -> None:
    for id in ("a", "b"):
        desk.in_inbox(desk.contract(id))
    desk.in_inbox(desk.file("c.json", b"{"))
    before = sorted(path.name for path in desk.settings.inbox.iterdir())

    previewed = preview_all(desk.runner(), tell=lambda _news: None)

    assert [seen.state for seen in previewed.observed] == ["previewed", "previewed", "refused"]
    assert sorted(path.name for path in desk.settings.inbox.iterdir()) == before


@pytest.mark.parametrize(
    "text", ["a\n---\nb", "x ---\ny", "=", "2025-01-01", "kind: Secret\ndata:\n  a: b"]
)
def test_texts_that_look_like_yaml_are_texts(desk: Desk, text: str) -> None:
    (desk.repo / HELLO).write_text(manifest(target=text))
    assert desk.runner().execute(desk.contract()).state == "succeeded"
    seen = desk.runner().preview(desk.contract("next"))
    assert (seen.state, seen.unchanged) == ("previewed", ("cluster", "inbox"))


def test_what_else_is_in_the_inbox_does_not_stop_a_preview(desk: Desk) -> None:
    inbox = desk.settings.inbox
    (inbox / os.fsdecode(b"\xff\xfe.json")).write_text("{}")
    (inbox / "link.json").symlink_to("/dev/zero")
    os.mkfifo(inbox / "pipe.json")
    with (inbox / "huge.json").open("wb") as stream:
        stream.truncate(10**12)
    seen = desk.runner().preview(desk.contract())
    assert (seen.state, seen.unchanged) == ("previewed", ("cluster", "inbox"))


def test_what_the_overlay_offers_to_comments(desk: Desk) -> None:
    overlay = desk.repo / OVERLAY
    (overlay / "kustomization.yaml").write_text("resources: []\n")
    (overlay / "two.yaml").write_text(f"{manifest('a')}---\n{manifest('b')}")
    (overlay / "broken.yaml").write_text("{")
    (overlay / "notes.txt").write_text("x")
    policy = load_policy(desk.settings.policy)
    entries = overlay_entries(desk.repo, policy=policy, reader=make_reader(desk.settings, policy))
    assert [(entry.path, entry.name) for entry in entries] == [
        (HELLO, "hello"),
        (ECHO, "metrics-echo"),
    ]


def test_a_cluster_that_vanishes_after_a_failure_leaves_the_failure(desk: Desk) -> None:
    class Vanishing(FakeKubectl):
        def run(
            self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
        ) -> CommandResult:
            if "wait" in self.verbs:
                return CommandResult(("kubectl", *args), 1, "", "connection refused", 0.0)
            return super().run(args, timeout=timeout, stdin=stdin)

    kubectl = Vanishing()
    kubectl.state["never_ready"] = True
    observed = desk.runner(kubectl=kubectl).execute(desk.contract())
    assert observed.state == "failed"
    assert observed.reason.startswith("wait exited 1: error: timed out")


def test_an_object_that_is_deleted_meanwhile_is_a_failure(desk: Desk) -> None:
    class Deleting(FakeKubectl):
        def run(
            self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
        ) -> CommandResult:
            result = super().run(args, timeout=timeout, stdin=stdin)
            if args[0] == "wait":
                self.state["objects"].clear()
            return result

    observed = desk.runner(kubectl=Deleting()).execute(desk.contract())
    assert (observed.state, observed.reason) == ("failed", "Service hello is not there any more")


@pytest.mark.parametrize("verb", ["diff", "apply", "dry-run"])
def test_a_command_that_hangs_is_named(desk: Desk, verb: str) -> None:
    class Hanging(FakeKubectl):
        def run(
            self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
        ) -> CommandResult:
            dry = "--dry-run=server" in args
            if (args[0] == verb and not dry) or (verb == "dry-run" and dry):
                return CommandResult(("kubectl", *args), None, "", "", timeout)
            return super().run(args, timeout=timeout, stdin=stdin)

    observed = desk.runner(kubectl=Hanging()).execute(desk.contract())
    named = {"dry-run": "server-side dry run"}.get(verb, verb)
    assert (observed.state, observed.reason) == ("failed", f"{named}: timed out after 20.0 s")


@pytest.mark.parametrize("verb", ["get", "diff"])
def test_what_was_cut_off_is_not_built_on(desk: Desk, verb: str) -> None:
    class Talkative(FakeKubectl):
        def run(
            self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
        ) -> CommandResult:
            result = super().run(args, timeout=timeout, stdin=stdin)
            about_hello = args[0] == verb and "namespaces" not in args
            return replace(result, truncated=True) if about_hello else result

    observed = desk.runner(kubectl=Talkative()).execute(desk.contract())
    assert observed.state == "failed"
    assert observed.reason.startswith(f"{verb} printed more than ")
