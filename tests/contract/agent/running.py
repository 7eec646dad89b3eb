"""Running the engine: inside the test process where only its samples matter, or as it is run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from probes.agent.planfile import parse_plan
from probes.agent.sample import Sample
from probes.agent.session import Session
from probes.agent.summary import Summary
from tests.contract.agent.servers import Server

Line = dict[str, Any]

_PLAN_KEYS = ("start_at", "concurrency", "samples", "output", "vantage")


def run_plan(plan: dict[str, Any], **surroundings: Any) -> tuple[list[Sample], Summary]:
    """The samples and the summary of `plan`; `surroundings` replace parts of the system."""
    samples: list[Sample] = []
    session = Session(
        parse_plan(json.dumps(plan)), write=samples.append, flush=lambda: None, **surroundings
    )
    return samples, session.run()


def run_target(**target: Any) -> list[Sample]:
    """The samples of one target, `url` and whatever differs from the defaults."""
    return run_plan({"targets": [{"name": "t", "rate": 1000, **target}]})[0]


def probe(url: str, **target: Any) -> Sample:
    """The sample of one attempt at `url`."""
    (sample,) = run_target(url=url, **target)
    return sample


def prompt(attempt: Callable[[], Sample], *, within: float) -> Sample:
    """The sample of an attempt that took less than `within` seconds.

    A machine that is busy with something else may spoil one attempt, but not five.
    """
    for _ in range(5):
        sample = attempt()
        if sample.duration_s < within:
            return sample
    raise AssertionError(f"took {sample.duration_s:.3f} s instead of {within} s: {sample}")


def command(agent: Path, plan: str = "-") -> list[str]:
    """The command line that runs `plan`, from standard input by default."""
    return [sys.executable, "-I", "-S", str(agent), plan]


def plan_for(server: Server, **changes: Any) -> Line:
    """A plan of one target, `server`; `changes` are of the target or of the plan."""
    plan = {key: changes.pop(key) for key in list(changes) if key in _PLAN_KEYS}
    target = {"name": "t", "url": f"http://127.0.0.1:{server.port}/", "rate": 200, **changes}
    return {"targets": [target], **plan}


@contextmanager
def running(agent: Path, plan: Line) -> Iterator[subprocess.Popen[str]]:
    """The agent at work on `plan`, past its first line."""
    with subprocess.Popen(
        command(agent), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(plan))
        process.stdin.close()
        assert json.loads(process.stdout.readline())["record"] == "start"
        try:
            yield process
        finally:
            process.kill()
