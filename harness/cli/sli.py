"""`vpm sli`: the trend of an SLI from its history: availability, error budget, burn rate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import click

from harness.core.errors import UsageError
from harness.core.history import Counts, Trend, trend_lines, trends
from harness.evidence.history import HistoryPoint, read_points
from harness.run.load import find_root
from harness.spec.units import parse_ratio
from harness.spec.words import ExitCode
from harness.timing.clock import SystemClock

_DAY = 24.0
_WINDOWS = {"1h": 1.0, "6h": 6.0, "1d": _DAY, "3d": 3 * _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY}


@click.command()
@click.argument("name", required=False)
@click.option("--objective", default="99%", show_default=True, help="Share of good requests.")
@click.option(
    "--window",
    "windows",
    multiple=True,
    type=click.Choice(list(_WINDOWS)),
    default=("1d", "7d", "30d"),
    show_default=True,
    help="How far back to count; may be repeated.",
)
@click.option(
    "--reports", type=click.Path(path_type=Path), help="Folder of the evidence (default: reports/)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the trends as JSON.")
@click.pass_context
def sli(
    context: click.Context,
    /,
    name: str | None,
    objective: str,
    windows: Sequence[str],
    reports: Path | None,
    as_json: bool,
) -> None:
    """Show the trend of the history NAME, or of every history, for each vantage.

    Counts are summed over a window, never percentages. Exit codes: 0, 1 when an error budget
    burns too fast (the SRE workbook's rates over a long and a short window), 3 without data.
    """
    target = _ratio(objective)
    folder = (reports or find_root(Path.cwd()) / "reports") / "sli"
    lengths = [timedelta(hours=_WINDOWS[window]) for window in windows]
    history = [counts_of(point) for file in _files(folder, name) for point in read_points(file)]
    found = trends(history, now=SystemClock().now(), objective=target, windows=lengths)
    if as_json:
        click.echo(json.dumps([asdict(trend) for trend in found], indent=2))
    else:
        for trend in found:
            for line in trend_lines(trend):
                click.echo(line)
    context.exit(_exit_code(found))


def counts_of(point: HistoryPoint) -> Counts:
    """What a trend needs of a point of a history."""
    return Counts(
        at=datetime.fromisoformat(point.at),
        service=point.service,
        vantage=point.vantage,
        valid=point.valid,
        good=point.good,
    )


def _files(folder: Path, name: str | None) -> list[Path]:
    """The histories that were asked for.

    Errors:
        UsageError: there is none.
    """
    files = sorted(folder.glob(f"{name or '*'}.jsonl"))
    if not files:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.jsonl"))) or "none"
        raise UsageError(
            f"there is no history {name or ''} below {folder}; there are: {known}",
            mend="run a scenario whose probe has a `history`, such as scenarios/nightly_sli",
        )
    return files


def _ratio(text: str) -> float:
    try:
        return parse_ratio(text)
    except ValueError as error:
        raise UsageError(f"--objective {text}: {error}") from error


def _exit_code(found: Sequence[Trend]) -> ExitCode:
    if any(trend.burning for trend in found):
        return ExitCode.FAIL
    counted = any(window.valid for trend in found for window in trend.windows)
    return ExitCode.PASS if counted else ExitCode.INCONCLUSIVE
