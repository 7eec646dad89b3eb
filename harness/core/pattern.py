"""What the diagnosis looks at: READY and all probes, reduced to a small pattern.

Every part of a pattern is an enumeration, so that a table of patterns can be shown to be total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.core.observation import ServiceObserved
from harness.core.view import (
    Signature,
    Standing,
    View,
    bad_revisions,
    clock_skew,
    in_order,
    is_behind,
    slow_first,
)


class ReadyState(StrEnum):
    """What the control plane says."""

    READY = "READY"
    STALE = "not READY: the generation is not observed yet"
    FAILED_UPDATE = "not READY: an older revision serves"
    NEVER = "not READY: no revision was ever ready"
    NOT_READY = "not READY"
    ABSENT = "no such KService"
    NOT_LOOKED = "READY not looked at"


class Reach(StrEnum):
    """How the vantages that could run fared, together."""

    ALL = "all reach it"
    PARTIAL = "some attempts fail"
    SOME = "some vantages reach it, some do not"
    NONE = "no vantage reaches it"
    THIN = "some vantages have no data"
    NO_DATA = "no data"
    NO_PROBER = "no prober could run"


class Where(StrEnum):
    """Which vantages fail."""

    NOWHERE = "none"
    DEVBOX = "only devbox, gateway works"
    OUTSIDE = "outside the cluster only"
    INSIDE = "inside the cluster only"
    EVERYWHERE = "all"
    MIXED = "mixed"


class Flag(StrEnum):
    """Side findings that change what a pattern means."""

    COLD_START = "only the first answer was slow"
    BEHIND = "a prober was behind schedule and latency matters"
    SKEW = "a vantage's clock is off"
    BY_REVISION = "only some revisions fail"
    GAP = "failures only before the first success"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Everything that the tables of the diagnosis may look at."""

    ready: ReadyState
    reach: Reach
    signature: Signature = Signature.NONE
    where: Where = Where.NOWHERE
    blind: bool = False
    flags: frozenset[Flag] = frozenset()


def ready_state(ready: ServiceObserved | None) -> ReadyState:
    """What the control plane says, from the object's facts."""
    if ready is None:
        return ReadyState.NOT_LOOKED
    if not ready.found:
        return ReadyState.ABSENT
    if not ready.mismatches:
        return ReadyState.READY
    if ready.observed_generation != ready.generation:
        return ReadyState.STALE
    if not ready.latest_ready:
        return ReadyState.NEVER
    if ready.latest_ready != ready.latest_created:
        return ReadyState.FAILED_UPDATE
    return ReadyState.NOT_READY


def pattern(*, ready: ServiceObserved | None, views: Sequence[View]) -> Pattern:
    """The pattern of READY and of all vantages."""
    broken = broken_views(views)
    reach = _reach(views)
    flags = {flag for flag, holds in _FLAGS.items() if holds(views)}
    return Pattern(
        ready=ready_state(ready),
        reach=reach,
        signature=broken[0].signature if broken else Signature.NONE,
        where=_where(views),
        blind=any(v.standing is Standing.ERROR for v in views),
        flags=frozenset(flags),
    )


def broken_views(views: Sequence[View]) -> list[View]:
    """The vantages that fail, the one to name first; partial ones only if none fails fully."""
    failed = [v for v in views if v.standing is Standing.FAILED]
    return in_order(failed or [v for v in views if v.standing is Standing.PARTIAL])


def _reach(views: Sequence[View]) -> Reach:
    standings = {v.standing for v in views}
    answering = standings & {Standing.REACHED, Standing.PARTIAL}
    if Standing.FAILED in standings:
        return Reach.SOME if answering else Reach.NONE
    if Standing.PARTIAL in standings:
        return Reach.PARTIAL
    if Standing.NO_DATA in standings:
        return Reach.THIN if answering else Reach.NO_DATA
    if answering:
        return Reach.ALL
    return Reach.NO_PROBER if standings else Reach.NO_DATA


def _where(views: Sequence[View]) -> Where:
    broken = broken_views(views)
    working = [v for v in views if v.standing is Standing.REACHED]
    if not broken:
        return Where.NOWHERE
    if not working:
        return Where.EVERYWHERE
    if [v.vantage for v in broken] == ["devbox"] and any(v.vantage == "gateway" for v in working):
        return Where.DEVBOX
    if {v.inside for v in broken} == {False} and any(v.inside for v in working):
        return Where.OUTSIDE
    if {v.inside for v in broken} == {True} and any(not v.inside for v in working):
        return Where.INSIDE
    return Where.MIXED


def _cold_start(views: Sequence[View]) -> bool:
    return any(slow_first(v.probe) for v in views if v.standing is Standing.REACHED)


def _behind(views: Sequence[View]) -> bool:
    judged = [v.probe for v in views if v.probe.valid and v.probe.latencies_within]
    return any(is_behind(probe, [float(key) for key in probe.latencies_within]) for probe in judged)


def _skewed(views: Sequence[View]) -> bool:
    return any(clock_skew(v.probe) is not None for v in views)


def _by_revision(views: Sequence[View]) -> bool:
    return any(bool(bad_revisions(v.probe)) for v in views if v.standing is Standing.PARTIAL)


def _gap(views: Sequence[View]) -> bool:
    partial = [v.probe for v in views if v.standing is Standing.PARTIAL]
    return bool(partial) and all(probe.failed_after_good == 0 for probe in partial)


_FLAGS = MappingProxyType(
    {
        Flag.COLD_START: _cold_start,
        Flag.BEHIND: _behind,
        Flag.SKEW: _skewed,
        Flag.BY_REVISION: _by_revision,
        Flag.GAP: _gap,
    }
)
