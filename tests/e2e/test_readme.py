"""Every command of the README is run, and both languages show the same ones."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.runs import ROOT, environment

ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")
# These run this very suite, or the whole main job, which test_goal_m2 runs.
ELSEWHERE = ("make test", "make m2")
_LINE = re.compile(r"^\$ (.+?)(?:\s{2,}#.*)?$", re.MULTILINE)


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [command for block in blocks for command in _LINE.findall(block)]


def test_both_languages_show_the_same_commands() -> None:
    assert commands(ENGLISH) == commands(JAPANESE)


def test_working_code_stands_within_the_first_25_lines() -> None:
    for text in (ENGLISH, JAPANESE):
        head = "\n".join(text.splitlines()[:25])
        assert "$ make m2" in head
        assert "probe:" in head


@pytest.mark.parametrize("command", sorted(set(commands(ENGLISH)) - set(ELSEWHERE)))
def test_a_command_of_the_readme(command: str, tmp_path: Path) -> None:
    # What a reader would fill in is filled in with a run of the test's own.
    if "<run_id>" in command:
        run = runnable("vpm run scenarios/goal_m2 -s 'ready hello'", tmp_path)
        assert execute(run, tmp_path).returncode == 0
        (folder,) = (tmp_path / "reports" / "runs").iterdir()
        command = command.replace("reports/runs/<run_id>", str(folder))
    result = execute(runnable(command, tmp_path), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def runnable(command: str, folder: Path) -> list[str]:
    """The command with its evidence in the test's folder and its output not redirected."""
    words = shlex.split(command.split(" > ")[0])
    name = words[0].rpartition("/")[2]
    program = [str(ROOT / ".venv" / "bin" / name), *words[1:]]
    if not Path(program[0]).exists():
        program = words
    if name == "pytest":
        program += [f"--vpm-reports={folder / 'reports'}", "-p", "no:randomly"]
    elif words[1:2] == ["run"]:
        program += [f"--reports={folder / 'reports'}"]
    return program


def execute(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
