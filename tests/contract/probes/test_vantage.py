"""The engine on this machine ends with the process that asked for it, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.ports import ProbeRequest
from probes.build import cached_agent
from probes.vantage import LocalVantage
from tests.contract.agent.cases import OK, answers
from tests.contract.agent.servers import serve
from tests.support.wait import eventually

HARNESS = """
import sys
from pathlib import Path
from harness.ports import ProbeRequest
from probes.vantage import LocalVantage

request = ProbeRequest(sys.argv[2], Path(sys.argv[3]), 600.0)
LocalVantage("devbox", Path(sys.argv[1])).probe(request)
"""


def engine_of(samples: Path) -> int:
    """The process id that the engine wrote in its first line; 0 before it did."""
    lines = samples.read_text().splitlines() if samples.exists() else []
    return int(json.loads(lines[0])["identity"]["pid"]) if lines else 0


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def test_a_killed_harness_leaves_no_engine_behind(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    with serve(answers(OK)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        plan = {"targets": [{"name": "t", "url": url, "requests": 6000, "rate": 10}]}
        arguments = [str(cached_agent()), json.dumps(plan), str(samples)]
        with subprocess.Popen([sys.executable, "-c", HARNESS, *arguments]) as harness:
            eventually(lambda: engine_of(samples) and server.connections > 0, timeout=30)
            engine = engine_of(samples)
            assert not ended(engine)
            harness.kill()
        try:
            eventually(lambda: ended(engine), timeout=30)
        finally:
            if not ended(engine):
                os.kill(engine, signal.SIGKILL)
    last = json.loads(samples.read_text().splitlines()[-1])
    assert (last["record"], last["ended"]) == ("summary", "interrupted")


def test_an_abandoned_engine_ends_soon(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    vantage = LocalVantage("devbox", cached_agent())
    with serve(answers(OK)) as server, ThreadPoolExecutor() as pool:
        url = f"http://127.0.0.1:{server.port}/"
        plan = {"targets": [{"name": "t", "url": url, "requests": 6000, "rate": 10}]}
        request = ProbeRequest(json.dumps(plan), samples, 600.0)
        probing = pool.submit(vantage.probe, request)
        eventually(lambda: engine_of(samples) and server.connections > 0, timeout=30)
        vantage.abandon()
        assert probing.exception(timeout=30) is None or "ended with" in str(probing.exception())
    assert ended(engine_of(samples))
    vantage.abandon()  # and nothing to abandon is no error
