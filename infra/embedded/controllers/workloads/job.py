"""Jobs: pods that run to completion."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.embedded import events
from infra.embedded.clock import Clock, parse_rfc3339, rfc3339
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime.controller import (
    Key,
    ReconcileError,
    Watch,
    itself,
    owner,
)
from infra.embedded.controllers.workloads import pods
from infra.embedded.controllers.workloads.accounts import refusal
from infra.embedded.kinds import JOB, POD
from infra.embedded.store import Obj, Store
from infra.embedded.store import copy as store_copy

_BACKOFF, _LONGEST_BACKOFF = 10.0, 360.0  # seconds before a failed pod is replaced
_NAME, _OLD_NAME = "batch.kubernetes.io/job-name", "job-name"
_UID, _OLD_UID = "batch.kubernetes.io/controller-uid", "controller-uid"


@dataclass(frozen=True, slots=True)
class Tally:
    """A Job's pods by state."""

    active: int
    ready: int
    succeeded: int
    failed: int
    last_failure: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a Job ended."""

    type: str  # "Complete" or "Failed"
    reason: str
    message: str


def tally(owned: Sequence[Obj]) -> Tally:
    active = [pod for pod in owned if pods.is_active(pod)]
    failed = [pod for pod in owned if pods.phase(pod) == "Failed"]
    return Tally(
        len(active),
        sum(map(pods.is_ready, active)),
        sum(pods.phase(pod) == "Succeeded" for pod in owned),
        len(failed),
        max(map(finished_at, failed), default=None),
    )


def finished_at(pod: Obj) -> datetime:
    """When the pod's last container ended (its creation, if nothing says so)."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    ends = [s["state"]["terminated"].get("finishedAt") for s in statuses
            if s.get("state", {}).get("terminated")]  # fmt: skip
    return max(
        (parse_rfc3339(end) for end in ends if end),
        default=parse_rfc3339(pod["metadata"]["creationTimestamp"]),
    )


def verdict(*, spec: Obj, counts: Tally, age: float) -> Verdict | None:
    """Whether a Job of this age (seconds since its start) is over, and how."""
    deadline = spec.get("activeDeadlineSeconds")
    if counts.succeeded >= completions(spec):
        message = "Reached expected number of succeeded pods"
        return Verdict("Complete", "CompletionsReached", message)
    if counts.failed > spec.get("backoffLimit", 6):
        message = "Job has reached the specified backoff limit"
        return Verdict("Failed", "BackoffLimitExceeded", message)
    if deadline is not None and age >= deadline:
        message = "Job was active longer than specified deadline"
        return Verdict("Failed", "DeadlineExceeded", message)
    return None


def backoff(counts: Tally, now: datetime) -> float:
    """Seconds to wait before the next pod after failures."""
    if not counts.failed or counts.last_failure is None:
        return 0.0
    delay = min(_BACKOFF * 2.0 ** (counts.failed - 1), _LONGEST_BACKOFF)
    return delay - (now - counts.last_failure).total_seconds()


def completions(spec: Obj) -> int:
    """How many pods must succeed."""
    found: int | None = spec.get("completions")
    return parallelism(spec) if found is None else found


def parallelism(spec: Obj) -> int:
    found: int = spec.get("parallelism", 1)
    return found


def missing(spec: Obj, counts: Tally) -> int:
    """How many pods are to be created now."""
    left = completions(spec) - counts.succeeded
    return max(0, min(parallelism(spec), left) - counts.active)


