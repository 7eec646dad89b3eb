"""Runs as the engine would have recorded and judged them, for tests of what is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.core.histogram import Histogram
from harness.core.identity import ClusterIdentity, VantageIdentity
from harness.core.judge import judge_ended
from harness.core.observation import (
    Artefact,
    ColdStartObserved,
    CommandRecord,
    Condition,
    ContractObserved,
    LoadObserved,
    Observation,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.plan import Plan, make_plan
from harness.core.record import (
    ClusterOpened,
    Event,
    RunClosed,
    RunOpened,
    StepEnded,
    StepObserved,
    StepStarted,
    ToolInfo,
    encode_event,
    fold_events,
)
from harness.core.sample import Sample
from harness.core.sli import summarise
from harness.evidence import Evidence, EvidenceStore, RunFolder, write_evidence
from harness.evidence.build import build
from harness.evidence.canonical import sha256
from harness.evidence.stamps import utc_text
from harness.run.tools import Folder

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KEY = "default/hello"
TOOL = ToolInfo(
    version="0.1.0",
    command=("vpm", "run", "scenarios/goal_m2"),
    python="3.11.7",
    platform="linux",
    versions=(("kubectl", "1.37.1"),),
)


@dataclass(slots=True)
class SteppedClock:
    """A clock that a test sets; each look at it moves it by `step` seconds."""

    at: datetime = START
    step: float = 0.0
    seconds: float = field(default=0.0)

    def now(self) -> datetime:
        self.at += timedelta(seconds=self.step)
        return self.at

    def monotonic(self) -> float:
        self.seconds += self.step
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


def cluster(provider: str = "embedded", uid: str = "5d0c4b3e-kube-system") -> ClusterIdentity:
    return ClusterIdentity(
        provider=provider,
        name="vpm-mini",
        context=f"{provider}-vpm-mini",
        uid=uid,
        server_version="v1.33.13",
        knative_version="1.18.2",
        ingress_version="1.18.0",
        emulator=provider == "embedded",
        chosen_because="no Docker engine answers",
        details={"time_scale": "1"},
    )


@dataclass(frozen=True, slots=True)
class Story:
    """One run of hello: when it was, and how many of 20 requests from the devbox succeeded."""

    at: datetime = START
    devbox: int = 20
    provider: str = "embedded"
    scenario: str = "goal_m2"
    suffix: str = "a1b2c3"
    tool: ToolInfo = TOOL
    language: str = "en"

    @property
    def run_id(self) -> str:
        return f"{self.scenario}_{self.at:%Y%m%dT%H%M%SZ}_{self.suffix}"

    def after(self, seconds: float) -> str:
        """The moment `seconds` after the run's start."""
        return utc_text(self.at + timedelta(seconds=seconds))

    def samples(self, vantage: str, good: int, total: int = 20) -> list[Sample]:
        """`total` attempts, the first `good` of them successes."""
        return [self._sample(vantage, number, ok=number < good) for number in range(total)]

    def _sample(self, vantage: str, number: int, *, ok: bool) -> Sample:
        tried = Sample(
            id=f"{vantage}-{number}",
            target=KEY,
            at=self.after(3 + number / 10),
            outcome="connect_refused",
            offset=number / 10,
            lateness=0.0001 * (number % 3),
            seconds=0.002 + 0.0007 * ((number * 7 + len(vantage)) % 11),
            detail="[Errno 111] Connection refused",
        )
        if not ok:
            return tried
        return replace(
            tried,
            outcome="ok",
            phases={"connect": 0.0004, "wait": 0.0012},
            status=200,
            detail="",
            peer="127.0.3.1:80",
            server="envoy",
            revision="hello-00001",
            through_gateway=vantage != "in-cluster",
        )

    def probe(self, folder: Folder, vantage: str, good: int) -> ProbeObserved:
        """One vantage's probe, with its samples kept in the run folder."""
        taken = self.samples(vantage, good)
        kept = folder.artefact(f"samples/{vantage}.jsonl", sample_lines(taken), compress=True)
        asked = ProbeObserved(
            service="hello",
            namespace="default",
            vantage=vantage,
            url="http://hello.default.127.0.3.1.sslip.io",
            at=self.after(3),
            until=self.after(5),
            requested=len(taken),
            rate=10.0,
            timeout=2.0,
            identity=VantageIdentity(
                name=vantage,
                host="devbox-1",
                resolver="127.0.0.53",
                source_address="127.0.0.1",
                clock_offset=0.001,
                agent_sha256="ab" * 32,
            ),
            samples=kept,
        )
        return summarise(taken, asked=asked, thresholds=(0.5,))

    def service(self, folder: Folder) -> ServiceObserved:
        """hello as the API server showed it."""
        since = self.after(2)
        return ServiceObserved(
            service="hello",
            namespace="default",
            found=True,
            at=self.after(2.5),
            uid="0b1f6f0e-hello",
            generation=1,
            observed_generation=1,
            resource_version="812",
            conditions=(
                Condition("ConfigurationsReady", "True", last_transition=since),
                Condition("Ready", "True", last_transition=since),
                Condition("RoutesReady", "True", last_transition=since),
            ),
            latest_created="hello-00001",
            latest_ready="hello-00001",
            url="http://hello.default.127.0.3.1.sslip.io",
            address="http://hello.default.svc.cluster.local",
            image="ghcr.io/knative/helloworld-go",
            image_digest="sha256:" + "c4" * 32,
            age=0.5,
            waited=1.8,
            raw=folder.artefact("raw/hello.yaml", f"at: {since}\nkind: Service\n".encode()),
        )

    def contract(self) -> ContractObserved:
        """The exec run of hello's contract."""
        contract_id = f"apply_hello_dev_{self.at:%Y%m%dT%H%M%SZ}"
        return ContractObserved(
            contract="apply_hello_dev.json",
            contract_id=contract_id,
            mode="exec",
            state="succeeded",
            reason="READY at generation 1",
            run_id=contract_id,
            folder=f"codex_runs/{contract_id}",
            content_hash="9f" * 32,
            resource=f"ksvc {KEY}",
            generation_after=1,
            diff="+kind: Service\n",
            commands=COMMANDS,
        )

    def load(self, folder: Folder) -> LoadObserved:
        """A load check of ten seconds."""
        histogram = Histogram()
        for number in range(1000):
            histogram.add(0.004 + number / 1e6)
        return LoadObserved(
            service="hello",
            namespace="default",
            url="http://127.0.3.1",
            at=self.after(6),
            until=self.after(16),
            users=5,
            seconds=10.0,
            requests=1001,
            failures=1,
            exit_code=1,
            latency=histogram.quantiles(),
            errors={"ConnectionRefusedError": 1},
            replicas=((0.0, 1), (5.5, 2)),
            raw=folder.artefact("raw/locust.json", f"[{self.after(16)!r}]\n".encode()),
        )

    def plan(self) -> Plan:
        """The scenario of this run."""
        source = f"scenarios/{self.scenario}/scenario.yaml"
        return make_plan(SCENARIO.format(name=self.scenario), source)

    def seen(self, folder: Folder) -> Mapping[str, tuple[Observation, ...]]:
        """What each step saw."""
        service = self.service(folder)
        probes = (self.probe(folder, "in-cluster", 20), self.probe(folder, "devbox", self.devbox))
        return {
            "cluster vpm-mini": (),
            "deploy hello": (self.contract(),),
            "ready hello": (service,),
            "probe hello": (service, *probes),
            "load hello": (service, self.load(folder)),
        }

    def events(self, folder: Folder) -> list[Event]:
        """What the journal of this run holds."""
        plan = self.plan()
        opened = RunOpened(
            run_id=self.run_id,
            scenario=self.scenario,
            source=plan.source,
            plan=plan.text,
            plan_sha256=plan.sha256,
            tool=self.tool,
            at=self.after(0),
            language=self.language,
        )
        happened: list[Event] = [opened]
        happened.append(ClusterOpened(cluster(self.provider), ("faults",), self.after(0.9), 0.9))
        for number, (step, observations) in enumerate(self.seen(folder).items()):
            at = self.after(number)
            happened.append(StepStarted(step, at))
            happened.extend(StepObserved(step, at, observation) for observation in observations)
            happened.append(StepEnded(step, self.after(number + 0.5), 0.5))
        return [*happened, RunClosed(self.after(18), 18.0)]


