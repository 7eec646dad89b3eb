"""`vpm evidence`: what a person and a CI job do with evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

import click

from harness.core.errors import UsageError
from harness.evidence.checks.finding import Finding
from harness.evidence.checks.load import load_documents
from harness.evidence.model import Evidence
from harness.evidence.outputs import openmetrics, step_summary
from harness.evidence.prune import prune as prune_runs
from harness.evidence.recover import recover as recover_run
from harness.evidence.require import read_requirements, unmet
from harness.evidence.sign import sign_run
from harness.evidence.site import build_site
from harness.evidence.store import RUNS, EvidenceStore, RunFolder
from harness.evidence.targets import find_targets
from harness.evidence.verify import VerifyOptions, verify_all
from harness.evidence.write import render_file
from harness.spec.units import parse_duration
from harness.spec.words import ExitCode
from harness.timing.clock import SystemClock

PROVIDERS = ("embedded", "kind", "existing")


def _age(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    """A duration such as `24h`."""
    try:
        return None if value is None else timedelta(seconds=parse_duration(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} {error}", context, parameter) from error


FILE = click.Path(path_type=Path)
_paths = click.argument("paths", nargs=-1, required=True, type=FILE, metavar="PATH...")
_reports = click.option(
    "--reports",
    type=FILE,
    default=Path("reports"),
    show_default=True,
    help="Folder of the evidence.",
)
_keys = click.option(
    "--key",
    "keys",
    multiple=True,
    type=FILE,
    help="Public key (ed25519, PEM): every run must be signed by one of them.  [default: none]",
)
_repository = click.option(
    "--repository",
    type=FILE,
    help="Git repository that holds the commits.  "
    "[default: the one that the evidence lies in, else the working folder's]",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group()
def evidence() -> None:
    """Verify, render, sign, require, show and prune evidence.

    A PATH is a reports folder, a run folder or anything in it, or a generated copy.
    """


@evidence.command()
@_paths
@click.option("--max-age", callback=_age, help="Nothing older than this counts, such as 24h.")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    type=click.Choice(PROVIDERS),
    help="Only evidence from such a cluster counts; may be repeated.  [default: all]",
)
@_keys
@_repository
@_json
@click.pass_context
def verify(
    context: click.Context,
    /,
    paths: tuple[Path, ...],
    max_age: timedelta | None,
    providers: tuple[str, ...],
    keys: tuple[Path, ...],
    repository: Path | None,
    as_json: bool,
) -> None:
    """Find what was edited, is stale, or cannot be true.

    Exit code 0 when nothing was found, 1 when something was, 2 for bad usage.
    """
    options = VerifyOptions(
        now=SystemClock().now(),
        max_age=max_age,
        providers=frozenset(providers),
        keys=keys,
        repository=repository,
    )
    seen = verify_all(paths, options=options)
    looked_at = f"{seen.runs} runs, {seen.documents} documents, {seen.copies} copies"
    _report(seen.findings, looked_at, as_json=as_json)
    context.exit(ExitCode.FAIL if seen.findings else ExitCode.PASS)


@evidence.command()
@click.argument("file", type=FILE)
@click.option(
    "--lang", type=click.Choice(("en", "ja")), help="Language.  [default: the document's]"
)
def render(file: Path, lang: Literal["en", "ja"] | None) -> None:
    """Print the Markdown of an evidence document (a JSON file)."""
    click.echo(render_file(file, language=lang), nl=False)


@evidence.command()
@_paths
@click.option("--key", required=True, type=FILE, help="Private key (ed25519, PEM, mode 0600).")
def sign(paths: tuple[Path, ...], key: Path) -> None:
    """Sign finished runs with a key file: an in-toto Statement in a DSSE envelope.

    Make a key with: openssl genpkey -algorithm ed25519 -out key.pem
    """
    for folder in _run_folders(paths):
        click.echo(f"signed: {sign_run(RunFolder(folder), key)}")


@evidence.command()
@click.argument("file", type=FILE)
@_reports
@_keys
@_repository
@_json
@click.pass_context
def require(
    context: click.Context,
    /,
    file: Path,
    reports: Path,
    keys: tuple[Path, ...],
    repository: Path | None,
    as_json: bool,
) -> None:
    """Check a list of required evidence: the gate of a CI job.

    Exit code 0 when all of it is there and good enough, 1 when not, 2 for a bad list.
    """
    requirements = read_requirements(file)
    options = VerifyOptions(now=SystemClock().now(), keys=keys, repository=repository)
    missing = unmet(requirements, reports, options)
    _report(missing, f"{len(requirements.require)} requirements", as_json=as_json)
    context.exit(ExitCode.FAIL if missing else ExitCode.PASS)


@evidence.command()
@_reports
@click.option(
    "--out", type=FILE, help="Folder of the site.  [default: site/ in the reports folder]"
)
def site(reports: Path, out: Path | None) -> None:
    """Build a static site of all runs: no network, no server needed to look at it."""
    target = out or reports / "site"
    pages = build_site(reports, target)
    click.echo(f"{pages} runs: {target / 'index.html'}")


@evidence.command()
@_reports
@click.option(
    "--older-than", callback=_age, default="720h", show_default=True, help="Age of a run."
)
@click.option("--require", "lists", multiple=True, type=FILE, help="Keep what this list needs.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(reports: Path, older_than: timedelta, lists: tuple[Path, ...], dry_run: bool) -> None:
    """Remove the bulk of old runs; ledger entries and what is still needed stay."""
    removed = prune_runs(
        EvidenceStore(reports, SystemClock()),
        older_than=older_than,
        requirements=[read_requirements(file) for file in lists],
        dry_run=dry_run,
    )
    for one in removed:
        click.echo(f"{'would prune' if dry_run else 'pruned'}: {one.run_id} ({one.bytes} bytes)")
    click.echo(f"{len(removed)} runs, {sum(one.bytes for one in removed)} bytes")


@evidence.command()
@_paths
def recover(paths: tuple[Path, ...]) -> None:
    """Write the evidence of runs that were killed, from what their journals tell.

    Each run is named by its folder: only a person knows that it is not still going on.
    """
    if any(wanted.whole for wanted in find_targets(paths).reports.values()):
        raise UsageError("recover takes run folders, not all runs at once")
    for folder in _run_folders(paths):
        store = EvidenceStore(folder.parent.parent, SystemClock())
        written = recover_run(store, RunFolder(folder))
        click.echo(f"recovered: {folder.name} ({len(written)} files)")


@evidence.command()
@_paths
def metrics(paths: tuple[Path, ...]) -> None:
    """Print the SLIs of runs as OpenMetrics text, fit for a push gateway."""
    click.echo(openmetrics(_documents(paths)), nl=False)


@evidence.command()
@_paths
def summary(paths: tuple[Path, ...]) -> None:
    """Print a Markdown summary of runs, fit for a CI job's page."""
    click.echo(step_summary(_documents(paths)), nl=False)


def _documents(paths: Sequence[Path]) -> list[Evidence]:
    return [document for folder in _run_folders(paths) for document in load_documents(folder)]


def _run_folders(paths: Sequence[Path]) -> list[Path]:
    targets = find_targets(paths)
    if targets.findings:
        raise UsageError("\n".join(str(finding) for finding in targets.findings))
    folders = [folder for wanted in targets.reports.values() for folder in wanted.runs]
    if not folders:
        raise UsageError("no run folder was named", mend=f"name one, such as reports/{RUNS}/RUN_ID")
    return folders


def _report(findings: Sequence[Finding], looked_at: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings], ensure_ascii=False))
        return
    for finding in findings:
        click.echo(finding)
    click.echo(f"{len(findings)} findings in {looked_at}")
