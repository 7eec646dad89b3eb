"""The claims of one vantage: that it reaches the service, and each objective."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from harness.core.observation import SKIPPED, ProbeObserved
from harness.core.outcome import Hop
from harness.core.sli import ratio_text, samples_to_prove, wilson
from harness.core.slo import Standing as SloStanding
from harness.core.slo import standing
from harness.core.verdict import Claim, Verdict
from harness.core.view import Standing, View, failures_of, is_behind, view
from harness.spec.model import Objective

_REACHED = MappingProxyType(
    {
        Standing.REACHED: Verdict.PASS,
        Standing.PARTIAL: Verdict.INCONCLUSIVE,
        Standing.FAILED: Verdict.FAIL,
        Standing.NO_DATA: Verdict.INCONCLUSIVE,
        Standing.ERROR: Verdict.ERROR,
    }
)

_OBJECTIVE = MappingProxyType(
    {
        SloStanding.MET: Verdict.PASS,
        SloStanding.MISSED: Verdict.FAIL,
        SloStanding.UNPROVEN: Verdict.INCONCLUSIVE,
        SloStanding.NO_DATA: Verdict.INCONCLUSIVE,
    }
)


def subject_of(probe: ProbeObserved) -> str:
    """What a probe's claims are about, for example `default/hello`; a URL has no namespace."""
    return f"{probe.namespace}/{probe.service}" if probe.namespace else probe.service


def reachable_claim(
    probe: ProbeObserved, *, minimum: int = 1, objectives: Sequence[Objective] = ()
) -> Claim:
    """The claim that one vantage reaches the service.

    Fewer valid attempts than `minimum` are too thin. Where some attempts fail and a success
    objective is given, it says how many may; without one, some failures are INCONCLUSIVE.
    """
    seen = view(probe, minimum=minimum, objectives=objectives)
    broken = seen.standing in (Standing.FAILED, Standing.PARTIAL)
    cited = seen.outcome if broken else "ok"
    return Claim(
        "reachable",
        subject_of(probe),
        _REACHED[seen.standing],
        _reached_reason(seen, minimum=minimum),
        vantage=probe.vantage,
        hop=_hop(seen),
        cites=tuple(id for outcome, id in probe.first_ids.items() if outcome == cited),
        not_checked=not_checked(seen),
    )


def sli_claims(probe: ProbeObserved, objectives: Sequence[Objective]) -> tuple[Claim, ...]:
    """One claim for each objective, judged on this vantage's counts."""
    thresholds = [o.threshold for o in objectives if o.threshold is not None]
    return tuple(_sli_claim(probe, objective, thresholds) for objective in objectives)


def failure_text(seen: View) -> str:
    """How a vantage fails: `connect_refused 20/20 from devbox (connect to …: refused)`."""
    probe = seen.probe
    count = failures_of(probe).get(seen.outcome, 0)
    detail = probe.details.get(seen.outcome)
    text = f"{seen.outcome or 'failed'} {count}/{probe.valid} from {probe.vantage}"
    return f"{text} ({detail})" if detail else text


def success_text(seen: View) -> str:
    """How a vantage succeeds: `20/20 ok from in-cluster`."""
    return f"{seen.probe.good}/{seen.probe.valid} ok from {seen.vantage}"


def not_checked(seen: View) -> tuple[str, ...]:
    """What this vantage leaves open, for the reader of a claim."""
    probe, vantage = seen.probe, seen.vantage
    open_points = []
    if seen.standing is Standing.ERROR:
        open_points.append(f"{vantage}: could not run: {probe.error or 'prober errors only'}")
    if seen.standing is Standing.NO_DATA:
        open_points.append(f"{vantage}: {_thin(probe)}")
    if probe.by_address:
        open_points.append(f"{vantage}: resolve (went on by the address that the name spells)")
    return tuple(open_points)


def _thin(probe: ProbeObserved) -> str:
    """Why there is no data."""
    skipped = probe.details.get(SKIPPED)
    return f"skipped: {skipped}" if skipped else f"{probe.valid} valid attempts"


def _hop(seen: View) -> Hop | None:
    if seen.standing is Standing.ERROR:
        return Hop.PROBER
    return seen.hop if seen.outcome else None


def _reached_reason(seen: View, *, minimum: int) -> str:
    probe = seen.probe
    match seen.standing:
        case Standing.ERROR:
            return probe.error or "every attempt ended in a prober error"
        case Standing.NO_DATA:
            return f"no data: {_thin(probe)}, at least {minimum} wanted"
        case Standing.REACHED:
            how = " by address, not by the public name" if probe.by_address else ""
            return f"{ratio_text(probe.good, probe.valid)}{how}"
        case _:
            return f"{failure_text(seen)}; {probe.good} succeeded"


def _sli_claim(probe: ProbeObserved, objective: Objective, thresholds: Sequence[float]) -> Claim:
    verdict, reason = _judge_objective(probe, objective, thresholds)
    return Claim(
        f"sli {objective.name}",
        subject_of(probe),
        verdict,
        reason,
        vantage=probe.vantage,
        hop=Hop.PROBER if verdict is Verdict.ERROR else None,
    )


def _judge_objective(
    probe: ProbeObserved, objective: Objective, thresholds: Sequence[float]
) -> tuple[Verdict, str]:
    if probe.error:
        return Verdict.ERROR, probe.error
    good = probe.good
    if objective.threshold is not None:
        within = probe.latencies_within.get(f"{objective.threshold:g}")
        if within is None:
            return Verdict.INCONCLUSIVE, f"no data: {objective.threshold:g} s was not measured"
        if is_behind(probe, thresholds):
            late = f"p99 of start lateness {probe.lateness_p99 * 1000:.0f} ms"
            return Verdict.INCONCLUSIVE, f"the prober was behind schedule: {late}"
        good = within
    proven = objective.judge == "proven"
    interval = wilson(good, probe.valid) if proven else None
    stands = standing(good=good, valid=probe.valid, objective=objective.target, interval=interval)
    return _OBJECTIVE[stands], _objective_reason(good, probe.valid, objective, stands)


def _objective_reason(good: int, valid: int, objective: Objective, stands: SloStanding) -> str:
    wanted = f"{objective.target * 100:.6g}%"
    within = f" within {objective.threshold:g} s" if objective.threshold is not None else ""
    proof = (
        f"; {samples_to_prove(objective.target)} good samples would prove it"
        if objective.target < 1
        else "; no number of samples proves it"
    )
    return f"{ratio_text(good, valid)}{within}, {wanted} wanted: {stands.value}{proof}"
