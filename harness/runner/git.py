"""Commits made beside the working tree: nothing of a person's checkout is touched."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.core.errors import CommandError, UsageError

SECONDS = 60.0
IDENTITY = ("vpm-runner", "vpm-runner@localhost")
_NO_OBJECT = "0" * 40
# Set where a hook of git runs us: they would lead to that repository instead of this one.
_LEADING = frozenset(
    {
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX",
    }
)  # fmt: skip
PROTECTED = frozenset({"main", "master", "HEAD", "trunk", "develop"})


@dataclass(frozen=True, slots=True)
class GitRepository:
    """A local repository, with a working tree or bare."""

    path: Path

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes],
        *,
        removed: Sequence[str] = (),
        message: str,
        at: datetime,
    ) -> str:
        """Put `files` on a new branch on top of HEAD, as one commit; returns its id.

        Paths in `removed` are not in the commit any more.

        The same files, message and time on the same HEAD give the same commit; a branch that
        already has these files stays as it is.

        Errors:
            UsageError: a protected branch, or a branch with something else on it.
        """
        self._check_branch(branch)
        existing = self._try("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        if existing:
            self._check_same(existing, files, branch)
            return existing
        head = self._try("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        tree = self._tree(head, files, removed)
        parents = ["-p", head] if head else []
        commit = self._run("commit-tree", tree, *parents, "-m", message, dates=at)
        # The zero id: the branch must not exist yet, whoever else is publishing.
        self._run("update-ref", f"refs/heads/{branch}", commit, "0" * len(commit))
        return commit

    def push(self, remote: str, branch: str) -> None:
        """Push one branch, without force.

        Errors:
            UsageError: a protected branch. CommandError: git refused.
        """
        self._check_branch(branch)
        self._run("push", "--quiet", remote, f"refs/heads/{branch}:refs/heads/{branch}")

    def _check_branch(self, branch: str) -> None:
        default = self._try("symbolic-ref", "--quiet", "--short", "HEAD")
        if branch in PROTECTED or branch == default:
            raise UsageError(f"runs are never published on {branch}")

    def _check_same(self, commit: str, files: Mapping[str, bytes], branch: str) -> None:
        for name, content in files.items():
            wanted = self._run("hash-object", "--stdin", stdin=content)
            if self._try("rev-parse", "--verify", "--quiet", f"{commit}:{name}") != wanted:
                raise UsageError(f"{branch} exists and {name} is different there")

    def _tree(self, head: str, files: Mapping[str, bytes], removed: Sequence[str]) -> str:
        with tempfile.TemporaryDirectory(prefix="vpm-git-") as folder:
            index = Path(folder) / "index"
            if head:
                self._run("read-tree", head, index=index)
            entries = "".join(
                f"100644 {self._run('hash-object', '-w', '--stdin', stdin=content)}\t{name}\0"
                for name, content in sorted(files.items())
            )
            gone = "".join(f"0 {_NO_OBJECT}\t{name}\0" for name in removed)
            lines = f"{gone}{entries}".encode()
            self._run("update-index", "-z", "--index-info", stdin=lines, index=index)
            return self._run("write-tree", index=index)

    def _try(self, *arguments: str) -> str:
        try:
            return self._run(*arguments)
        except CommandError:
            return ""

    def _run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        index: Path | None = None,
        dates: datetime | None = None,
    ) -> str:
        environment = {name: text for name, text in os.environ.items() if name not in _LEADING}
        environment["GIT_TERMINAL_PROMPT"] = "0"
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = IDENTITY
            if dates:
                environment[f"GIT_{role}_DATE"] = dates.isoformat()
        if index:
            environment["GIT_INDEX_FILE"] = str(index)
        command = ["git", "-C", str(self.path), *arguments]
        try:
            result = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                timeout=SECONDS,
                env=environment,
                check=False,
            )
        except FileNotFoundError as error:
            raise CommandError("git is not installed", mend="apt-get install git") from error
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"git {arguments[0]} did not end within {SECONDS:g} s") from error
        if result.returncode != 0:
            said = result.stderr.decode("utf-8", "replace").strip()[:300]
            raise CommandError(f"git {arguments[0]} in {self.path}: {said}")
        return result.stdout.decode("utf-8", "replace").strip()
