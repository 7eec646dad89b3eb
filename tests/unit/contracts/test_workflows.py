"""What anybody may write never becomes part of a command in the workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STEPS = [
    pytest.param(step, id=f"{path.stem}-{job}-{number}")
    for path in WORKFLOWS
    for job, content in yaml.safe_load(path.read_text())["jobs"].items()
    for number, step in enumerate(content["steps"])
]


@pytest.mark.parametrize("step", STEPS)
def test_no_expression_in_a_command(step: dict[str, Any]) -> None:
    assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("step", STEPS)
def test_no_comment_in_the_environment(step: dict[str, Any]) -> None:
    values = [str(value) for value in step.get("env", {}).values()]
    assert not [value for value in values if "comment.body" in value]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_asked_for_by_name(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
