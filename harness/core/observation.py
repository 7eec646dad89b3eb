"""What a run saw: the observations that the journal holds. Facts only, never verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from harness.core.identity import GATEWAY_NAMESPACE, VantageIdentity


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file in the run folder: its path relative to that folder, its size and its hash."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a Kubernetes object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition: str = ""


@dataclass(frozen=True, slots=True)
class ServiceObserved:
    """A KService as the API server showed it; `found` is False when there was none.

    `age` is the age of the Ready condition's last transition in seconds, on the devbox's clock.
    `waited` is how long the step waited for READY, in seconds. `related` is a line about each
    object behind the service, `doubts` are those of them that do not agree with READY.
    `gateway_namespace` is where the gateway is that its requests go through.
    """

    service: str
    namespace: str
    found: bool
    at: str
    uid: str = ""
    generation: int = 0
    observed_generation: int = 0
    resource_version: str = ""
    conditions: tuple[Condition, ...] = ()
    latest_created: str = ""
    latest_ready: str = ""
    url: str = ""
    address: str = ""
    image: str = ""
    image_digest: str = ""
    age: float | None = None
    waited: float | None = None
    mismatches: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    gateway_namespace: str = GATEWAY_NAMESPACE
    raw: Artefact | None = None
    kind: Literal["service"] = "service"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Latency of the good requests in seconds; `count` is how many there were."""

    count: int
    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class ReadinessGap:
    """Seconds from READY to the first success and to the fifth in a row; None: not seen.

    `at_most` says that no attempt failed before it: an earlier one might have succeeded, too.
    READY's own time has whole seconds, so a gap is as uncertain.
    """

    first: float | None = None
    steady: float | None = None
    at_most: bool = False


# The key in a probe's details that says why this cluster cannot have that vantage.
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ProbeObserved:
    """All samples of one service from one vantage in one step, summarised.

    Counts leave nothing out: `outcomes` adds up to `total`. `valid` leaves out warm-up and
    prober errors. `first_ids` names the first sample of each outcome, `details` its raw error.
    `failures` are the outcomes of the valid attempts that failed, `failed_after_good` how many of
    them came after the first success. `gateway_failures` and `service_failures` count the
    statuses of failed attempts by who answered. `first_good_after` and `steady_after` (the fifth
    success in a row) are seconds after the window's start; `first_good_seconds` is the first
    success's own latency and `later_*` that of all others, so that a cold start shows. `logs` are
    those of pods and gateway behind failed attempts. `gap` is measured while READY is young.
    `error` says why the vantage could not run.
    """

    service: str
    namespace: str
    vantage: str
    url: str
    at: str
    until: str
    method: str = "GET"
    requested: int = 0
    rate: float = 0.0
    timeout: float = 0.0
    total: int = 0
    warmup: int = 0
    valid: int = 0
    good: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    failed_after_good: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    latency: Quantiles | None = None
    phases: Mapping[str, Quantiles] = field(default_factory=dict)
    latencies_within: Mapping[str, int] = field(default_factory=dict)
    lateness_p99: float = 0.0
    first_ids: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    peers: Mapping[str, int] = field(default_factory=dict)
    servers: Mapping[str, int] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    failures_by_revision: Mapping[str, int] = field(default_factory=dict)
    gateway_failures: Mapping[str, int] = field(default_factory=dict)
    service_failures: Mapping[str, int] = field(default_factory=dict)
    through_gateway: int = 0
    first_good_after: float | None = None
    steady_after: float | None = None
    first_good_seconds: float | None = None
    later_p50: float | None = None
    later_max: float | None = None
    gap: ReadinessGap | None = None
    by_address: bool = False
    identity: VantageIdentity | None = None
    samples: Artefact | None = None
    logs: tuple[Artefact, ...] = ()
    histogram: tuple[tuple[float, int], ...] = ()
    error: str | None = None
    kind: Literal["probe"] = "probe"

    @property
    def status_classes(self) -> Mapping[str, int]:
        """Answers by status class, for example `{"2xx": 19, "5xx": 1}`."""
        classes = sorted({f"{code[:1]}xx" for code in self.statuses})
        return {
            name: sum(n for code, n in self.statuses.items() if code[:1] == name[:1])
            for name in classes
        }


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One command of a contract: what ran, how it ended (None: timed out), seconds."""

    argv: tuple[str, ...]
    exit_code: int | None
    seconds: float
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class ContractObserved:
    """What the runner made of one contract.

    `state` is one of previewed, succeeded, noop, failed, refused, environment_mismatch.
    """

    contract: str
    contract_id: str
    mode: str
    state: str
    reason: str
    run_id: str
    folder: str
    content_hash: str
    resource: str = ""
    generation_before: int | None = None
    generation_after: int | None = None
    diff: str = ""
    unchanged: tuple[str, ...] = ()
    commands: tuple[CommandRecord, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    kind: Literal["contract"] = "contract"


@dataclass(frozen=True, slots=True)
class LoadObserved:
    """A load check, counted by our own numbers from locust's JSON; latencies in seconds.

    `seconds` is how long the load really was, measured where it was made. `replicas` are pairs:
    seconds since the start, and how many pods were ready from then on.
    """

    service: str
    namespace: str
    url: str
    at: str
    until: str
    users: int
    seconds: float
    requests: int
    failures: int
    exit_code: int | None
    latency: Quantiles | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
    replicas: tuple[tuple[float, int], ...] = ()
    raw: Artefact | None = None
    kind: Literal["load"] = "load"


@dataclass(frozen=True, slots=True)
class ColdStartObserved:
    """A request to a service that had no pod; all in seconds.

    `waited` is how long it took to get to zero, `seconds` how long the answer took, and `phases`
    what that time went to: until there was a pod, its app ran, it was ready, the answer came.
    """

    service: str
    namespace: str
    at: str
    until: str
    waited: float
    seconds: float
    phases: tuple[tuple[str, float], ...] = ()
    kind: Literal["coldstart"] = "coldstart"


@dataclass(frozen=True, slots=True)
class FilesObserved:
    """Files that a step wrote outside the run folder, for example generated copies."""

    files: tuple[Artefact, ...]
    notes: tuple[str, ...] = ()
    kind: Literal["files"] = "files"


@dataclass(frozen=True, slots=True)
class FaultObserved:
    """A drill changed the cluster on purpose. Never shown to the diagnosis."""

    type: str
    state: str
    kind: Literal["fault"] = "fault"


@dataclass(frozen=True, slots=True)
class ErrorObserved:
    """The check itself could not run."""

    message: str
    mend: str | None = None
    kind: Literal["error"] = "error"


@dataclass(frozen=True, slots=True)
class SkippedObserved:
    """The step did not run, and why: a dependency failed or a capability is missing."""

    reason: str
    capability: str | None = None
    kind: Literal["skipped"] = "skipped"


Observation = Annotated[
    ServiceObserved
    | ProbeObserved
    | ContractObserved
    | LoadObserved
    | ColdStartObserved
    | FilesObserved
    | FaultObserved
    | ErrorObserved
    | SkippedObserved,
    Field(discriminator="kind"),
]
