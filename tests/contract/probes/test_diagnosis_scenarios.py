"""Each row of the diagnosis is shown by a drill below scenarios/faults, or it is said why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.core.causes import CAUSES
from harness.core.situations import SITUATIONS
from harness.run.load import find_scenarios, load_plan
from harness.spec.model import Step
from tests.contract.probes.test_diagnosis_rows import EXPECTED

FAULTS = Path(__file__).parents[3] / "scenarios" / "faults"
# Rows that no scenario can show; docs/diagnosis.md says the same of them.
NOT_SHOWN: Mapping[str, str] = {
    "unknown": "every outcome of the engine has a row above it",
    "clock-skew": "a pod has the clock of its node: only the kernel's owner could set it",
}


def drills() -> Iterator[tuple[str, Step]]:
    """Every step of the drills that expects a row."""
    for file in find_scenarios(FAULTS):
        for step in load_plan(file).scenario.steps:
            if step.expect is not None and step.expect.diagnosis is not None:
                yield f"{file.parent.name}: {step.name}", step


def rows() -> set[str]:
    return {row.id for row in SITUATIONS if not row.names_cause} | {row.id for row in CAUSES}


def test_every_row_has_a_drill_or_a_reason() -> None:
    shown = {step.expect.diagnosis for _, step in drills() if step.expect} | {"reachable"}
    assert rows() - shown == set(NOT_SHOWN)


@pytest.mark.parametrize(
    ("name", "step"),
    list(drills()),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_drill_expects_what_the_row_says(name: str, step: Step) -> None:
    """The world made from outside and the fault in the cluster are judged alike."""
    assert step.expect is not None
    verdict, *_ = EXPECTED[str(step.expect.diagnosis)]
    assert step.expect.verdict is verdict, name
