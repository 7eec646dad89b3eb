"""Situations: the verdict for what the control plane says and how far the vantages get.

The first row that matches a pattern counts. docs/diagnosis.md is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.outcome import Hop
from harness.core.pattern import Flag, Pattern, Reach, ReadyState
from harness.core.verdict import Verdict

_ANSWERING = frozenset({Reach.ALL, Reach.PARTIAL, Reach.SOME, Reach.THIN})
_FAILING = frozenset({Reach.SOME, Reach.NONE})
_NOTHING = frozenset({Reach.THIN, Reach.NO_DATA})
_READY = frozenset({ReadyState.READY})
_NOT_READY = frozenset(ReadyState) - {ReadyState.READY, ReadyState.NOT_LOOKED}


@dataclass(frozen=True, slots=True)
class Situation:
    """A verdict for what the control plane says and how far the vantages get; empty means any.

    `names_cause` says whether the diagnosis is the cause's or this situation's own.
    """

    id: str
    verdict: Verdict
    finding: str
    next_step: str
    ready: frozenset[ReadyState] = frozenset()
    reach: frozenset[Reach] = frozenset()
    flag: Flag | None = None
    blind: bool = False
    hop: Hop | None = None
    names_cause: bool = False

    def matches(self, pattern: Pattern) -> bool:
        """Whether this row is about the pattern."""
        return (
            (not self.ready or pattern.ready in self.ready)
            and (not self.reach or pattern.reach in self.reach)
            and (self.flag is None or self.flag in pattern.flags)
            and (not self.blind or pattern.blind)
        )


_DESCRIBE = "kubectl -n {namespace} describe ksvc {service}"
_LOGS = "kubectl -n {namespace} logs -l serving.knative.dev/service={service} -c user-container"
_GATEWAY = "kubectl -n {gateway} get svc,endpointslices,pods -o wide"
_CURL = "curl -sv --max-time 5 {url}"
_AGAIN = "vpm probe {service} --namespace {namespace} --requests 100"

SITUATIONS: tuple[Situation, ...] = (
    Situation(
        "ready-unreachable",
        Verdict.INCONCLUSIVE,
        "READY=True, but requests do not get through",
        _CURL,
        ready=_READY,
        reach=_FAILING,
        names_cause=True,
    ),
    Situation(
        "absent-but-answering",
        Verdict.INCONCLUSIVE,
        "there is no such KService, but its address answers",
        _GATEWAY,
        ready=frozenset({ReadyState.ABSENT}),
        reach=_ANSWERING,
    ),
    Situation(
        "failed-update",
        Verdict.INCONCLUSIVE,
        "the newest revision is not ready; an older one answers",
        _DESCRIBE,
        ready=frozenset({ReadyState.FAILED_UPDATE}),
        reach=_ANSWERING,
    ),
    Situation(
        "not-reconciled",
        Verdict.INCONCLUSIVE,
        "the control plane has not observed the current generation; what answers is older",
        "kubectl -n knative-serving get pods",
        ready=frozenset({ReadyState.STALE}),
        reach=_ANSWERING,
    ),
    Situation(
        "not-ready-but-answering",
        Verdict.INCONCLUSIVE,
        "not READY, but requests succeed",
        _DESCRIBE,
        ready=_NOT_READY,
        reach=_ANSWERING,
    ),
    Situation(
        "prober-error",
        Verdict.ERROR,
        "no vantage could send its probes; that says nothing about the service",
        "vpm doctor",
        reach=frozenset({Reach.NO_PROBER}),
        hop=Hop.PROBER,
    ),
    Situation(
        "prober-error",
        Verdict.ERROR,
        "a vantage could not send its probes; that says nothing about the service",
        "vpm doctor",
        blind=True,
        hop=Hop.PROBER,
    ),
    Situation(
        "absent",
        Verdict.FAIL,
        "there is no such KService, and nothing answers for it",
        "kubectl -n {namespace} get ksvc",
        ready=frozenset({ReadyState.ABSENT}),
    ),
    Situation(
        "never-ready",
        Verdict.FAIL,
        "no revision of the service was ever ready, and no vantage reaches it",
        _DESCRIBE,
        ready=frozenset({ReadyState.NEVER}),
    ),
    Situation(
        "not-ready",
        Verdict.FAIL,
        "not READY, and no vantage reaches it",
        _DESCRIBE,
        ready=_NOT_READY,
    ),
    Situation(
        "partial-by-revision",
        Verdict.INCONCLUSIVE,
        "every request to one revision fails, every request to another succeeds",
        "kubectl -n {namespace} get revisions -l serving.knative.dev/service={service}",
        reach=frozenset({Reach.PARTIAL}),
        flag=Flag.BY_REVISION,
    ),
    Situation(
        "readiness-gap",
        Verdict.INCONCLUSIVE,
        "the first requests failed, all later ones succeeded: READY came before the path was up",
        _AGAIN,
        ready=_READY,
        reach=frozenset({Reach.PARTIAL}),
        flag=Flag.GAP,
    ),
    Situation(
        "partial",
        Verdict.INCONCLUSIVE,
        "some requests fail and some succeed",
        _LOGS,
        reach=frozenset({Reach.PARTIAL}),
    ),
    Situation(
        "unreachable",
        Verdict.FAIL,
        "requests do not get through",
        _CURL,
        reach=_FAILING,
        names_cause=True,
    ),
    Situation(
        "no-data",
        Verdict.INCONCLUSIVE,
        "too few valid requests were made to say anything",
        _AGAIN,
        reach=_NOTHING,
    ),
    Situation(
        "prober-behind",
        Verdict.INCONCLUSIVE,
        "every request succeeded, but the prober was too late to judge latency",
        "vpm probe {service} --namespace {namespace} --rate 1/s",
        reach=frozenset({Reach.ALL}),
        flag=Flag.BEHIND,
        hop=Hop.PROBER,
    ),
    Situation(
        "cold-start",
        Verdict.PASS,
        "every request succeeded; only the first was slow, as after a start from zero",
        "kubectl -n {namespace} get podautoscalers",
        reach=frozenset({Reach.ALL}),
        flag=Flag.COLD_START,
    ),
    Situation(
        "reachable",
        Verdict.PASS,
        "every vantage reaches it",
        "",
        reach=frozenset({Reach.ALL}),
    ),
)


def situation_of(pattern: Pattern) -> Situation:
    """The first situation that matches; a test shows that there always is one."""
    return next(row for row in SITUATIONS if row.matches(pattern))
