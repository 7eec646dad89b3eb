"""The policy on gathered facts: a table, and anything at all thrown at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.facts import ManifestFacts, ObjectFacts
from harness.contracts.model import digest, validate
from harness.contracts.policy import Policy, judge, parse_policy
from harness.contracts.refusal import Reason
from harness.core.errors import SpecError
from tests.support.runner import HELLO, contract_document, policy_document

FOUND = ObjectFacts("serving.knative.dev/v1", "Service", "hello", "default")
GOOD = ManifestFacts(declared=HELLO, real=HELLO, digest=digest(b"x"), size=1, objects=(FOUND,))
RESOURCE = contract_document()["actions"][0]["resource"]


def policy(**changes: Any) -> Policy:
    content = yaml.safe_dump(policy_document(**changes)).encode()
    return parse_policy(content, source="policy.yaml")


def reasons(
    document: dict[str, Any], facts: ManifestFacts = GOOD, rules: Policy | None = None
) -> list[Reason]:
    contract = validate(document)
    named = {action.manifest: facts for action in contract.manifests}
    if contract.scope:
        named.setdefault(contract.scope, ManifestFacts(contract.scope, real=contract.scope))
    found = judge(contract=contract, facts=named, policy=rules or policy())
    return [refusal.reason for refusal in found]


def action(verb: str, **changes: Any) -> dict[str, Any]:
    """A check contract with one action."""
    resource = {"api": "v1", "kind": "Pod", "name": "p", "namespace": "default"}
    return contract_document(
        kind="check", actions=[{"verb": verb, "resource": resource, **changes}]
    )


def test_the_honest_contract_is_allowed() -> None:
    assert reasons(contract_document()) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(GOOD, real=""), Reason.PATH),
        (replace(GOOD, real="infra/k8s/overlays/prod/x.yaml"), Reason.PATH),
        (replace(GOOD, real="infra/k8s/overlays/dev-evil/x.yaml"), Reason.PATH),
        (replace(GOOD, real="infra/k8s/overlays/DEV/x.yaml"), Reason.PATH),
        (replace(GOOD, problem="not a regular file"), Reason.MANIFEST),
        (replace(GOOD, remote=("https://evil",)), Reason.REMOTE),
        (replace(GOOD, objects=()), Reason.MANIFEST),
        (replace(GOOD, size=10**7), Reason.TOO_LARGE),
        (replace(GOOD, objects=(FOUND,) * 21), Reason.TOO_LARGE),
        (replace(GOOD, objects=(replace(FOUND, name="other"),)), Reason.OBJECT),
        (replace(GOOD, objects=(replace(FOUND, namespace="kube-system"),)), Reason.OBJECT),
        (replace(GOOD, objects=(replace(FOUND, namespace=""),)), Reason.OBJECT),
        (replace(GOOD, objects=(replace(FOUND, kind="Role"),)), Reason.OBJECT),
        (replace(GOOD, objects=(replace(FOUND, api="v1"),)), Reason.OBJECT),
        (replace(GOOD, objects=(FOUND, replace(FOUND, kind="Role"))), Reason.OBJECT),
    ],
)
def test_facts_that_forbid(facts: ManifestFacts, reason: Reason) -> None:
    assert reasons(contract_document(), facts) == [reason]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        (action("get"), []),
        (action("describe"), []),
        (action("wait"), []),
        (action("logs"), []),
        (action("get", timeout=601), [Reason.TIMEOUT]),
        (action("get", selector="a=b"), [Reason.INVALID]),
        (action("wait", resource={"api": "v1", "kind": "Pod"}), [Reason.INVALID]),
        (action("get", resource={"api": "v1", "kind": "Secret"}), [Reason.RESOURCE]),
        (action("get", resource={"api": "v1", "kind": "Node"}), [Reason.RESOURCE]),
        (
            action("get", resource={"api": "v1", "kind": "Pod", "namespace": "kube-system"}),
            [Reason.NAMESPACE],
        ),
        (action("logs", resource=RESOURCE), [Reason.RESOURCE]),
        (contract_document(kind="check"), [Reason.VERB]),
        (contract_document(kind="noop"), [Reason.VERB]),
        (contract_document(actions=[]), [Reason.INVALID]),
        (contract_document(kind="noop", actions=[]), []),
        (contract_document(kind="update_north_star", actions=[]), [Reason.NOT_EXECUTABLE]),
        (contract_document(kind="persist_report_mvp", actions=[]), [Reason.NOT_EXECUTABLE]),
        (contract_document(target={"contexts": ["prod"]}), [Reason.CONTEXT]),
        (
            contract_document(target={"contexts": ["embedded-x", "embedded-*".strip("*") + "y"]}),
            [],
        ),
        (
            contract_document(target={"contexts": ["embedded-x"], "namespace": "other"}),
            [Reason.NAMESPACE, Reason.NAMESPACE],
        ),
        (contract_document(scope="infra/other.yaml"), [Reason.SCOPE]),
        (contract_document(scope=HELLO), []),
    ],
)
def test_contracts_that_are_allowed_or_not(document: dict[str, Any], wanted: list[Reason]) -> None:
    assert reasons(document) == wanted


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"kinds": ["ask"]}, Reason.KIND),
        ({"verbs": ["get"]}, Reason.VERB),
        ({"contexts": ["kind-*"]}, Reason.CONTEXT),
        ({"may_apply": []}, Reason.RESOURCE),
        ({"overlays": ["elsewhere"]}, Reason.PATH),
        ({"limits": {"timeout": 1}}, Reason.TIMEOUT),
        ({"limits": {"actions": 0}}, Reason.TOO_LARGE),
    ],
)
def test_what_is_not_listed_is_not_allowed(changes: dict[str, Any], wanted: Reason) -> None:
    assert wanted in reasons(contract_document(), rules=policy(**changes))


@pytest.mark.parametrize("path", ["../x.yaml", "infra/k8s/overlays/dev/../../x.yaml"])
def test_dots_are_refused_wherever_they_lead(path: str) -> None:
    document = contract_document()
    document["actions"][0]["manifest"] = path
    assert reasons(document) == [Reason.PATH]


POLICY_TEXT = """\
schema: vpm.policy/v1
kinds: [apply]  # kinds
verbs: [apply]
contexts: [kind-vpm-mini]
namespaces: [default]
overlays: [infra/k8s/overlays/dev]
may_read:
  - v1/Pod
