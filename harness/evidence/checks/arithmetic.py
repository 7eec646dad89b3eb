"""Numbers that cannot be true. Pure: judges a document by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.core.observation import LoadObserved, ProbeObserved, Quantiles
from harness.core.outcome import HOP_OF, OK, PROBER_ERROR
from harness.core.verdict import Claim, Verdict
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.starts import Report, start_findings
from harness.evidence.derive import thresholds_of, vantage_evidence
from harness.evidence.model import Evidence, VantageEvidence
from harness.evidence.stamps import moment

_ORDERED = ("min", "p50", "p90", "p95", "p99", "max")
_ROUNDING = 1e-6
_MOST = 10**15
"""More requests than can ever have been sent."""
_START_UP = 60.0
"""Seconds that a vantage may take to start and end beside its schedule (a pod is pulled)."""


def arithmetic_findings(name: str, document: Evidence) -> Iterator[Finding]:
    """Everything in a document that does not add up."""
    report: Report = partial(_finding, name)
    for number, seen in enumerate(document.vantages):
        at = f"vantages.{number}"
        yield from _probe(seen.probe, f"{at}.probe", report)
        if document.kind != "ready":
            yield from _measured(seen.probe, f"{at}.probe", report)
        yield from _derived(seen, at, report)
    if document.load is not None:
        yield from _load(document.load, report)
    yield from start_findings(document, report)
    expected = thresholds_of(document.claims, document.vantages)
    if document.kind != "load" and document.kind != "scenario" and expected != document.thresholds:
        yield report("thresholds", expected, document.thresholds)
    for number, claim in enumerate(document.claims):
        yield from _claim(claim, document, f"claims.{number}", report)


def _finding(name: str, field: str, expected: object, found: object) -> Finding:
    return Finding(name, field, shown(expected), shown(found), "arithmetic")


def _derived(seen: VantageEvidence, at: str, report: Report) -> Iterator[Finding]:
    """Ratio, interval and hops are recomputed from the counts."""
    unknown = sorted(set(seen.probe.outcomes) - set(HOP_OF))
    if unknown:
        yield report(f"{at}.probe.outcomes", "outcomes of the closed list", ", ".join(unknown))
        return
    if not 0 <= seen.probe.good <= seen.probe.valid <= _MOST:
        return  # reported with the counts; no interval exists
    expected = vantage_evidence(seen.step, seen.probe)
    for field in ("hops", "first_broken", "ratio", "interval"):
        wanted, found = getattr(expected, field), getattr(seen, field)
        if wanted != found:
            yield report(f"{at}.{field}", wanted, found)


def _probe(probe: ProbeObserved, at: str, report: Report) -> Iterator[Finding]:
    yield from _counts(probe, at, report)
    if probe.latency is not None:
        yield from _quantiles(probe.latency, f"{at}.latency", report)
    for phase, quantiles in probe.phases.items():
        yield from _quantiles(quantiles, f"{at}.phases.{phase}", report)
        if quantiles.count > probe.good:
            yield report(f"{at}.phases.{phase}.count", f"at most {probe.good}", quantiles.count)
    bars = sum(count for _, count in probe.histogram)
    if probe.histogram and bars != probe.good:
        yield report(f"{at}.histogram", f"{probe.good} in all", bars)
    yield from _within(probe, at, report)
    yield from _schedule(probe, at, report)


def _measured(probe: ProbeObserved, at: str, report: Report) -> Iterator[Finding]:
    """Every success has a latency; READY's evidence keeps counts alone."""
    if (probe.latency.count if probe.latency else 0) != probe.good:
        yield report(f"{at}.latency.count", probe.good, probe.latency)


def _counts(probe: ProbeObserved, at: str, report: Report) -> Iterator[Finding]:
    total = sum(probe.outcomes.values())
    if total != probe.total:
        yield report(f"{at}.total", f"{total}, the sum of the outcomes", probe.total)
    left_out = probe.total - probe.valid
    most = probe.warmup + probe.outcomes.get(PROBER_ERROR, 0)
    if not probe.warmup <= left_out <= most:
        expected = f"{probe.total - most} to {probe.total - probe.warmup}"
        yield report(f"{at}.valid", expected, probe.valid)
    passed = probe.outcomes.get(OK, 0)
    if not max(0, passed - probe.warmup) <= probe.good <= min(passed, probe.valid):
        yield report(f"{at}.good", f"{passed} less warm-up", probe.good)
    if probe.valid > _MOST:
        yield report(f"{at}.valid", f"at most {_MOST}", probe.valid)
    if min([0, probe.total, probe.warmup, *probe.outcomes.values()]) < 0:
        yield report(f"{at}.outcomes", "counts of 0 and more", probe.outcomes)
    for field in ("statuses", "revisions", "servers", "peers"):
        counted = sum(getattr(probe, field).values())
        if counted > probe.valid:
            yield report(f"{at}.{field}", f"at most {probe.valid} in all", counted)


