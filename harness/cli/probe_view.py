"""What `vpm probe` shows: a matrix hop by vantage, latencies, and the verdict in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.cli.probe_round import Round
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.core.readiness import gap_text
from harness.core.verdict import Claim, Verdict
from harness.evidence.derive import vantage_evidence
from harness.evidence.matrix import PATH, Cell, State, rows

_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "magenta",
}
_CELLS = {
    State.PASSED: "green",
    State.PARTLY: "yellow",
    State.BROKEN: "bold red",
    State.NOT_REACHED: "dim",
    State.NOT_CHECKED: "dim",
}
_WORDS = {State.NOT_REACHED: "·", State.NOT_CHECKED: "-"}
_BAR = 40


def render(seen: Round, *, verdict_first: bool = False) -> RenderableType:
    """A round as a person reads it.

    A live picture is cut where the terminal ends: there the verdict must come first.
    """
    verdict = [_claim_line(seen.claim)]
    verdict += [Text(f"  {line}", style="dim") for line in _reasons(seen.claim)]
    findings, gap = _findings(seen), Text("")
    return Group(*verdict, gap, *findings) if verdict_first else Group(*findings, gap, *verdict)


def render_line(seen: Round) -> RenderableType:
    """A round of many in a log: when it ended, the verdict, and why if it is not a PASS."""
    ended = max((probe.until for probe in seen.probes), default="")
    line = Text(f"{ended[:19]}Z ", style="dim").append_text(_claim_line(seen.claim))
    passed = seen.claim.verdict is Verdict.PASS
    reasons = [] if passed else [Text(f"  {why}", style="dim") for why in _reasons(seen.claim)]
    return Group(line, *reasons)


def _findings(seen: Round) -> list[RenderableType]:
    """What the verdict stands on."""
    parts: list[RenderableType] = [_matrix(seen.probes), *_counts(seen.probes)]
    parts += _histograms(seen.probes)
    parts += [
        Text(f"readiness gap from {probe.vantage}: {gap_text(probe.gap)}", style="dim")
        for probe in seen.probes
        if probe.gap is not None
    ]
    for claim in seen.details:
        if (claim.name, claim.vantage) == (seen.claim.name, seen.claim.vantage):
            continue  # It is the verdict, said below with its reasons.
        parts.append(_claim_line(claim))
        parts += [Text(f"  {line}", style="dim") for line in _behind(claim, seen.service)]
    return parts


def _matrix(probes: Sequence[ProbeObserved]) -> Table:
    table = Table(title="attempts that passed each hop", title_justify="left")
    table.add_column("hop")
    found = rows([vantage_evidence("", probe) for probe in probes])
    for row in found:
        table.add_column(escape(row.label), justify="right")
    for index, hop in enumerate(PATH):
        table.add_row(hop.value, *(_cell(row.cells[index]) for row in found))
    return table


def _cell(cell: Cell) -> Text:
    word = _WORDS.get(cell.state, f"{cell.passed}/{cell.reached}")
    return Text(word, style=_CELLS[cell.state])


def _counts(probes: Sequence[ProbeObserved]) -> Iterator[RenderableType]:
    """Counts before everything that follows from them: by outcome and by status class."""
    for probe in probes:
        if not probe.total:
            continue
        warmup = f", {probe.warmup} warm-up" if probe.warmup else ""
        parts = [f"{probe.good} good of {probe.valid} valid of {probe.total} in all{warmup}"]
        parts += [_listed(counts) for counts in (probe.outcomes, probe.status_classes) if counts]
        yield Text(f"{probe.vantage}: {'; '.join(parts)}")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _histograms(probes: Sequence[ProbeObserved]) -> Iterator[RenderableType]:
    """Latencies of the good requests, one bar for each doubling."""
    for probe in probes:
        if probe.latency is None:
            continue
        q = probe.latency
        yield Text(
            f"{probe.vantage}: p50 {_ms(q.p50)}  p95 {_ms(q.p95)}  p99 {_ms(q.p99)}  "
            f"max {_ms(q.max)}  (n={q.count})",
            style="bold",
        )
        most = max(count for _, count in probe.histogram)
        digits = len(str(most))
        for bound, count in probe.histogram:
            bar = "█" * max(1, round(_BAR * count / most))
            # The bar comes last: where a terminal is narrow, it is what may be cut.
            line = f"  ≤ {_ms(bound):>10} {count:>{digits}} {bar}"
            yield Text(line, style="cyan", no_wrap=True, overflow="crop")


def _claim_line(claim: Claim) -> Text:
    hop = f" at hop {claim.hop}" if claim.hop else ""
    where = f" of vantage {claim.vantage}" if claim.hop and claim.vantage else ""
    line = Text(claim.verdict.value, style=f"bold {_COLOURS[claim.verdict]}")
    what = claim.name if where else claim.title
    line.append(f" {claim.subject} {what}{hop}{where}: {claim.reason}", style="not bold")
    return line


def _behind(claim: Claim, service: ServiceObserved | None) -> Iterator[str]:
    """What READY stands on, below the claim about it."""
    if claim.name == "ready" and service is not None:
        yield from (f"! {line}" if line in service.doubts else line for line in service.related)


def _reasons(claim: Claim) -> Iterator[str]:
    yield from (f"confirmed by {line}" for line in claim.confirms)
    yield from (f"contradicted by {line}" for line in claim.contradicts)
    yield from (f"not checked: {line}" for line in claim.not_checked)
    if claim.next_step and claim.verdict is not Verdict.PASS:
        yield f"next: {claim.next_step}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"
