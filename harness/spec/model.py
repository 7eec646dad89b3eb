"""The scenario, as types. The parser and the JSON Schema are both made from these."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from harness.spec.diagnoses import DiagnosisName
from harness.spec.suggest import suggest
from harness.spec.units import LONGEST_WAIT, Duration, Rate, Ratio, Span, Wait
from harness.spec.words import Hop, Verdict

DnsLabel = Annotated[StrictStr, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
StepName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._()-]*$", max_length=80)]


def _vantage(name: str) -> str:
    if name not in VANTAGES and not re.fullmatch(r"kubectl://\S+", name):
        raise ValueError(f"is not a vantage; {suggest(name, (*VANTAGES, 'kubectl://POD'))}")
    return name


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise ValueError("is not an IPv4 or IPv6 address") from error


def _server(text: str) -> str:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    bracketed = text.startswith("[")
    host, _, port = text.removeprefix("[").rpartition("]" if bracketed else ":")
    if not host or (":" in host and not bracketed):  # an address alone, perhaps IPv6's
        host, port = text, ""
    port = port.removeprefix(":") if bracketed else port
    try:
        ip_address(host)
        known = not port or 0 < int(port) < 65536
    except ValueError:
        known = False
    if not known:
        raise ValueError("is not ADDRESS[:PORT] of a DNS server")
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("must begin with /")
    if any(not "!" <= char <= "~" for char in text):
        raise ValueError("may only hold visible ASCII: percent-encode the rest")
    return text


_UPLOADING = ("POST", "PUT", "PATCH")
VANTAGES = ("devbox", "gateway", "in-cluster", "in-cluster-gateway", "node")
VantageName = Annotated[StrictStr, AfterValidator(_vantage)]
UrlPath = Annotated[StrictStr, AfterValidator(_path)]
_SYSTEM = ("default", "kourier-system", "local-path-storage")
Text = Annotated[StrictStr, Field(min_length=1)]
CopyPath = Annotated[
    StrictStr, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$")
]


class Model(BaseModel):
    """Unknown keys fail, and values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ClusterSpec(Model):
    """The cluster that a scenario wants; the provider is chosen by whoever runs it."""

    name: DnsLabel = "vpm-mini"
    knative: Annotated[StrictStr, Field(pattern=r"^1\.\d+(\.\d+)?$")] = "1.18"
    ingress: Literal["kourier"] = "kourier"
    contexts: tuple[Text, ...] = Field(
        default=(),
        description="Existing clusters that may be used, by context: * matches anything, {name} is "
        "the cluster's name. Without this, any that whoever runs it names.",
    )
    namespaces: tuple[DnsLabel, ...] = Field(
        default=(),
        description="Namespaces that the scenario needs: made when missing, and then removed.",
    )

    @model_validator(mode="after")
    def _namespaces_of_its_own(self) -> Self:
        system = [n for n in self.namespaces if n in _SYSTEM or n.startswith(("kube-", "knative-"))]
        if system:
            raise ValueError(f"the namespace {system[0]!r} is no scenario's own")
        return self


class ServiceSpec(Model):
    """A KService of the scenario and the manifest that describes it."""

    namespace: DnsLabel = "default"
    manifest: Text = Field(description="Path of the manifest, from the repository's root.")


class BodyCheck(Model):
    """What the response body must be."""

    equals: StrictStr | None = None
    contains: StrictStr | None = None
    matches: StrictStr | None = Field(default=None, description="A regular expression.")

    @model_validator(mode="after")
    def _one_check(self) -> Self:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("a body check is exactly one of equals, contains, matches")
        try:
            re.compile(self.matches or "")
        except re.error as error:
            raise ValueError(f"matches is not a regular expression: {error}") from error
        return self


class Objective(Model):
    """An SLO on one indicator: `success` (good over valid) or `latency` (share below threshold)."""

    metric: Literal["success", "latency"]
    target: Ratio
    threshold: Duration | None = Field(default=None, description="Needed for latency.")
    judge: Literal["observed", "proven"] = "observed"

    @model_validator(mode="after")
    def _threshold_fits(self) -> Self:
        if (self.metric == "latency") != (self.threshold is not None):
            need = "needs a" if self.metric == "latency" else "takes no"
            raise ValueError(f"a {self.metric} objective {need} threshold")
        return self

    @property
    def name(self) -> str:
        """How claims call this objective, for example `latency<=0.5s>=95%`."""
        below = f"<={self.threshold:g}s" if self.threshold is not None else ""
        return f"{self.metric}{below}>={self.target:.6g}"


class ApplyAction(Model):
    """Apply a service's manifest with kubectl; only on clusters that the harness itself made."""

    service: Text
    manifest: Text | None = Field(
        default=None, description="Another manifest of the same service: how it is to be updated."
    )
    timeout: Wait = 60.0


class ContractAction(Model):
    """Give a run contract to the runner."""

    file: Text = Field(description="Path of the contract, from the scenario's folder.")
    mode: Literal["dry", "exec"] = "dry"
    accept: tuple[
        Literal["previewed", "succeeded", "noop", "refused", "failed", "environment_mismatch"],
        ...,
    ] = ()
    timeout: Wait = 120.0

    @property
    def accepted(self) -> tuple[str, ...]:
        """The states that count as PASS."""
        return self.accept or (("previewed",) if self.mode == "dry" else ("succeeded", "noop"))


class ReadyAction(Model):
    """Wait until a service is READY at its current generation."""

    service: Text
    timeout: Wait = 120.0


