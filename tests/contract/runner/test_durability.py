"""Killed at any step and started again: nothing is lost, nothing is applied twice in silence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
EVERY = 4
FINAL = ("succeeded", "noop")


@pytest.fixture(scope="module")
def left_behind(memory: Path) -> list[dict[str, Any]]:
    """What runners left that were killed at every fourth step of an exec and then restarted."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.crash", str(memory), str(EVERY)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_enough_steps_were_tried(left_behind: list[dict[str, Any]]) -> None:
    assert sum(seen["died"] for seen in left_behind) >= 100 // EVERY
    assert not left_behind[-1]["died"]


def test_no_contract_is_lost(left_behind: list[dict[str, Any]]) -> None:
    stuck = [
        seen
        for seen in left_behind
        if seen["waiting"] or seen["folders"].get("_running") or seen["folders"]["_done"] != 1
    ]
    assert stuck == []


def test_it_succeeds_exactly_once(left_behind: list[dict[str, Any]]) -> None:
    finals = [[mark for mark in seen["marks"] if mark in FINAL] for seen in left_behind]
    assert finals == [["succeeded"]] * len(left_behind)


def test_the_cluster_changed_once(left_behind: list[dict[str, Any]]) -> None:
    assert {seen["generation"] for seen in left_behind} == {1}


def test_whoever_marks_a_second_apply_says_so(left_behind: list[dict[str, Any]]) -> None:
    repeated = [seen for seen in left_behind if seen["marks"].count("applying") > 1]
    assert all(seen["said"] for seen in repeated)
    assert all(seen["applied"] == 1 or seen["said"] for seen in left_behind)
