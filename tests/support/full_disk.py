"""Runs a contract on a disk with ever more room left, until one run needs no more.

Runs as a program of its own: `python -m tests.support.full_disk FOLDER`, where FOLDER is a small
file system that nobody else uses. For each number of free pages one contract is run while the disk
is full, and again when there is room. What came of it is printed, a JSON object a line.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path

from harness.core.errors import VpmError
from harness.runner.drain import drain
from harness.runner.ledger import Ledger
from tests.support.kubectl_standin import UID
from tests.support.runner import make_desk

PAGE = 4096


def fill(path: Path, *, leave: int) -> None:
    """Take all of the disk's room but some pages."""
    with path.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(PAGE))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        stream.truncate(max(0, (stream.tell() // PAGE - leave)) * PAGE)


def attempt(root: Path, pages: int) -> dict[str, object]:
    """One contract with this much room, then with enough."""
    repo = root / "repo"
    repo.mkdir()
    desk = make_desk(repo)
    desk.in_inbox(desk.contract())
    fill(root / "filler", leave=pages)
    said: list[str] = []
    try:
        said += [trouble.message for trouble in drain(desk.runner(), tell=lambda _: None).troubles]
    except (VpmError, OSError) as error:
        said.append(str(error))
    (root / "filler").unlink()
    again = drain(desk.runner(), tell=lambda _: None)
    logs = [path.read_text() for path in desk.settings.reports.glob("*/run.log")]
    left = {
        "pages": pages,
        "said": said,
        "then": [*(str(seen.state) for seen in again.observed), *map(str, again.troubles)],
        "filed": {name: len(desk.filed(name)) for name in ("", "_running", "_done")},
        "applied": desk.kubectl.state["applied"],
        "marks": [entry.mark for entry in Ledger(desk.settings.ledger).entries(UID)],
        "repeated": any("applied again" in log for log in logs),
    }
    shutil.rmtree(repo)
    return left


def main() -> None:
    """Give one page more each time, until the disk was large enough."""
    root = Path(sys.argv[1])
    for pages in range(os.statvfs(root).f_bavail):
        left = attempt(root, pages)
        sys.stdout.write(json.dumps(left) + "\n")
        if not left["said"]:
            return


if __name__ == "__main__":
    main()
