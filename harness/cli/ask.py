"""`vpm ask`: a comment becomes contracts in the inbox, or a reply that says why not."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from pydantic import ValidationError

from harness.contracts.ask import AskRefused, NotAsked, parse_comment
from harness.contracts.asked import LOCAL, Author, contracts_for
from harness.contracts.model import Contract, Origin, Target, dump
from harness.core.errors import UsageError
from harness.core.verdict import ExitCode
from harness.runner.event import Comment, read_event
from harness.runner.offline import make_reader
from harness.runner.overlay import overlay_entries
from harness.runner.queue import Queue
from harness.runner.runner import load_policy
from harness.runner.settings import RunnerSettings
from harness.timing.clock import SystemClock

MAX_INPUT = 256 * 1024


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--event",
    type=click.Path(path_type=Path),
    envvar="GITHUB_EVENT_PATH",
    help="GitHub event payload with the comment. Also from GITHUB_EVENT_PATH.",
)
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    show_default=True,
    help="The repository: codex/policy.yaml, the overlays and codex/inbox lie below it.",
)
@click.option("--inbox", type=click.Path(path_type=Path), help="Default: codex/inbox.")
@click.option("--author", default="local", show_default=True, help="Who wrote a local comment.")
@click.option(
    "--reply", type=click.Path(path_type=Path), help="Write the reply to this file as well."
)
def ask(
    file: Path | None,
    event: Path | None,
    repo: Path,
    inbox: Path | None,
    author: str,
    reply: Path | None,
) -> None:
    """Turn the /ask comment in FILE (- or nothing: standard input, or a GitHub event) into
    contracts in the inbox.

    \b
    /ask                                  a question, filed as it is
    /ask S5 apply: dev hello-ksvc         apply a manifest of the overlay (name or path);
                                          also on lines of their own below /ask
    /ask update_north_star                with a context document below
    /ask persist_report_mvp               with a context document below

    Prints a reply for the comment's author. Exit codes: 0 contracts were made, 2 refused.
    """
    settings = RunnerSettings.of_repository(repo.resolve())
    comment = _comment(file, event, author)
    try:
        contracts = _contracts(settings, comment)
    except (AskRefused, NotAsked) as error:
        _reply(f"Refused: {error}", reply)
        sys.exit(ExitCode.USAGE)
    queue = Queue(inbox=inbox or settings.inbox, reports=settings.reports)
    lines = []
    for made in contracts:
        # Two comments in one second are two contracts.
        contract = made.model_copy(update={"id": queue.free_name(made.id)})
        path = queue.submit(contract.id, dump(contract))
        lines.append(f"- `{contract.id}` ({_standing(contract)}): {path}")
    _reply("Filed:\n" + "\n".join(lines), reply)


def _comment(file: Path | None, event: Path | None, author: str) -> Comment:
    if file is None and event is not None:
        return read_event(event)
    try:
        data = sys.stdin.buffer.read(MAX_INPUT + 1) if _is_stdin(file) else _read(file)
        text = data.decode("utf-8-sig")  # editors on Windows begin a file with a mark
        origin = Origin(author=author, association=LOCAL)
    except UnicodeDecodeError as error:
        raise UsageError(f"the comment is not UTF-8: {error}") from error
    except ValidationError as error:
        raise UsageError(f"--author: {error.errors(include_url=False)[0]['msg']}") from error
    return Comment(text, Author(author, LOCAL), origin)


def _is_stdin(file: Path | None) -> bool:
    return file is None or str(file) == "-"


def _read(file: Path | None) -> bytes:
    try:
        with Path(str(file)).open("rb") as stream:
            return stream.read(MAX_INPUT + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


def _contracts(settings: RunnerSettings, comment: Comment) -> tuple[Contract, ...]:
    asked = parse_comment(comment.text)
    policy = load_policy(settings.policy)
    historical = policy.historical
    return contracts_for(
        asked,
        author=comment.author,
        origin=comment.origin,
        rules=policy.ask,
        target=Target(contexts=historical.contexts, namespace=historical.namespace),
        entries=overlay_entries(settings.repo, policy=policy, reader=make_reader(settings, policy)),
        now=SystemClock().now(),
    )


def _standing(contract: Contract) -> str:
    if contract.approval:
        return f"approved by {contract.approval.by}, {contract.approval.level}"
    return "proposed, not approved" if contract.applies else "filed"


def _reply(text: str, path: Path | None) -> None:
    click.echo(text)
    if path is not None:
        path.write_text(f"{text}\n", encoding="utf-8")
