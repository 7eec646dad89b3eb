"""The contracts that the scenarios ship are approved for the manifests that lie in the overlay."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.approval import Subject, unmet
from harness.contracts.model import approved_content, digest, parse_contract
from harness.contracts.policy import parse_policy

ROOT = Path(__file__).parents[3]
CONTRACTS = sorted(ROOT.glob("scenarios/*/contracts/*.json"))
POLICY = parse_policy((ROOT / "codex/policy.yaml").read_bytes(), source="codex/policy.yaml")


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_approval_is_signed_and_over_the_manifest_as_it_is(path: Path) -> None:
    """Fails when a manifest was changed: sign anew with `vpm runner approve FILE --embed`."""
    contract = parse_contract(path.read_bytes())
    manifests = [digest((ROOT / action.manifest).read_bytes()) for action in contract.manifests]
    subject = Subject(over=approved_content(manifests), target=str(contract.target))
    approvals = [contract.approval] if contract.approval else []

    refusal = unmet(approvals, subject=subject, provider="kind", rules=POLICY.approvals)
    assert refusal is None


@pytest.mark.parametrize(
    ("context", "covered"),
    [
        ("embedded-vpm-mini", True),
        ("embedded-vpm-mini-2", True),
        ("kind-vpm-mini", True),
        ("kind-vpm-mini-2", False),
        ("prod", False),
    ],
)
def test_the_shipped_contracts_are_for_the_team_s_clusters(context: str, covered: bool) -> None:
    targets = [parse_contract(path.read_bytes()).target for path in CONTRACTS]
    assert {target.covers(context) for target in targets} == {covered}
