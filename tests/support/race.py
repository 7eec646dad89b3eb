"""Several runners on one inbox: `python -m tests.support.race REPO CONTRACTS RUNNERS`.

Each forked child drains the inbox as a runner of its own; what they saw is printed, a JSON
object a line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harness.core.observation import ContractObserved
from harness.runner.drain import Trouble, drain
from tests.support.crash import FileKubectl
from tests.support.runner import Desk, make_desk


def work(desk: Desk, number: int) -> None:
    """Drain the inbox and print what was seen."""
    runner = desk.runner(kubectl=FileKubectl(desk.repo / "cluster.json"))

    def tell(news: ContractObserved | Trouble) -> None:
        trouble = isinstance(news, Trouble)
        line = {"runner": number, "trouble": trouble, "seen": repr(news)}
        if isinstance(news, ContractObserved):
            line |= {"id": news.contract_id, "state": news.state}
        os.write(1, json.dumps(line).encode() + b"\n")

    drain(runner, tell=tell)


def main() -> None:
    """Fill the inbox, and let the runners race for it."""
    repo, contracts, runners = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    desk = make_desk(repo)
    for number in range(contracts):
        desk.in_inbox(desk.contract(f"apply_{number:03d}"))
    children = []
    for number in range(runners):
        child = os.fork()
        if child == 0:
            work(desk, number)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
