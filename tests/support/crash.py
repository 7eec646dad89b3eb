"""Kills a runner at every step of an exec, without touching its code.

Runs as a program of its own: `python -m tests.support.crash FOLDER [--every N]`. For each step k
it forks a child that runs one contract and dies by SIGKILL when the interpreter announces its
k-th operation on files, locks or processes (an audit hook); a second child then drains the inbox
as a new runner would. What is left on the disk is printed, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.ports import CommandResult
from harness.runner.drain import drain
from harness.runner.ledger import Ledger
from tests.support.kubectl_standin import Standin, new_state, state_file
from tests.support.runner import Desk, make_desk

STEPS = frozenset(
    {
        "open", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.remove", "os.scandir",
        "os.listdir", "fcntl.flock", "os.chmod", "tempfile.mkstemp",
    }
)  # fmt: skip


class FileKubectl:
    """The stand-in behind the port `Kubectl`, with its state in a file that outlives us."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.write_text(json.dumps(new_state()))

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        with state_file(self._path) as state:
            code, stdout, stderr = Standin(state).answer(args, stdin or b"")
        return CommandResult(("kubectl", *args), code, stdout, stderr, min(timeout, 0.001))


def crash_at(step: int, desk: Desk, contract: Path) -> bool:
    """Run the contract in a child that dies at `step`; False when it ended before."""
    child = os.fork()
    if child == 0:
        seen = 0

        def hook(event: str, _args: object) -> None:
            nonlocal seen
            if event in STEPS:
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        runner = desk.runner(kubectl=FileKubectl(desk.repo / "cluster.json"))
        sys.addaudithook(hook)
        runner.execute(contract)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def restart(desk: Desk, contract: Path) -> None:
    """What a new runner does: drain, and the contract again if it never got into the inbox."""
    child = os.fork()
    if child == 0:
        runner = desk.runner(kubectl=FileKubectl(desk.repo / "cluster.json"))
        drain(runner, tell=lambda _news: None)
        runner.execute(contract)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"the restarted runner failed: {status}")


def left_behind(desk: Desk, step: int) -> dict[str, Any]:
    """What is on the disk after the restart."""
    inbox = desk.settings.inbox
    cluster = json.loads((desk.repo / "cluster.json").read_text())
    entries = Ledger(desk.settings.ledger).entries(cluster["uid"])
    logs = [path.read_text() for path in desk.settings.reports.glob("*/run.log")]
    return {
        "step": step,
        "waiting": [path.name for path in inbox.glob("*.json")],
        "folders": {folder.name: len(list(folder.glob("*.json"))) for folder in inbox.glob("_*")},
        "marks": [entry.mark for entry in entries],
        "applied": cluster["applied"],
        "generation": cluster["objects"]["hello"]["metadata"]["generation"],
        "said": any("applied again" in log for log in logs),
    }


def main() -> None:
    """Kill at steps 1, 1 + N, … until an exec ends by itself."""
    root, every = Path(sys.argv[1]), int(sys.argv[2])
    step = 1
    while True:
        repo = root / str(step)
        repo.mkdir()
        desk = make_desk(repo)
        contract = desk.contract()
        died = crash_at(step, desk, contract)
        restart(desk, contract)
        sys.stdout.write(json.dumps({**left_behind(desk, step), "died": died}) + "\n")
        if not died:
            return
        step += every


if __name__ == "__main__":
    main()
