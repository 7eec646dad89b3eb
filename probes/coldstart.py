"""Cold starts: one request to a service that has no pod, and what happened until its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Protocol

from harness.core.errors import ProbeError
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.ports import Clock
from harness.spec.model import ProbeAction
from harness.timing.wait import WaitTimeout, until
from probes.scale import PodCounter, Replicas

_POLL = 0.25


class Probes(Protocol):
    """Sends the request."""

    def probe(self, service: ServiceObserved, action: ProbeAction) -> Sequence[ProbeObserved]: ...


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A request to a service at zero; times are seconds.

    `phases` says how long each step took that was seen: `pod` until there was a pod, `start`
    until its app ran, `ready` until it was ready, `answer` until the response had come. Steps are
    as exact as the recorder's interval. `waited` is how long it took to get to zero.
    """

    probe: ProbeObserved
    waited: float
    seconds: float
    phases: tuple[tuple[str, float], ...]


def cold_start(
    service: ServiceObserved,
    action: ProbeAction,
    *,
    prober: Probes,
    counter: PodCounter,
    clock: Clock,
    zero_timeout: float,
) -> ColdStart:
    """Wait until the service has no pod at all, send `action`'s request, and split its time.

    Errors:
        ProbeError: the service did not get to zero within `zero_timeout` seconds, the request
            found a pod after all, or it could not be sent.
    """
    begun = clock.now().timestamp()
    try:
        zero = until(
            counter.count,
            lambda count: count.pods == 0,
            what=f"no pods of {service.namespace}/{service.service}",
            timeout=zero_timeout,
            clock=clock,
            interval=_POLL,
        )
    except WaitTimeout as error:
        raise ProbeError(
            error.message,
            mend="set autoscaling.knative.dev/min-scale to 0 and send it nothing meanwhile",
        ) from error
    with counter.recording() as replicas:
        probe = prober.probe(service, action)[0]
    if probe.error is not None:
        raise ProbeError(probe.error)
    start, end = (datetime.fromisoformat(text).timestamp() for text in (probe.at, probe.until))
    return ColdStart(probe, zero.at - begun, end - start, split(replicas, start=start, end=end))


def split(replicas: Replicas, *, start: float, end: float) -> tuple[tuple[str, float], ...]:
    """The steps of a request between `start` and `end` (seconds since the epoch).

    A step that was not seen is left out, and its time belongs to the next one.

    Errors:
        ProbeError: there was a pod before the request.
    """
    if replicas.changes and replicas.changes[0].pods:
        raise ProbeError("there was a pod before the request: this was no cold start")
    marks = [
        ("pod", replicas.first(pods=1)),
        ("start", replicas.first(pods=1, started=1)),
        ("ready", replicas.first(pods=1, ready=1)),
        ("answer", end),
    ]
    seen = [(name, min(max(at, start), end)) for name, at in marks if at is not None]
    return tuple(
        (name, max(0.0, at - before)) for (_, before), (name, at) in pairwise([("", start), *seen])
    )
