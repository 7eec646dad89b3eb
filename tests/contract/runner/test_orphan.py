"""A kubectl that outlives its killed runner keeps the cluster's lock until it has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.runner.kubectl import KubectlProcess
from harness.timing.clock import SystemClock
from tests.support.kubectl_standin import new_state
from tests.support.runner import Desk, executable
from tests.support.wait import eventually

ROOT = Path(__file__).parents[3]
RUN = """
import sys
from pathlib import Path
from tests.support.runner import Desk
from harness.runner.kubectl import KubectlProcess
from harness.timing.clock import SystemClock
repo, contract = Path(sys.argv[1]), Path(sys.argv[2])
kubectl = KubectlProcess(kubeconfig=repo / "cluster.json", context="c", clock=SystemClock(),
                         executable=repo / "kubectl")
Desk(repo).runner(kubectl=kubectl).execute(contract)
"""


@pytest.fixture
def cluster(desk: Desk) -> Callable[[], dict[str, Any]]:
    """A stand-in cluster in a file with a slow API server; returns a reader of its state."""
    path = desk.repo / "cluster.json"
    path.write_text(json.dumps(new_state(slow=0.3)))
    executable(desk.repo)
    return lambda: dict(json.loads(path.read_text()))


def test_the_next_runner_waits_for_an_orphaned_apply(
    desk: Desk, cluster: Callable[[], dict[str, Any]]
) -> None:
    contract = desk.contract()
    command = [sys.executable, "-c", RUN, str(desk.repo), str(contract)]
    with subprocess.Popen(command, cwd=ROOT) as first:
        try:
            reached = "the apply has reached the cluster"
            eventually(lambda: cluster()["applied"], timeout=90, what=reached)
        finally:
            os.kill(first.pid, signal.SIGKILL)

    kubectl = KubectlProcess(
        kubeconfig=desk.repo / "cluster.json",
        context="c",
        clock=SystemClock(),
        executable=desk.repo / "kubectl",
    )
    runner = desk.runner(kubectl=kubectl)
    observed = [runner.settle(claim) for claim in runner.claims()]

    assert [seen.state for seen in observed] == ["succeeded"]
    assert "resumed after an interruption" in observed[0].reason
    assert cluster()["applied"] == 1
