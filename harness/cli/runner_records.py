"""The commands of `vpm runner` that need no cluster: approvals, rollback, publishing, schemas."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from harness.contracts.forms import safe_name
from harness.contracts.model import MAX_PERSON, PERSON, json_schema
from harness.contracts.policy import Policy
from harness.contracts.refusal import Refusal
from harness.core.errors import UsageError
from harness.runner.approvals import FileApprovals
from harness.runner.approve import Approved, Approver, Consent
from harness.runner.git import GitRepository
from harness.runner.offline import make_examiner, offline_kubectl
from harness.runner.publish import GITHUB, GitPublisher, PullRequests
from harness.runner.release import release as release_run
from harness.runner.rollback import make_rollback
from harness.runner.runner import load_policy
from harness.runner.settings import RunnerSettings
from harness.runner.status import status_schema
from harness.timing.clock import SystemClock

_FILE = click.Path(path_type=Path, dir_okay=False)


def _person(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """The name of somebody who approves or decides, as an approval can hold it."""
    if len(value) > MAX_PERSON or not re.fullmatch(PERSON, value):
        wanted = f"letters (a-z, A-Z), digits, blanks and _.@+- are wanted, at most {MAX_PERSON}"
        raise click.BadParameter(wanted)
    return value


@click.command()
@click.argument("contracts", nargs=-1, required=True)
@click.option(
    "--by",
    required=True,
    callback=_person,
    help="Who approves: a signer of the policy, or a name.",
)
@click.option(
    "--key",
    type=_FILE,
    envvar="VPM_SIGNING_KEY",
    help="Private ed25519 key (PEM) for a signed approval. Also from VPM_SIGNING_KEY.",
)
@click.option("--diff-of", help="Narrow the approval to the diff that this run showed.")
@click.option("--embed", is_flag=True, help="Write the approval into the contract's file.")
@click.option(
    "--context", "contexts", multiple=True, help="Add this context to the contract's target first."
)
@click.pass_obj
def approve(
    settings: RunnerSettings,
    contracts: tuple[str, ...],
    by: str,
    key: Path | None,
    diff_of: str | None,
    embed: bool,
    contexts: tuple[str, ...],
) -> None:
    """Approve CONTRACTS (ids or files): the content of their manifests now, on their targets.

    Without a key the approval is only recorded; the policy says where that is enough.
    """
    approvals = FileApprovals(settings.approvals)
    approver = Approver(settings=settings, examiner=make_examiner(settings), approvals=approvals)
    pem = _read_key(key) if key else None
    consent = Consent(by=by, at=SystemClock().now(), pem=pem, diff_of=diff_of, contexts=contexts)
    if diff_of and len(contracts) > 1:
        raise UsageError("a run showed the diff of one contract", mend="approve one at a time")
    for contract in contracts:
        _tell_approved(approver.approve(contract, consent, embed=embed))


def where_it_counts(refusal_on: Callable[[str], Refusal | None]) -> str:
    """On which providers an approval counts, else why it counts on none."""
    refusals = {provider: refusal_on(provider) for provider in ("embedded", "kind", "existing")}
    counts = [provider for provider, refusal in refusals.items() if refusal is None]
    missing = next((str(refusal) for refusal in refusals.values() if refusal), "")
    return f"counts on {', '.join(counts)}" if counts else f"none that counts: {missing}"


def _tell_approved(done: Approved) -> None:
    click.echo(f"{done.approval.level} approval of {done.contract.id} by {done.approval.by}")
    click.echo(f"  over:   {done.approval.over}")
    click.echo(f"  target: {done.contract.target}")
    click.echo(f"  kept:   {done.path}")
    click.echo(f"  worth:  {where_it_counts(done.refusal_on)}")
    if done.requeued:
        click.echo(f"  waits again: {done.requeued}")


@click.command()
@click.argument("run_id")
@click.option(
    "--by",
    required=True,
    callback=_person,
    help="Who says that the cluster will not come back.",
)
@click.pass_obj
def release(settings: RunnerSettings, run_id: str, by: str) -> None:
    """End RUN_ID, interrupted on a cluster that is there no more, as failed.

    No cluster is asked. The record says who released it and how far the run had come; a run
    that had not begun goes back to the inbox.
    """
    done = release_run(
        run_id,
        by=by,
        settings=settings,
        examiner=make_examiner(settings),
        kubectl=offline_kubectl(),
        clock=SystemClock(),
    )
    click.echo(f"{done.state} {run_id}: {done.reason}\n  contract: {done.path}")


@click.command()
@click.argument("run_id")
@click.pass_obj
def rollback(settings: RunnerSettings, run_id: str) -> None:
    """Make a contract that restores what RUN_ID found; it needs approval like any other.

    Objects that the run created are not removed: the contract and the output name them.
    """
    policy = load_policy(settings.policy)
    made = make_rollback(run_id, settings=settings, policy=policy, now=SystemClock().now())
    click.echo(f"contract: {made.contract}")
    for manifest in made.manifests:
        click.echo(f"manifest: {manifest}")
    for line in made.not_undone:
        click.echo(f"not undone: {line}")
    click.echo(f"next: vpm runner approve {made.id} --by NAME")


@click.command()
@click.argument("run_id")
@click.option("--git", "repository", type=click.Path(path_type=Path), help="Default: --repo.")
@click.option("--remote", help="Push the branch to this remote.")
@click.option("--github", help="OWNER/NAME: open a pull request, with the token in GITHUB_TOKEN.")
@click.option("--base", default="main", show_default=True, help="The pull request's base.")
@click.option("--api", default=GITHUB, show_default=True, help="Base URL of GitHub's API.")
@click.pass_obj
def publish(
    settings: RunnerSettings,
    run_id: str,
    repository: Path | None,
    remote: str | None,
    github: str | None,
    base: str,
    api: str,
) -> None:
    """Offer the record of RUN_ID for review: a branch and a commit, and a pull request.

    Publishing twice does nothing the second time. The default branch is never written.
    """
    token = os.environ.get("GITHUB_TOKEN", "").strip()
    if github and not token:
        raise UsageError("--github wants a token", mend="set GITHUB_TOKEN")
    publisher = GitPublisher(
        repository=GitRepository(repository or settings.repo),
        remote=remote,
        pulls=PullRequests(github, token, api=api, base=base) if github else None,
    )
    click.echo(publisher.publish(run_id, settings.reports / safe_name(run_id)))


@click.command()
@click.option("--by", required=True, callback=_person, help="The signer's name in the policy.")
@click.option("--out", required=True, type=_FILE, help="New file for the private key, mode 0600.")
def keygen(by: str, out: Path) -> None:
    """Make a signer: a private key in a file, and the lines for the policy."""
    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", mend="choose a new file") from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    click.echo("# codex/policy.yaml, approvals.signers:")
    click.echo(f"    - name: {by}\n      key: {base64.b64encode(public).decode()}")


@click.command()
@click.argument("what", type=click.Choice(["contract", "policy", "status"]), default="contract")
def schema(what: str) -> None:
    """Print the JSON Schema of contracts, of the policy file or of status.json."""
    schemas = {
        "contract": json_schema,
        "policy": Policy.model_json_schema,
        "status": status_schema,
    }
    click.echo(json.dumps(schemas[what](), indent=2, sort_keys=True))


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
