"""Evidence for other tools: JUnit properties, a GitHub step summary, OpenMetrics text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from harness.core.errors import NotWritten, UsageError
from harness.evidence.files import write_whole
from harness.evidence.markdown import TITLES, verdict_sentence
from harness.evidence.model import Evidence
from harness.evidence.reasons import tell
from harness.evidence.stamps import moment_or_none
from harness.evidence.table import code, percent, prose, section, table
from harness.evidence.words import say

_WORTH = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2, "ERROR": 3}


def junit_properties(documents: Sequence[Evidence]) -> tuple[tuple[str, str], ...]:
    """Name and value pairs for JUnit's `properties`: each document's verdict and path."""
    return tuple(
        pair
        for document in documents
        for name in [f"vpm.{document.kind}.{document.subject.key}"]
        for pair in (
            (f"{name}.verdict", document.claim.verdict.value),
            (f"{name}.evidence", f"runs/{document.run_id}/evidence/{document.file_stem}.json"),
        )
    )


def step_summary(documents: Sequence[Evidence]) -> str:
    """Markdown for a CI job's page: every document with its verdict, then every SLI; in the
    language of the documents.
    """
    words = say(documents[0].language if documents else "en")
    rows = (
        (
            f"{words(TITLES[document.kind])} {code(document.subject.key)}",
            f"**{document.claim.verdict.value}**",
            prose(tell(document.language)(document.claim.reason)),
        )
        for document in documents
    )
    indicators = (
        (
            code(document.subject.key),
            code(seen.probe.vantage),
            f"{seen.probe.good}/{seen.probe.valid}",
            percent(seen.ratio) or words("no data"),
            seen.first_broken.value if seen.first_broken else "",
        )
        for document in documents
        if document.kind == "sli"
        for seen in document.vantages
    )
    whole = [prose(verdict_sentence(one)) for one in documents if one.kind == "scenario"]
    told = ("evidence", "verdict", "reason")
    measured = ("service", "vantage", "good", "success rate", "first broken hop")
    parts = [
        *whole,
        section(words("Evidence"), table([words(name) for name in told], rows)),
        section(words("SLI"), table([words(name) for name in measured], indicators)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_outputs(environment: Mapping[str, str], documents: Sequence[Evidence]) -> None:
    """Write what the environment asks for: the summary is appended to the file that
    GITHUB_STEP_SUMMARY names, the SLIs replace the file that VPM_OPENMETRICS names.

    Errors:
        UsageError: a file cannot be written; the evidence itself is there already.
    """
    page, metrics = environment.get("GITHUB_STEP_SUMMARY"), environment.get("VPM_OPENMETRICS")
    try:
        if page:
            append_step_summary(Path(page), documents)
        if metrics:
            write_whole(Path(metrics), openmetrics(documents), replace=True)
    except (OSError, NotWritten) as error:
        if isinstance(error, NotWritten):
            what = error.message
        else:
            what = f"{error.filename or page} cannot be written: {error.strerror}"
        raise UsageError(
            what,
            mend="let GITHUB_STEP_SUMMARY and VPM_OPENMETRICS name files that can be written",
        ) from error


def append_step_summary(path: Path, documents: Sequence[Evidence]) -> None:
    """Append the summary to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(step_summary(documents))


def openmetrics(documents: Sequence[Evidence]) -> bytes:
    """The newest SLIs as OpenMetrics text, fit for a push gateway. Seconds and counts.

    `vpm_sli_attempts{outcome}` counts attempts, `vpm_sli_good` and `vpm_sli_valid` the events of
    the ratio, `vpm_sli_latency_seconds{quantile}` good requests, `vpm_verdict` is 0 PASS, 1 FAIL,
    2 INCONCLUSIVE, 3 ERROR.
    """
    registry = CollectorRegistry()
    where = ("service", "vantage")
    verdict = Gauge("vpm_verdict", "Verdict", ("kind", "subject"), registry=registry)
    captured = Gauge(
        "vpm_captured_timestamp_seconds", "When it was seen", ("kind", "subject"), registry=registry
    )
    valid = Gauge("vpm_sli_valid", "Valid events", where, registry=registry)
    good = Gauge("vpm_sli_good", "Good events", where, registry=registry)
    attempts = Gauge("vpm_sli_attempts", "Attempts", (*where, "outcome"), registry=registry)
    latency = Gauge(
        "vpm_sli_latency_seconds", "Latency of good events", (*where, "quantile"), registry=registry
    )
    for document in sorted(documents, key=lambda one: one.captured_at):
        about = (document.kind, document.subject.key)
        verdict.labels(*about).set(_WORTH[document.claim.verdict.value])
        at = moment_or_none(document.captured_at)
        captured.labels(*about).set(at.timestamp() if at else 0)
        for seen in document.vantages if document.kind == "sli" else ():
            labels, probe = (document.subject.key, seen.probe.vantage), seen.probe
            valid.labels(*labels).set(probe.valid)
            good.labels(*labels).set(probe.good)
            for outcome, count in probe.outcomes.items():
                attempts.labels(*labels, outcome).set(count)
            q = probe.latency
            for name, value in (("0.5", q.p50), ("0.95", q.p95), ("0.99", q.p99)) if q else ():
                latency.labels(*labels, name).set(value)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text