def _quantiles(q: Quantiles, at: str, report: Report) -> Iterator[Finding]:
    values = [getattr(q, name) for name in _ORDERED]
    if values != sorted(values) or q.min < 0:
        yield report(at, "min ≤ p50 ≤ p90 ≤ p95 ≤ p99 ≤ max", values)
    if not q.min - _ROUNDING <= q.mean <= q.max + _ROUNDING:
        yield report(f"{at}.mean", f"{q.min} to {q.max}", q.mean)


def _within(probe: ProbeObserved, at: str, report: Report) -> Iterator[Finding]:
    """More requests lie within a longer time, and never more than succeeded."""
    try:
        ordered = sorted(probe.latencies_within.items(), key=lambda item: float(item[0]))
    except ValueError:
        yield report(f"{at}.latencies_within", "seconds as keys", probe.latencies_within)
        return
    found = [count for _, count in ordered]
    if found != sorted(found) or any(not 0 <= count <= probe.good for count in found):
        yield report(f"{at}.latencies_within", f"growing, at most {probe.good}", found)


def _schedule(probe: ProbeObserved, at: str, report: Report) -> Iterator[Finding]:
    """The window must have room for what is said to have happened in it."""
    try:
        window = (moment(probe.until) - moment(probe.at)).total_seconds()
    except ValueError:
        return  # the check of times reports it
    if probe.rate > 0 and probe.total > 1:
        planned = (probe.total - 1) / probe.rate
        longest = planned + probe.timeout * 8 + _START_UP
        if window < planned * 0.95 - 0.1 or window > longest:
            expected = f"{planned:.3g} s to {longest:.3g} s for {probe.total} at {probe.rate:g}/s"
            yield report(f"{at}.until", expected, f"{window:.3g} s")
    timed_out = sum(n for outcome, n in probe.outcomes.items() if outcome == "wait_timeout")
    if timed_out and window < probe.timeout * 0.95 - 0.1:
        expected = f"at least the timeout of {probe.timeout:g} s, as {timed_out} timed out"
        yield report(f"{at}.until", expected, f"{window:.3g} s")


def _load(load: LoadObserved, report: Report) -> Iterator[Finding]:
    if not 0 <= load.failures <= load.requests:
        yield report("load.failures", f"0 to {load.requests}", load.failures)
    if sum(load.errors.values()) > load.failures:
        yield report("load.errors", f"at most {load.failures} in all", sum(load.errors.values()))
    if load.latency is not None:
        yield from _quantiles(load.latency, "load.latency", report)
        if load.latency.count > load.requests:
            yield report("load.latency.count", f"at most {load.requests}", load.latency.count)
    times = [at for at, _ in load.replicas]
    if times != sorted(times) or any(pods < 0 for _, pods in load.replicas):
        yield report("load.replicas", "moments in order, counts of 0 and more", load.replicas)
    try:
        window = moment(load.until) - moment(load.at)
    except ValueError:
        return
    if load.seconds > 0 and window.total_seconds() + 1 < load.seconds:
        yield report("load.seconds", f"at most {window.total_seconds():.3g} s", load.seconds)


def _claim(claim: Claim, document: Evidence, at: str, report: Report) -> Iterator[Finding]:
    """A verdict may not say the opposite of the numbers beside it, nor cite what is not there."""
    known = {sample for seen in document.vantages for sample in seen.probe.first_ids.values()}
    missing = sorted(set(claim.cites) - known)
    if document.vantages and missing:
        yield report(f"{at}.cites", "samples of this document", ", ".join(missing))
    for threshold in document.thresholds:
        if threshold.claim == claim.title and threshold.observed is not None:
            holds = threshold.observed >= threshold.target
            if (claim.verdict is Verdict.PASS and not holds) or (
                claim.verdict is Verdict.FAIL and holds
            ):
                expected = f"{threshold.observed:.6g} judged against {threshold.target:.6g}"
                yield report(f"{at}.verdict", expected, claim.verdict.value)
    if claim.verdict is not Verdict.PASS:
        return
    if claim.name == "reachable":
        probes = [seen.probe for seen in document.vantages if seen.probe.vantage == claim.vantage]
        if probes and not probes[-1].good:
            yield report(f"{at}.verdict", "no PASS without a success", claim.verdict.value)
    if claim.name == "ready" and document.service is not None:
        yield from _ready(document, at, report)


def _ready(document: Evidence, at: str, report: Report) -> Iterator[Finding]:
    state = document.service
    assert state is not None
    ready = {condition.type: condition.status for condition in state.conditions}.get("Ready")
    facts = (
        (f"{at}.verdict", "Ready=True for a PASS", f"Ready={ready}", ready == "True"),
        (
            "service.observed_generation",
            f"{state.generation}",
            f"{state.observed_generation}",
            state.observed_generation == state.generation,
        ),
        (
            "service.latest_ready",
            state.latest_created,
            state.latest_ready,
            state.latest_ready == state.latest_created,
        ),
    )
    for field, expected, found, holds in facts:
        if not holds:
            yield report(field, expected, found)