class Jobs:
    """Creates a Job's pods and says when it is over."""

    name = "job-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def watches(self) -> Iterable[Watch]:
        return (Watch(JOB, itself), Watch(POD, owner(JOB)))

    def reconcile(self, key: Key) -> float | None:
        job = self._store.find(JOB, *key)
        if job is None or meta.is_deleting(job):
            return None
        if ended := _ended(job):
            return self._expire(job, ended)
        if "selector" not in job["spec"]:
            job = self._store.replace(self._store.stored(JOB, *key), with_selector(job))
        owned = [p for p in self._store.dependents(job, POD) if meta.is_controlled_by(p, job)]
        now, counts = self._clock.now(), tally(owned)
        status = {**job.get("status", {})}
        started = parse_rfc3339(status.setdefault("startTime", rfc3339(now)))
        final = verdict(spec=job["spec"], counts=counts, age=(now - started).total_seconds())
        if final is not None:
            self._finish(job, status, counts, owned, final)
            return None
        self._write(job, status, counts)
        again = self._create(job, counts, now)
        deadline = job["spec"].get("activeDeadlineSeconds")
        left = None if deadline is None else deadline - (now - started).total_seconds()
        return min((t for t in (again, left) if t is not None), default=None)

    def _create(self, job: Obj, counts: Tally, now: datetime) -> float | None:
        wanted = 0 if job["spec"].get("suspend") else missing(job["spec"], counts)
        wait = backoff(counts, now) if wanted else 0.0
        if wait > 0:
            return wait
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        template = job["spec"]["template"]
        for _ in range(wanted):
            refused = refusal(self._store, namespace, template["spec"], f"{name}-")
            if refused:
                self._record(job, "FailedCreate", f"Error creating: {refused}", events.WARNING)
                raise ReconcileError(refused)
            pod = self._store.create(POD, pods.pod_of(template, job, namespace, f"{name}-"))
            self._record(job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return None

    def _write(self, job: Obj, status: Obj, counts: Tally, **extra: Any) -> None:
        numbers = {"active": counts.active, "succeeded": counts.succeeded, "failed": counts.failed}
        kept = {k: v for k, v in status.items() if k not in numbers}
        shown = {k: v for k, v in numbers.items() if v}
        details = {"ready": counts.ready, "terminating": 0, "uncountedTerminatedPods": {}}
        self._store.update_status(JOB, {**job, "status": {**kept, **shown, **details, **extra}})

    def _finish(
        self, job: Obj, status: Obj, counts: Tally, owned: Sequence[Obj], final: Verdict
    ) -> None:
        for pod in owned:
            if pods.is_active(pod):
                self._store.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])
        stamp = self._clock.stamp()
        first = "SuccessCriteriaMet" if final.type == "Complete" else "FailureTarget"
        conditions = [
            {"type": type, "status": "True", "lastProbeTime": stamp, "lastTransitionTime": stamp,
             "reason": final.reason, "message": final.message}
            for type in (first, final.type)
        ]  # fmt: skip
        done = {"completionTime": stamp} if final.type == "Complete" else {}
        none_active = Tally(0, 0, counts.succeeded, counts.failed)
        self._write(job, status, none_active, conditions=conditions, **done)
        if final.type == "Complete":
            self._record(job, "Completed", "Job completed")
        else:
            self._record(job, final.reason, final.message, events.WARNING)

    def _expire(self, job: Obj, ended: datetime) -> float | None:
        """Delete a finished Job when its time to live is over."""
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        left = (ended + timedelta(seconds=ttl) - self._clock.now()).total_seconds()
        if left > 0:
            return left
        self._store.delete(JOB, job["metadata"]["namespace"], job["metadata"]["name"])
        return None

    def _record(self, job: Obj, reason: str, message: str, type: str = events.NORMAL) -> None:
        events.record(self._store, self._clock, job, type, reason, message, self.name)


def _ended(job: Obj) -> datetime | None:
    for condition in job.get("status", {}).get("conditions", ()):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return parse_rfc3339(condition["lastTransitionTime"])
    return None


def with_selector(job: Obj) -> Obj:
    """A new Job with the selector and the pod labels that Kubernetes generates from its uid."""
    template = job["spec"]["template"]
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    labels = {_NAME: name, _OLD_NAME: name, _UID: uid, _OLD_UID: uid}
    own = template.get("metadata") or {}
    labelled = {**own, "labels": {**(own.get("labels") or {}), **labels}}
    selector = {"matchLabels": {_UID: uid}}
    return store_copy(
        {
            **job,
            "spec": {
                **job["spec"],
                "selector": selector,
                "template": {**template, "metadata": labelled},
            },
        }
    )
