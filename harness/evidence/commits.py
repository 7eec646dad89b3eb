"""Looking commits up in a git repository."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from harness.core.errors import CommandError

_TIMEOUT = 30.0
_ID = re.compile(r"[0-9a-f]{40,64}")
_HEADER = re.compile(rb"(?P<id>[0-9a-f]+) (?P<type>\w+) (?P<size>\d+)")
_COMMITTER = re.compile(rb"^committer .* (?P<at>\d+) [+-]\d{4}$", re.MULTILINE)


def repository_of(path: Path) -> Path | None:
    """The nearest folder at or above `path` that is a git work tree; None when there is none."""
    folders = (path.resolve(), *path.resolve().parents)
    return next((folder for folder in folders if (folder / ".git").exists()), None)


def commit_times(repository: Path, commits: Iterable[str]) -> dict[str, datetime | None]:
    """When each commit was made (committer's time, UTC); None where there is no such commit.

    What is no full commit id is left out.

    Errors:
        CommandError: git is missing or did not answer.
    """
    wanted = sorted({commit for commit in commits if _ID.fullmatch(commit)})
    if not wanted:
        return {}
    try:
        answered = subprocess.run(
            ["git", "-C", str(repository), "cat-file", "--batch"],
            input="".join(f"{commit}\n" for commit in wanted).encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CommandError(
            f"git cannot read {repository}: {error}", mend="install git, or name --repository"
        ) from error
    return dict(zip(wanted, _times(answered.stdout, len(wanted)), strict=True))


def _times(output: bytes, number: int) -> list[datetime | None]:
    times: list[datetime | None] = []
    for _ in range(number):
        line, _, output = output.partition(b"\n")
        header = _HEADER.fullmatch(line)
        if header is None:
            times.append(None)
            continue
        size = int(header["size"])
        found = _COMMITTER.search(output[:size]) if header["type"] == b"commit" else None
        times.append(datetime.fromtimestamp(int(found["at"]), UTC) if found else None)
        output = output[size + 1 :]
    return times
