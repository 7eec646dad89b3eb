"""Set-up on a machine that lacks something: the tool is named, and the command that installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_VENV = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1;; esac
exec "{sys.executable}" "$@"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for PATH with what set-up needs, but Python without its venv module."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "cat", "git"):
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    (folder / "python3").write_text(NO_VENV, encoding="utf-8")
    (folder / "python3").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("git", "error: git is missing; install it: sudo apt-get install git"),
        ("python3", "error: Python 3.11 or later is missing; install it: sudo apt-get install"),
        (None, "has no venv module; install it: sudo apt-get install python3."),
    ],
)
def test_a_missing_tool_is_named_with_the_command_that_installs_it(
    programs: Path, tmp_path: Path, missing: str | None, told: str
) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/setup", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    if missing:
        (programs / missing).unlink()
    done = subprocess.run(
        [tmp_path / "scripts/setup"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / ".venv").exists()


MAKES_VENV = """#!/bin/sh
[ "$1 $2" = "-m venv" ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
exit 0
"""


def test_a_repository_that_was_moved_is_set_up_again(tmp_path: Path) -> None:
    """The programs of a virtual environment begin with its path."""
    python = tmp_path / "python"
    python.write_text(MAKES_VENV, encoding="utf-8")
    python.chmod(0o755)
    before, after = tmp_path / "before", tmp_path / "after"
    (before / "scripts").mkdir(parents=True)
    for name in ("scripts/setup", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, before / name)

    def said(folder: Path) -> str:
        return subprocess.run(
            [folder / "scripts/setup"],
            env={**os.environ, "PYTHON": str(python)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    assert "setting up .venv" in said(before)
    assert said(before) == ""
    before.rename(after)
    assert "setting up .venv" in said(after)
