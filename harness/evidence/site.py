"""A static site of all runs: one page for each, and an index with search and trends.

It needs no network and no server to look at, and nothing outside the reports folder.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from harness.core.errors import UsageError
from harness.core.observation import Artefact
from harness.core.verdict import Claim
from harness.evidence import matrix
from harness.evidence.checks.load import load_documents
from harness.evidence.files import write_whole
from harness.evidence.markdown import TITLES, verdict_sentence
from harness.evidence.model import Evidence, StepEvidence
from harness.evidence.pictures import STYLE, pictures
from harness.evidence.store import RUNS
from harness.evidence.trends import Trend, trends_of

_ORDER = ("scenario", "contradiction", "ready", "sli", "load", "autoscale", "coldstart", "run")


@dataclass(frozen=True, slots=True)
class _Run:
    """A line of the index and the head of a page."""

    run_id: str
    verdict: str
    reason: str
    captured_at: str
    cluster: str
    emulator: bool
    command: str
    commit: str
    subjects: str


@dataclass(frozen=True, slots=True)
class _Part:
    """One document on a run's page. `folder` leads to its files, without suffix."""

    title: str
    about: str
    verdict: str
    sentence: str
    reason: str
    folder: str
    rows: tuple[matrix.Row, ...]
    claims: tuple[Claim, ...]
    steps: tuple[StepEvidence, ...]
    pictures: tuple[str, ...]
    not_checked: tuple[str, ...]
    notes: tuple[str, ...]
    artefacts: tuple[Artefact, ...]


def build_site(reports: Path, target: Path) -> int:
    """Write the site of a reports folder to `target`; returns the number of runs.

    Documents that cannot be read are left out: `verify` is what reports them. Pages of runs
    that are gone are left in place.

    Errors:
        UsageError: there is no folder of runs.
    """
    if not (reports / RUNS).is_dir():
        raise UsageError(f"{reports}: there is no folder {RUNS}/ in it")
    page, index = _templates()
    up = os.path.relpath(reports, target / RUNS)
    runs: list[_Run] = []
    seen: list[Evidence] = []
    for folder in sorted((reports / RUNS).iterdir()):
        documents = load_documents(folder)
        if not documents:
            continue
        run = _run(folder.name, documents)
        runs.append(run)
        seen.extend(one for one in documents if one.kind == "sli")
        html = page.render(
            run=run,
            parts=list(_parts(documents, up)),
            diagnostics=_diagnostics(folder),
            hops=matrix.PATH,
            up=up,
            language="en",
        )
        write_whole(target / RUNS / f"{folder.name}.html", html.encode(), replace=True)
    runs.sort(key=lambda run: (run.captured_at, run.run_id), reverse=True)
    trends: Sequence[Trend] = trends_of(seen)
    verdicts = Counter(run.verdict for run in runs)
    html = index.render(runs=runs, trends=trends, verdicts=verdicts, language="en")
    write_whole(target / "index.html", html.encode(), replace=True)
    return len(runs)


def _diagnostics(folder: Path) -> list[str]:
    """The files of a run's diagnostics bundles, relative to its folder."""
    files = (path for path in (folder / "diagnostics").rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _templates() -> tuple[Template, Template]:
    """The page of a run and the index. Everything that is not marked as safe is escaped."""
    environment = Environment(
        loader=PackageLoader("harness.evidence"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("run.html"), environment.get_template("index.html")


def _run(run_id: str, documents: Sequence[Evidence]) -> _Run:
    whole = next((one for one in documents if one.kind == "scenario"), documents[0])
    cluster = whole.cluster
    return _Run(
        run_id=run_id,
        verdict=whole.claim.verdict.value,
        reason=whole.claim.reason,
        captured_at=whole.captured_at[:19].replace("T", " "),
        cluster=f"{cluster.provider} {cluster.name}" if cluster else "no cluster",
        emulator=bool(cluster and cluster.emulator),
        command=" ".join(whole.tool.command),
        commit=whole.tool.git_commit,
        subjects=" ".join(
            sorted({one.subject.key for one in documents if one.subject.kind == "Service"})
        ),
    )


def _parts(documents: Sequence[Evidence], up: str) -> Iterator[_Part]:
    english = [replace(document, language="en") for document in documents]  # as the rest of a page
    for document in sorted(english, key=lambda one: (_ORDER.index(one.kind), one.subject.key)):
        yield _Part(
            title=f"{TITLES[document.kind]}: {document.subject.key}",
            about=document.subject.key,
            verdict=document.claim.verdict.value,
            sentence=verdict_sentence(document),
            reason=document.claim.reason,
            folder=f"{up}/{RUNS}/{document.run_id}/evidence/{document.file_stem}",
            rows=matrix.rows(document.vantages),
            claims=document.claims or (document.claim,),
            steps=document.steps,
            pictures=tuple(svg.replace(STYLE, "") for svg in pictures(document).values()),
            not_checked=document.not_checked,
            notes=document.notes,
            artefacts=document.artefacts,
        )
