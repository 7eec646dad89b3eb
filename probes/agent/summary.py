"""What a run amounts to, kept in bounded memory while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from .clock import NS, ClockReading
from .hdr import Distribution, Histogram
from .outcomes import Outcome
from .sample import Sample

_OK = Outcome.OK.value

TOTAL = "total"
"""The name under which an attempt's whole duration is kept among the phases."""


@dataclass(frozen=True)
class TargetSummary:
    """The counts and distributions of one target.

    `total` counts every attempt that ended; `valid` leaves out warm-up and prober_error, `good` is
    what of it was ok. `by_outcome`, `by_status`, `lateness` and `latency` leave out warm-up only.
    `latency` holds a distribution for each outcome and phase that occurred (and ``total``).
    """

    target: str
    type: str
    planned: int
    total: int
    warmup: int
    valid: int
    good: int
    prober_errors: int
    by_outcome: dict[str, int]
    by_status: dict[str, int]
    lateness: Distribution
    latency: dict[str, dict[str, Distribution]]
    first_failure: Sample | None = None


@dataclass(frozen=True)
class Summary:
    """A whole run. `ended` is ``completed`` or ``interrupted``; `cut_off` attempts were in flight
    then and count nowhere; `not_started` never began."""

    vantage: str
    ended: str
    clock: ClockReading
    planned: int
    cut_off: int
    not_started: int
    late_start_s: float
    targets: tuple[TargetSummary, ...]


class Tally:
    """Adds up the samples of one target."""

    def __init__(self, target: str, kind: str, planned: int) -> None:
        self._target = target
        self._kind = kind
        self._planned = planned
        self._warmup = 0
        self._outcomes: dict[str, int] = {}
        self._statuses: dict[str, int] = {}
        self._lateness = Histogram()
        self._latency: dict[str, dict[str, Histogram]] = {}
        self._first_failure: Sample | None = None

    def add(self, sample: Sample) -> None:
        """Count `sample`."""
        if sample.warmup:
            self._warmup += 1
            return
        outcome = sample.outcome
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        if sample.status is not None:
            status = str(sample.status)
            self._statuses[status] = self._statuses.get(status, 0) + 1
        self._lateness.add(sample.lateness_ns)
        histograms = self._latency.setdefault(outcome, {})
        for phase, seconds in sample.phases.items():
            _histogram(histograms, phase).add(round(seconds * NS))
        _histogram(histograms, TOTAL).add(round(sample.duration_s * NS))
        if self._first_failure is None and outcome != _OK:
            self._first_failure = sample

    def summary(self) -> TargetSummary:
        """What was added up so far."""
        counted = sum(self._outcomes.values())
        prober_errors = self._outcomes.get(Outcome.PROBER_ERROR.value, 0)
        return TargetSummary(
            target=self._target,
            type=self._kind,
            planned=self._planned,
            total=counted + self._warmup,
            warmup=self._warmup,
            valid=counted - prober_errors,
            good=self._outcomes.get(_OK, 0),
            prober_errors=prober_errors,
            by_outcome=dict(sorted(self._outcomes.items())),
            by_status=dict(sorted(self._statuses.items())),
            lateness=self._lateness.distribution(),
            latency={
                outcome: {phase: found.distribution() for phase, found in phases.items()}
                for outcome, phases in sorted(self._latency.items())
            },
            first_failure=self._first_failure,
        )


def _histogram(histograms: dict[str, Histogram], name: str) -> Histogram:
    found = histograms.get(name)
    if found is None:
        found = histograms[name] = Histogram()
    return found
