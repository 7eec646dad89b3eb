"""Ten runners on one inbox: every contract is done once, whoever does it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CONTRACTS = 40
RUNNERS = 10


@pytest.fixture(scope="module")
def seen(memory: Path) -> list[dict[str, Any]]:
    """What the runners told, in no order."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.race", str(memory), str(CONTRACTS), str(RUNNERS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_contract_is_done_once(seen: list[dict[str, Any]]) -> None:
    assert [line for line in seen if line["trouble"]] == []
    assert Counter(line["id"] for line in seen) == {f"apply_{n:03d}": 1 for n in range(CONTRACTS)}


def test_only_the_first_changes_the_cluster(memory: Path, seen: list[dict[str, Any]]) -> None:
    assert Counter(line["state"] for line in seen) == {"succeeded": 1, "noop": CONTRACTS - 1}
    assert json.loads((memory / "cluster.json").read_text())["applied"] == 1


def test_more_than_one_runner_took_part(seen: list[dict[str, Any]]) -> None:
    assert len({line["runner"] for line in seen}) > 1


def test_every_contract_is_filed_and_recorded(memory: Path, seen: list[dict[str, Any]]) -> None:
    filed = {path.stem for path in (memory / "codex" / "inbox" / "_done").glob("*.json")}
    recorded = {path.parent.name for path in (memory / "reports").glob("codex_runs/*/status.json")}
    assert filed == recorded == {line["id"] for line in seen}