@dataclass(frozen=True, slots=True)
class Starts(Story):
    """A run of hello that was scaled up by a load, and started from zero by a request."""

    def plan(self) -> Plan:
        """The scenario of this run."""
        text = SCENARIO.format(name=self.scenario).replace("99%}}", "99%, pods: 2}}") + FROM_ZERO
        return make_plan(text, f"scenarios/{self.scenario}/scenario.yaml")

    def cold(self) -> ColdStartObserved:
        """Where the time of the one request went."""
        return ColdStartObserved(
            service="hello",
            namespace="default",
            at=self.after(16),
            until=self.after(18),
            waited=62.5,
            seconds=2.0,
            phases=(("pod", 0.1), ("start", 1.4), ("ready", 0.3), ("answer", 0.2)),
        )

    def seen(self, folder: Folder) -> Mapping[str, tuple[Observation, ...]]:
        """What each step saw."""
        plain = Story.seen(self, folder)
        service = plain["ready hello"][0]
        probe = self.probe(folder, "gateway", 20)
        request = replace(probe, at=self.after(16), until=self.after(18))
        return {**plain, "hello from zero": (service, self.cold(), request)}


FROM_ZERO = """\
  - name: hello from zero
    probe: {service: hello, vantages: [gateway], requests: 1, from_zero: 180s}
"""
SCENARIO = """\
apiVersion: vpm.dev/v1
kind: Scenario
name: {name}
services:
  hello: {{manifest: infra/k8s/overlays/dev/hello-ksvc.yaml}}
steps:
  - name: deploy hello
    contract: {{file: contracts/apply_hello_dev.json, mode: exec}}
  - name: ready hello
    ready: {{service: hello}}
  - name: probe hello
    probe:
      service: hello
      vantages: [in-cluster, devbox]
      objectives:
        - {{metric: success, target: 99%}}
        - {{metric: latency, threshold: 500ms, target: 95%}}
  - name: load hello
    load: {{service: hello, gates: {{requests: 100, success: 99%}}}}
"""
COMMANDS = (
    CommandRecord(("kubectl", "diff", "-f", "-"), 1, 0.11, "+kind: Service\n"),
    CommandRecord(
        ("kubectl", "apply", "-f", "-"), 0, 0.2, "ksvc/hello created\n", "Warning: insecure\n"
    ),
    CommandRecord(("kubectl", "wait", "ksvc/hello", "--for=condition=Ready"), 0, 1.9, "met\n"),
    CommandRecord(("kubectl", "get", "ksvc", "hello", "-o", "wide"), 0, 0.1, "NAME URL\n"),
)


