"""What probes are tested with: a READY service, a store in memory, a kubectl that answers alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.core.observation import Artefact, ServiceObserved
from harness.ports import CommandResult


@dataclass
class MemoryStore:
    """Keeps artefacts by name."""

    files: dict[str, bytes] = field(default_factory=dict)

    def artefact(self, name: str, content: bytes, *, compress: bool = False) -> Artefact:
        name = f"{name}.gz" if compress else name
        assert name not in self.files
        self.files[name] = content
        return Artefact(name, len(content), hashlib.sha256(content).hexdigest())


# READY; its cluster-local address is set by the tests that need one.
SERVICE = ServiceObserved(
    service="metrics-echo",
    namespace="default",
    found=True,
    at="",
    generation=1,
    observed_generation=1,
    latest_created="metrics-echo-00001",
    latest_ready="metrics-echo-00001",
    url="http://metrics-echo.default.127.0.0.1.sslip.io",
)


@dataclass
class ScriptedKubectl:
    """Answers every call alike and keeps what was asked."""

    result: CommandResult = field(default_factory=lambda: CommandResult((), 0, "", "", 0.0))
    calls: list[Sequence[str]] = field(default_factory=list)

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        assert timeout > 0
        assert stdin is None or stdin
        self.calls.append(tuple(args))
        return self.result