class ProbeAction(Model):
    """Send requests to a service from several vantages in the same time window."""

    service: Text
    vantages: Annotated[tuple[VantageName, ...], Field(min_length=1)]
    requests: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = 20
    rate: Rate = 10.0
    warmup: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    concurrency: Annotated[StrictInt, Field(ge=1, le=1000)] = 64
    timeout: Span = 5.0
    scheme: Literal["http", "https"] = "http"
    method: Annotated[StrictStr, Field(pattern=r"^[A-Z]{1,16}$")] = "GET"
    path: UrlPath = "/"
    headers: dict[str, StrictStr] = Field(default_factory=dict)
    status: Annotated[StrictInt, Field(ge=100, le=599)] = 200
    body: BodyCheck | None = None
    dns: Literal["default", "system", "auto"] = "default"
    resolver: Annotated[StrictStr, AfterValidator(_server)] | None = Field(
        default=None, description="ADDRESS:PORT of the DNS server to ask instead of the system's."
    )
    resolve: Annotated[StrictStr, AfterValidator(_address)] | None = Field(
        default=None,
        description="ADDRESS to take for the public name on the devbox: nobody is asked.",
    )
    upload: Annotated[StrictInt, Field(ge=0, le=64 << 20)] = Field(
        default=0, description="Bytes to send with each request (POST, PUT or PATCH)."
    )
    minimum: Annotated[StrictInt, Field(ge=1)] = Field(
        default=1, description="Fewer valid samples than this are too thin for a verdict."
    )
    objectives: tuple[Objective, ...] = ()
    history: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None, description="Name of the history below reports/sli that this run joins."
    )

    from_zero: Wait | None = Field(
        default=None,
        description="Wait at most so long until the service has no pod: the request starts it.",
    )

    @model_validator(mode="after")
    def _one_cold_request(self) -> Self:
        if self.from_zero is not None and (len(self.vantages), self.requests) != (1, 1):
            raise ValueError("from_zero needs one vantage and `requests: 1`: the next find a pod")
        return self

    @model_validator(mode="after")
    def _may_upload(self) -> Self:
        if self.upload and self.method not in _UPLOADING:
            raise ValueError(f"upload needs a method of {', '.join(_UPLOADING)}")
        return self

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.requests / self.rate > LONGEST_WAIT:
            raise ValueError(f"{self.requests} requests at this rate take longer than a week")
        return self

    @model_validator(mode="after")
    def _vantages_once(self) -> Self:
        twice = [name for name in self.vantages if self.vantages.count(name) > 1]
        if twice:
            raise ValueError(f"the vantage {twice[0]!r} is listed twice")
        return self


class Gates(Model):
    """What a load check must reach to pass."""

    requests: Annotated[StrictInt, Field(ge=1)] = 1
    success: Ratio = 1.0
    p95: Duration | None = None
    pods: Annotated[StrictInt, Field(ge=1)] | None = Field(
        default=None, description="Autoscaling: at least so many pods are ready at one time."
    )


class LoadAction(Model):
    """Load a service with Locust through the gateway."""

    service: Text
    users: Annotated[StrictInt, Field(ge=1, le=10_000)] = 10
    spawn_rate: Rate = 10.0
    duration: Span = 10.0
    path: UrlPath = "/"
    timeout: Span = 5.0
    gates: Gates = Gates()


class EvidenceAction(Model):
    """Publish one claim's evidence under a path that people know."""

    service: Text
    claim: Literal["ready", "sli", "load", "autoscale", "coldstart"]
    copy_to: CopyPath = Field(
        alias="copy", description="Where the copy goes, below reports/ and without a suffix."
    )


class FaultAction(Model):
    """Break something on purpose, from this step on or until it is mended."""

    type: Text
    state: Literal["present", "absent"] = "present"
    parameters: dict[str, StrictStr | StrictInt | StrictBool | float] = Field(default_factory=dict)


class Expectation(Model):
    """What a step should end in; changes the exit code, never the verdict."""

    verdict: Verdict
    hop: Hop | None = None
    vantage: StrictStr | None = None
    diagnosis: DiagnosisName | None = None


Action = (
    ApplyAction
    | ContractAction
    | ReadyAction
    | ProbeAction
    | LoadAction
    | EvidenceAction
    | FaultAction
)


class Step(Model):
    """One step: a name, exactly one action, and what must have worked before it."""

    name: StepName
    needs: tuple[Text, ...] = ()
    expect: Expectation | None = None
    apply: ApplyAction | None = None
    contract: ContractAction | None = None
    ready: ReadyAction | None = None
    probe: ProbeAction | None = None
    load: LoadAction | None = None
    evidence: EvidenceAction | None = None
    fault: FaultAction | None = None

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions that are written down; a valid step has exactly one."""
        written = (getattr(self, key) for key in ACTION_KEYS)
        return tuple(action for action in written if action is not None)

    @property
    def action(self) -> Action:
        """The step's action."""
        return self.actions[0]


ACTION_KEYS = ("apply", "contract", "ready", "probe", "load", "evidence", "fault")


class Scenario(Model):
    """A whole scenario file."""

    model_config = ConfigDict(title="vpm-harness scenario")

    api_version: Literal["vpm.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Scenario"]
    name: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=63)]
    description: StrictStr = ""
    language: Literal["en", "ja"] = "en"
    cluster: ClusterSpec = ClusterSpec()
    services: dict[DnsLabel, ServiceSpec] = Field(default_factory=dict)
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
