"""The four historical forms: converted to version 1, or refused with a named reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.forms import Defaults, read_contract, safe_name
from harness.contracts.model import Contract, dump, validate
from harness.contracts.refusal import ContractRefused, Reason
from tests.support.runner import contract_document

HELLO = "infra/k8s/overlays/dev/hello-ksvc.yaml"
RECEIVED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
APPLY: dict[str, Any] = {
    "kind": "apply",
    "source": "pr-direct-s5",
    "approved": True,
    "approver": "somebody",
    "scope": HELLO,
    "pr_number": 716,
    "note": f"S5 dev apply: {HELLO}",
    "actions": [
        {
            "type": "k8s-apply",
            "path": HELLO,
            "resource": {"kind": "Service", "name": "hello", "namespace": "default"},
        }
    ],
}
CANARY = {
    "kind": "ask",
    "source": "manual-t3",
    "note": "T3 hello KService exec canary",
    "actions": [{"cmd": "kubectl get ksvc hello -n default"}],
}
NOOP = {
    "id": "x-1",
    "task": "noop",
    "repo": "owner/name",
    "branch_base": "main",
    "actions": [],
    "evidence_out": "reports/x",
}


def read(document: object, name: str = "apply_hello_dev_20251115T183901Z") -> Contract:
    defaults = Defaults(name=name, received=RECEIVED, contexts=("kind-vpm-mini",))
    return read_contract(json.dumps(document).encode(), defaults=defaults)


def test_an_ask() -> None:
    contract = read({"kind": "ask", "source": "pr-direct", "note": "hm"}, "ask_20251115T183901Z")

    assert (contract.kind, contract.note, contract.actions) == ("ask", "hm", ())
    assert contract.id == "ask_20251115T183901Z"
    assert contract.created == datetime(2025, 11, 15, 18, 39, 1, tzinfo=UTC)
    assert contract.converted_from == "ask"


def test_a_canary_becomes_a_check_with_structured_actions() -> None:
    contract = read(CANARY)

    assert contract.kind == "check"
    assert [(action.verb, str(action.resource)) for action in contract.actions] == [
        ("get", "Service default/hello")
    ]


def test_an_apply_means_the_knative_service_and_brings_no_approval() -> None:
    contract = read(APPLY)

    assert [action.resource.api for action in contract.actions] == ["serving.knative.dev/v1"]
    assert (contract.scope, contract.approval) == (HELLO, None)
    assert contract.origin is not None
    assert contract.origin.number == 716


def test_a_noop() -> None:
    contract = read(NOOP)
    assert (contract.id, contract.kind, contract.actions) == ("x-1", "noop", ())


def test_version_1_is_read_as_it_is() -> None:
    contract = validate(contract_document())
    defaults = Defaults(name="other", received=RECEIVED, contexts=("x",))
    assert read_contract(dump(contract), defaults=defaults) == contract


@pytest.mark.parametrize("document", [CANARY, APPLY, NOOP])
def test_a_converted_contract_is_a_contract(document: dict[str, Any]) -> None:
    contract = read(document)
    assert validate(json.loads(dump(contract))) == contract


@pytest.mark.parametrize(
    ("document", "reason", "where"),
    [
        ({}, Reason.UNKNOWN_FORM, ""),
        ({"kind": "delete"}, Reason.UNKNOWN_FORM, ""),
        ({"task": "noop", "actions": [{"cmd": "x"}]}, Reason.INVALID, "actions"),
        ({**NOOP, "cmd": "reboot"}, Reason.INVALID, ""),
        ({"kind": "ask", "shell": "reboot"}, Reason.INVALID, ""),
        ({**CANARY, "actions": "kubectl get"}, Reason.INVALID, "actions"),
        ({**CANARY, "actions": [{"cmd": 1}]}, Reason.INVALID, "actions[0]"),
        (
            {**CANARY, "actions": [{"cmd": "kubectl get pods", "x": 1}]},
            Reason.INVALID,
            "actions[0]",
        ),
        ({**CANARY, "actions": [{"cmd": "reboot"}]}, Reason.COMMAND, "actions[0]"),
        ({**APPLY, "approved": "true"}, Reason.APPROVAL_MISSING, "approved"),
        ({**APPLY, "approved": 1}, Reason.APPROVAL_MISSING, "approved"),
        ({**APPLY, "actions": [{"cmd": "kubectl get pods"}]}, Reason.INVALID, "actions[0]"),
        (
            {**APPLY, "actions": [{**APPLY["actions"][0], "type": "shell"}]},
            Reason.VERB,
            "actions[0]",
        ),
        (
            {**APPLY, "actions": [{**APPLY["actions"][0], "resource": {"api": "v1"}}]},
            Reason.INVALID,
            "actions[0].resource",
        ),
    ],
)
def test_refused_with_a_reason(document: object, reason: Reason, where: str) -> None:
    with pytest.raises(ContractRefused) as caught:
        read(document)
    assert [(found.reason, found.where) for found in caught.value.refusals] == [(reason, where)]


def test_every_bad_command_is_told() -> None:
    commands = ["reboot", "kubectl get pods", "kubectl delete ksvc x"]
    with pytest.raises(ContractRefused) as caught:
        read({**CANARY, "actions": [{"cmd": command} for command in commands]})
    assert [found.where for found in caught.value.refusals] == ["actions[0]", "actions[2]"]


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ContractRefused, match="is no time"):
        read(NOOP, "noop_20251399T183901Z")


@given(st.text(max_size=300))
def test_a_safe_name_is_an_identifier(text: str) -> None:
    assert validate(contract_document(safe_name(text)))
