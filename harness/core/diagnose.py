"""The diagnosis: a pure function from READY and the samples of all vantages to one claim.

It knows neither the provider nor whether anything was broken on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from types import MappingProxyType
from urllib.parse import urlsplit

from harness.core.causes import Cause, cause_of
from harness.core.identity import GATEWAY_NAMESPACE
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.core.outcome import Hop
from harness.core.pattern import broken_views, pattern
from harness.core.reachability import failure_text, not_checked, subject_of, success_text
from harness.core.reachability import reachable_claim as reachable_claim
from harness.core.reachability import sli_claims as sli_claims
from harness.core.situations import Situation, situation_of
from harness.core.verdict import Claim, Verdict, fold
from harness.core.view import (
    Standing,
    View,
    bad_revisions,
    clock_skew,
    failures_of,
    in_order,
    is_behind,
    view,
)
from harness.spec.model import Objective


def diagnose(
    *,
    ready: ServiceObserved | None,
    probes: Sequence[ProbeObserved],
    objectives: Sequence[Objective] = (),
    minimum: int = 1,
) -> Claim:
    """The claim `service`: what READY and all vantages together say, and what is broken.

    Args:
        ready: The KService as observed; None when nobody looked.
        probes: All vantages of one time window.
        objectives: Failures within a success objective do not make a vantage partial.
        minimum: Fewer valid attempts than this are no data.
    """
    views = [view(probe, minimum=minimum, objectives=objectives) for probe in probes]
    seen = pattern(ready=ready, views=views)
    situation = situation_of(seen)
    named = _named(situation, views)
    cause = cause_of(seen) if named is not None and named.outcome else None
    return Claim(
        "service",
        _subject(ready, probes),
        situation.verdict,
        _reason(situation, cause, views),
        vantage=named.vantage if named else None,
        hop=situation.hop or (named.hop if named and named.outcome else None),
        cites=_cites(views, named),
        confirms=tuple(_confirms(cause, named, views)),
        contradicts=tuple(_contradicts(ready, named, views)),
        next_step=_next_step(situation, cause, named, ready, probes),
        diagnosis=cause.id if cause and situation.names_cause else situation.id,
        not_checked=_not_checked(ready, views),
    )


def diagnose_url(probe: ProbeObserved, details: Sequence[Claim]) -> Claim:
    """The worst of the claims about a URL, with what is broken on the way to it.

    Nothing is known of who serves it: what the tables say about gateways, apps and wrong answers
    is left out, and READY is not checked.
    """
    verdict = fold(claim.verdict for claim in details)
    worst = next(claim for claim in details if claim.verdict is verdict)
    seen = view(probe)
    cause = cause_of(pattern(ready=None, views=[seen])) if seen.hop in _ON_THE_WAY else None
    own = cause is not None and "kubectl" not in cause.next_step
    template = cause.next_step if cause and own else _NEXT[verdict]
    return replace(
        worst,
        reason=f"{worst.reason}: {cause.finding}" if cause else worst.reason,
        next_step=_filled(template, probe.url) or None,
        diagnosis=cause.id if cause else None,
        not_checked=("READY (no control plane knows a plain URL)", *worst.not_checked),
    )


_ON_THE_WAY = (Hop.RESOLVE, Hop.CONNECT, Hop.TLS, Hop.SEND, Hop.TRANSFER)
_CURL = "curl -sv --max-time 5 {url}"
_NEXT = MappingProxyType(
    {
        Verdict.PASS: "",
        Verdict.FAIL: _CURL,
        Verdict.INCONCLUSIVE: _CURL,
        Verdict.ERROR: "vpm doctor",
    }
)


def _named(situation: Situation, views: Sequence[View]) -> View | None:
    """The vantage that the claim is about: the one that fails, could not run, or was late."""
    if situation.id == "prober-error":
        return next((v for v in in_order(views) if v.standing is Standing.ERROR), None)
    if situation.id == "prober-behind":
        return next((v for v in in_order(views) if _late(v.probe)), None)
    broken = broken_views(views)
    return broken[0] if broken else None


def _late(probe: ProbeObserved) -> bool:
    return is_behind(probe, [float(key) for key in probe.latencies_within])


def _subject(ready: ServiceObserved | None, probes: Sequence[ProbeObserved]) -> str:
    if probes:
        return subject_of(probes[0])
    return f"{ready.namespace}/{ready.service}" if ready else "nothing"


def _reason(situation: Situation, cause: Cause | None, views: Sequence[View]) -> str:
    broken = broken_views(views)
    parts = [failure_text(v) for v in broken]
    parts += [success_text(v) for v in in_order(views) if v.standing is Standing.REACHED]
    parts += [text for v in views if v.standing in _UNSEEN for text in not_checked(v)]
    reason = f"{situation.finding}: {'; '.join(parts)}" if parts else situation.finding
    return f"{reason}: {cause.finding}" if cause else reason


_UNSEEN = (Standing.ERROR, Standing.NO_DATA)


def _cites(views: Sequence[View], named: View | None) -> tuple[str, ...]:
    """First samples: of the failure where there is one, and of a success from elsewhere."""
    cited = [named.probe.first_ids.get(named.outcome, "")] if named else []
    working = [v for v in in_order(views) if v.standing is Standing.REACHED]
    cited += [v.probe.first_ids.get("ok", "") for v in working[:1]]
    return tuple(id for id in cited if id)


def _confirms(cause: Cause | None, named: View | None, views: Sequence[View]) -> list[str]:
    """Observations that fit the finding: the failures at the same hop, the working vantages."""
    if cause is None or named is None:
        return [success_text(v) for v in in_order(views) if v.standing is Standing.REACHED]
    same = [v for v in broken_views(views) if v.hop is named.hop]
    lines = [failure_text(v) for v in same]
    lines += [success_text(v) for v in in_order(views) if v.standing is Standing.REACHED]
    lines += [f"revision {name}: every answer failed" for name in bad_revisions(named.probe)]
    return lines


def _contradicts(
    ready: ServiceObserved | None, named: View | None, views: Sequence[View]
) -> list[str]:
    """Observations that do not fit: READY against failures, other hops, other outcomes."""
    broken = broken_views(views)
    lines = []
    if ready is not None and not ready.mismatches and broken:
        lines.append(f"READY=True at generation {ready.generation}")
    if ready is not None and not ready.mismatches:
        lines += [f"READY=True, but {doubt}" for doubt in ready.doubts]
    if ready is not None and ready.mismatches and any(v.probe.good for v in views):
        lines += list(ready.mismatches)
    for other in broken:
        if named is not None and other.hop is not named.hop:
            lines.append(failure_text(other))
        lines += [
            f"{outcome} {count}/{other.probe.valid} from {other.vantage}"
            for outcome, count in failures_of(other.probe).items()
            if outcome != other.outcome
        ]
    for v in views:
        skew = clock_skew(v.probe)
        if skew is not None:
            lines.append(f"the clock of {v.vantage} is off by {skew:+.1f} s")
    return lines


def _not_checked(ready: ServiceObserved | None, views: Sequence[View]) -> tuple[str, ...]:
    lines = [] if ready is not None else ["READY"]
    for v in views:
        lines += not_checked(v)
        if _late(v.probe):
            lines.append(f"{v.vantage}: latency (the prober was behind schedule)")
    return tuple(lines)


def _next_step(
    situation: Situation,
    cause: Cause | None,
    named: View | None,
    ready: ServiceObserved | None,
    probes: Sequence[ProbeObserved],
) -> str | None:
    """The next command to run, filled in."""
    template = cause.next_step if cause and situation.names_cause else situation.next_step
    if not template:
        return None
    namespace, _, service = _subject(ready, probes).partition("/")
    url = named.probe.url if named else (ready.url if ready else "")
    gateway = ready.gateway_namespace if ready else GATEWAY_NAMESPACE
    return _filled(template, url, namespace=namespace, service=service, gateway=gateway)


def _filled(template: str, url: str, **names: str) -> str:
    """A command line with what it is about: a shell takes the URL for one word."""
    parts = urlsplit(url)
    return template.format(
        **names,
        url=quote(url),
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
    )
