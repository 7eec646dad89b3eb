"""The fixtures, for those who write tests in Python instead of scenarios in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.ports import Cluster, Kubectl
    from harness.pytest_fixtures import HttpFor, Ksvc, Probe, RunContract

ROOT = Path(__file__).parent.parent
HELLO = ROOT / "infra" / "k8s" / "overlays" / "dev" / "hello-ksvc.yaml"


@pytest.fixture(scope="module")
def hello(kubectl: Kubectl, ksvc: Ksvc) -> str:
    """The KService hello, READY."""
    applied = kubectl.run(["apply", "-f", str(HELLO)], timeout=30)
    assert applied.exit_code == 0, applied.stderr
    assert ksvc("hello", ready=60).mismatches == ()
    return "hello"


def test_hello_through_the_gateway(hello: str, http: HttpFor) -> None:
    response = http(hello).get("/")
    assert response.status_code == 200
    assert response.text.startswith("Hello")


def test_hello_is_reachable_from_two_vantages(hello: str, probe: Probe) -> None:
    for seen in probe(hello, vantages=["devbox", "in-cluster"], requests=5, rate="20/s"):
        assert seen.good == seen.valid == 5, seen


def test_the_cluster_says_what_it_is(cluster: Cluster, kubectl: Kubectl) -> None:
    assert cluster.identity.uid
    version = kubectl.run(["version", "-o", "json"], timeout=10)
    assert cluster.identity.server_version in version.stdout


def test_a_preview_changes_nothing(hello: str, runner: RunContract, tmp_path: Path) -> None:
    template = ROOT / "scenarios" / "goal_m2" / "contracts" / "apply_hello_dev.json"
    contract = tmp_path / template.name
    contract.write_bytes(template.read_bytes())
    seen = runner(contract)
    assert seen.state == "previewed"
    assert set(seen.unchanged) == {"cluster", "inbox"}
