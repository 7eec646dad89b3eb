"""Service level indicators: counts first, then ratios with their uncertainty."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, sqrt

from harness.core.histogram import Histogram
from harness.core.observation import ProbeObserved, Quantiles
from harness.core.sample import Sample

Z95 = 1.959963984540054
MAX_KEYS = 64
OTHER = "(other)"
STEADY_RUN = 5
# A summary is kept to the microsecond; the samples keep what was measured.
_DIGITS = 6


def wilson(good: int, valid: int, z: float = Z95) -> tuple[float, float] | None:
    """The Wilson score interval of the ratio good/valid; None when there is no data.

    `z` is the normal quantile of the confidence: 1.96 for 95 %.
    """
    if valid <= 0:
        return None
    ratio = good / valid
    spread = z * z / valid
    centre = ratio + spread / 2
    margin = z * sqrt(ratio * (1 - ratio) / valid + spread / (4 * valid))
    low = 0.0 if good == 0 else (centre - margin) / (1 + spread)
    high = 1.0 if good == valid else (centre + margin) / (1 + spread)
    return low, high


def samples_to_prove(objective: float, z: float = Z95) -> int:
    """How many samples, all good, prove a ratio of at least `objective` (0.99 -> 381).

    Errors:
        ValueError: the objective is not between 0 and 1; a ratio of 1 can never be proven.
    """
    if not 0 <= objective < 1:
        raise ValueError(f"an objective that can be proven is at least 0 and below 1: {objective}")
    # All good: the lower bound is n / (n + z²); rounding first keeps float noise out of ceil.
    return max(1, ceil(round(objective * z * z / (1 - objective), 9)))


def ratio_text(good: int, valid: int) -> str:
    """A ratio as evidence prints it: with its counts and interval, or `no data`."""
    interval = wilson(good, valid)
    if interval is None:
        return "no data"
    low, high = interval
    return f"{good}/{valid} = {good / valid:.2%} (95 % interval {low:.2%} to {high:.2%})"


@dataclass(slots=True)
class _Tally:
    """What is kept while samples stream by; its size does not depend on their number."""

    thresholds: Sequence[float]
    total: int = 0
    warmup: int = 0
    valid: int = 0
    good: int = 0
    by_address: bool = False
    steady: int = 0
    first_good_after: float | None = None
    steady_after: float | None = None
    first_good_seconds: float | None = None
    through_gateway: int = 0
    failed_after_good: int = 0
    within: Counter[float] = field(default_factory=Counter)
    counters: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    first_ids: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    later: Histogram = field(default_factory=Histogram)
    lateness: Histogram = field(default_factory=Histogram)
    phases: dict[str, Histogram] = field(default_factory=lambda: defaultdict(Histogram))

    def add(self, sample: Sample) -> None:
        self.total += 1
        self.warmup += sample.warmup
        self.by_address |= sample.by_address
        self.count("outcomes", sample.outcome)
        self.first_ids.setdefault(sample.outcome, sample.id)
        if sample.detail:
            self.details.setdefault(sample.outcome, sample.detail)
        if not sample.valid:
            return
        self.valid += 1
        self.lateness.add(sample.lateness)
        self.add_answer(sample)
        if sample.good:
            self.add_good(sample)
        else:
            self.steady = 0

    def add_answer(self, sample: Sample) -> None:
        """Who answered, and with what."""
        self.through_gateway += sample.through_gateway
        if sample.peer:
            self.count("peers", sample.peer)
        if sample.server:
            self.count("servers", sample.server)
        if sample.revision:
            self.count("revisions", sample.revision)
        if sample.status is not None:
            self.count("statuses", str(sample.status))
        if not sample.good:
            self.add_failure(sample)

    def add_failure(self, sample: Sample) -> None:
        """Which hop broke, who said so, and whether it had worked before."""
        self.count("failures", sample.outcome)
        self.failed_after_good += self.good > 0
        if sample.revision:
            self.count("failures_by_revision", sample.revision)
        if sample.status is not None:
            by = "gateway_failures" if sample.by_gateway else "service_failures"
            self.count(by, str(sample.status))

    def add_good(self, sample: Sample) -> None:
        """A success; its latency, and how long after the window's start it came."""
        self.good += 1
        ended = sample.offset + sample.lateness + sample.seconds
        if self.first_good_after is None:
            self.first_good_after, self.first_good_seconds = ended, sample.seconds
        else:
            self.later.add(sample.seconds)
        self.steady += 1
        if self.steady == STEADY_RUN and self.steady_after is None:
            self.steady_after = ended
        self.latency.add(sample.seconds)
        for phase, seconds in sample.phases.items():
            self.phases[phase].add(seconds)
        for threshold in self.thresholds:
            self.within[threshold] += sample.seconds <= threshold

    def count(self, what: str, key: str) -> None:
        """Count a key; keys beyond the first MAX_KEYS share one, so that memory is bounded."""
        counter = self.counters[what]
        counter[key if key in counter or len(counter) < MAX_KEYS else OTHER] += 1

    def counted(self, what: str) -> Mapping[str, int]:
        return dict(sorted(self.counters[what].items()))


def summarise(
    samples: Iterable[Sample], *, asked: ProbeObserved, thresholds: Sequence[float] = ()
) -> ProbeObserved:
    """The summary of one probe: `asked` (what was asked, of whom, from where) with the counts.

    Reads the samples once, in their order, in memory that does not grow with their number.
    `thresholds` are latency objectives in seconds; `latencies_within` counts the good samples
    within each of them, under the number as text (`0.3`).
    """
    tally = _Tally(thresholds=tuple(thresholds))
    for sample in samples:
        tally.add(sample)
    later = _rounded(tally.later.quantiles())
    return replace(
        asked,
        total=tally.total,
        warmup=tally.warmup,
        valid=tally.valid,
        good=tally.good,
        outcomes=tally.counted("outcomes"),
        failures=tally.counted("failures"),
        failed_after_good=tally.failed_after_good,
        statuses=tally.counted("statuses"),
        latency=_rounded(tally.latency.quantiles()),
        phases={
            phase: quantiles
            for phase, histogram in tally.phases.items()
            if (quantiles := _rounded(histogram.quantiles())) is not None
        },
        latencies_within={f"{t:g}": tally.within[t] for t in tally.thresholds},
        lateness_p99=round(tally.lateness.quantile(0.99), _DIGITS),
        first_ids=dict(tally.first_ids),
        details=dict(tally.details),
        peers=tally.counted("peers"),
        servers=tally.counted("servers"),
        revisions=tally.counted("revisions"),
        failures_by_revision=tally.counted("failures_by_revision"),
        gateway_failures=tally.counted("gateway_failures"),
        service_failures=tally.counted("service_failures"),
        through_gateway=tally.through_gateway,
        first_good_after=_rounded_or_none(tally.first_good_after),
        steady_after=_rounded_or_none(tally.steady_after),
        first_good_seconds=_rounded_or_none(tally.first_good_seconds),
        later_p50=later.p50 if later else None,
        later_max=later.max if later else None,
        by_address=tally.by_address,
        histogram=tuple(tally.latency.bars()),
    )


def _rounded(found: Quantiles | None) -> Quantiles | None:
    if found is None:
        return None
    return Quantiles(
        count=found.count,
        mean=round(found.mean, _DIGITS),
        min=round(found.min, _DIGITS),
        p50=round(found.p50, _DIGITS),
        p90=round(found.p90, _DIGITS),
        p95=round(found.p95, _DIGITS),
        p99=round(found.p99, _DIGITS),
        max=round(found.max, _DIGITS),
    )


def _rounded_or_none(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)
