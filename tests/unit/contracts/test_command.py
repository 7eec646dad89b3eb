"""Actions become argument lists, each exactly so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from harness.contracts.argv import action_of
from harness.contracts.command import (
    apply_arguments,
    diff_arguments,
    get_arguments,
    read_arguments,
    ready_arguments,
)
from harness.contracts.kinds import KINDS, KSERVICE, Kind, kind_called, kind_of
from harness.contracts.model import Logs, Read, Resource, Wait

KSVC = Resource(api=KSERVICE.api, kind=KSERVICE.kind, name="hello", namespace="default")
READ: TypeAdapter[Read | Wait | Logs] = TypeAdapter(Read | Wait | Logs)


def pod(**changes: Any) -> dict[str, Any]:
    return {"api": "v1", "kind": "Pod", **changes}


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ({"verb": "get", "resource": pod()}, "get pods -n team"),
        ({"verb": "get", "resource": pod(name="p")}, "get pods/p -n team"),
        (
            {"verb": "get", "resource": pod(namespace="other"), "output": "yaml"},
            "get pods -n other --output=yaml",
        ),
        (
            {"verb": "describe", "resource": pod(), "selector": "a=b"},
            "describe pods -n team --selector=a=b",
        ),
        (
            {"verb": "wait", "resource": pod(name="p"), "timeout": 2.5},
            "wait pods/p -n team --for=condition=Ready --timeout=2.5s",
        ),
        (
            {"verb": "logs", "resource": pod(name="p"), "container": "c", "tail": 7},
            "logs p -n team --container=c --tail=7",
        ),
        (
            {"verb": "logs", "resource": pod(), "selector": "a=b"},
            "logs -n team --selector=a=b --tail=200",
        ),
        ({"verb": "get", "resource": {"api": "v1", "kind": "Node"}}, "get nodes"),
        (
            {"verb": "get", "resource": {"api": KSERVICE.api, "kind": "Service"}},
            "get services.serving.knative.dev -n team",
        ),
        ({"verb": "get", "resource": {"api": "v1", "kind": "Service"}}, "get services -n team"),
    ],
)
def test_reading_actions(action: dict[str, Any], wanted: str) -> None:
    parsed = READ.validate_python(action)
    assert read_arguments(parsed, namespace="team") == wanted.split()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (diff_arguments("ns"), "diff --field-manager=vpm-runner -n ns -f -"),
        (apply_arguments("ns", dry=False), "apply --field-manager=vpm-runner -n ns -f -"),
        (
            apply_arguments("ns", dry=True),
            "apply --dry-run=server -o name --field-manager=vpm-runner -n ns -f -",
        ),
        (
            get_arguments(KSVC, ["hello", "x"], "ns"),
            "get services.serving.knative.dev hello x -n ns -o yaml --ignore-not-found",
        ),
        (
            ready_arguments(KSVC, ["hello"], "ns", 20),
            "wait --for=condition=Ready services.serving.knative.dev/hello -n ns --timeout=20s",
        ),
    ],
)
def test_the_commands_around_a_manifest(arguments: list[str], wanted: str) -> None:
    assert arguments == wanted.split()


def test_a_kind_that_nobody_knows_has_no_command() -> None:
    unknown = Read(verb="get", resource=Resource(api="v9", kind="Thing"))
    with pytest.raises(ValueError, match="v9/Thing is not a known kind"):
        read_arguments(unknown, namespace="team")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.ident)
def test_every_kind_is_found_by_all_its_names(kind: Kind) -> None:
    assert kind_of(kind.api, kind.kind) is kind
    for word in (kind.qualified, *kind.aliases, kind.qualified.upper()):
        assert kind_called(word) is kind


@pytest.mark.parametrize(
    "word", ["secret", "secrets", "serviceaccount", "role", "clusterrole", "all", "", "*", "crd"]
)
def test_what_no_contract_may_name(word: str) -> None:
    assert kind_called(word) is None


def test_core_kinds_have_no_group_and_others_do() -> None:
    assert {kind.group for kind in KINDS} == {"", "apps", "serving.knative.dev"}


COMMANDS = st.builds(
    "kubectl {} {}{}{}".format,
    st.sampled_from(["get", "describe"]),
    st.sampled_from(["ksvc hello", "pods", "deploy/x", "rev"]),
    st.sampled_from(["", " -n default", " --namespace=default"]),
    st.sampled_from(["", " -l app=x"]),
)


@given(COMMANDS)
def test_reading_a_command_back_gives_the_same_action(command: str) -> None:
    action = action_of(command)
    assert isinstance(action, Read)
    again = action_of(f"kubectl {' '.join(read_arguments(action, namespace='default'))}")
    assert isinstance(again, Read)
    assert again.resource.name == action.resource.name
    assert (again.verb, again.selector) == (action.verb, action.selector)
    assert (again.resource.api, again.resource.kind) == (action.resource.api, action.resource.kind)