may_apply:
  - serving.knative.dev/v1/Service
limits:
  timeout: 600
"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", "not YAML"),
        (b"schema: vpm.policy/v1", "Field required"),
        (b"when: 2026-11-22", "not plain data"),
        (b"limits: {timeout: .inf}", "not plain data"),
        (b"limits: {timeout: .nan}", "not plain data"),
        (b"[" * 20_000, "nested deeper"),
        (b"kinds: []\nverbs: []\nkinds: [apply]", "'kinds' appears twice"),
        (b"approvals: {recorded_on: [], recorded_on: [kind]}", "'recorded_on' appears twice"),
        (b"kinds: []\n---\nkinds: [apply]", "one document is wanted"),
        (b"", "one document is wanted"),
        (b"\xff", "not YAML"),
        (yaml.safe_dump(policy_document(surprise=1)).encode(), "surprise"),
        (
            yaml.safe_dump(policy_document(may_apply=["v1/Secret"])).encode(),
            "unknown kind v1/Secret",
        ),
        (
            yaml.safe_dump(
                policy_document(approvals={"signers": [{"name": "x", "key": "y"}]})
            ).encode(),
            "approvals.signers.0.key",
        ),
    ],
)
def test_a_bad_policy_is_told(content: bytes, said: str) -> None:
    with pytest.raises(SpecError, match=r"policy\.yaml:") as caught:
        parse_policy(content, source="policy.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ("[apply]  # kinds", "[aply]  # kinds", ["2:9"]),
        ("contexts:", "context:", ["1:1", "4:1"]),
        ("  timeout: 600", "  timeout: fast\n  surprise: 1", ["12:12", "13:3"]),
        ("  timeout: 600", "  timeout: .inf", ["12:12"]),
        ("  timeout: 600", "  timeout: 2026-11-22", ["12:12"]),
        ("  timeout: 600", "  timeout: &anchor 600", ["12:12"]),
        ("  timeout: 600", "  timeout: 600\n  timeout: 1", ["13:3"]),
        ("  timeout: 600", "  timeout: [", ["13:1"]),
        ("  - v1/Pod", "  - v1/Pods\n  - v1/Secret", ["8:5", "9:5"]),
    ],
)
def test_each_problem_of_a_policy_is_placed(old: str, new: str, places: list[str]) -> None:
    text = POLICY_TEXT.replace(old, new)
    assert text != POLICY_TEXT
    with pytest.raises(SpecError) as caught:
        parse_policy(text.encode(), source="policy.yaml")
    found = [f"{problem.line}:{problem.column}" for problem in caught.value.problems]
    assert found == places


def test_the_text_with_places_is_a_good_policy() -> None:
    assert parse_policy(POLICY_TEXT.encode(), source="policy.yaml").limits.timeout == 600


TEXT = st.sampled_from(["", "hello", "default", "Service", "v1", HELLO, "../x", "kube-system"])
OBJECTS = st.builds(ObjectFacts, TEXT, TEXT, TEXT, TEXT)
FACTS = st.builds(
    ManifestFacts,
    declared=st.just(HELLO),
    real=TEXT,
    digest=TEXT,
    size=st.integers(0, 10**6),
    objects=st.lists(OBJECTS | st.just(FOUND), max_size=3).map(tuple),
    remote=st.lists(TEXT, max_size=1).map(tuple),
    problem=TEXT,
)


@given(FACTS)
def test_only_the_declared_object_below_the_overlay_is_ever_allowed(facts: ManifestFacts) -> None:
    if reasons(contract_document(), facts) == []:
        assert facts.real.startswith("infra/k8s/overlays/dev/")
        assert set(facts.objects) == {FOUND}
        assert not facts.problem
        assert not facts.remote
