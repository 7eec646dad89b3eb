"""Linting a scenario: the file, what it names, and what the runner's policy says of that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import Problem, SpecError
from harness.core.plan import Plan
from harness.run.load import find_root, load_plan
from harness.runner.examine import Examiner
from harness.runner.offline import make_examiner
from harness.runner.settings import RunnerSettings
from harness.spec.parse import read_scenario
from harness.timing.clock import SystemClock
from infra.knative.retired import retired_images


def lint_scenario(path: Path) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan of a scenario in which nothing is wrong, contracts included, and its warnings.

    Errors:
        SpecError: every problem, each at file:line:column; what the policy refuses is found
            once the scenario itself can be read.
        UsageError: the scenario or the policy cannot be read.
    """
    plan = load_plan(path)
    problems = tuple(_refused_contracts(plan, path))
    if problems:
        raise SpecError(problems)
    return plan, tuple(_warnings(plan, find_root(path.parent)))


def _warnings(plan: Plan, root: Path) -> Iterator[Problem]:
    for service in plan.scenario.services.values():
        text = (root / service.manifest).read_text(encoding="utf-8")
        yield from retired_images(text, service.manifest)


def _refused_contracts(plan: Plan, path: Path) -> Iterator[Problem]:
    examiner: Examiner | None = None
    source = read_scenario(plan.text, plan.source).source
    for index, step in enumerate(plan.scenario.steps):
        if step.contract is None:
            continue
        # Scenarios without contracts need no policy.
        examiner = examiner or make_examiner(RunnerSettings.of_repository(find_root(path.parent)))
        file = path.parent / step.contract.file
        examined = examiner.examine_file(file, received=SystemClock().now())
        for refusal in examined.refusals:
            message = f"the contract {step.contract.file!r} would be refused: {refusal}"
            yield source.problem(("steps", index, "contract", "file"), message)
