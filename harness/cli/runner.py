"""`vpm runner`: contracts from the inbox to the cluster, and what belongs to that."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter
from rich.console import Console

from harness.cli.options import run_options, to_run_options
from harness.cli.runner_records import (
    approve,
    keygen,
    publish,
    release,
    rollback,
    schema,
    where_it_counts,
)
from harness.contracts.paths import shown
from harness.core.errors import VpmError
from harness.core.observation import ContractObserved
from harness.core.verdict import ExitCode
from harness.options import RunOptions
from harness.runner.approvals import FileApprovals
from harness.runner.drain import Drained, Interrupted, Trouble, drain, preview_all, trouble
from harness.runner.examine import Examined, Examiner
from harness.runner.kubectl import KubectlProcess
from harness.runner.offline import make_examiner
from harness.runner.runner import Runner, load_policy
from harness.runner.settings import RunnerSettings
from harness.runner.states import EXIT_OF, State
from harness.runner.watch import end_as_at_ctrl_c, rounds
from harness.timing.clock import SystemClock

F = TypeVar("F", bound=Callable[..., Any])
MAX_INTERVAL = 86_400.0
PATIENCE = 2.0
OBSERVED: TypeAdapter[ContractObserved] = TypeAdapter(ContractObserved)

mode_option = click.option(
    "--mode",
    type=click.Choice(["dry", "exec"]),
    envvar="RUN_MODE",
    default="dry",
    show_default=True,
    help="dry previews and changes nothing; exec changes the cluster. Also from RUN_MODE.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


def _interval(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """Seconds between two looks at the inbox."""
    if not 0 < value <= MAX_INTERVAL:  # nor NaN
        raise click.BadParameter(f"more than 0 and at most {MAX_INTERVAL:g} seconds are wanted")
    return value


@click.group()
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    show_default=True,
    help="The repository: codex/policy.yaml, codex/inbox and reports/ lie below it.",
)
@click.pass_context
def runner(context: click.Context, repo: Path) -> None:
    """Run contracts: approved JSON files that change the cluster once, with a record.

    Exit codes: 0 succeeded, noop or previewed; 1 failed; 2 refused; 4 another cluster, or the
    runner could not work.
    """
    context.obj = RunnerSettings.of_repository(repo.resolve())


@runner.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@mode_option
@click.option("--again", is_flag=True, help="Run the same work once more, under a new id.")
@json_option
@run_options
@click.pass_obj
def run(
    settings: RunnerSettings,
    /,
    files: tuple[Path, ...],
    mode: str,
    again: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Run the contracts in FILES, in their order."""
    tell = _teller(as_json)
    execute = mode == "exec"
    observed: list[ContractObserved] = []
    troubles: list[Trouble] = []
    with _open(settings, to_run_options(choices)) as make:
        opened = make()
        for file in files:
            try:
                news = opened.execute(file, again=again) if execute else opened.preview(file)
            except (VpmError, OSError) as error:
                troubles.append(trouble(str(file), error))
                tell(troubles[-1])
            else:
                observed.append(news)
                tell(news)
    _exit(Drained(tuple(observed), tuple(troubles)))


@runner.command()
@click.option("--inbox", type=click.Path(path_type=Path), help="Default: codex/inbox.")
@click.option("--once", is_flag=True, help="Drain the inbox and end.")
@click.option(
    "--interval",
    default=5.0,
    callback=_interval,
    show_default=True,
    help="Seconds after which to look anyway.",
)
@mode_option
@json_option
@run_options
@click.pass_obj
def serve(
    settings: RunnerSettings,
    /,
    inbox: Path | None,
    once: bool,
    interval: float,
    mode: str,
    as_json: bool,
    **choices: Any,
) -> None:
    """Work through the inbox, and go on as contracts arrive. Ctrl-C or SIGTERM ends it.

    The exit code is then 0 when it only watched, and 130 when a contract was interrupted: the next
    runner takes that up.
    """
    if inbox is not None:
        settings = replace(settings, inbox=inbox.resolve())
    work = drain if mode == "exec" else preview_all
    tell = _teller(as_json)
    end_as_at_ctrl_c()
    with _open(settings, to_run_options(choices)) as make, _progress(once), _ending(once):
        _tell_stranded(make())
        last: set[tuple[Path, int]] = set()
        patience = 0.0 if once else PATIENCE
        for opened in _each_under_its_policy(make, rounds(settings.inbox, interval=interval)):
            # A dry run moves nothing: what was shown once, and is the same, is not shown again.
            waiting = {(path, _changed(path)) for path in opened.pending(patience=patience)}
            if mode == "exec" or waiting - last:
                drained = work(opened, tell=tell, patience=patience)
            last = waiting
            if once:
                _exit(drained if waiting or mode == "exec" else Drained())


