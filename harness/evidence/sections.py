"""The sections of a document's Markdown about what was judged and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.core.observation import ProbeObserved, Quantiles
from harness.core.outcome import OK
from harness.core.readiness import gap_text
from harness.core.verdict import Claim
from harness.evidence import matrix
from harness.evidence.model import Evidence, Threshold, VantageEvidence
from harness.evidence.reasons import Tell, tell
from harness.evidence.table import (
    code,
    counts,
    facts,
    milliseconds,
    percent,
    prose,
    seconds_text,
    section,
    table,
)
from harness.evidence.words import Say

Section = Callable[[Evidence, Say], str]

_QUANTILES = ("mean", "min", "p50", "p90", "p95", "p99", "max")


def claims(document: Evidence, say: Say) -> str:
    """Every claim about the subject, its verdict and what decided it."""
    shown = (
        document.claims if document.claim in document.claims else (document.claim, *document.claims)
    )
    retell = tell(document.language)
    header = ("claim", "verdict", "reason", "first broken hop", "samples")
    rows = (
        (
            prose(claim.title) if claim.subject == document.claim.subject else _of_other(claim),
            f"**{claim.verdict.value}**",
            prose(retell(claim.reason)),
            claim.hop.value if claim.hop else "",
            ", ".join(code(cite) for cite in claim.cites),
        )
        for claim in shown
    )
    details = [detail for claim in shown if (detail := _claim_details(claim, say, retell))]
    return section(say("Claims"), table([say(name) for name in header], rows), *details)


def _of_other(claim: Claim) -> str:
    return f"{prose(claim.title)}: {code(claim.subject)}"


def _claim_details(claim: Claim, say: Say, retell: Tell) -> str:
    lines = facts(
        [
            (say("diagnosis"), prose(claim.diagnosis or "")),
            *((say("confirms"), prose(retell(text))) for text in claim.confirms),
            *((say("contradicts"), prose(retell(text))) for text in claim.contradicts),
            (say("next"), code(claim.next_step) if claim.next_step else ""),
        ]
    )
    return f"{_of_other(claim)}\n\n{lines}" if lines else ""


def hops(document: Evidence, say: Say) -> str:
    """The matrix: of those attempts that reached a hop, how many passed it."""
    rows = (
        (code(row.label), *(_cell(cell, say) for cell in row.cells))
        for row in matrix.rows(document.vantages)
    )
    header = (say("vantage"), *(hop.value for hop in matrix.PATH))
    return section(say("Hop by vantage"), table(header, rows))


def _cell(cell: matrix.Cell, say: Say) -> str:
    if cell.state in (matrix.State.NOT_CHECKED, matrix.State.NOT_REACHED):
        return say(cell.state.value)
    mark = {"passed": "✓", "partly": "△", "broken": "✗"}[cell.state.value]
    return f"{mark} {cell.passed}/{cell.reached}"


def counted(document: Evidence, say: Say) -> str:
    """Counts first, then the ratio with its interval."""
    header = ("vantage", "total", "warm-up", "valid", "good", "success rate", "95 % interval")
    rows = (
        (
            code(label),
            f"{seen.probe.total}",
            f"{seen.probe.warmup}",
            f"{seen.probe.valid}",
            f"{seen.probe.good}",
            percent(seen.ratio) or say("no data"),
            _interval(seen),
            counts(seen.probe.outcomes),
            counts(seen.hops),
            counts(seen.probe.statuses),
        )
        for label, seen in _labelled(document)
    )
    names = [say(name) for name in (*header, "outcomes", "failed hops", "statuses")]
    return section(say("Counts"), table(names, rows))


def _interval(seen: VantageEvidence) -> str:
    if seen.interval is None:
        return ""
    low, high = seen.interval
    return f"{percent(low)} – {percent(high)}"


def latency(document: Evidence, say: Say) -> str:
    """Percentiles with their counts, whole requests first, then each phase."""
    header = [say(name) for name in ("vantage", "phase", "count", "mean")]
    rows = (
        (code(label), phase, f"{q.count}", *(milliseconds(getattr(q, name)) for name in _QUANTILES))
        for label, seen in _labelled(document)
        for phase, q in _measured(seen.probe)
    )
    within = (
        (code(label), f"≤ {threshold} s", f"{number}")
        for label, seen in _labelled(document)
        for threshold, number in seen.probe.latencies_within.items()
    )
    return section(
        say("Latency of good requests (ms)"),
        table([*header, *_QUANTILES[1:]], rows),
        table([say("vantage"), say("below"), say("Requests below a latency")], within),
    )


def _measured(probe: ProbeObserved) -> Iterator[tuple[str, Quantiles]]:
    if probe.latency is not None:
        yield "–", probe.latency
    yield from probe.phases.items()


def objectives(document: Evidence, say: Say) -> str:
    """Each objective with what was observed and how much evidence would prove it."""
    header = ("objective", "below", "target", "met", "valid", "observed", "requests to prove it")
    rows = (_objective(threshold, say) for threshold in document.thresholds)
    return section(say("Objectives"), table([say(name) for name in header], rows))


def _objective(threshold: Threshold, say: Say) -> tuple[str, ...]:
    return (
        f"{prose(threshold.claim)} ({threshold.indicator})",
        seconds_text(threshold.below),
        percent(threshold.target),
        f"{threshold.met}",
        f"{threshold.valid}",
        percent(threshold.observed) or say("no data"),
        "" if threshold.proof_needs is None else f"{threshold.proof_needs}",
    )


def sli(document: Evidence, say: Say) -> str:
    """The lines that readers of the team's SLI reports know, one block for each vantage."""
    blocks = [
        section(label, facts(_sli_lines(seen, say)), level=3) for label, seen in _labelled(document)
    ]
    return section(say("SLI"), *blocks)


