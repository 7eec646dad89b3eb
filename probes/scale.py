"""How many pods a service has over time: what autoscaling made of a load, or of a cold start."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from harness.core.conditions import find_condition, read_conditions
from harness.core.dig import JsonObject, mappings_at, value_at
from harness.ports import Clock, KubeClient
from harness.timing.wait import until
from probes.jobspec import POD

_INTERVAL = 0.05
_LONGEST = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class PodCount:
    """A service's pods at one moment: `at` is in seconds since the epoch, on the devbox's clock."""

    at: float
    pods: int = 0
    started: int = 0
    ready: int = 0


@dataclass(slots=True)
class Replicas:
    """Changes of a service's pods, in the order in which they were seen."""

    changes: list[PodCount] = field(default_factory=list)

    def add(self, count: PodCount) -> None:
        """Keep a count if it differs from the last one."""
        last = self.changes[-1] if self.changes else None
        if last is None or _numbers(last) != _numbers(count):
            self.changes.append(count)

    @property
    def most_ready(self) -> int:
        """The most pods that were ready at one time."""
        return max((count.ready for count in self.changes), default=0)

    def first(self, *, pods: int = 0, started: int = 0, ready: int = 0) -> float | None:
        """When there were first at least so many; None if never."""
        wanted = (pods, started, ready)
        return next(
            (
                count.at
                for count in self.changes
                if all(have >= want for have, want in zip(_numbers(count), wanted, strict=True))
            ),
            None,
        )


def _numbers(count: PodCount) -> tuple[int, int, int]:
    return count.pods, count.started, count.ready


@dataclass(frozen=True, slots=True)
class PodCounter:
    """Counts the pods of one service through the API server."""

    client: KubeClient
    clock: Clock
    namespace: str
    service: str

    def count(self) -> PodCount:
        """The service's pods now; those that are ending are pods, but neither started nor ready.

        Errors:
            ClusterError: the API server cannot be reached or refuses.
        """
        selector = f"serving.knative.dev/service={self.service}"
        pods = self.client.list(POD, self.namespace, selector=selector)
        serving = [p for p in pods if value_at(p, "metadata", "deletionTimestamp") is None]
        return PodCount(
            at=self.clock.now().timestamp(),
            pods=len(pods),
            started=sum(_started(pod) for pod in serving),
            ready=sum(_ready(pod) for pod in serving),
        )

    @contextmanager
    def recording(self) -> Iterator[Replicas]:
        """Count again and again during a `with` block.

        An error of the API server ends the recording and is raised at the end of the block.
        """
        seen, stop = Replicas(), Event()
        with ThreadPoolExecutor(max_workers=1) as pool:
            recorder = pool.submit(self._record, seen, stop)
            try:
                yield seen
            finally:
                stop.set()
            recorder.result()

    def _record(self, seen: Replicas, stop: Event) -> None:
        until(
            lambda: seen.add(self.count()),
            lambda _: stop.is_set(),
            what="the end of the recording",
            timeout=_LONGEST,
            clock=self.clock,
            interval=_INTERVAL,
        )


def _started(pod: JsonObject) -> bool:
    """Whether the app's container runs; queue-proxy's start says nothing about it."""
    return any(
        value_at(status, "state", "running") is not None
        for status in mappings_at(pod, "status", "containerStatuses")
        if status.get("name") != "queue-proxy"
    )


def _ready(pod: JsonObject) -> bool:
    condition = find_condition(read_conditions(pod), "Ready")
    return condition is not None and condition.status == "True"
