"""Probes with too many attempts for a line each: the engine's own summary is taken instead.

The engine counts into histograms of the same layout as ours, so a million attempts need no more
memory than a hundred. What is lost is the order of the attempts, and who gave each wrong answer:
the first failure speaks for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.core.dig import JsonObject, mappings_at, number_at, text_at, value_at
from harness.core.errors import ProbeError
from harness.core.histogram import Histogram
from harness.core.observation import ProbeObserved
from harness.core.outcome import HOP_OF, OK, PROBER_ERROR
from probes.samples import read_sample

_TOTAL = "total"
_DISTRIBUTIONS = ("latency", "lateness")


def observed_from_summary(
    summary: JsonObject, *, target: str, asked: ProbeObserved, thresholds: Sequence[float]
) -> ProbeObserved:
    """`asked` with the counts that the engine's summary has for a target.

    Errors:
        ProbeError: the summary does not know the target, or counts an unknown outcome.
    """
    found = [t for t in mappings_at(summary, "targets") if text_at(t, "target") == target]
    if not found:
        raise ProbeError(f"the probe engine did not summarise {target!r}")
    counted = found[0]
    outcomes = _counts(counted, "by_outcome")
    if unknown := set(outcomes) - set(HOP_OF):
        raise ProbeError(f"the probe engine reports unknown outcomes: {sorted(unknown)}")
    good = _histograms(counted, OK)
    latency = good.get(_TOTAL, Histogram())
    lateness = _histogram(value_at(counted, "lateness"))
    observed = replace(
        asked,
        total=number_at(counted, "total"),
        warmup=number_at(counted, "warmup"),
        valid=number_at(counted, "valid"),
        good=number_at(counted, "good"),
        outcomes=outcomes,
        failures={
            name: count for name, count in outcomes.items() if name not in (OK, PROBER_ERROR)
        },
        statuses=_counts(counted, "by_status"),
        latency=latency.quantiles(),
        phases={
            phase: quantiles
            for phase, histogram in good.items()
            if phase != _TOTAL and (quantiles := histogram.quantiles()) is not None
        },
        latencies_within={f"{t:g}": latency.within(t) for t in thresholds},
        lateness_p99=lateness.quantile(0.99),
        histogram=tuple(latency.bars()),
    )
    first = value_at(counted, "first_failure")
    return _with_first_failure(observed, first) if isinstance(first, Mapping) else observed


def own_summary(summary: JsonObject, *, target: str, counted: bool) -> bytes:
    """The engine's summary as the last line of a target's samples; empty where there is none.

    What it says of other targets stands in their files. Where every attempt has a line
    (`counted`), its distributions would say again what these say.
    """
    if not summary:
        return b""
    own = [
        {name: part for name, part in found.items() if not (counted and name in _DISTRIBUTIONS)}
        for found in mappings_at(summary, "targets")
        if text_at(found, "target") == target
    ]
    return json.dumps({**summary, "targets": own}, separators=(",", ":")).encode() + b"\n"


def _with_first_failure(observed: ProbeObserved, record: JsonObject) -> ProbeObserved:
    """What the first failure adds: its words, and who answered with the statuses not wanted."""
    sample = read_sample(record, rate=observed.rate)
    observed = replace(
        observed,
        first_ids={sample.outcome: sample.id},
        details={sample.outcome: sample.detail} if sample.detail else {},
        peers={sample.peer: 1} if sample.peer else {},
        by_address=sample.by_address,
        through_gateway=int(sample.through_gateway),
    )
    if sample.status is None:
        return observed
    wrong = {str(sample.status): observed.failures.get(sample.outcome, 0)}
    if sample.by_gateway:
        return replace(observed, gateway_failures=wrong)
    return replace(observed, service_failures=wrong)


def _counts(counted: JsonObject, key: str) -> dict[str, int]:
    found = value_at(counted, key)
    return {name: number_at(found, name) for name in found} if isinstance(found, Mapping) else {}


def _histograms(counted: JsonObject, outcome: str) -> dict[str, Histogram]:
    found = value_at(counted, "latency", outcome)
    if not isinstance(found, Mapping):
        return {}
    return {phase: _histogram(distribution) for phase, distribution in found.items()}


def _histogram(distribution: object) -> Histogram:
    return Histogram.of(
        _values(distribution),
        total=number_at(distribution, "sum"),
        least=number_at(distribution, "min"),
        most=number_at(distribution, "max"),
    )


def _values(distribution: object) -> Iterator[tuple[int, int]]:
    """The lowest value of each of the engine's buckets, with its count (docs/probe-agent.md)."""
    bits = number_at(distribution, "precision_bits")
    buckets = value_at(distribution, "buckets")
    for pair in buckets if isinstance(buckets, list) else ():
        bucket, count = pair
        shift = max(0, (bucket >> bits) - 1)
        yield (bucket - (shift << bits)) << shift, count