@runner.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def lint(settings: RunnerSettings, files: tuple[Path, ...], as_json: bool) -> None:
    """Say of each contract what it would be allowed to do, or why it is refused (exit 2)."""
    examiner = make_examiner(settings)
    refused = False
    for path in files:
        examined = examiner.examine_file(path, received=SystemClock().now())
        file = shown(str(path))
        refused |= bool(examined.refusals)
        if as_json:
            reasons = [str(refusal) for refusal in examined.refusals]
            told = {"file": file, "refused": reasons, "may": examined.may}
            click.echo(json.dumps(told))
        else:
            for refusal in examined.refusals:
                click.echo(f"{file}: {click.style('refused', fg='red')}: {refusal}")
            for line in examined.may:
                click.echo(f"{file}: {click.style('may', fg='green')} {line}")
            if examined.may and examined.subject:
                click.echo(f"{file}: approval: {_approval(examiner, examined)}")
    sys.exit(ExitCode.USAGE if refused else ExitCode.PASS)


for command in (approve, release, rollback, publish, keygen, schema):
    runner.add_command(command)


def _approval(examiner: Examiner, examined: Examined) -> str:
    return where_it_counts(lambda on: examiner.approval_refusal(examined, provider=on))


@contextmanager
def _open(settings: RunnerSettings, options: RunOptions) -> Iterator[Callable[[], Runner]]:
    """Open the cluster; what is given makes a runner on it under the policy of that moment."""
    policy = load_policy(settings.policy)  # a bad policy is told before a cluster is opened
    # The wiring imports every provider; lint, approve and the others do without.
    from harness.app import open_cluster

    clock = SystemClock()
    with open_cluster(options, contexts=policy.contexts) as cluster:
        yield lambda: Runner(
            settings=settings,
            kubectl=KubectlProcess(
                kubeconfig=cluster.kubeconfig, context=cluster.context, clock=clock
            ),
            client=None,
            cluster=cluster.identity,
            clock=clock,
            approvals=FileApprovals(settings.approvals),
        )


def _each_under_its_policy(make: Callable[[], Runner], rounds: Iterable[None]) -> Iterator[Runner]:
    """A runner for each round: a signer who was removed meanwhile must not count any longer.

    While the policy cannot be read, as in the midst of an edit, nothing is run.
    """
    told: str | None = None
    for _ in rounds:
        try:
            opened = make()
        except VpmError as error:
            if told is None:  # nothing is watched yet: the command ends
                raise
            if told != str(error):
                click.echo(f"error: {error}; no contract runs until it is mended", err=True)
            told = str(error)
        else:
            told = ""
            yield opened


def _changed(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except FileNotFoundError:
        return 0  # another runner has taken it


def _teller(as_json: bool) -> Callable[[ContractObserved | Trouble], None]:
    def tell(news: ContractObserved | Trouble) -> None:
        if isinstance(news, Trouble):
            click.echo(f"error: {news.name}: {news.message}", err=True)
        elif as_json:
            click.echo(OBSERVED.dump_json(news).decode())
        else:
            good = news.state in ("succeeded", "noop", "previewed")
            state = click.style(news.state, fg="green" if good else "red")
            click.echo(f"{state} {news.contract}: {news.reason}\n  record: {news.folder}")

    return tell


def _tell_stranded(opened: Runner) -> None:
    for last in opened.stranded():
        click.echo(
            f"note: {last.run_id} was interrupted when {last.mark} on another cluster "
            f"({last.cluster}) and waits for it. If that cluster is gone: "
            f"vpm runner release {last.run_id} --by NAME",
            err=True,
        )


def _progress(once: bool) -> Any:
    console = Console(stderr=True)
    if once or not console.is_terminal:
        return nullcontext()
    return console.status("waiting for contracts; Ctrl-C ends")


@contextmanager
def _ending(once: bool) -> Iterator[None]:
    """An interrupt while no contract is worked on is how a watch ends well."""
    try:
        yield
    except Interrupted as error:
        click.echo(f"note: {error} was interrupted; the next runner takes it up", err=True)
        raise
    except KeyboardInterrupt:
        if once:
            raise


def _exit(drained: Drained) -> None:
    codes = [
        EXIT_OF[State(observed.state)] if observed.state != "previewed" else ExitCode.PASS
        for observed in drained.observed
    ]
    sys.exit(
        max([*codes, *(trouble.exit_code for trouble in drained.troubles)], default=ExitCode.PASS)
    )
