"""`vpm`: one entry point, its subcommands loaded only when they are used."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from harness import __version__
from harness.clash import check_packages
from harness.core.errors import VpmError
from harness.spec.words import ExitCode

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("harness.cli.run:run", "Run scenarios and exit by their verdict."),
        "plan": ("harness.cli.spec:plan", "Show the steps of a scenario without running it."),
        "lint": ("harness.cli.spec:lint", "Check scenarios and the files that they name."),
        "schema": ("harness.cli.spec:schema", "Print the JSON Schema of scenarios."),
        "judge": ("harness.cli.run:judge", "Judge a run folder again, offline."),
        "probe": ("harness.cli.probe:probe", "Probe a KService from several vantages."),
        "sli": ("harness.cli.sli:sli", "Show trends: availability, error budget, burn rate."),
        "load": ("harness.cli.load:load", "Load a KService with Locust."),
        "runner": ("harness.cli.runner:runner", "Run contracts from the inbox."),
        "ask": ("harness.cli.ask:ask", "Turn an /ask comment into a contract."),
        "evidence": ("harness.cli.evidence:evidence", "Verify, render and sign evidence."),
        "cluster": ("harness.cli.cluster:cluster", "Start, list and end clusters."),
        "bundle": ("harness.cli.bundle:bundle", "Carry a cluster to a machine without a network."),
        "doctor": ("harness.cli.doctor:doctor", "Check this machine, and say how to mend it."),
    }
)
_HELP_WIDTH = 100


class ReaderGone(Exception):
    """Whoever read our output has gone."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; help needs no import."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a closed pipe is ours to tell of: click would exit with 1, as for FAIL."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"max_content_width": _HELP_WIDTH})
@click.version_option(__version__, prog_name="vpm")
def vpm() -> None:
    """Prove that a Knative service is really up, and keep the proof.

    Exit codes: 0 PASS, 1 FAIL, 2 bad usage or bad spec, 3 INCONCLUSIVE, 4 ERROR.
    """


def main() -> None:
    """The console script: errors of the product become a message and an exit code."""
    clash = check_packages()
    if clash:
        click.echo(clash, err=True)
        sys.exit(ExitCode.USAGE)
    # As a supervisor ends it: like Ctrl-C, so that nothing stays behind in a cluster.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(vpm.main(standalone_mode=False, prog_name="vpm"))
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except VpmError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except ReaderGone:
        # The interpreter must not try to flush our output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.ERROR)
    except OSError as error:
        click.echo(f"error: the machine does not let us go on: {error}", err=True)
        sys.exit(ExitCode.ERROR)


if __name__ == "__main__":
    main()
