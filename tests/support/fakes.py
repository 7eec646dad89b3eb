"""Fakes of the product's own ports, for tests of what stands between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.core.errors import ClusterError
from harness.core.identity import ClusterIdentity
from harness.core.observation import (
    Artefact,
    Condition,
    ContractObserved,
    LoadObserved,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.record import RunOpened, RunRecord, ToolInfo
from harness.core.verdict import RunVerdict
from harness.ports import Cluster, CommandResult, Gateway
from harness.run.engine import NotAccepted
from harness.run.tools import EvidenceCopy, Folder, Settings, Tools
from harness.spec.model import LoadAction, ProbeAction

IDENTITY = ClusterIdentity("fake", "vpm-mini", "fake-vpm-mini", "uid-1", "v1.33.0", "1.18.2")


@dataclass
class FakeClock:
    """Time that passes only when somebody sleeps."""

    seconds: float = 0.0
    start: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class FakeFolder:
    """A run folder in a test's own folder."""

    path: Path

    def artefact(self, name: str, content: bytes, *, compress: bool = False) -> Artefact:
        (self.path / name).write_bytes(content)
        return Artefact(name, len(content), "")


READY = ServiceObserved(
    service="hello",
    namespace="default",
    found=True,
    at="2026-01-02T03:04:05Z",
    uid="ksvc-1",
    generation=1,
    observed_generation=1,
    conditions=(Condition("Ready", "True"),),
    latest_created="hello-00001",
    latest_ready="hello-00001",
    url="http://hello.default.example.com",
    address="http://hello.default.svc.cluster.local",
)
NOT_READY = replace(
    READY,
    conditions=(Condition("Ready", "Unknown", "RevisionMissing", "waiting for a Revision"),),
    mismatches=("status.conditions[Ready].status: expected True, found Unknown",),
)


def probed(vantage: str, *, good: int = 20, outcome: str = "connect_refused") -> ProbeObserved:
    """Twenty attempts from a vantage, of which `good` went well and the rest had one outcome."""
    bad = 20 - good
    outcomes = {name: count for name, count in (("ok", good), (outcome, bad)) if count}
    return ProbeObserved(
        service="hello",
        namespace="default",
        vantage=vantage,
        url=READY.url,
        at=READY.at,
        until=READY.at,
        requested=20,
        total=20,
        valid=20,
        good=good,
        outcomes=outcomes,
        first_ids={name: f"{vantage}-{name}" for name in outcomes},
        details={outcome: "Connection refused"} if bad else {},
    )


@dataclass
class FakeTools:
    """Tools whose answers a test sets; `calls` says what was asked of them, in order."""

    ready: ServiceObserved = READY
    probes: Mapping[str, ProbeObserved] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    loaded: LoadObserved | None = None
    calls: list[str] = field(default_factory=list)
    applied: int = 0

    def read(self, namespace: str, name: str) -> ServiceObserved:
        self.calls.append(f"read {namespace}/{name}")
        return self.ready

    def wait_ready(self, namespace: str, name: str, *, timeout: float) -> ServiceObserved:
        self.calls.append(f"wait {namespace}/{name}")
        return self.ready

    def preview(self, contract: Path) -> ContractObserved:
        self.calls.append(f"preview {contract.name}")
        return self._contract(contract, "dry", "previewed")

    def execute(self, contract: Path) -> ContractObserved:
        self.calls.append(f"execute {contract.name}")
        state = self.states.pop(0) if self.states else "succeeded"
        return self._contract(contract, "exec", state)

    def _contract(self, contract: Path, mode: str, state: str) -> ContractObserved:
        return ContractObserved(
            contract=str(contract),
            contract_id=contract.stem,
            mode=mode,
            state=state,
            reason=f"{state} by a fake",
            run_id="run-1",
            folder="reports/codex_runs/run-1",
            content_hash="0" * 64,
        )

    def probe(self, service: ServiceObserved, action: ProbeAction) -> Sequence[ProbeObserved]:
        self.calls.append(f"probe {service.service}")
        return [self.probes.get(name, probed(name)) for name in action.vantages]

    def load(self, service: ServiceObserved, action: LoadAction) -> LoadObserved:
        self.calls.append(f"load {service.service}")
        if self.loaded is None:
            raise ClusterError("no load was prepared")
        return self.loaded

    def apply(self, manifest: Path, *, timeout: float) -> CommandResult:
        self.calls.append(f"apply {manifest.name}")
        return CommandResult(("apply",), self.applied, "", "it is forbidden", 0.1)

    def tools(self, cluster: Cluster, folder: Folder) -> Tools:
        return Tools(self, self, self, self, self, faults=None)


@dataclass
class FakeEvidence:
    """Remembers what evidence was asked for."""

    written: list[tuple[RunRecord, RunVerdict, tuple[EvidenceCopy, ...]]] = field(
        default_factory=list
    )
    diagnostics: list[Path] = field(default_factory=list)

    def write_run(
        self, record: RunRecord, verdict: RunVerdict, copies: Sequence[EvidenceCopy]
    ) -> Sequence[Artefact]:
        self.written.append((record, verdict, tuple(copies)))
        return ()

    def append_history(
        self, name: str, run_id: str, probes: Sequence[ProbeObserved]
    ) -> Sequence[str]:
        return (f"{name}: {len(probes)} vantages",)

    def adopt_diagnostics(self, name: str, collect: Callable[[Path], None]) -> None:
        self.diagnostics.append(Path(name))
        collect(Path("private"))


@dataclass
class FakeCluster:
    """Opens a cluster that is not there; `log` says what happened to it."""

    error: str | None = None
    error_at_end: str | None = None
    capabilities: frozenset[str] = frozenset()
    log: list[str] = field(default_factory=list)

    def open(self) -> AbstractContextManager[Cluster]:
        return self._open()

    @contextmanager
    def _open(self) -> Iterator[Cluster]:
        if self.error:
            raise ClusterError(self.error, mend="start it")
        self.log.append("opened")
        opened = Cluster(
            identity=IDENTITY,
            kubeconfig=Path("kubeconfig"),
            context=IDENTITY.context,
            gateway=Gateway("127.0.0.1", 80),
            domain="example.com",
            capabilities=self.capabilities,
        )
        try:
            yield opened
        except NotAccepted:
            self.log.append("closed after a failure")
            raise
        self.log.append("closed")
        if self.error_at_end:
            raise ClusterError(self.error_at_end)

    def diagnostics(self, cluster: Cluster, folder: Path) -> None:
        self.log.append("diagnostics")


def fake_settings(
    folder: Path,
    *,
    tools: FakeTools | None = None,
    cluster: FakeCluster | None = None,
    evidence: FakeEvidence | None = None,
) -> Settings:
    """Settings of a run in which everything outside is a fake."""

    def stamp(template: Path, inbox: Path, opened: RunOpened) -> Path:
        return inbox / template.name

    return Settings(
        root=folder,
        reports=folder / "reports",
        scenario_folder=folder,
        clock=FakeClock(),
        tool=ToolInfo(version="0", command=("test",)),
        cluster=cluster or FakeCluster(),
        tools=(tools or FakeTools()).tools,
        evidence=evidence or FakeEvidence(),
        language="en",
        stamp=stamp,
    )
