"""The vantages inside the cluster: the probe engine in a Job's pod."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex

from harness.core.dig import JsonObject, mappings_at, number_at, text_at, value_at
from harness.core.errors import ClusterError, ProbeError
from harness.core.identity import VantageIdentity
from harness.ports import Clock, KubeClient, ProbeRequest, ProbeResult
from harness.timing.wait import WaitTimeout, until
from probes.build import agent_bytes
from probes.jobspec import (
    CONFIG_MAP,
    CONTAINER,
    EVENT,
    JOB,
    JOB_LABEL,
    NAMESPACE,
    POD,
    AgentJob,
    config_map,
    job_manifest,
    owned_by,
    user_for,
)
from probes.vantage import engine_error

START_TIMEOUT = 60.0
_MAX_LINES = 250_000
_EVENTS_SHOWN = 5
# A pod that went before it was watched gives no event (seconds).
_LOOK_AGAIN = 5.0
# A container that waits for one of these reasons will not start by itself soon.
_HOPELESS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)


@dataclass(slots=True)
class PodVantage:
    """Runs the engine in a pod of `namespace`; implements the port `Vantage`.

    Everything it makes in the cluster is deleted again, and would go by itself a minute later.
    """

    name: str
    namespace: str
    image: str
    client: KubeClient
    clock: Clock
    _running_job: AgentJob | None = None
    _abandoned: bool = False

    def probe(self, request: ProbeRequest) -> ProbeResult:
        """Run the plan in a pod; the samples are in `request.samples` when it returns.

        Errors:
            UsageError: the engine refused the plan.
            ProbeError: the pod could not start or did not end well; with its events.
            ClusterError: the API server refused, for example for want of permission.
        """
        job = AgentJob(
            name=f"vpm-probe-{token_hex(4)}",
            namespace=self.namespace,
            image=self.image,
            plan=request.plan,
            agent=agent_bytes(),
            deadline=int(START_TIMEOUT + request.timeout) + 1,
            user=self._user(),
        )
        with self._running(job):
            pod = self._finished_pod(job, timeout=START_TIMEOUT + request.timeout)
            output = self.client.logs(
                job.namespace,
                text_at(pod, "metadata", "name"),
                container=CONTAINER,
                tail=_MAX_LINES,
            )
        exit_code = _exit_code(pod)
        if exit_code != 0:
            raise engine_error(self.name, exit_code, output)
        request.samples.write_text(output, encoding="utf-8")
        return ProbeResult(self._identity(pod), request.samples)

    def abandon(self) -> None:
        """Delete the Job of a `probe` that is under way, so that it ends soon; make no other."""
        self._abandoned = True
        job = self._running_job
        if job is not None:
            self.client.delete(JOB, job.namespace, job.name)

    def _user(self) -> JsonObject:
        """As whom the engine must run here."""
        try:
            return user_for(self.client.get(NAMESPACE, "", self.namespace))
        except ClusterError:
            # Many may not read namespaces, and few of those need it.
            return {}

    @contextmanager
    def _running(self, job: AgentJob) -> Iterator[None]:
        """The Job and its ConfigMap, for the time of a `with` block."""
        self.client.create(CONFIG_MAP, job.namespace, config_map(job))
        try:
            made = self.client.create(JOB, job.namespace, job_manifest(job))
            self.client.patch(CONFIG_MAP, job.namespace, job.name, owned_by(made))
            self._running_job = job
            self._go_on()
            yield
        finally:
            self._running_job = None
            self.client.delete(JOB, job.namespace, job.name)
            self.client.delete(CONFIG_MAP, job.namespace, job.name)

    def _go_on(self) -> None:
        """Check that somebody still waits; raises ProbeError."""
        if self._abandoned:
            raise ProbeError(f"{self.name}: the probe was given up")

    def _finished_pod(self, job: AgentJob, *, timeout: float) -> JsonObject:
        """The Job's pod when it has ended."""
        deadline = self.clock.monotonic() + timeout
        pods = self._made_pods(job)
        name = text_at(pods[0], "metadata", "name")
        while (left := deadline - self.clock.monotonic()) > 0:
            self._go_on()
            for pod in self.client.watch(POD, job.namespace, name, timeout=min(left, _LOOK_AGAIN)):
                if text_at(pod, "status", "phase") in ("Succeeded", "Failed"):
                    return pod
                if value_at(pod, "metadata", "deletionTimestamp") is not None:
                    raise ProbeError(f"{self.name}: the pod {name} was deleted while it ran")
                trouble = waiting_trouble(pod)
                if trouble:
                    raise ProbeError(f"{self.name}: {trouble}{self._events(job, name)}")
        raise ProbeError(
            f"{self.name}: the pod {name} did not end within {timeout:.0f} s"
            f"{self._events(job, name)}"
        )

    def _made_pods(self, job: AgentJob) -> Sequence[JsonObject]:
        """The Job's pods, as soon as there are any."""

        def look() -> Sequence[JsonObject]:
            self._go_on()
            return self.client.list(POD, job.namespace, selector=f"{JOB_LABEL}={job.name}")

        try:
            return until(
                look,
                bool,
                what=f"a pod for the Job {job.namespace}/{job.name}",
                timeout=START_TIMEOUT,
                clock=self.clock,
                interval=0.02,
            )
        except WaitTimeout as error:
            raise ProbeError(
                f"{self.name}: {error.message}{self._events(job, job.name)}"
            ) from error

    def _events(self, job: AgentJob, name: str) -> str:
        """What the cluster says about an object, as a clause for an error message."""
        try:
            events = self.client.list(EVENT, job.namespace)
        except ClusterError as error:
            return f"; its events cannot be read: {error.message}"
        about = [e for e in events if text_at(e, "involvedObject", "name") == name]
        lines = [f"{text_at(e, 'reason')}: {text_at(e, 'message')}" for e in about]
        return "; events: " + " | ".join(lines[-_EVENTS_SHOWN:]) if lines else "; no events"

    def _identity(self, pod: JsonObject) -> VantageIdentity:
        statuses = mappings_at(pod, "status", "containerStatuses")
        image_id = text_at(statuses[0], "imageID") if statuses else ""
        return VantageIdentity(
            name=self.name,
            pod=text_at(pod, "metadata", "name"),
            node=text_at(pod, "spec", "nodeName"),
            image=self.image,
            image_digest=image_id.rpartition("@")[2],
            source_address=text_at(pod, "status", "podIP"),
        )


def waiting_trouble(pod: JsonObject) -> str:
    """Why a pod will not start, empty while there is hope."""
    for condition in mappings_at(pod, "status", "conditions"):
        if text_at(condition, "reason") == "Unschedulable":
            return f"the pod cannot be scheduled: {text_at(condition, 'message')}"
    for status in mappings_at(pod, "status", "containerStatuses"):
        reason = text_at(status, "state", "waiting", "reason")
        if reason in _HOPELESS:
            message = text_at(status, "state", "waiting", "message")
            return f"the pod does not start: {reason}: {message}"
    return ""


def _exit_code(pod: JsonObject) -> int | None:
    """The engine's exit code; None when the container did not get to run."""
    for status in mappings_at(pod, "status", "containerStatuses"):
        if isinstance(value_at(status, "state", "terminated"), dict):
            return number_at(status, "state", "terminated", "exitCode")
    return None
