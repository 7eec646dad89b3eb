"""The engine in a pod that is already there: it comes in through standard input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.ports import CommandResult, ProbeRequest
from probes.execute import ExecVantage, PodAddress

PLAN = '{"version": 1, "targets": [{"name": "t", "url": "http://127.0.0.1:1/"}]}'


@dataclass
class LocalExec:
    """Runs what follows `--` here, as `kubectl exec` would in the pod."""

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        command = [sys.executable, *args[args.index("python3") + 1 :]]
        done = subprocess.run(
            command, input=stdin, capture_output=True, timeout=timeout, check=False
        )
        return CommandResult(
            argv=tuple(args),
            exit_code=done.returncode,
            stdout=done.stdout.decode(),
            stderr=done.stderr.decode(),
            seconds=0.1,
        )


def request(tmp_path: Path, plan: str = PLAN) -> ProbeRequest:
    return ProbeRequest(plan, tmp_path / "samples", 20.0)


def test_the_engine_runs_from_memory_and_leaves_its_samples(tmp_path: Path) -> None:
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), LocalExec())
    result = vantage.probe(request(tmp_path))
    lines = result.samples.read_text().splitlines()
    assert len(lines) == 3
    assert '"outcome":"connect_refused"' in lines[1]
    assert result.vantage.pod == "web"


def test_a_bad_plan_is_refused(tmp_path: Path) -> None:
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), LocalExec())
    with pytest.raises(UsageError, match="such probes cannot be sent"):
        vantage.probe(request(tmp_path, plan="{}"))