def _sli_lines(seen: VantageEvidence, say: Say) -> list[tuple[str, str]]:
    probe = seen.probe
    rate = f"{percent(seen.ratio)} ({probe.good}/{probe.valid})" if probe.valid else say("no data")
    return [
        (say("time (UTC)"), probe.until),
        (say("period"), f"{probe.at} – {probe.until}"),
        (say("success rate"), rate),
        (say("requests"), f"{probe.total} / {probe.requested}"),
        (say("errors"), f"{probe.total - probe.outcomes.get('ok', 0)}"),
        (say("URL and method"), f"{code(probe.url)} {probe.method}"),
    ]


def raw_errors(document: Evidence, say: Say) -> str:
    """The first raw error of each outcome that failed, with its sample."""
    rows = (
        (code(label), code(outcome), code(sample), code(seen.probe.details.get(outcome, "")))
        for label, seen in _labelled(document)
        for outcome, sample in seen.probe.first_ids.items()
        if outcome != OK
    )
    header = [say(name) for name in ("vantage", "outcomes", "samples", "message")]
    return section(say("Raw errors"), table(header, rows))


def answers(document: Evidence, say: Say) -> str:
    """Who answered each vantage, and how the first success stands to the others."""
    blocks = [
        section(label, facts(_answer_lines(seen.probe, say)), level=3)
        for label, seen in _labelled(document)
    ]
    return section(say("Who answered"), *blocks)


def _answer_lines(probe: ProbeObserved, say: Say) -> list[tuple[str, str]]:
    return [
        (say("peer"), counts(probe.peers)),
        (say("server"), counts(probe.servers)),
        (say("revision"), counts(probe.revisions)),
        (say("failures"), counts(probe.failures)),
        (say("failures after the first success"), _some(probe.failed_after_good)),
        (say("failures by revision"), counts(probe.failures_by_revision)),
        (say("failures answered by the gateway"), counts(probe.gateway_failures)),
        (say("failures answered by the service"), counts(probe.service_failures)),
        (say("through the gateway"), _some(probe.through_gateway)),
        (say("first success after"), seconds_text(probe.first_good_after)),
        (say("five successes in a row after"), seconds_text(probe.steady_after)),
        (say("readiness gap"), gap_text(probe.gap) if probe.gap else ""),
        (say("latency of the first success"), seconds_text(probe.first_good_seconds)),
        (say("p50 of the others"), seconds_text(probe.later_p50)),
        (say("max of the others"), seconds_text(probe.later_max)),
    ]


def _some(count: int) -> str:
    return f"{count}" if count else ""


def _labelled(document: Evidence) -> Iterator[tuple[str, VantageEvidence]]:
    yield from zip(matrix.labels(document.vantages), document.vantages, strict=True)
