"""What an engine needs from the parts beside it: small Protocols, wired in `harness.app`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.core.observation import (
    Artefact,
    ColdStartObserved,
    ContractObserved,
    LoadObserved,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.record import RunOpened, RunRecord, ToolInfo
from harness.core.verdict import RunVerdict
from harness.ports import Clock, Cluster, CommandResult, FaultInjector
from harness.spec.model import LoadAction, ProbeAction


class Folder(Protocol):
    """The run's own folder: files are added whole, never changed."""

    @property
    def path(self) -> Path: ...

    def artefact(self, name: str, content: bytes, *, compress: bool = False) -> Artefact: ...


class ServiceReader(Protocol):
    """Looks at KServices through the API server."""

    def read(self, namespace: str, name: str) -> ServiceObserved: ...

    def wait_ready(self, namespace: str, name: str, *, timeout: float) -> ServiceObserved: ...


class Contracts(Protocol):
    """Runs contracts that a scenario ships."""

    def preview(self, contract: Path) -> ContractObserved: ...

    def execute(self, contract: Path) -> ContractObserved: ...


class Prober(Protocol):
    """Probes one service from all vantages of an action in the same time window."""

    def probe(self, service: ServiceObserved, action: ProbeAction) -> Sequence[ProbeObserved]: ...


class LoadTester(Protocol):
    """Loads one service."""

    def load(self, service: ServiceObserved, action: LoadAction) -> LoadObserved: ...


class ColdStarter(Protocol):
    """Sends one request to a service that has no pod."""

    def start(
        self, service: ServiceObserved, action: ProbeAction
    ) -> tuple[ColdStartObserved, ProbeObserved]: ...


class Applier(Protocol):
    """Applies a manifest with kubectl."""

    def apply(self, manifest: Path, *, timeout: float) -> CommandResult: ...


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service that something may be wrong with, and the host names that lead to it, if known."""

    namespace: str
    name: str
    hosts: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Its folder in a diagnostics bundle."""
        return f"{self.namespace}.{self.name}"

    @property
    def prefix(self) -> str:
        """How its host names begin, where the domain template is the usual one."""
        return f"{self.name}.{self.namespace}"


class Diagnoser(Protocol):
    """Writes what the cluster says about services into a folder; says there what it could not."""

    def collect(self, suspects: Sequence[Suspect], folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything that works on one open cluster."""

    services: ServiceReader
    contracts: Contracts
    prober: Prober
    load: LoadTester
    applier: Applier
    faults: FaultInjector | None
    cold: ColdStarter | None = None
    diagnoser: Diagnoser | None = None


@dataclass(frozen=True, slots=True)
class EvidenceCopy:
    """A claim (`ready`, `sli`, `load`, ...) whose evidence is also published under a known path."""

    service: str
    claim: str
    path: str


class EvidenceWriter(Protocol):
    """Turns a judged record into evidence files."""

    def write_run(
        self, record: RunRecord, verdict: RunVerdict, copies: Sequence[EvidenceCopy]
    ) -> Sequence[Artefact]: ...

    def append_history(
        self, name: str, run_id: str, probes: Sequence[ProbeObserved]
    ) -> Sequence[str]: ...

    def adopt_diagnostics(self, name: str, collect: Callable[[Path], None]) -> None: ...


class ClusterOpener(Protocol):
    """Opens the cluster that was chosen for this run."""

    def open(self) -> AbstractContextManager[Cluster]: ...

    def diagnostics(self, cluster: Cluster, folder: Path) -> None: ...


class Workbench(Protocol):
    """Makes the tools for an open cluster."""

    def __call__(self, cluster: Cluster, folder: Folder) -> Tools: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run needs besides its plan. `root` is the repository that paths start from."""

    root: Path
    reports: Path
    scenario_folder: Path
    clock: Clock
    tool: ToolInfo
    cluster: ClusterOpener
    tools: Workbench
    evidence: EvidenceWriter
    language: str
    stamp: Callable[[Path, Path, RunOpened], Path]
