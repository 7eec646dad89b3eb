"""How one vantage fared: its probe, and how it fails if it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.core.observation import ProbeObserved
from harness.core.outcome import HOP_OF, OK, PROBER_ERROR, Hop
from harness.spec.model import Objective

OUTSIDE = ("devbox", "gateway")
# Order in which failing vantages are named: the user's own place first.
_NEAREST_USER_FIRST = (*OUTSIDE, "node", "in-cluster-gateway", "in-cluster")

BEHIND_FLOOR = 0.025
SKEW = 1.0
COLD_START_FLOOR = 0.5
COLD_START_FACTOR = 5


class Signature(StrEnum):
    """How the named vantage fails: an outcome, refined by who gave the answer."""

    NONE = "none"
    DNS_NOT_FOUND = "dns_not_found"
    DNS_TIMEOUT = "dns_timeout"
    DNS_ERROR = "dns_error"
    REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    UNREACHABLE = "connect_unreachable"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_NAME = "tls_name_mismatch"
    TLS_TIMEOUT = "tls_timeout"
    TLS_ERROR = "tls_error"
    SEND_RESET = "send_reset"
    SEND_TIMEOUT = "send_timeout"
    SILENT = "wait_timeout"
    RESET = "reset"
    CLOSED = "closed_without_response"
    TRANSFER_TIMEOUT = "transfer_timeout"
    TRUNCATED = "truncated"
    MALFORMED = "malformed_response"
    TOO_LARGE = "too_large"
    GATEWAY_404 = "404 by the gateway"
    GATEWAY_503 = "503 by the gateway"
    GATEWAY_504 = "504 by the gateway"
    GATEWAY_STATUS = "another status by the gateway"
    SERVICE_502 = "502 from behind the gateway"
    SERVICE_504 = "504 from behind the gateway"
    SERVICE_STATUS = "another status from behind the gateway"
    OTHER_SERVER = "a wrong status or body, not through the gateway"
    WRONG_BODY = "body_mismatch"
    UNKNOWN = "failures without an outcome"


_BY_GATEWAY: Mapping[str, Signature] = MappingProxyType(
    {
        "404": Signature.GATEWAY_404,
        "503": Signature.GATEWAY_503,
        "504": Signature.GATEWAY_504,
    }
)
_BY_SERVICE: Mapping[str, Signature] = MappingProxyType(
    {"502": Signature.SERVICE_502, "504": Signature.SERVICE_504}
)


class Standing(StrEnum):
    """How one vantage fared."""

    REACHED = "reached"
    PARTIAL = "partial"
    FAILED = "failed"
    NO_DATA = "no data"
    ERROR = "could not run"


@dataclass(frozen=True, slots=True)
class View:
    """One vantage's probe and what it amounts to. `outcome` is the failure seen most often."""

    probe: ProbeObserved
    standing: Standing
    outcome: str = ""
    signature: Signature = Signature.NONE

    @property
    def vantage(self) -> str:
        return self.probe.vantage

    @property
    def hop(self) -> Hop:
        """The first hop that this vantage does not pass."""
        return HOP_OF.get(self.outcome, Hop.NONE)

    @property
    def inside(self) -> bool:
        """Whether this vantage is inside the cluster."""
        return self.vantage not in OUTSIDE


def view(probe: ProbeObserved, *, minimum: int = 1, objectives: Sequence[Objective] = ()) -> View:
    """What one vantage's probe amounts to.

    Fewer valid attempts than `minimum` are no data. Failures within a success objective do not
    make a vantage partial.
    """
    failures = failures_of(probe)
    if probe.error or (probe.valid == 0 and probe.outcomes.get(PROBER_ERROR)):
        return View(probe, Standing.ERROR)
    if probe.valid < max(1, minimum):
        return View(probe, Standing.NO_DATA)
    if probe.good >= probe.valid or (probe.good and _tolerated(probe, objectives)):
        return View(probe, Standing.REACHED)
    # The most frequent hop; of equals the earlier one, since the list of outcomes is in order.
    order = list(HOP_OF)
    ranked = sorted(failures, key=lambda name: (-failures[name], order.index(name)))
    outcome = ranked[0] if ranked else ""
    standing = Standing.PARTIAL if probe.good else Standing.FAILED
    return View(probe, standing, outcome, _signature(probe, outcome))


def failures_of(probe: ProbeObserved) -> Mapping[str, int]:
    """Failed attempts by outcome; of a summary that only has `outcomes`, those not ok."""
    source = probe.failures or probe.outcomes
    return {
        name: count
        for name, count in source.items()
        if count > 0 and name in HOP_OF and name not in (OK, PROBER_ERROR)
    }


def in_order(views: Sequence[View]) -> list[View]:
    """Views with the user's own place first and pods last."""
    names = _NEAREST_USER_FIRST
    return sorted(
        views,
        key=lambda v: (names.index(v.vantage) if v.vantage in names else len(names), v.vantage),
    )


def is_behind(probe: ProbeObserved, thresholds: Sequence[float]) -> bool:
    """Whether the prober was too late for its latencies to be judged.

    Behind means: the p99 of start lateness exceeds the greater of 25 ms and a tenth of the
    smallest latency threshold (seconds).
    """
    return probe.lateness_p99 > max(BEHIND_FLOOR, min(thresholds, default=0.0) / 10)


def slow_first(probe: ProbeObserved) -> bool:
    """Whether the first success alone was slow: what a cold start looks like."""
    first, p50, slowest = probe.first_good_seconds, probe.later_p50, probe.later_max
    if first is None or p50 is None or slowest is None or first < COLD_START_FLOOR:
        return False
    return first >= COLD_START_FACTOR * p50 and slowest < first


def clock_skew(probe: ProbeObserved) -> float | None:
    """How far (seconds) a vantage's clock is off the devbox's, None when it is right or unknown."""
    offset = probe.identity.clock_offset if probe.identity else None
    return offset if offset is not None and abs(offset) > SKEW else None


def bad_revisions(probe: ProbeObserved) -> list[str]:
    """Revisions whose every answer failed, when another revision's every answer was good."""
    failures = probe.failures_by_revision
    bad = [name for name, count in probe.revisions.items() if failures.get(name, 0) >= count > 0]
    return sorted(bad) if any(not failures.get(name) for name in probe.revisions) else []


def _tolerated(probe: ProbeObserved, objectives: Sequence[Objective]) -> bool:
    targets = [objective.target for objective in objectives if objective.metric == "success"]
    return bool(targets) and probe.good / probe.valid >= max(targets)


def _signature(probe: ProbeObserved, outcome: str) -> Signature:
    if outcome in ("status_mismatch", "body_mismatch"):
        return _answer_signature(probe, outcome)
    return Signature(outcome) if outcome else Signature.UNKNOWN


def _answer_signature(probe: ProbeObserved, outcome: str) -> Signature:
    """Of a wrong answer: who gave it decides more than what it says."""
    by_gateway = sum(probe.gateway_failures.values())
    if not by_gateway and not probe.through_gateway:
        return Signature.OTHER_SERVER
    if outcome == "body_mismatch":
        return Signature.WRONG_BODY
    if by_gateway * 2 >= sum(failures_of(probe).values()):
        status = max(probe.gateway_failures, key=lambda key: probe.gateway_failures[key])
        return _BY_GATEWAY.get(status, Signature.GATEWAY_STATUS)
    statuses = probe.service_failures
    status = max(statuses, key=lambda key: statuses[key]) if statuses else ""
    return _BY_SERVICE.get(status, Signature.SERVICE_STATUS)
