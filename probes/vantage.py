"""The vantages on this machine: the probe engine as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

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
    _engine: subprocess.Popen[bytes] | None = None
    _abandoned: bool = False

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
            self._run(argv, request, samples.fileno())
        return ProbeResult(VantageIdentity(name=self.name), request.samples)

    def abandon(self) -> None:
        """End the engine of a `probe` that is under way, or is about to be; else nothing."""
        self._abandoned = True
        engine = self._engine
        if engine is not None:
            engine.terminate()

    def _run(self, argv: Sequence[str], request: ProbeRequest, samples: int) -> None:
        try:
            with subprocess.Popen(argv, stdin=PIPE, stdout=samples, stderr=PIPE) as engine:
                self._engine = engine
                if self._abandoned:
                    engine.terminate()
                try:
                    _, said = engine.communicate(request.plan.encode(), request.timeout)
                except subprocess.TimeoutExpired as error:
                    engine.kill()
                    seconds = f"{request.timeout:.0f} s"
                    raise ProbeError(
                        f"{self.name}: no end of the probes after {seconds}"
                    ) from error
        except OSError as error:
            raise ProbeError(f"{self.name}: cannot run {argv[0]}: {error.strerror}") from error
        finally:
            self._engine = None
        if engine.returncode != 0:
            raise engine_error(self.name, engine.returncode, said.decode(errors="replace"))


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
