"""CronJobs: Jobs by the clock."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from infra.embedded import events
from infra.embedded.clock import Clock, parse_rfc3339, rfc3339
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime.controller import Key, Watch, itself, owner
from infra.embedded.controllers.workloads import schedule
from infra.embedded.kinds import CRONJOB, JOB
from infra.embedded.store import Obj, Store

_MOST_MISSED = 100
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


def job_of(cronjob: Obj, due: datetime) -> Obj:
    """The Job for one due time."""
    template = cronjob["spec"]["jobTemplate"]
    own = template.get("metadata") or {}
    name = meta.child_name(cronjob["metadata"]["name"], f"-{int(due.timestamp()) // 60}")
    spec = template["spec"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": cronjob["metadata"]["namespace"],
            "labels": dict(own.get("labels") or {}),
            "annotations": {**(own.get("annotations") or {}), _SCHEDULED: rfc3339(due)},
            "ownerReferences": [meta.controller_ref(cronjob)],
        },
        "spec": {
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "completions": spec.get("completions", 1),
            "parallelism": 1,
            "podReplacementPolicy": "TerminatingOrFailed",
            "suspend": False,
            **spec,
        },
        "status": {},
    }


def due_time(cronjob: Obj, timing: schedule.Schedule, now: datetime) -> datetime | None:
    """The latest time that has come and was not served yet; None when there is none."""
    status, spec = cronjob.get("status", {}), cronjob["spec"]
    last = status.get("lastScheduleTime") or cronjob["metadata"]["creationTimestamp"]
    since, deadline = parse_rfc3339(last), spec.get("startingDeadlineSeconds")
    if deadline is not None:
        since = max(since, now - timedelta(seconds=deadline))
    found = None
    for _ in range(_MOST_MISSED):
        following = timing.after(since.astimezone(now.tzinfo))
        if following is None or following > now:
            return found
        found = since = following
    return now.replace(second=0, microsecond=0)


def beyond_history(jobs: Sequence[Obj], limit: int, condition: str) -> list[Obj]:
    """Finished Jobs with this condition that are older than the ones to keep."""
    ended = [job for job in jobs if condition in _true_conditions(job)]
    ended.sort(key=lambda job: str(job["metadata"]["creationTimestamp"]))
    return ended[: max(0, len(ended) - limit)]


def _true_conditions(job: Obj) -> set[str]:
    entries = job.get("status", {}).get("conditions", ())
    return {entry["type"] for entry in entries if entry["status"] == "True"}


class CronJobs:
    """Starts Jobs when they are due."""

    name = "cronjob-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def watches(self) -> Iterable[Watch]:
        return (Watch(CRONJOB, itself), Watch(JOB, owner(CRONJOB)))

    def reconcile(self, key: Key) -> float | None:
        cronjob = self._store.find(CRONJOB, *key)
        if cronjob is None or meta.is_deleting(cronjob):
            return None
        jobs = self._store.dependents(cronjob, JOB)
        self._forget_old(cronjob, jobs)
        active = [job for job in jobs if not _true_conditions(job) & {"Complete", "Failed"}]
        now = self._now(cronjob)
        try:
            timing = schedule.parse(cronjob["spec"]["schedule"])
        except ValueError as error:
            message = f"Unparseable schedule: {cronjob['spec']['schedule']!r}: {error}"
            self._record(cronjob, "UnparseableSchedule", message, events.WARNING)
            return None
        last = cronjob.get("status", {}).get("lastScheduleTime")
        due = None if cronjob["spec"].get("suspend") else due_time(cronjob, timing, now)
        if due is not None:
            started = self._start(cronjob, active, due)
            active = started if started is not None else active
            last = rfc3339(due.astimezone(self._clock.now().tzinfo)) if started else last
        self._write_status(cronjob, active, last)
        following = timing.after(now)
        return None if following is None else (following - now).total_seconds()

    def _now(self, cronjob: Obj) -> datetime:
        now, zone = self._clock.now(), cronjob["spec"].get("timeZone")
        try:
            return now.astimezone(ZoneInfo(zone)) if zone else now
        except ZoneInfoNotFoundError:
            return now

    def _start(self, cronjob: Obj, active: Sequence[Obj], due: datetime) -> list[Obj] | None:
        """Start the due Job as the concurrency policy allows; returns the Jobs that then run."""
        policy = cronjob["spec"].get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            message = "Not starting job because prior execution is running and concurrency"
            self._record(cronjob, "JobAlreadyActive", f"{message} policy is Forbid")
            return None
        if policy == "Replace":
            for job in active:
                self._store.delete(JOB, job["metadata"]["namespace"], job["metadata"]["name"])
            active = []
        wanted = job_of(cronjob, due)
        found = self._store.find(JOB, wanted["metadata"]["namespace"], wanted["metadata"]["name"])
        if found is not None:
            return list(active)
        job = self._store.create(JOB, wanted)
        self._record(cronjob, "SuccessfulCreate", f"Created job {job['metadata']['name']}")
        return [*active, job]

    def _write_status(self, cronjob: Obj, active: Sequence[Obj], last: str | None) -> None:
        running = [events.involved(job) for job in active]
        dropped = ("active", "lastScheduleTime")
        kept = {k: v for k, v in cronjob.get("status", {}).items() if k not in dropped}
        status = {
            **kept,
            **({"active": running} if running else {}),
            **({"lastScheduleTime": last} if last else {}),
        }
        self._store.update_status(CRONJOB, {**cronjob, "status": status})

    def _forget_old(self, cronjob: Obj, jobs: Sequence[Obj]) -> None:
        spec = cronjob["spec"]
        keep = {
            "Complete": spec.get("successfulJobsHistoryLimit", 3),
            "Failed": spec.get("failedJobsHistoryLimit", 1),
        }
        for condition, limit in keep.items():
            for job in beyond_history(jobs, limit, condition):
                self._store.delete(JOB, job["metadata"]["namespace"], job["metadata"]["name"])

    def _record(self, cronjob: Obj, reason: str, message: str, type: str = events.NORMAL) -> None:
        events.record(self._store, self._clock, cronjob, type, reason, message, self.name)
