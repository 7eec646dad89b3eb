"""The plan: a scenario made ready to run. Pure; nothing has been looked at yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from harness.core.errors import SpecError
from harness.spec.model import Scenario, Step
from harness.spec.parse import read_scenario


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One item of a run. The first is always the cluster, which has no step of the scenario."""

    id: str
    needs: tuple[str, ...]
    step: Step | None = None


@dataclass(frozen=True)
class Plan:
    """A scenario, the text it came from, and its steps in order."""

    scenario: Scenario
    source: str
    text: str
    steps: tuple[PlannedStep, ...]

    @cached_property
    def by_id(self) -> dict[str, PlannedStep]:
        """The steps by their ids."""
        return {step.id: step for step in self.steps}

    @property
    def cluster_step(self) -> str:
        """The id of the step that opens the cluster."""
        return self.steps[0].id

    @property
    def sha256(self) -> str:
        """The hash of the scenario's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def closure(self, step: str) -> tuple[str, ...]:
        """The step and everything it needs, directly or not, in the order of the plan."""
        wanted = {step}
        for planned in reversed(self.steps):
            if planned.id in wanted:
                wanted.update(planned.needs)
        return tuple(planned.id for planned in self.steps if planned.id in wanted)


def make_plan(text: str, source: str) -> Plan:
    """The plan of a scenario file's text.

    Errors:
        SpecError: everything that is wrong with the text, each at file:line:column.
    """
    parsed = read_scenario(text, source)
    if parsed.scenario is None or parsed.problems:
        raise SpecError(parsed.problems)
    return plan_scenario(parsed.scenario, text=text, source=source)


def plan_scenario(scenario: Scenario, *, text: str, source: str) -> Plan:
    """The plan of a scenario that was read already."""
    cluster = PlannedStep(id=f"cluster {scenario.cluster.name}", needs=())
    steps = tuple(
        PlannedStep(id=step.name, needs=(cluster.id, *step.needs), step=step)
        for step in scenario.steps
    )
    return Plan(scenario=scenario, source=source, text=text, steps=(cluster, *steps))
