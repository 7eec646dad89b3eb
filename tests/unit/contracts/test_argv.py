"""`cmd` strings become structured actions, or are refused; nothing ever reaches a shell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.argv import action_of
from harness.contracts.command import read_arguments
from harness.contracts.model import Manifest, Wait
from harness.contracts.refusal import ContractRefused, Reason

KSVC = {"api": "serving.knative.dev/v1", "kind": "Service"}
POD = {"api": "v1", "kind": "Pod"}


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (
            "kubectl get ksvc hello -n default",
            {"verb": "get", "resource": {**KSVC, "name": "hello", "namespace": "default"}},
        ),
        (
            "kubectl -n default get ksvc hello",
            {"verb": "get", "resource": {**KSVC, "name": "hello", "namespace": "default"}},
        ),
        ("kubectl get ksvc/hello", {"verb": "get", "resource": {**KSVC, "name": "hello"}}),
        ("kubectl get pods -o wide", {"verb": "get", "resource": POD, "output": "wide"}),
        ("kubectl get po --output=json", {"verb": "get", "resource": POD, "output": "json"}),
        (
            "kubectl describe pods -l app=x",
            {"verb": "describe", "resource": POD, "selector": "app=x"},
        ),
        (
            "kubectl wait --for=condition=Ready ksvc/hello --timeout=2m",
            {"verb": "wait", "resource": {**KSVC, "name": "hello"}, "timeout": 120},
        ),
        (
            "kubectl logs hello-1 -c user-container --tail 50",
            {
                "verb": "logs",
                "resource": {**POD, "name": "hello-1"},
                "container": "user-container",
                "tail": 50,
            },
        ),
        (
            "kubectl diff -f infra/k8s/overlays/dev/hello-ksvc.yaml",
            {
                "verb": "diff",
                "manifest": "infra/k8s/overlays/dev/hello-ksvc.yaml",
                "resource": KSVC,
            },
        ),
    ],
)
def test_what_kubectl_would_do_is_understood(command: str, wanted: dict[str, Any]) -> None:
    action = action_of(command).model_dump(exclude_none=True, exclude_defaults=True)
    assert action == wanted


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("condition=Ready", "Ready"),
        ("condition=ready", "Ready"),
        ("condition=READY=TRUE", "Ready"),
        ("condition=Ready=True", "Ready"),
        ("condition=ContainersReady=true", "ContainersReady"),
    ],
)
def test_a_condition_is_read_as_kubectl_does(written: str, read: str) -> None:
    for command in (f"kubectl wait ksvc/x --for={written}", f"kubectl wait ksvc/x --for {written}"):
        action = action_of(command)
        assert isinstance(action, Wait)
        assert action.condition == read


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("kubectl wait ksvc/x --for=condition=Ready=False", Reason.FLAG),
        ("kubectl wait ksvc/x --for=condition=Ready=", Reason.FLAG),
        ("kubectl wait ksvc/x --for=Condition=Ready", Reason.FLAG),
        ("kubectl wait ksvc/x --for=condition=", Reason.INVALID),
        ("kubectl get pods; reboot", Reason.SHELL_SYNTAX),
        ("kubectl get pods && reboot", Reason.SHELL_SYNTAX),
        ("kubectl get pods | sh", Reason.SHELL_SYNTAX),
        ("kubectl get pods > f", Reason.SHELL_SYNTAX),
        ("kubectl get $HOME", Reason.SHELL_SYNTAX),
        ("kubectl get `id`", Reason.SHELL_SYNTAX),
        ("kubectl get pods\nreboot", Reason.SHELL_SYNTAX),
        ("kubectl get ｐｏｄｓ", Reason.SHELL_SYNTAX),
        ("kubectl get 'pods", Reason.SHELL_SYNTAX),
        ("A=1 kubectl get pods", Reason.SHELL_SYNTAX),
        ("kubectl get pod*", Reason.SHELL_SYNTAX),
        ("bash -lc reboot", Reason.COMMAND),
        ("/usr/bin/kubectl get pods", Reason.COMMAND),
        ("kubectl.exe get pods", Reason.COMMAND),
        ("", Reason.COMMAND),
        ("kubectl", Reason.VERB),
        ("kubectl delete ksvc hello", Reason.VERB),
        ("kubectl apply -f x.yaml", Reason.VERB),
        ("kubectl exec x -- sh", Reason.FLAG),
        ("kubectl get pods --kubeconfig x", Reason.FLAG),
        ("kubectl get pods --context=x", Reason.FLAG),
        ("kubectl get pods --server x", Reason.FLAG),
        ("kubectl get pods -s x", Reason.FLAG),
        ("kubectl get pods --token=x", Reason.FLAG),
        ("kubectl get pods --as=x", Reason.FLAG),
        ("kubectl get pods -A", Reason.FLAG),
        ("kubectl get pods -nkube-system", Reason.FLAG),
        ("kubectl get pods -n", Reason.FLAG),
        ("kubectl get pods -n a -n b", Reason.FLAG),
        ("kubectl get -f x.yaml", Reason.FLAG),
        ("kubectl get pods -o jsonpath=x", Reason.INVALID),
        ("kubectl get secrets", Reason.RESOURCE),
        ("kubectl get all", Reason.RESOURCE),
        ("kubectl get pods,secrets", Reason.RESOURCE),
        ("kubectl get pods a b", Reason.INVALID),
        ("kubectl get", Reason.INVALID),
        ("kubectl diff", Reason.INVALID),
        ("kubectl diff -f -", Reason.FLAG),
        ("kubectl diff -f https://evil/x", Reason.INVALID),
        ("kubectl diff -f /etc/passwd", Reason.INVALID),
        ("kubectl wait pods/x --timeout=1year", Reason.TIMEOUT),
        ("kubectl wait pods/x --for=delete --timeout=1s", Reason.FLAG),
        ("kubectl logs x --tail=all", Reason.INVALID),
        ("kubectl get " + "x" * 2000, Reason.TOO_LARGE),
    ],
)
def test_everything_else_is_refused(command: str, reason: Reason) -> None:
    with pytest.raises(ContractRefused) as caught:
        action_of(command)
    assert caught.value.refusals[0].reason is reason


WORDS = st.sampled_from(
    ["kubectl", "get", "describe", "wait", "logs", "diff", "delete", "pods", "ksvc/hello", "-n",
     "default", "--context", "-f", "-o", "wide", "--for=condition=Ready", "--timeout=5s", "-l",
     "a=b", ";", "--token=x", "x.yaml", "-A"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=40))
def test_any_command_is_an_action_that_only_looks_or_refused(command: str) -> None:
    try:
        action = action_of(command)
    except ContractRefused:
        return
    assert action.verb in {"get", "describe", "wait", "logs", "diff"}
    if not isinstance(action, Manifest):
        arguments = read_arguments(action, namespace="default")
        assert arguments[0] == action.verb
        assert not {"--context", "--kubeconfig", "--token", "-A"} & set(arguments)
