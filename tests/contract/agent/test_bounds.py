"""What the engine may use, whatever the servers do."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.contract.agent.cases import CHUNKED, HEAD, answers, floods
from tests.contract.agent.running import command, plan_for, running
from tests.contract.agent.servers import Handler, Peer, serve, silent_listener


def test_a_shortage_of_the_prober_is_never_the_targets_fault(agent: Path) -> None:
    """With no file descriptor left nothing is known about the server."""
    limited = ["sh", "-c", 'ulimit -n 20; exec "$@"', "sh", *command(agent)]
    with serve(answers(then=Peer.hang)) as server:
        plan = plan_for(server, requests=30, rate=1000, timeout=1, samples="none")
        done = subprocess.run(
            limited, input=json.dumps(plan), capture_output=True, text=True, timeout=30, check=True
        )
    (target,) = json.loads(done.stdout.splitlines()[-1])["targets"]
    outcomes = target["by_outcome"]
    assert set(outcomes) == {"prober_error", "wait_timeout"}
    assert target["valid"] == outcomes["wait_timeout"] == 30 - target["prober_errors"]
    assert target["first_failure"]["detail"] == "EMFILE: Too many open files"


MEMORY_BOUND_KIB = 48 * 1024


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (floods(HEAD + b"\r\n", b"a" * 65536), "too_large"),
        (floods(HEAD + b"X: ", b"a" * 65536), "too_large"),
        (floods(CHUNKED, b"ffff\r\n" + b"a" * 65535 + b"\r\n"), "too_large"),
        (floods(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000), "too_large"),
    ],
    ids=["body", "header", "chunks", "trailers"],
)
def test_memory_is_bounded(agent: Path, behave: Handler, outcome: str) -> None:
    """Many endless answers at once cost no more than their limits."""
    with serve(behave) as server:
        plan = plan_for(
            server,
            requests=40,
            rate=400,
            samples="none",
            expect={"body": {"contains": "never"}},
            limits={"body_bytes": 100_000},
        )
        with running(agent, plan) as process:
            used = peak_memory_kib(process)
            assert process.stdout is not None
            last = json.loads(process.stdout.read())
    assert last["targets"][0]["by_outcome"] == {outcome: 40}
    assert 0 < used < MEMORY_BOUND_KIB


def test_a_thousand_attempts_in_flight(agent: Path) -> None:
    """Nobody answers, and still every request starts and each ends by its own deadline."""
    with silent_listener() as server:
        plan = plan_for(server, requests=1000, rate=1000, timeout=1.5, concurrency=2000)
        with running(agent, {**plan, "samples": "none"}) as process:
            used = peak_memory_kib(process)
            assert process.stdout is not None
            (target,) = json.loads(process.stdout.read())["targets"]
    assert target["by_outcome"] == {"wait_timeout": 1000}
    total = target["latency"]["wait_timeout"]["total"]
    assert 1.5e9 <= total["min"] <= total["percentiles"]["p90"] < 1.6e9
    assert 0 < used < MEMORY_BOUND_KIB


def peak_memory_kib(process: subprocess.Popen[str]) -> int:
    """The most that `process` ever held; it is waited for."""
    peak = 0
    while process.returncode is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        peak = int(found.group(1)) if found else peak
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    return peak
