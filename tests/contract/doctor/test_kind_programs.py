"""What kind needs on this machine, with stand-ins for docker, kind and kubectl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.finding import Finding, Status, perform_all
from infra.clusters.checkup_kind import CHECKS, Programs, our_cluster_runs
from tests.support.standin import Call, install


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KIND_BIN", raising=False)
    return tmp_path


def find(check: str, programs: Programs | None = None) -> Finding:
    chosen = [item for item in CHECKS if item.id == check]
    return perform_all(chosen, programs or Programs())[0]


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"stdout": "28.2.2\n"}, Status.OK, "Docker 28.2.2"),
        ({"exit": 1, "stderr": "Cannot connect to the Docker daemon\n"}, Status.FAILURE, "Cannot"),
        ({"stdout": "\n"}, Status.FAILURE, "no Docker engine answers"),
    ],
)
def test_the_engine(path: Path, answer: dict[str, object], status: Status, words: str) -> None:
    install(path, "docker", [Call(("info", "--format", "{{.ServerVersion}}"), **answer)])  # type: ignore[arg-type]
    found = find("engine")
    assert found.status is status
    assert words in found.seen


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("check", ["engine", "kind"])
def test_what_is_not_installed_is_named(check: str) -> None:
    found = find(check)
    assert found.status is Status.FAILURE
    assert "install" in (found.mend or "")


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("0.29.0", Status.OK),
        ("0.27.0", Status.OK),
        ("0.26.1", Status.FAILURE),
        ("0.9.0", Status.FAILURE),
    ],
)
def test_kind(path: Path, version: str, status: Status) -> None:
    program = install(path, "kind", [Call(("version",), stdout=f"kind v{version} go1.24.2\n")])
    assert find("kind").status is status
    assert find("kind", Programs(kind=str(program))).status is status


@pytest.mark.parametrize(
    ("version", "status"),
    [("v1.33.1", Status.OK), ("v1.30.2", Status.OK), ("v1.29.9", Status.WARNING)],
)
def test_kubectl_may_be_one_version_older(path: Path, version: str, status: Status) -> None:
    answer = json.dumps({"clientVersion": {"gitVersion": version}})
    call = Call(("version", "--client", "--output=json"), stdout=answer)
    program = install(path, "kubectl", [call])
    found = find("kubectl", Programs(kubectl=str(program)))
    assert found.status is status
    assert version in found.seen


@pytest.mark.parametrize("said", ["{}", "[]", "y\n" * 9_000, "\x1b[31m"])
def test_a_kubectl_that_answers_nonsense_is_a_finding(path: Path, said: str) -> None:
    call = Call(("version", "--client", "--output=json"), stdout=said)
    program = install(path, "kubectl", [call])
    found = find("kubectl", Programs(kubectl=str(program)))
    assert found.status is Status.FAILURE
    assert "kubectl is no kubectl: " in found.seen
    assert "the check itself is broken" not in str(found.mend)


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        ({"stdout": "other\nvpm-mini\n"}, True),
        ({"stdout": "vpm-mini-2\n"}, False),
        ({"stderr": "ERROR: Cannot connect to the Docker daemon\n", "exit": 1}, False),
    ],
)
def test_whose_ports_they_are(path: Path, answer: dict[str, object], ours: bool) -> None:
    install(path, "kind", [Call(("get", "clusters"), **answer)])  # type: ignore[arg-type]
    assert our_cluster_runs(Programs()) is ours


@pytest.mark.usefixtures("path")
def test_without_kind_no_port_is_ours() -> None:
    assert our_cluster_runs(Programs()) is False
