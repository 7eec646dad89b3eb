"""kill -9 of a real run while its evidence is written, and what is left can be told and healed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.kept import take_down
from tests.support.runs import ROOT, environment, run_folders

SCENARIO = {
    "apiVersion": "vpm.dev/v1",
    "kind": "Scenario",
    "name": "short",
    "services": {"hello": {"manifest": "hello.yaml"}},
    "steps": [
        {"name": "apply", "apply": {"service": "hello"}},
        {"name": "ready", "ready": {"service": "hello"}},
        {"name": "keep", "evidence": {"service": "hello", "claim": "ready", "copy": "known/ready"}},
    ],
}  # fmt: skip
MOMENTS = {
    "before the journal is compressed": ("os.rename", r"journal\.jsonl\.gz$"),
    "with the journal in both forms": ("os.remove", r"journal\.jsonl$"),
    "between a document and its text": ("os.link", r"\.ready\.md$"),
    "before the ledger entry": ("os.link", r"ledger\.json$"),
    "before the copy": ("os.rename", r"known/ready\.json$"),
    "between a copy and its text": ("os.rename", r"known/ready\.md$"),
}


class Desk:
    """A repository of the test's own, and a cluster that its runs share."""

    def __init__(self, folder: Path) -> None:
        self.repo, self.home = folder / "repo", folder / "home"
        scenario = self.repo / "scenarios" / "short"
        scenario.mkdir(parents=True)
        self.home.mkdir()
        (self.repo / "pyproject.toml").touch()
        (scenario / "scenario.yaml").write_text(yaml.safe_dump(SCENARIO))
        manifest = (ROOT / "infra/k8s/overlays/dev/hello-ksvc.yaml").read_text()
        (self.repo / "hello.yaml").write_text(manifest)

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.repo,
            env={**environment(self.home), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def vpm(self, *arguments: str) -> tuple[int, str]:
        """How `vpm` ended and what it said; never a traceback."""
        return said(self.start("harness.cli.main", *arguments))

    def killed(self, operation: str, pattern: str, reports: Path) -> Path:
        """A run that dies there; returns its folder."""
        process = self.start("tests.support.dying", operation, pattern, *run_into(reports))
        code, text = said(process)
        assert code == -signal.SIGKILL, text
        (folder,) = run_folders(reports)
        return folder


def run_into(reports: Path) -> tuple[str, ...]:
    return ("run", "scenarios/short", "--cluster=embedded", f"--reports={reports}")


def said(process: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = process.communicate(timeout=240)
    assert "Traceback" not in text, text
    return process.returncode, text


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(tmp_path_factory.mktemp("killed"))
    code, text = made.vpm("cluster", "up", "--cluster=embedded")
    assert code == 0, text
    yield made
    take_down("vpm-mini", made.vpm)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_killed_while_it_writes_can_be_told_and_healed(
    desk: Desk, tmp_path: Path, moment: str
) -> None:
    reports = tmp_path / "reports"
    folder = desk.killed(*MOMENTS[moment], reports)
    code, text = desk.vpm("judge", str(folder))
    assert (code, "PASS: all 4 steps passed" in text) == (0, True), text
    code, text = desk.vpm("evidence", "verify", str(reports))
    assert code == 1, text
    assert folder.name in text or "known/ready" in text
    code, text = desk.vpm("evidence", "recover", str(folder))
    assert code == 0, text
    code, text = desk.vpm("evidence", "verify", str(reports))
    assert (code, "0 findings in 1 runs" in text) == (0, True), text
    assert list(folder.rglob(".writing-*")) == []
    assert (reports / "known/ready.md").is_file()


def test_the_next_run_works_beside_one_that_was_killed(desk: Desk, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    killed = desk.killed(*MOMENTS["before the ledger entry"], reports)
    code, text = desk.vpm(*run_into(reports))
    assert code == 0, text
    code, text = desk.vpm("evidence", "verify", str(reports))
    assert code == 1
    wrong = [line for line in text.splitlines()[:-1] if killed.name not in line]
    assert wrong == []
    (finished,) = (folder for folder in run_folders(reports) if folder != killed)
    assert desk.vpm("evidence", "verify", str(finished))[0] == 0
    assert desk.vpm("evidence", "recover", str(killed))[0] == 0
    code, text = desk.vpm("evidence", "verify", str(reports))
    assert code == 0, text
    copy = (reports / "known/ready.md").read_text(encoding="utf-8")
    assert finished.name in copy or killed.name in copy


def test_two_runs_at_once_into_one_folder_both_verify(desk: Desk, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    both = [desk.start("harness.cli.main", *run_into(reports)) for _ in range(2)]
    ended = [said(process) for process in both]
    assert [code for code, _ in ended] == [0, 0], ended
    assert len(run_folders(reports)) == 2
    code, text = desk.vpm("evidence", "verify", str(reports))
    assert (code, "0 findings in 2 runs" in text) == (0, True), text
