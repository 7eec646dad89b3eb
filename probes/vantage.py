"""The vantages on this machine: the probe engine as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ProbeError, UsageError, VpmError
from harness.core.identity import VantageIdentity
from harness.ports import ProbeRequest, ProbeResult

_STDERR_SHOWN = 2000
_REFUSED = 2
_IN_PLAN = re.compile(r"^plan\.(targets\[\d+\]\.)?")


@dataclass(slots=True)
class LocalVantage:
    """Runs the engine here; implements the port `Vantage`.

    `wrapper` is a command that runs another one elsewhere on this machine, for example in a
    network namespace.
    """

    name: str
    agent: Path
    wrapper: tuple[str, ...] = ()

    def probe(self, request: ProbeRequest) -> ProbeResult:
        """Run the plan; the samples are in `request.samples` when it returns.

        Errors:
            UsageError: the engine refused the plan.
            ProbeError: the engine did not start, or did not end in time.
        """
        # Killed, this process cannot end the engine: then it has to notice by itself.
        engine = [sys.executable, "-I", "-S", str(self.agent), "-", "--parent", str(os.getpid())]
        argv = [*self.wrapper, *engine]
        with request.samples.open("wb") as samples:
            _run(argv, request=request, samples=samples.fileno(), name=self.name)
        return ProbeResult(VantageIdentity(name=self.name), request.samples)


def _run(argv: Sequence[str], *, request: ProbeRequest, samples: int, name: str) -> None:
    try:
        done = subprocess.run(
            argv,
            input=request.plan.encode(),
            stdout=samples,
            stderr=subprocess.PIPE,
            timeout=request.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"{name}: no end of the probes after {request.timeout:.0f} s") from error
    except OSError as error:
        raise ProbeError(f"{name}: cannot run {argv[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise engine_error(name, done.returncode, done.stderr.decode(errors="replace"))


def engine_error(name: str, exit_code: int | None, said: str) -> VpmError:
    """The error of an engine that did not end well: UsageError where it refused what was asked."""
    said = said[-_STDERR_SHOWN:].strip()
    if exit_code == _REFUSED and said:
        # Every target is asked the same: each mistake is told once.
        problems = dict.fromkeys(_IN_PLAN.sub("", line) for line in said.splitlines())
        return UsageError("\n".join(("such probes cannot be sent:", *problems)))
    return ProbeError(
        f"{name}: the probe engine ended with {exit_code}" + (f": {said}" if said else "")
    )
