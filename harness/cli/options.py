"""The options that choose a cluster, as click decorators made from `harness.options`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from harness.options import CHOICES, Choice, RunOptions

Command = Callable[..., Any]


def run_options(command: Command) -> Command:
    """Add the options of `harness.options` to a command."""
    return _with(CHOICES, command)


def cluster_options(command: Command) -> Command:
    """Add those of the options that are about the cluster itself."""
    return _with([choice for choice in CHOICES if not choice.of_run], command)


def _with(choices: Sequence[Choice], command: Command) -> Command:
    for choice in reversed(choices):
        command = _option(choice)(command)
    return command


def _option(choice: Choice) -> Callable[[Command], Command]:
    name, text = f"--{choice.name}", choice.help.format(prefix="")
    if choice.flag:
        return click.option(name, is_flag=True, help=text)
    kind = click.Choice(choice.values) if choice.values else click.STRING
    shown = choice.default is not None
    return click.option(name, type=kind, default=choice.default, show_default=shown, help=text)


def to_run_options(values: dict[str, Any]) -> RunOptions:
    """The choices of a command's parameters."""
    names = {choice.name.replace("-", "_") for choice in CHOICES}
    chosen = {name: value for name, value in values.items() if name in names}
    chosen["reports"] = Path(chosen["reports"]) if chosen.get("reports") else None
    return RunOptions(**chosen)
