"""The engine in a pod that is already there: it comes in through standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.core.errors import ProbeError, UsageError
from harness.ports import CommandResult, ProbeRequest
from probes.execute import ExecVantage, PodAddress
from tests.support.wait import eventually

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


def marked(vantage: ExecVantage) -> list[str]:
    """The processes of a vantage on this machine."""
    commands = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            commands[path.parent.name] = path.read_bytes().split(b"\0")
    mark = vantage.mark.encode()
    return [pid for pid, words in commands.items() if mark in words]


def request(tmp_path: Path, plan: str = PLAN) -> ProbeRequest:
    return ProbeRequest(plan, tmp_path / "samples", 120.0)


def test_the_engine_runs_from_memory_and_leaves_its_samples(tmp_path: Path) -> None:
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), LocalExec())
    result = vantage.probe(request(tmp_path))
    lines = result.samples.read_text().splitlines()
    assert len(lines) == 3
    assert '"outcome":"connect_refused"' in lines[1]
    assert result.vantage.pod == "web"


def test_an_abandoned_engine_ends_in_its_pod(tmp_path: Path) -> None:
    """Not only the kubectl that speaks to it: nobody else would end it there."""
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), LocalExec())
    endless = json.loads(PLAN)
    endless["targets"][0] |= {"requests": 10_000, "rate": 1}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(vantage.probe, request(tmp_path, json.dumps(endless)))
        eventually(lambda: marked(vantage), timeout=60)
        vantage.abandon()
        with pytest.raises(ProbeError, match="ended with"):
            running.result(timeout=60)
    assert marked(vantage) == []
    vantage.abandon()  # and nothing to abandon is no error


def test_what_was_abandoned_before_it_began_does_not_begin(tmp_path: Path) -> None:
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), LocalExec())
    vantage.abandon()
    with pytest.raises(ProbeError, match="abandoned before it began"):
        vantage.probe(request(tmp_path))


def test_a_bad_plan_is_refused(tmp_path: Path) -> None:
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), LocalExec())
    with pytest.raises(UsageError, match="such probes cannot be sent"):
        vantage.probe(request(tmp_path, plan="{}"))
