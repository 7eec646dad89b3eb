"""What the engine may be made of: the standard library, in Python 3.9's grammar."""

from __future__ import annotations

import ast
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from probes import build

SOURCES = sorted((Path(build.__file__).parent / "agent").glob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_the_standard_library_and_an_old_grammar(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    assert imported <= sys.stdlib_module_names
    assert "from __future__ import annotations" in path.read_text() or path.name == "__init__.py"


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "agent.pyz", tmp_path / "b.pyz"
    digest = build.build_agent(first)
    build.agent_bytes.cache_clear()
    assert build.build_agent(second) == digest
    assert first.read_bytes() == second.read_bytes() == build.agent_bytes()
    assert hashlib.sha256(first.read_bytes()).hexdigest() == digest
    assert len(first.read_bytes()) < 1_000_000, "a ConfigMap holds no more"
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["__main__.py", *(f"agent/{path.name}" for path in SOURCES)]


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.pyz"
    digest = build.build_agent(path)
    before = path.stat()
    assert build.build_agent(path) == digest
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    path.write_text("damaged")
    assert build.build_agent(path) == digest
    assert [each.name for each in tmp_path.iterdir()] == ["agent.pyz"]


def test_the_cached_zipapp_has_the_same_sources_and_their_compiled_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build.cached_agent.cache_clear()
    path = build.cached_agent()
    build.cached_agent.cache_clear()
    before = path.stat()
    assert build.cached_agent() == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    build.cached_agent.cache_clear()
    with zipfile.ZipFile(path) as cached, zipfile.ZipFile(io.BytesIO(build.agent_bytes())) as plain:
        assert {name: plain.read(name) for name in plain.namelist()}.items() <= {
            name: cached.read(name) for name in cached.namelist()
        }.items()
        assert {f"{name}c" for name in plain.namelist()} < set(cached.namelist())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(path), "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, "agent.pyz PLAN" in done.stderr) == (0, True)
