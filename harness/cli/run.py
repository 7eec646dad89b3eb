"""`vpm run` and `vpm judge`: the same engine that pytest drives, without pytest."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from harness.app import judge_folder, open_run
from harness.cli.options import run_options, to_run_options
from harness.core.explain import explain, headline
from harness.core.record import StepRecord
from harness.core.verdict import RunVerdict, StepVerdict
from harness.provider import choose_driver, describe_choice
from harness.run.engine import Run
from harness.run.load import find_scenarios, load_plan

_COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "ERROR": "magenta"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--step", "-s", "steps", multiple=True, help="Only this step and what it needs.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@run_options
@click.pass_context
def run(
    context: click.Context,
    /,
    paths: tuple[Path, ...],
    steps: tuple[str, ...],
    as_json: bool,
    **choices: Any,
) -> None:
    """Run the scenarios of files or folders, one after the other.

    Exit codes: 0 PASS or every expectation met, 1 FAIL, 2 bad spec, 3 INCONCLUSIVE, 4 ERROR;
    of several scenarios the highest.
    """
    options = to_run_options(choices)
    files = [file for path in paths for file in find_scenarios(path)]
    plans = [(load_plan(file), file) for file in files]
    choose_driver(options, _progress)
    if not as_json:
        click.echo(f"vpm: {describe_choice(options)}")
    verdicts = []
    for plan, file in plans:
        current = open_run(plan, file, options, progress=_progress)
        verdicts.append(_drive(current, steps or tuple(plan.by_id), quiet=as_json))
    if as_json:
        click.echo(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2))
    context.exit(max(verdict.exit_code for verdict in verdicts))


def _progress(line: str) -> None:
    click.echo(f"  {line}", err=True)


def _drive(current: Run, steps: tuple[str, ...], *, quiet: bool) -> RunVerdict:
    interrupted = True
    told: set[str] = set()
    try:
        for step in steps:
            record = current.step(step)
            if not quiet:
                _show(current.verdict(step), record, told)
        interrupted = False
    finally:
        verdict = current.close(interrupted=interrupted)
    if not quiet:
        click.secho(headline(verdict), fg=_colour(verdict))
        click.echo(f"evidence: {current.folder.path}")
        for note in current.notes:
            click.echo(f"  {note}")
    return verdict


def _show(verdict: StepVerdict, record: StepRecord, told: set[str]) -> None:
    """Print how a step ended; `told` are the reasons for skipping that have been printed."""
    if verdict.skipped:
        why = verdict.skipped.splitlines()[0]
        click.echo(f"skipped {record.step}: {'for the same reason' if why in told else why}")
        told.add(why)
        return
    word = _coloured(verdict.verdict)
    expected = {True: " (as expected)", False: " (not as expected)", None: ""}[verdict.expected]
    click.echo(f"{word} {record.step} [{record.seconds:.2f}s]{expected}")
    if not verdict.accepted:
        for line in explain(verdict, record):
            click.echo(f"  {line}")


def _colour(verdict: RunVerdict) -> str:
    """Of the verdict; a drill that passed where it should have failed is no good news."""
    missed = any(step.expected is False for step in verdict.steps)
    return _COLOURS["FAIL" if missed else verdict.verdict]


def _coloured(word: str) -> str:
    return click.style(word, fg=_COLOURS.get(word))


def _as_json(verdict: RunVerdict) -> dict[str, Any]:
    return {**asdict(verdict), "exit_code": int(verdict.exit_code)}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def judge(context: click.Context, /, folder: Path, as_json: bool) -> None:
    """Judge a run folder again from its journal, without a cluster.

    Works on a run that was killed, too: it judges what was seen.
    """
    verdict, record = judge_folder(folder)
    if as_json:
        click.echo(json.dumps(_as_json(verdict), indent=2))
    else:
        told: set[str] = set()
        for step in verdict.steps:
            _show(step, record.steps[step.step], told)
        click.secho(headline(verdict), fg=_colour(verdict))
    context.exit(verdict.exit_code)
