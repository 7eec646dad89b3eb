"""Runs of the product as its users start them: real processes, evidence in a folder of the test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.core.record import RunRecord
from harness.run.journal import JOURNAL, read_record
from tests.support.wait import eventually

ROOT = Path(__file__).parents[2]
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended, and the folder its evidence went to."""

    exit_code: int
    stdout: str
    stderr: str
    reports: Path

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.stdout + self.stderr

    @property
    def folder(self) -> Path:
        """The folder of its only run."""
        (folder,) = run_folders(self.reports)
        return folder

    @property
    def record(self) -> RunRecord:
        """What its journal tells."""
        return read_record(self.folder / JOURNAL)


def run_folders(reports: Path) -> list[Path]:
    """The run folders below a reports folder."""
    return sorted((reports / "runs").glob("*/")) if (reports / "runs").is_dir() else []


def environment(home: Path) -> dict[str, str]:
    """The caller's environment with folders of the test's own for state and temporary files."""
    own = {"XDG_STATE_HOME": str(home), "TMPDIR": str(home), "PYTHONWARNINGS": "default"}
    return {**os.environ, **own}


def start(command: list[str], *, home: Path, folder: Path = ROOT) -> subprocess.Popen[str]:
    """Start a command of the product in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], reports: Path) -> Finished:
    """Wait for the end of a command; it is killed when it takes too long."""
    try:
        stdout, stderr = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
    return Finished(process.returncode, stdout, stderr, reports)


def pytest_command(*arguments: str, reports: Path) -> list[str]:
    """`pytest ... --vpm-reports=REPORTS` on an embedded cluster."""
    plain = ("-p", "no:randomly", "-p", "no:cacheprovider", "--vpm-cluster=embedded")
    return ["pytest", *plain, f"--vpm-reports={reports}", *arguments]


def vpm_command(*arguments: str, reports: Path) -> list[str]:
    """`vpm run ... --reports REPORTS` on an embedded cluster."""
    return ["harness.cli.main", "run", "--cluster=embedded", f"--reports={reports}", *arguments]


def processes_mentioning(word: str) -> list[str]:
    """The command lines of living processes that hold a word (a folder of the test, say)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in command and str(os.getpid()) != path.parent.name:
            found.append(command.strip())
    return found


def wait_for_step(reports: Path, step: str, *, event: str = "step_started") -> Path:
    """Wait until a run below `reports` has an event of a step; returns the run's folder."""

    def look() -> Path | None:
        for folder in run_folders(reports):
            journal = folder / JOURNAL
            text = journal.read_text(encoding="utf-8") if journal.exists() else ""
            pattern = rf'"step":"{re.escape(step)}".*"event":"{event}"'
            if re.search(pattern, text):
                return folder
        return None

    folder = eventually(look, timeout=60, what=f"{event} of {step!r}")
    assert folder is not None
    return folder
