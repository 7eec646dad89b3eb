"""`vpm sli`: trends from histories on disk, and exit codes by how fast the budget burns."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.sli import sli
from harness.core.errors import UsageError
from harness.evidence.history import HistoryPoint, append_points
from harness.timing.clock import SystemClock


def history(reports: Path, *, good: int, hours_ago: float = 0.01, name: str = "hello") -> None:
    """One run of 100 requests from devbox, so long ago."""
    at = (SystemClock().now() - timedelta(hours=hours_ago)).isoformat()
    point = HistoryPoint("run-1", at, "default/hello", "devbox", total=100, valid=100, good=good)
    append_points(reports / "sli" / f"{name}.jsonl", [point])


def run(reports: Path, *arguments: str) -> Result:
    return CliRunner().invoke(sli, ["--reports", str(reports), *arguments])


def test_the_trend_of_every_window_is_shown(tmp_path: Path) -> None:
    history(tmp_path, good=100)
    result = run(tmp_path, "hello", "--window", "1d", "--window", "7d")
    assert result.exit_code == 0
    first, second = result.output.splitlines()
    assert first.startswith("default/hello from devbox over 1 d: 100/100 = 100.00%")
    assert second.startswith("default/hello from devbox over 7 d: ")
    assert "error budget left 100.0%, burn rate 0.00" in first


def test_a_budget_that_burns_fails(tmp_path: Path) -> None:
    history(tmp_path, good=50)
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "burning more than 14.4 times as fast as 99% allows" in result.output


def test_old_runs_are_no_data(tmp_path: Path) -> None:
    history(tmp_path, good=50, hours_ago=100)
    result = run(tmp_path, "--window", "1d")
    assert (result.exit_code, "no data" in result.output) == (3, True)


def test_a_program_gets_the_numbers(tmp_path: Path) -> None:
    history(tmp_path, good=99)
    (trend,) = json.loads(run(tmp_path, "--json", "--window", "1h").output)
    assert trend["windows"][0]["availability"] == 0.99
    assert trend["windows"][0]["burn_rate"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["other"], "there are: hello"), (["--objective", "many"], "--objective many")],
)
def test_bad_input_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    history(tmp_path, good=1)
    result = run(tmp_path, *arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
