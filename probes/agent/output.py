"""The lines that a run writes: one JSON object each, the first ``start``, the last ``summary``."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from typing import TextIO

from . import AGENT_VERSION, SCHEMA_VERSION
from .clock import ClockReading
from .dnsclient import system_servers
from .outcomes import Outcome
from .plan import Plan
from .sample import Sample, encode
from .summary import Summary

_FLUSH_LINES = 256


@dataclass(frozen=True)
class Identity:
    """Who measured: the place, as far as a process can tell.

    `pod`, `namespace`, `node` and `image` come from the environment variables POD_NAME,
    POD_NAMESPACE, NODE_NAME and AGENT_IMAGE, which a Job sets through the downward API.
    """

    host: str
    pid: int
    agent: str
    python: str
    system: str
    resolvers: tuple[str, ...]
    pod: str | None = None
    namespace: str | None = None
    node: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Start:
    """The first line: the format's version, who measures, and both clocks at the start."""

    version: int
    vantage: str
    clock: ClockReading
    identity: Identity


def start_of(plan: Plan, clock: ClockReading) -> Start:
    """The first line of a run of `plan`."""
    system = os.uname()
    identity = Identity(
        host=socket.gethostname(),
        pid=os.getpid(),
        agent=AGENT_VERSION,
        python=sys.version.split(maxsplit=1)[0],
        system=f"{system.sysname} {system.release} {system.machine}",
        resolvers=system_servers(),
        pod=os.environ.get("POD_NAME"),
        namespace=os.environ.get("POD_NAMESPACE"),
        node=os.environ.get("NODE_NAME"),
        image=os.environ.get("AGENT_IMAGE"),
    )
    return Start(SCHEMA_VERSION, plan.vantage, clock, identity)


class Writer:
    """Writes lines, several at once: a system call for each sample would delay its neighbours."""

    def __init__(self, file: TextIO, samples: str) -> None:
        self._file = file
        self._samples = samples
        self._lines: list[str] = []

    def start(self, start: Start) -> None:
        """Write the first line, at once."""
        self._line("start", start)
        self.flush()

    def sample(self, sample: Sample) -> None:
        """Write `sample`, if the plan asks for such samples."""
        if self._samples == "none":
            return
        if self._samples == "failures" and sample.outcome == Outcome.OK.value:
            return
        self._line("sample", sample)
        if len(self._lines) >= _FLUSH_LINES:
            self.flush()

    def summary(self, summary: Summary) -> None:
        """Write the last line, at once."""
        self._line("summary", summary)
        self.flush()

    def flush(self) -> None:
        """Hand over what was held back."""
        if self._lines:
            self._file.write("\n".join(self._lines) + "\n")
            self._lines.clear()
            self._file.flush()

    def _line(self, record: str, value: object) -> None:
        self._lines.append(encode(record, value))
