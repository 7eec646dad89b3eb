"""Loads, autoscaling and cold starts whose numbers cannot be true together. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.core.observation import ColdStartObserved, LoadObserved
from harness.core.verdict import Claim, Verdict
from harness.evidence.checks.finding import Finding
from harness.evidence.model import Evidence
from harness.evidence.stamps import moment_or_none

Report = Callable[[str, object, object], Finding]
"""Makes a finding of a document from field, expected and found."""

PHASES = ("pod", "start", "ready", "answer")
_PEAK = re.compile(r"at most (\d+) pods ready at one time, (\d+) wanted")
_TOTAL = re.compile(r"(\d+\.\d+) s after a request from zero pods")
_ROUNDING = 1e-3
"""Seconds that sums of rounded times may be off."""
_TURN = 0.05
"""The share by which users may seem busier than they can be, as windows are rounded."""


def start_findings(document: Evidence, report: Report) -> Iterator[Finding]:
    """What does not fit in a document about a load, autoscaling or a cold start."""
    if document.load is not None:
        yield from _load(document.load, report)
    if document.kind == "autoscale":
        yield from _autoscale(document, report)
    if document.kind == "coldstart":
        yield from _coldstart(document, report)


def _load(load: LoadObserved, report: Report) -> Iterator[Finding]:
    """Each user waits for one answer at a time, and pods are counted while the load goes on."""
    window = _window(load)
    if window is None:
        return
    if load.latency is not None:
        busy = load.latency.count * load.latency.mean
        most = load.users * max(window, load.seconds) * (1 + _TURN) + _ROUNDING
        if busy > most:
            expected = f"at most {most:.4g} s of waiting by {load.users} users"
            yield report("load.latency.mean", expected, f"{busy:.4g} s")
    for at, _ in load.replicas:
        if not 0 <= at <= window + 1:
            yield report("load.replicas", f"0 to {window:.4g} s after the start", at)
    if load.requests and load.latency is None:
        yield report("load.latency", f"latencies of {load.requests} requests", None)


def _autoscale(document: Evidence, report: Report) -> Iterator[Finding]:
    """The most pods at one time are those of the timeline, and the verdict follows from them."""
    if document.load is None:
        yield report("load", "a load that pods were counted under", None)
        return
    peak = max((pods for _, pods in document.load.replicas), default=0)
    for at, claim in _claims(document):
        told = _PEAK.search(claim.reason)
        if told is None:
            if claim.verdict is Verdict.PASS:
                yield report(f"{at}.reason", f"{peak} pods as the timeline", claim.reason)
            continue
        if int(told[1]) != peak:
            yield report(f"{at}.reason", f"{peak} pods as the timeline", told[1])
        wanted = int(told[2])
        follows = Verdict.PASS if peak >= wanted else Verdict.FAIL
        if claim.verdict is not follows:
            expected = f"{follows.value}, {peak} pods of {wanted}"
            yield report(f"{at}.verdict", expected, claim.verdict.value)


def _coldstart(document: Evidence, report: Report) -> Iterator[Finding]:
    """The phases are those that are known, in their order, and add up to the whole."""
    cold = document.coldstart
    if cold is None:
        yield report("coldstart", "a request to no pod", None)
        return
    yield from _phases(cold, report)
    window = _window(cold)
    if window is not None and abs(window - cold.seconds) > _ROUNDING:
        yield report("coldstart.seconds", f"{window:.6g} s, its period", f"{cold.seconds:.6g} s")
    if cold.waited < 0:
        yield report("coldstart.waited", "0 and more", cold.waited)
    answered = any(seen.probe.good for seen in document.vantages)
    for at, claim in _claims(document):
        told = _TOTAL.search(claim.reason)
        if told is not None and abs(float(told[1]) - cold.seconds) > 0.005 + _ROUNDING:
            yield report(f"{at}.reason", f"{cold.seconds:.2f} s", f"{told[1]} s")
        if claim.verdict is Verdict.PASS and not answered:
            yield report(f"{at}.verdict", "no PASS without a success", claim.verdict.value)


def _phases(cold: ColdStartObserved, report: Report) -> Iterator[Finding]:
    names = [name for name, _ in cold.phases]
    known = all(name in PHASES for name in names)
    if not known or any(PHASES.index(one) >= PHASES.index(two) for one, two in pairwise(names)):
        yield report("coldstart.phases", f"some of {', '.join(PHASES)}, in order", names)
    spent = sum(seconds for _, seconds in cold.phases)
    if any(seconds < 0 for _, seconds in cold.phases):
        yield report("coldstart.phases", "times of 0 and more", cold.phases)
    if cold.phases and abs(spent - cold.seconds) > _ROUNDING:
        yield report("coldstart.phases", f"{cold.seconds:.6g} s in all", f"{spent:.6g} s")


def _claims(document: Evidence) -> Iterator[tuple[str, Claim]]:
    """The document's own claim, wherever it stands."""
    yield "claim", document.claim
    for number, claim in enumerate(document.claims):
        if claim.name == document.kind:
            yield f"claims.{number}", claim


def _window(seen: LoadObserved | ColdStartObserved) -> float | None:
    """The seconds of a period; None where it is none, which the check of times reports."""
    start, end = moment_or_none(seen.at), moment_or_none(seen.until)
    return (end - start).total_seconds() if start is not None and end is not None else None
