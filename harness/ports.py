"""The ports: one small Protocol per outside thing, and the values that cross them.

Adapters implement these; fakes in tests implement them too. Nothing else about an outside
thing leaks into the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from harness.contracts.model import Approval
from harness.core.identity import GATEWAY_NAMESPACE, ClusterIdentity, VantageIdentity

JsonObject = Mapping[str, object]


class Clock(Protocol):
    """Time as a parameter."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What one command did. Output is bounded and redacted before it gets here.

    `exit_code` is None when the command did not end within its timeout (seconds).
    """

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float
    truncated: bool = False

    @property
    def timed_out(self) -> bool:
        return self.exit_code is None


class Kubectl(Protocol):
    """The one seam to kubectl: an argument list in, a bounded and redacted result out.

    The kubeconfig and context are pinned by the adapter and never part of `args`.
    """

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult: ...


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """How the API server calls a kind: group, version, plural and whether it has namespaces."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True


class KubeClient(Protocol):
    """The few calls to the API server that the product makes itself.

    Absent objects are None, not errors; everything else that goes wrong is a ClusterError.
    """

    def get(self, kind: ResourceKind, namespace: str, name: str) -> JsonObject | None: ...
    def list(
        self, kind: ResourceKind, namespace: str | None = None, *, selector: str = ""
    ) -> Sequence[JsonObject]: ...
    def create(self, kind: ResourceKind, namespace: str, body: JsonObject) -> JsonObject: ...
    def patch(
        self, kind: ResourceKind, namespace: str, name: str, body: JsonObject
    ) -> JsonObject: ...
    def delete(self, kind: ResourceKind, namespace: str, name: str) -> None: ...
    def watch(
        self, kind: ResourceKind, namespace: str, name: str, *, timeout: float
    ) -> Iterator[JsonObject]: ...
    def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str: ...
    def serves(self, kind: ResourceKind) -> bool: ...


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the gateway is reached from the devbox.

    `forwarded` says that it is so only for as long as this run: nobody else's URL leads there.
    `namespace` is where its Service and pods are.
    """

    host: str
    http_port: int
    https_port: int | None = None
    ca_file: Path | None = None
    forwarded: bool = False
    namespace: str = GATEWAY_NAMESPACE


class Fault(Protocol):
    """An injected fault; closing it mends."""

    def close(self) -> None: ...


class FaultInjector(Protocol):
    """Optional: makes things break in a way that the diagnosis is never told about."""

    def inject(self, type: str, parameters: JsonObject) -> Fault: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """An open cluster: everything the product may know about one."""

    identity: ClusterIdentity
    kubeconfig: Path
    context: str
    gateway: Gateway
    domain: str
    capabilities: frozenset[str] = frozenset()
    faults: FaultInjector | None = None
    agent_image: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """What a run asks of a driver; which fields matter depends on the provider."""

    name: str
    knative: str = "1.18"
    context: str | None = None
    allowed_contexts: tuple[str, ...] = ()
    gateway: str | None = None
    domain: str | None = None
    keep: str = "never"
    bootstrap: bool = False
    fresh: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


class ClusterDriver(Protocol):
    """Opens a cluster for the time of a `with` block."""

    provider: str

    def open(self, request: ClusterRequest) -> AbstractContextManager[Cluster]: ...

    def diagnostics(self, cluster: Cluster, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What one vantage is asked to do: a plan for the probe agent, as JSON text."""

    plan: str
    samples: Path
    timeout: float


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one vantage did: who it was, and the file of samples it left."""

    vantage: VantageIdentity
    samples: Path
    notes: tuple[str, ...] = ()


class Vantage(Protocol):
    """A place from which probes are sent, always by running the agent as its own process."""

    name: str

    def probe(self, request: ProbeRequest) -> ProbeResult: ...


class Approvals(Protocol):
    """Where approvals are kept: by content and target, never by a contract's id."""

    def find(self, *, over: str, target: str) -> Sequence[Approval]: ...
    def record(self, approval: Approval, *, target: str) -> Path: ...


class Publisher(Protocol):
    """Offers a finished run for review; idempotent per run."""

    def publish(self, run_id: str, folder: Path) -> str: ...


class EvidenceSink(Protocol):
    """The only writer below `reports/`: every file whole or not at all."""

    def write(self, path: Path, content: bytes) -> str: ...
