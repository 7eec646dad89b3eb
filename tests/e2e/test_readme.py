"""Every command of the README is run, in its order, in a fresh clone; both languages agree."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runs import ROOT, processes_mentioning

ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")
# `make test` would run this very test; `make m2` sets up first, which CI does.
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


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A clone with this environment, whose kept clusters end with the test."""
    folder = tmp_path / "vpm-harness"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True, timeout=60)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    yield folder
    status = execute("vpm cluster status vpm-mini --json", folder).stdout
    uid = re.search(r'"uid": "([^"]+)"', status)
    if uid:
        execute(f"vpm cluster down vpm-mini --confirm {uid[1]}", folder)
    assert processes_mentioning(str(tmp_path)) == []


def test_every_command_works(clone: Path) -> None:
    for command in commands(ENGLISH):
        if command not in ELSEWHERE:
            result = execute(filled_in(command, clone), clone)
            assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def filled_in(command: str, clone: Path) -> str:
    """The command with the id of a run, where a reader would put one."""
    runs = sorted((clone / "reports" / "runs").glob("*"))
    return command.replace("<run_id>", runs[-1].name) if runs else command


def execute(command: str, clone: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(clone.parent),
        "XDG_STATE_HOME": str(clone.parent / "state"),
        "TMPDIR": str(clone.parent),
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
