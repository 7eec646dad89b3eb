"""`vpm lint`, `vpm plan` and `vpm schema`: what can be said of a scenario without a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from harness.core.errors import SpecError
from harness.lint import lint_scenario
from harness.run.load import find_scenarios, load_plan
from harness.spec.schema import scenario_schema
from harness.spec.words import ExitCode


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.pass_context
def lint(context: click.Context, /, paths: tuple[Path, ...]) -> None:
    """Check scenario files or folders, and the manifests and contracts that they name.

    Every problem is printed as file:line:column. Exit code 2 when there is any.
    """
    failed = False
    for file in [file for path in paths or (Path("scenarios"),) for file in find_scenarios(path)]:
        try:
            linted, warnings = lint_scenario(file)
        except SpecError as error:
            failed = True
            for problem in error.problems:
                click.echo(problem, err=True)
        else:
            for warning in warnings:
                click.echo(f"warning: {warning}", err=True)
            click.echo(f"{linted.source}: ok, {len(linted.scenario.steps)} steps")
    context.exit(ExitCode.USAGE if failed else ExitCode.PASS)


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors and other tools."""
    click.echo(scenario_schema(), nl=False)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def plan(paths: tuple[Path, ...]) -> None:
    """Show what a scenario would do, step by step, without doing it."""
    for file in [file for path in paths for file in find_scenarios(path)]:
        planned = load_plan(file)
        click.echo(f"{planned.source} ({planned.scenario.name})")
        for step in planned.steps:
            needs = f"  (needs {', '.join(step.needs)})" if step.needs[1:] else ""
            click.echo(f"  {step.id}{needs}")
