"""From a comment to a service that is READY: ask, approve, serve, on the embedded cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import ROOT, environment

COMMENT = "/ask\n- S5 apply: dev hello-ksvc\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with the shipped policy and overlay, and an empty inbox."""
    folder = tmp_path / "repo"
    (folder / "codex" / "inbox").mkdir(parents=True)
    shutil.copy(ROOT / "codex" / "policy.yaml", folder / "codex")
    shutil.copytree(ROOT / "infra" / "k8s", folder / "infra" / "k8s")
    return folder


def vpm(
    repo: Path, *arguments: str, stdin: str = "", code: int = 0
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *arguments],
        cwd=repo,
        env=environment(repo.parent),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


def status(repo: Path, pattern: str) -> dict[str, Any]:
    (path,) = repo.glob(f"reports/codex_runs/{pattern}/status.json")
    return dict(json.loads(path.read_text()))


def test_a_comment_an_approval_and_a_run(repo: Path) -> None:
    vpm(repo, "ask", stdin=COMMENT)
    (contract,) = (repo / "codex" / "inbox").glob("*.json")
    serve = ("runner", "serve", "--once", "--cluster", "embedded")

    dry = vpm(repo, *serve)
    assert "exec would be refused: approval_missing" in dry.stdout
    assert contract.exists()

    vpm(repo, "runner", "approve", contract.stem, "--by", "me")
    run = vpm(repo, *serve, "--mode", "exec")

    assert run.stdout.startswith(f"succeeded {contract.name}: READY at the new generation: hello")
    done = status(repo, contract.stem)
    assert (done["state"], done["verdict"]) == ("succeeded", "PASS")
    assert (done["generation_before"], done["generation_after"]) == (None, 1)
    assert done["cluster"]["emulator"] is True
    assert [path.name for path in (repo / "codex" / "inbox" / "_done").iterdir()] == [contract.name]


def test_an_unapproved_contract_changes_nothing(repo: Path) -> None:
    vpm(repo, "ask", stdin=COMMENT)
    serve = ("runner", "serve", "--once", "--cluster", "embedded", "--mode", "exec")
    vpm(repo, *serve, code=2)
    assert status(repo, "apply_hello_dev_*")["exit_codes"] == []
