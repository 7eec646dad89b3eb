"""What we know of pytest-kind's options, against pytest-kind itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.standin import Call, calls, install
from tests.unit.clusters.test_pytest_kind_options import UNTOUCHED


def test_the_options_are_those_that_pytest_kind_has() -> None:
    plugin = pytest.importorskip("pytest_kind.plugin")
    options: list[str] = []

    class Group:
        def addoption(self, name: str, **_rest: object) -> None:
            options.append(name.removeprefix("--").replace("-", "_"))

    class Parser:
        def getgroup(self, _name: str) -> Group:
            return Group()

    plugin.pytest_addoption(Parser())
    assert set(options) == set(UNTOUCHED)


INFO = ("info", "--format", "{{.ServerVersion}}")
SCENARIO = """\
apiVersion: vpm.dev/v1
kind: Scenario
name: sample
services: {hello: {manifest: hello.yaml}}
steps: [{name: ready hello, ready: {service: hello}}]
"""
MANIFEST = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec: {template: {spec: {containers: [{image: dev.local/hello}]}}}
"""


@pytest.fixture
def machine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, an engine, and a kind that lies where only --kind-bin finds it."""
    pytest.importorskip("pytest_kind")
    pytester.makefile(".toml", pyproject="")
    (pytester.path / "hello.yaml").write_text(MANIFEST)
    (pytester.path / "scenario.yaml").write_text(SCENARIO)
    docker = [Call(INFO, stdout="28.2.2\n"), Call(("version", "{format}"), stdout="28.2.2 a/b\n")]
    install(pytester.path / "bin", "docker", docker)
    kind = [
        Call(("version",), stdout="kind v0.29.0 go1.24.2 linux/amd64\n"),
        Call(("get", "clusters"), stderr="No kind clusters found.\n"),
    ]
    monkeypatch.setenv("PATH", f"{pytester.path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(pytester.path / "state"))
    monkeypatch.delenv("KIND_BIN", raising=False)
    return install(pytester.path / "elsewhere", "kind", kind)


def run(pytester: pytest.Pytester, *arguments: str) -> str:
    """What a session says in which pytest-kind's own plugin is loaded, too."""
    done = pytester.runpytest("scenario.yaml", "-q", *arguments)
    return done.stdout.str() + done.stderr.str()


def test_its_options_work_on_ours(pytester: pytest.Pytester, machine: Path) -> None:
    said = run(
        pytester,
        "--vpm-cluster=kind",
        f"--kind-bin={machine}",
        "--kind-image=kindest/node:v1.25.3",
        "--keep-cluster",
        "--cluster-name=vpm-mini",
    )
    assert "kindest/node:v1.25.3 is Kubernetes 1.25.3; Knative 1.18 needs 1.31" in said
    assert ["get", "clusters"] in calls(machine.parent, "kind")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--cluster-name=other", "--cluster-name other is not the scenario's cluster vpm-mini"),
        ("--kubeconfig=/k", "the kind driver keeps a kubeconfig of its own"),
        ("--kind-kubectl-bin=/k", "--kind-kubectl-bin is not taken"),
    ],
)
def test_its_options_are_refused_with_a_reason(
    pytester: pytest.Pytester, machine: Path, option: str, words: str
) -> None:
    said = run(pytester, "--vpm-cluster=kind", f"--kind-bin={machine}", option)
    assert words in said
    assert "create" not in [call[0] for call in calls(machine.parent, "kind")]


@pytest.mark.usefixtures("machine")
def test_its_options_mean_nothing_on_another_cluster(pytester: pytest.Pytester) -> None:
    said = run(pytester, "--vpm-cluster=existing", "--vpm-context=x", "--keep-cluster")
    assert "--keep-cluster belong to kind, and the cluster is existing" in said