class Paper:
    """A run folder that keeps nothing, for tests of what is pure."""

    def __init__(self, name: str) -> None:
        self.path = Path("/nowhere") / name

    def artefact(self, name: str, content: bytes, *, compress: bool = False) -> Artefact:
        return Artefact(f"{name}.gz" if compress else name, len(content), sha256(content))


def documents(story: Story) -> dict[str, Evidence]:
    """The documents of a run by kind, without a file being written."""
    record = fold_events(story.events(Paper(story.run_id)))
    return {one.kind: one for one in build(record, judge_ended(story.plan(), record))}


def sample_lines(taken: list[Sample]) -> bytes:
    """Samples as JSON lines, one attempt a line."""
    lines = [
        json.dumps({"id": one.id, "outcome": one.outcome, "warmup": one.warmup, "at": one.at})
        for one in taken
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def write_run(
    store: EvidenceStore, story: Story, copies: Mapping[tuple[str, str], str] | None = None
) -> RunFolder:
    """Record a run as the engine does and write its evidence."""
    folder = store.open_run(story.run_id)
    happened = story.events(folder)
    folder.add("journal.jsonl", b"".join(encode_event(event) for event in happened))
    record = fold_events(happened)
    verdict = judge_ended(story.plan(), record)
    write_evidence(store, folder, record, verdict, language=story.language, copies=copies or {})
    return folder
