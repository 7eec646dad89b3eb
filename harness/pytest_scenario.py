"""Scenario files as pytest sees them: a collector, its items, and the runs behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from _pytest._code.code import TerminalRepr

from harness.app import open_run
from harness.core.errors import SpecError, UsageError, VpmError
from harness.core.explain import explain, headline
from harness.core.plan import Plan
from harness.core.verdict import RunVerdict, StepVerdict
from harness.evidence.checks.load import load_documents
from harness.evidence.outputs import junit_properties
from harness.options import RunOptions
from harness.provider import choose_driver
from harness.run.engine import Run
from harness.run.load import load_plan
from infra.clusters.pytest_kind_options import map_options

_PYTEST_KIND = (
    "cluster_name",
    "keep_cluster",
    "kubeconfig",
    "kind_image",
    "kind_bin",
    "kind_kubectl_bin",
)


class Runs:
    """The runs of a session, one for each scenario file whose steps are asked for."""

    def __init__(self, config: pytest.Config, options: RunOptions) -> None:
        self._config = config
        self._options = options
        self._open: dict[Path, Run] = {}
        self._done: list[tuple[Run, RunVerdict]] = []
        self._errors: list[str] = []

    def get(self, path: Path, plan: Plan) -> Run:
        """The run of a scenario file; opened when it is asked for first."""
        if path not in self._open:
            options = self.options_for(plan)
            self._open[path] = open_run(plan, path, options, progress=self._progress)
        return self._open[path]

    def options_for(self, plan: Plan) -> RunOptions:
        """The session's choices, with what pytest-kind's own options add to them.

        Errors:
            UsageError, ClusterError: no cluster can be chosen, or an option contradicts another.
        """
        driver, _ = choose_driver(self._options)
        given = {name: self._config.getoption(name, None) for name in _PYTEST_KIND}
        asked = map_options(given, provider=driver.provider, cluster=plan.scenario.cluster.name)
        return replace(
            self._options,
            keep=self._options.keep or asked.keep,
            kind_bin=self._options.kind_bin or asked.kind_bin,
            kind_image=self._options.kind_image or asked.image,
        )

    def _progress(self, line: str) -> None:
        """Tell a person what is being waited for: always with -v, and where it takes minutes."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        quick = self._options.cluster in ("auto", "embedded")
        if reporter is None or capture is None or (quick and reporter.verbosity <= 0):
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"vpm: {line}")

    def close(self, path: Path, *, interrupted: bool = False) -> Path | None:
        """Close a run: its cluster is let go and its evidence written; returns its folder."""
        run = self._open.pop(path, None)
        if run is None:
            return None
        try:
            self._done.append((run, run.close(interrupted=interrupted)))
        except VpmError as error:
            self._errors.append(f"{path}: the run could not be closed: {error}")
        return run.folder.path

    def close_all(self) -> bool:
        """Close what a broken-off session left open; whether every run ended well."""
        for path in list(self._open):
            self.close(path, interrupted=True)
        return not self._errors and all(verdict.exit_code == 0 for _, verdict in self._done)

    def summary(self) -> Iterator[str]:
        """A line or two for each run that ended, and the errors of those that could not."""
        for run, verdict in self._done:
            yield f"{run.plan.scenario.name}: {headline(verdict)}"
            yield f"  evidence: {run.folder.path}"
            yield from (f"  {note}" for note in run.notes)
        yield from self._errors


RUNS = pytest.StashKey[Runs]()


class StepFailed(Exception):
    """A step was judged and not accepted."""

    def __init__(self, verdict: StepVerdict, lines: Sequence[str]) -> None:
        super().__init__(verdict.reason)
        self.lines = tuple(lines)


class ScenarioFile(pytest.File):
    """A `scenario.yaml`."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its steps, the cluster first."""
        try:
            plan = load_plan(self.path)
        except SpecError as error:
            raise self.CollectError("\n".join(str(problem) for problem in error.problems)) from None
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        for number, planned in enumerate(plan.steps):
            yield StepItem.from_parent(self, name=planned.id, plan=plan, number=number)


class StepItem(pytest.Item):
    """One step of a scenario."""

    def __init__(self, name: str, parent: pytest.Collector, *, plan: Plan, number: int) -> None:
        super().__init__(name, parent)
        self.plan = plan
        self.number = number
        self.add_marker(pytest.mark.xdist_group(str(self.path)))

    def runtest(self) -> None:
        """Do the step and what it needs; raise StepFailed when it is not accepted."""
        run = self.config.stash[RUNS].get(self.path, self.plan)
        record = run.step(self.name)
        verdict = run.verdict(self.name)
        self.user_properties.append(("vpm.verdict", verdict.verdict.value))
        self.user_properties.append(("vpm.evidence", str(run.folder.path)))
        if verdict.skipped:
            pytest.skip(verdict.skipped)
        if not verdict.accepted:
            raise StepFailed(verdict, explain(verdict, record))

    def teardown(self) -> None:
        """Close the run after the last of its steps; JUnit's file names its evidence there."""
        if self is last_of(self.session.items, self.path):
            folder = self.config.stash[RUNS].close(self.path)
            documents = load_documents(folder) if folder else ()
            self.user_properties.extend(junit_properties(documents))

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str | TerminalRepr:
        """A judged step is explained in words; anything else is pytest's to show."""
        if isinstance(excinfo.value, StepFailed):
            return "\n".join(excinfo.value.lines)
        if isinstance(excinfo.value, VpmError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the step is written, and its readable id."""
        return self.path, 0, f"{self.plan.scenario.name}: {self.name}"


def stop_without_cluster(items: Sequence[pytest.Item], runs: Runs) -> None:
    """End the session when there are steps to do and no cluster can be chosen for them."""
    plans = {item.path: item.plan for item in items if isinstance(item, StepItem)}
    try:
        for plan in plans.values():
            runs.options_for(plan)
    except VpmError as error:
        pytest.exit(str(error), returncode=int(error.exit_code))


def last_of(items: Iterable[pytest.Item], path: Path) -> pytest.Item | None:
    """The item of a scenario that runs last."""
    steps = [item for item in items if isinstance(item, StepItem) and item.path == path]
    return steps[-1] if steps else None


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The items, each scenario's steps in their own order at the place of the first of them."""
    steps: dict[Path, list[StepItem]] = {}
    for item in items:
        if isinstance(item, StepItem):
            steps.setdefault(item.path, []).append(item)
    ordered: list[pytest.Item] = []
    for item in items:
        if not isinstance(item, StepItem):
            ordered.append(item)
        else:
            ordered += sorted(steps.pop(item.path, ()), key=lambda step: step.number)
    return ordered
