"""The installed wheel inside somebody else's repository, far from this one."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.runs import ROOT

MANIFEST = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: greeter, namespace: default}
spec:
  template:
    spec:
      containers:
        - image: ghcr.io/knative/helloworld-go
          env: [{name: TARGET, value: foreign repository}]
"""
SCENARIO = """\
apiVersion: vpm.dev/v1
kind: Scenario
name: greeting
services:
  greeter: {manifest: manifests/greeter.yaml}
steps:
  - name: apply greeter
    apply: {service: greeter}
  - name: ready greeter
    needs: [apply greeter]
    ready: {service: greeter, timeout: 60s}
  - name: probe greeter
    needs: [ready greeter]
    probe:
      service: greeter
      vantages: [devbox, in-cluster]
      requests: 3
      body: {contains: "Hello foreign repository!"}
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and its dependencies, not this checkout."""
    wheels, home = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("venv")
    execute("build", "--wheel", "--no-isolation", f"--outdir={wheels}", str(ROOT))
    execute("venv", "--without-pip", str(home))
    python = home / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    # A path in a .pth file brings the dependencies, and not the editable install beside them.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    found = ("--no-index", f"--find-links={wheels}", f"--target={site}")
    execute("pip", "install", "--quiet", "--no-deps", *found, "vpm-harness")
    return python


def execute(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with plain folders of our packages' names."""
    for name, text in {
        "pyproject.toml": "",
        "infra/terraform.tf": "",
        "tests/test_theirs.py": "def test_theirs(): pass\n",
        "scripts/deploy.sh": "",
        "manifests/greeter.yaml": MANIFEST,
        "checks/greeting/scenario.yaml": SCENARIO,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(python: Path, repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the repository."""
    return subprocess.run(
        [str(python), "-m", *arguments],
        cwd=repository,
        env={**os.environ, "XDG_STATE_HOME": str(repository / "state")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_foreign_repository_runs_its_own_scenario(python: Path, repository: Path) -> None:
    result = run(python, repository, "pytest", "checks", "tests", "--vpm-cluster=embedded")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "5 passed" in result.stdout
    assert (repository / "reports" / "runs").is_dir()


def test_the_package_is_the_wheels(python: Path, repository: Path) -> None:
    code = "import harness, infra, probes; print(harness.__file__)"
    result = run(python, repository, "timeit", "-n1", "-r1", code)
    assert str(python.parent.parent) in result.stdout, result.stdout + result.stderr


def test_a_package_of_the_same_name_is_a_clear_error(python: Path, repository: Path) -> None:
    (repository / "infra" / "__init__.py").touch()
    result = run(python, repository, "harness.cli.main", "lint", "checks")
    assert result.returncode == 2
    assert "its package 'infra' is hidden by" in result.stderr
    assert "Traceback" not in result.stderr
